/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_RESUME_H
#define WORKERS_RESUME_H

/*
 * What a worker makes of the connections of a dead predecessor, whose
 * descriptors are still open here (proc.kept). Where bytes are those of the
 * socket it goes on with them: every request is carried out once and answered
 * once, at whatever instruction the predecessor was killed.
 *
 * What it knows is the connection's half in force, the batch record if one is
 * in force (layout_batch.h, batch.h), and what the kernel has counted:
 *
 *	consumed = tcpi_bytes_received - SIOCINQ	less 1 for a FIN
 *	written  = tcpi_bytes_acked + SIOCOUTQ
 *
 * Without a record in force nothing was in hand. With one, consumed - half.rx
 * bytes were read into it, even if the predecessor never saw its recv()
 * return; none means that there was nothing, and the record is void. Else
 * written - tx_base[round] bytes of its output have left, even if it never saw
 * its send() return; the rest is sent, and then the usual code goes on behind
 * prog. The one request that may have been carried out without prog saying so
 * finds its operation number used; bind.resumed says that this is fine, and its
 * reply stands in the record, since it was written there before the commit.
 *
 * A socket that was accepted and had no record yet is admitted as a new one:
 * worker.accepting says that there may be one. All of this may itself be killed
 * anywhere and begun again by the next worker.
 *
 * What becomes of the connection whose bytes were being looked at as the
 * predecessor died of itself, poison.h says: it may take the successor along.
 * No other is touched by that.
 *
 * Sockets are only believed to be connections if they are of the listener's
 * port: the number of one that had been closed may be anybody's by now.
 */

#include "workers/poison.h"
#include "workers/stream.h"

/* What the kernel has taken in for a socket and given out, and of that what has
 * been read and written here. 0; -1: it has been reset, or is no connection. */
int resume_counts(int fd, uint64_t *consumed, uint64_t *written);

enum resume_rc {
	RESUME_NOTHING, /* nothing had been read */
	RESUME_HELD, /* in_len is set, *sent bytes of out[] have left */
	RESUME_LOST, /* reset, or the record contradicts the kernel */
};

/* What a batch record, in force for c, came to; fd is c's socket. *fresh gets
 * the bytes that were read and not noted as such; they stand behind pre. */
enum resume_rc resume_batch(const struct shm_batch *, struct shm_conn *c,
    int fd, unsigned *fresh, unsigned *sent);

/* Ends in the records what a predecessor had, and closes the sockets that are
 * still open here; the link tells requests apart, NULL: nobody is to be blamed
 * for them. listen_fd is where they were accepted, -1 for those who have
 * none. 0, or -1 after worker->why was set. */
int resume_wipe(struct conns *, const struct link *, int listen_fd);

/* Takes over what can be, and wipes the rest: of a stream whose door has its
 * listener. The batches that have to be gone on with are in their connections'
 * hands, stream_resume(). 0, or -1 after worker->why was set. */
int resume_connections(struct stream *);

/* A descriptor that was accepted and has no record, or -1: at most one. */
int resume_orphan(const struct conns *, int listen_fd);

#endif
