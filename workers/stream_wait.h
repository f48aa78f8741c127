/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_STREAM_WAIT_H
#define WORKERS_STREAM_WAIT_H

/* Between stream.c, the time-outs of its connections, and those that it takes
 * over. */

#include "workers/stream.h"

static inline struct shm_stats *
stream_stats(const struct stream *st)
{
	return &st->worker->shm->stats;
}

/* Ends a connection of a stream; see conns_close(). */
void stream_drop(
    void *st, struct conn *, const char *why, _Atomic uint64_t *counter);

/* What a predecessor has left: taken over or wiped, the records that are free
 * found. 0, or -1 after worker->why was set. */
int stream_inherit(struct stream *);

/* Watches a connection that was taken over. b, unless NULL: a batch of it that
 * is in force; sent bytes of its output have left. */
void stream_take_over(
    struct stream *, struct conn *, struct shm_batch *b, unsigned sent);

/* n bytes have been read into b, behind what was left over: shows them to hooks
 * and notes how many there are. */
void stream_got(struct stream *, struct conn *, struct shm_batch *b, size_t n);

/* Goes on with what is held, for which there may be room, or for whose next
 * part it may be time. */
void stream_go_on(struct stream *, struct conn *);

/* Reads what has already come of one that has nothing in hand, and closes it
 * when that is answered: the end of a drain. */
void stream_last_turns(struct stream *, struct conn *);

/* The event of a connection, when requests may have come. */
void stream_readable(evutil_socket_t, short what, void *conn);

/* The timers are made, and taken back. */
void stream_wait_init(struct stream *);
void stream_wait_fini(struct stream *);

/* Arms the one timer for the connection that will be due first. */
void stream_sweep_arm(struct stream *);

/* There is no record for a connection: it is not read from before there is one
 * again, which stream_feed() says to all of them. */
void stream_starve(struct stream *, struct conn *);
void stream_feed(struct stream *);

/* The worker drains: who takes nothing does not hold it up for long. */
void stream_unread_arm(struct stream *);

#endif
