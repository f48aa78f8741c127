/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_UDP_H
#define WORKERS_UDP_H

/*
 * The parts of the UDP transport among themselves: t_udp.c has the socket and
 * the rounds, udp_serve.c one datagram, udp_save.c replies that wait for the
 * disk.
 */

#include "workers/dgram_late.h"
#include "workers/link.h"
#include "workers/peers.h"
#include "workers/poison.h"
#include "workers/repeats.h"
#include "workers/waits.h"

/* What may go on for long, and is told now and then. */
enum { UDP_DENIED, UDP_SHUT, UDP_FAILED, UDP_KINDS };

/* What a peer has asked in a round. */
struct udp_asked {
	uint64_t round;
	unsigned n;
};

struct udp {
	struct worker *worker;
	struct link link;
	struct peers peers;
	struct dgrams *dgrams;
	struct repeats repeats;
	bool numbered; /* frames have transaction numbers */
	bool inherited; /* what is in hand came before its host was shut out */
	unsigned died; /* workers that have died of the next one in hand */
	uint8_t shown[DGRAM_IN_MAX]; /* a datagram as hooks have changed it */
	struct udp_asked *asked; /* by index of the connection, its session */
	uint64_t round;
	unsigned singles; /* rounds of one since all were taken */
	struct frame frame;
	struct event readable, writable, pause;
	struct dgrams_late *late; /* NULL until there has been one */
	struct event in_time;
	uint64_t told_ns[UDP_KINDS]; /* 0: never */
	unsigned drained; /* rounds, while draining */
	bool finished; /* nothing is left of that but what waits for the disk */
	struct waits waits;
	struct { /* of the segment's, by index; ticket 0: does not wait */
		uint64_t ticket, until_ns;
		size_t len; /* of what waits for room in the kernel now; 0 */
	} save[SHM_DGRAM_WAITS];
	unsigned nsaves, nrooms; /* all of them; those that wait for room */
	struct event room;
};

static inline struct shm_stats *
udp_stats(const struct udp *u)
{
	return &u->worker->shm->stats;
}

/* True, once a minute, if there should be a line of that kind. */
bool udp_may_tell(struct udp *, int kind);

/* Serves datagram i, the next one in hand: its reply is among those to be sent,
 * or waits for its time. */
void udp_serve(struct udp *, unsigned i);

/* The last worker has died of itself with the next one in hand: what becomes of
 * that. False if it is to be left out. */
bool udp_judge(struct udp *, unsigned suspect);

/* What it has changed is not changed again, should it come again. */
void udp_remember(struct udp *, unsigned i, const struct acl_peer *);

/* What waits for the disk: that of a predecessor to begin with. */
void udp_save_init(struct udp *);

/* Keeps back the reply, len bytes long, to datagram i, whose frame is in
 * u->frame and lies at in, until what it has changed is on the disk. False:
 * there is no room. */
bool udp_save(struct udp *, unsigned i, const uint8_t *in, size_t len);

/* Whether a request of those bytes of that peer waits. */
bool udp_save_knows(const struct udp *, uint64_t hash, const struct acl_peer *);

/* Arms the timer for the reply that is due first of those that wait. */
void udp_arm_late(struct udp *);

#endif
