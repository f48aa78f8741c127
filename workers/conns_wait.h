/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_CONNS_WAIT_H
#define WORKERS_CONNS_WAIT_H

/*
 * What connections wait for, oldest first: the rest of a request, room in the
 * socket, a next request. Nothing here allocates, and no answer takes longer
 * the more connections there are, but for priority ones that do not read.
 */

#include "workers/conns.h"

/* The rest of a request is awaited, since now; and no longer. */
void conns_slow(struct conns *, struct conn *);
void conns_not_slow(struct conns *, struct conn *);

/* Output waits for room in the socket since now (again); and no longer. */
void conns_park(struct conns *, struct conn *, struct shm_batch *);
void conns_unpark(struct conns *, struct conn *);

/* What is held waits for no room, but for something else. */
void conns_rest(struct conns *, struct conn *);

/* Whose output has waited longest, a priority connection only if there is no
 * other; or NULL. */
struct conn *conns_deafest(const struct conns *);

/* One that is idle or slow for too long, *idle says which; or NULL. Priority
 * connections may be idle for ever (Messaging on TCP/IP Guide, 4.2.1.1). */
struct conn *conns_expired(const struct conns *, bool *idle);

/* When the next one will be, 0 never. */
uint64_t conns_next_ns(const struct conns *);

/* Whose bytes hooks and devices get to see now, NULL: nobody's. Should the
 * worker die of them, poison.h says what becomes of it. */
static inline void
conns_hand(const struct conns *cs, const struct conn *c)
{
	atomic_store_explicit(&cs->worker->shm->hand,
	    c != NULL ? c->rec.index + 1 : 0, memory_order_relaxed);
}

#endif
