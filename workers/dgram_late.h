/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_DGRAM_LATE_H
#define WORKERS_DGRAM_LATE_H

/*
 * Replies over UDP that are put off by a fault: copies that wait for their
 * time. What is meanwhile answered to the same peer waits behind them, so each
 * peer gets its replies in order; others wait for nothing. At most
 * DGRAM_LATE_MAX wait at a time, and of one peer DGRAM_LATE_PEER. A reply
 * beyond these is lost if others to its peer wait, for it must not overtake
 * them; else it goes at once.
 */

#include "workers/dgram.h"
#include "workers/fault.h"

enum { DGRAM_LATE_MAX = 1024, DGRAM_LATE_PEER = 128 };

enum late_put {
	LATE_NOT, /* not taken: dgrams_reply() is what it needs */
	LATE_WAITS,
	LATE_LOST, /* no room, and it may not go at once */
};

struct dgrams_late;

/* For the socket of these; NULL if there is no memory. */
struct dgrams_late *dgrams_late_new(struct dgrams *);
void dgrams_late_free(struct dgrams_late *);

/*
 * Takes the reply of len bytes to datagram i. late: how it is put off; NULL: if
 * nothing of the same peer waits it is not taken.
 */
enum late_put dgrams_late_put(struct dgrams_late *, unsigned i, size_t len,
    const struct late *late, uint64_t now_ns);

/* When there is something to be sent, 0 never. */
uint64_t dgrams_late_next_ns(const struct dgrams_late *);

/* Sends what is due by now_ns; what finds no room in the socket stays, and is
 * tried again a moment later. Counts as dgrams_send() does. */
void dgrams_late_send(
    struct dgrams_late *, uint64_t now_ns, uint64_t *bytes, uint64_t *lost);

/* Sends all of it; what finds no room is lost. */
void dgrams_late_hurry(struct dgrams_late *, uint64_t *bytes, uint64_t *lost);

#endif
