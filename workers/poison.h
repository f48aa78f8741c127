/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_POISON_H
#define WORKERS_POISON_H

/*
 * Requests that workers die of, of a plugin's function say. A successor goes on
 * with what its predecessor had in hand, so such a request would take one
 * worker after the other along, and everybody else's time with it.
 *
 *	dies first	it is carried out once more: it may have been chance
 *	dies again	it is not, but answered 04, or as it would have been
 *			if the write that it asks for has been carried out
 *	a third time	its connection ends, and its host is not let in for
 *			quarantine_s: if a worker dies of anything else that
 *			host asks, or if the same is asked for again, which is
 *			seen before anybody dies of it
 *
 * The same request of another host is answered 04 meanwhile. Hosts are told
 * apart by address, those of IPv6 by its first 64 bits; who has no address is
 * let in. What a connection that does not outlive its worker has asked is not
 * carried out a third time either. A request that nobody died of the second
 * time does not count. Nor does what a worker had in hand as somebody killed
 * it: conns_hand() and shm_worker.suspect tell. With a quarantine_s of 0
 * nothing is remembered of hosts.
 *
 * Counts are of the transport's workers together; requests are known to the
 * worker that has seen them.
 */

#include "workers/conns.h"
#include "workers/link.h"

/*
 * A worker has died, of itself (suspect: SUSPECT_*), with the connection in
 * record i in its hands; b is its batch in force, or NULL. Counts and tells
 * that; what becomes of the connection. resumes: it could be gone on with.
 */
enum poison poison_judge(struct conns *, const struct link *, unsigned i,
    struct shm_batch *b, unsigned suspect, bool resumes);

/* Whether a request of connection c may be carried out; died: how many workers
 * have died of it. Counts and tells it if not: then never POISON_AGAIN. */
enum poison poison_meet(struct worker *, const struct shm_conn *c,
    const struct frame *, unsigned died);

/* What a worker has died of once was carried out now. */
void poison_forgive(struct worker *, const struct shm_conn *c);

/* True if a host is not to be let in. */
bool poison_shuts(const struct conns *, const struct acl_peer *);

/* Whether poison_meet() knows of anything. */
static inline bool
poison_wary(const struct worker *w)
{
	return atomic_load_explicit(&w->shm->wary, memory_order_relaxed) != 0;
}

#endif
