/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_DGRAM_H
#define WORKERS_DGRAM_H

/*
 * Datagrams in batches: one system call takes what has come, one sends every
 * reply. A reply goes where its datagram came from, and leaves from the address
 * that was asked. Knows sockets and addresses, but nothing of Modbus.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "workers/proto/frame.h"

enum {
	DGRAM_BATCH = 32, /* most that can be taken at once */
	/* What is longer than any ADU is cut to this, and so is still longer
	 * than any ADU: no framer takes it for a frame. */
	DGRAM_IN_MAX = FRAME_ADU_MAX + 1,
	DGRAM_OUT_MAX = FRAME_ADU_MAX,
};

struct dgram {
	_Alignas(struct cmsghdr)
	    uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_storage from;
	size_t len; /* valid bytes of in */
	uint8_t in[DGRAM_IN_MAX];
	uint8_t out[DGRAM_OUT_MAX]; /* for the reply */
};

struct dgrams {
	int fd; /* the caller's, non-blocking */
	struct sockaddr_storage own; /* where it is bound */
	unsigned most; /* that are taken at once: 1 to DGRAM_BATCH, as the
			* caller likes it */
	unsigned n; /* datagrams taken and in hand */
	unsigned nreplies, sent;
	struct mmsghdr msg[DGRAM_BATCH], reply[DGRAM_BATCH];
	struct iovec in[DGRAM_BATCH], out[DGRAM_BATCH];
	struct dgram at[DGRAM_BATCH];
};

/* Made once for a bound UDP socket, which has IP_PKTINFO or IPV6_RECVPKTINFO
 * set if it is bound to every address; NULL with errno. */
struct dgrams *dgrams_new(int fd);
void dgrams_free(struct dgrams *);

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

/* The first len bytes of at[i].out are the reply to datagram i. */
void dgrams_reply(struct dgrams *, unsigned i, size_t len);

/*
 * Sends the replies from where it has got to. False if the socket has no room
 * for one: to be called again when it has. *bytes and *lost are counted up by
 * what was sent and by the replies that the system refused to send.
 */
bool dgrams_send(struct dgrams *, uint64_t *bytes, uint64_t *lost);

#endif
