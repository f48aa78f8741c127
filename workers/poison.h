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
 * The same request of another host is answered 04 meanwhile, and what workers
 * have died of lately is not even carried out once more. Hosts are told
 * apart as quarantine.h has it; a line's are not, nobody there is kept out, and
 * its requests count one by one. Hosts of `priority` are let in whatever they
 * ask, but that is answered 04 all the same. Over UDP, where there is no
 * connection to be ended, a host is kept out as soon as two workers have died.
 * What a connection that does not outlive its worker has asked, or a line, is
 * not carried out a third time either: whoever asks again is told 04. A request
 * that nobody died of the second time does not count, where that is known: not
 * there. shm_worker.hand and .suspect tell what a worker had in hand, and how
 * it ended. With a quarantine_s of 0 nothing is remembered, but for what is in
 * hand.
 *
 * A SIGKILL that is not the supervisor's may be anybody's, and says nothing of
 * what was in hand. But it is the system's, too, if a request takes all memory.
 * So POISON_KILLS in a row with the very same request in hand, each time begun
 * anew, are taken for two deaths, and POISON_KILLS_GONE for three if its peer
 * has closed the connection since. Where nobody goes on with it, a row is of
 * those that are asked for again, and ends as one is carried out; it is of one
 * worker.
 *
 * What one worker of a transport knows they all know, and counts are of all of
 * them together.
 */

#include "workers/link.h"
#include "workers/quarantine.h"

enum { POISON_KILLS = 5, POISON_KILLS_GONE = 3 };

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
	unsigned suspect; /* SUSPECT_* */
	bool gone; /* its peer has closed the connection */
	/* of this very request, and which one it is, if it is gone on with;
	 * else NULL */
	struct shm_deaths *deaths;
	unsigned at;
};

/* How a worker's predecessor has ended, SUSPECT_*, and what it had in hand, as
 * shm_worker.hand has it. Once: whatever this one dies of is told anew. */
unsigned poison_heir(struct worker *, uint32_t *hand);

/* A worker has died: counts and tells it. What becomes of the request, or of
 * its connection. deaths is brought up to date. */
enum poison poison_died(struct conns *, const struct poison_death *);

/* The same for the connection in record d->conn, of which the way and the
 * suspect are set, too; b is its batch in force, or NULL. resumes: it could be
 * gone on with. */
enum poison poison_judge(struct conns *, const struct link *,
    struct poison_death *d, struct shm_batch *b, bool resumes);

/* Whether a request of connection c may be carried out; died: how many workers
 * have died of it. Counts and tells it if not: POISON_REFUSE, it is answered
 * 04; POISON_SHUT, and its connection ends. *watched: NULL, or for
 * quarantine_forgive() once it has been carried out. */
enum poison poison_meet(struct worker *, const struct shm_conn *c,
    const struct frame *, unsigned died, struct shm_poison **watched);

/* Whether poison_meet() knows of anything. */
static inline bool
poison_wary(const struct worker *w)
{
	return atomic_load_explicit(&w->shm->wary_ns, memory_order_relaxed) >
	    w->now_ns ||
	    (w->conns != NULL && w->conns->nsiblings != 0 &&
		quarantine_others_wary(w));
}

#endif
