/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_DGRAM_H
#define WORKERS_DGRAM_H

/*
 * Datagrams in batches: one system call takes what has come, one sends every
 * reply. A reply goes where its datagram came from, and leaves from the address
 * that was asked. Knows sockets and addresses, but nothing of Modbus.
 *
 * They lie in the worker's segment (layout_dgram.h), and the kernel writes them
 * there: a datagram that it has given out is there with its length, msg_len,
 * since whoever is killed within the system call is so at its end. So nothing
 * that was taken is lost with a worker:
 *
 *	take	all msg_len 0, then prog 0; then recvmmsg()
 *	begin	name and number of what is carried out; then prog: begun
 *	done	the reply in out[], out_len; then prog: one more done
 *	sent	sendmmsg() has returned; then prog: so many have been sent
 *
 * "Then" is a release store. A successor finds those that have a length,
 * carries out what is not done, the one that was begun under its own number,
 * and sends what is not sent: each is carried out once, and has a reply at
 * least once. An empty datagram cannot be told from none, and asks nothing.
 *
 * What lies there is only read where it does no harm if others write there:
 * lengths are copied once, and no address in it is followed.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shm/layout_dgram.h"
#include "workers/proto/frame.h"

enum {
	DGRAM_BATCH = SHM_DGRAMS,
	DGRAM_IN_MAX = SHM_DGRAM_IN,
	DGRAM_OUT_MAX = SHM_DGRAM_OUT,
};

/* What prog says. */
struct dgrams_prog {
	unsigned done, sent; /* datagrams; of their replies */
	bool begun; /* the next one */
};

struct dgrams {
	int fd; /* the caller's, non-blocking */
	struct sockaddr_storage own; /* where it is bound */
	unsigned most; /* that are taken at once: 1 to DGRAM_BATCH, as the
			* caller likes it */
	unsigned n; /* datagrams taken and in hand */
	unsigned nreplies, sent;
	struct dgrams_prog prog;
	struct shm_dgrams *shm;
	struct shm_dgram *at; /* shm->at */
	struct {
		size_t len; /* valid bytes of in */
		socklen_t namelen;
		size_t controllen; /* 0: nothing was told, or not all */
	} is[DGRAM_BATCH];
	struct mmsghdr reply[DGRAM_BATCH];
	struct iovec in[DGRAM_BATCH], out[DGRAM_BATCH];
};

/* Made once for a bound UDP socket, which has IP_PKTINFO or IPV6_RECVPKTINFO
 * set if it is bound to every address; NULL with errno. What a predecessor had
 * in hand stays where it is until dgrams_inherit(). */
struct dgrams *dgrams_new(int fd, struct shm_dgrams *);
void dgrams_free(struct dgrams *);

/*
 * Before the first dgrams_take(): what a predecessor has left is in hand now,
 * the replies of the first prog.done of them among those to be sent. Returns
 * how many they are; *bytes as for dgrams_take(). If it is not `ours` it is
 * forgotten.
 */
int dgrams_inherit(struct dgrams *, bool ours, uint64_t *bytes);

/* Datagram i, the next one, is begun with at[i].author and .op; and it is done,
 * with at[i].out_len. */
void dgrams_begin(struct dgrams *);
void dgrams_done(struct dgrams *);

/*
 * Takes what has come; all replies have been sent or given up. Returns how many
 * datagrams are now in at[], 0 if there are none, -1 with errno. *bytes gets
 * the sum of their lengths as they were sent.
 */
int dgrams_take(struct dgrams *, uint64_t *bytes);

/* True if a datagram came from the very address and port that it was sent to:
 * a forged one, whose reply would be the next request. */
bool dgrams_own(const struct dgrams *, unsigned i);

/* Where a reply to datagram i goes, and from which address: name and control of
 * *m, which are good for as long as the datagram is in hand. */
void dgrams_answer(struct dgrams *, unsigned i, struct msghdr *m);

/* The first at[i].out_len bytes of at[i].out are the reply to datagram i. */
void dgrams_reply(struct dgrams *, unsigned i);

/*
 * Sends the replies from where it has got to. False if the socket has no room
 * for one: to be called again when it has. *bytes and *lost are counted up by
 * what was sent and by the replies that the system refused to send.
 */
bool dgrams_send(struct dgrams *, uint64_t *bytes, uint64_t *lost);

#endif
