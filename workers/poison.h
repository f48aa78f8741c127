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
 *	a third time	it is answered 04, its connection ends, and its host is
 *			not let in for quarantine_s: if a worker dies of
 *			anything else that host asks, or if the same is asked
 *			for again, which is seen before anybody dies of it
 *
 * The same request of another host is answered 04 meanwhile. Hosts are told
 * apart as quarantine.h has it; a line's are not, nobody there is kept out, and
 * its requests count one by one. Hosts of `priority` are let in whatever they
 * ask, but that is answered 04 all the same. Over UDP, where there is no
 * connection to be ended, a host is kept out as soon as two workers have died.
 * What a connection that does not outlive its worker has asked, or a line, is
 * not carried out a third time either: whoever asks again is told 04. A request
 * that nobody died of the second time does not count, where that is known: not
 * there. Nor does what a worker had in hand as somebody killed it:
 * shm_worker.hand and .suspect tell. With a quarantine_s of 0 nothing is
 * remembered, but for what is in hand.
 *
 * Counts are of the transport's workers together; requests are known to the
 * worker that has seen them.
 */

#include "workers/link.h"
#include "workers/quarantine.h"

enum poison_way {
	POISON_STREAM, /* a connection, which can be ended */
	POISON_DGRAM, /* there is none */
	POISON_LINE, /* all are on the same one */
};

/* What a worker had in hand as it died. */
struct poison_death {
	enum poison_way way;
	const struct shm_conn *conn; /* who asked: a record, or the like */
	const struct frame *frame; /* pdu_len 0: nobody knows what for */
	const uint8_t *bytes; /* as they came */
	size_t len;
	/* how many workers have died of this very request, now with this one,
	 * if it is gone on with; else 0 */
	unsigned deaths;
};

/* A worker has died of itself: counts and tells it. What becomes of the
 * request, or of its connection. */
enum poison poison_died(struct conns *, const struct poison_death *);

/* The same for the connection in record i (suspect: SUSPECT_*); b is its batch
 * in force, or NULL. resumes: it could be gone on with. */
enum poison poison_judge(struct conns *, const struct link *, unsigned i,
    struct shm_batch *b, unsigned suspect, bool resumes);

/* Whether a request of connection c may be carried out; died: how many workers
 * have died of it. Counts and tells it if not: POISON_REFUSE, it is answered
 * 04; POISON_SHUT, and its connection ends. */
enum poison poison_meet(struct worker *, const struct shm_conn *c,
    const struct frame *, unsigned died);

/* What a worker has died of once was carried out now. */
void poison_forgive(struct worker *, const struct shm_conn *c);

/* Whether poison_meet() knows of anything. */
static inline bool
poison_wary(const struct worker *w)
{
	return atomic_load_explicit(&w->shm->wary, memory_order_relaxed) != 0;
}

#endif
