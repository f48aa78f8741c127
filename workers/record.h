/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_RECORD_H
#define WORKERS_RECORD_H

/*
 * Frames as they come and go, into the ring of the worker's segment, where they
 * outlive it (shm/trace.h), and how long requests take.
 *
 * The clock is read once for what was read at once, by worker_tick(), and once
 * when all of that has been answered. So a request is recorded before it is
 * carried out: whatever it does to the worker, it is there to be read. Replies
 * are recorded together, with the second time, when the last one is ready;
 * that is also when they leave.
 */

#include "workers/proto/frame.h"
#include "workers/worker.h"

/*
 * Where frames say how long they are, all that was read at once is one record,
 * and so are the replies to it, as many as fit: what a record costs is more
 * than what a frame does.
 */

enum { RECORD_WAITING = 64 };

/* A reply that waits for the clock. */
struct record_reply {
	const uint8_t *adu;
	uint64_t asked; /* where its request lies */
	uint32_t late_ms; /* that it waits for by a rule, or a plugin */
	uint16_t len;
	uint16_t first, next; /* the how manieth there; and behind the last */
	uint8_t unit, flags;
};

struct recorder {
	struct worker *worker;
	struct shm_ring *ring;
	uint32_t ring_bytes;
	uint64_t unix_ns; /* time of day less monotonic time */
	uint64_t set_ns; /* when that was found out */
	uint64_t tick_ns, tick_us; /* worker.now_ns, and the time of day then */
	uint8_t framer; /* enum trace_framer */
	bool splits; /* frames that lie together can be told apart */
	bool spoiled; /* the next reply is */
	uint32_t late_ms; /* and so late */
	/* the record of all that was read at once: where it lies, 0 if there
	 * is none; whose it is; and how many of its requests were served */
	uint64_t input, input_conn;
	unsigned input_done;
	unsigned nreplies;
	/* the last reply that waits, and where one has to lie to go into its
	 * record; NULL if none can */
	struct record_reply *last;
	const uint8_t *joins;
	struct record_reply reply[RECORD_WAITING];
};

void record_init(struct recorder *, struct worker *, const struct framer *);

/* Whether frames are to be recorded; may change at any time. */
static inline bool
record_on(const struct worker *w)
{
	return atomic_load_explicit(&w->shm->trace_on, memory_order_relaxed) !=
	    0;
}

/* Records a request of the peer of c. Where it lies then. */
uint64_t record_request(struct recorder *, const struct shm_conn *c,
    uint8_t unit, const uint8_t *adu, size_t len);

/* The same for all requests that lie together in so many bytes, and maybe the
 * beginning of one more, which will come again. Only if r->splits. */
void record_input(struct recorder *, const struct shm_conn *c,
    const uint8_t *bytes, size_t len);

/* Another round of the same input, or if `begun` is false, the first one of an
 * input that is not recorded as a whole. Where it lies; 0: no telling. */
uint64_t record_again(struct recorder *, const struct shm_conn *c, bool begun);

/* Records bytes that nobody here answers. */
void record_stray(struct recorder *, const struct shm_conn *c, uint8_t unit,
    const uint8_t *bytes, size_t len);

/* What record_reply() does with a reply that begins a record. */
void record_first(struct recorder *, const struct shm_conn *c, uint8_t unit,
    uint64_t asked, bool many, const uint8_t *adu, size_t len);

/* Records the reply to the request at `asked`; by record_end() at the latest,
 * until when adu stays as it is. many: its request is the one of record_input()
 * that r->input_done counts; and it goes together with the replies to those
 * right before and behind that. */
static inline void
record_reply(struct recorder *r, const struct shm_conn *c, uint8_t unit,
    uint64_t asked, bool many, const uint8_t *adu, size_t len)
{
	struct record_reply *last = r->last;

	if (!many || adu != r->joins || r->spoiled || last->asked != asked ||
	    last->next != r->input_done || last->len + len > BATCH_IN) {
		record_first(r, c, unit, asked, many, adu, len);
		return;
	}
	last->len += (uint16_t)len;
	last->next++;
	r->joins = adu + len;
}

/* The reply that is recorded next, which may have no byte, is as fault rules
 * have it, and leaves so late. */
void record_spoiled(struct recorder *, uint32_t late_ms);

/* The next reply is whole, and leaves so late. */
void record_late(struct recorder *, uint32_t late_ms);

/* What is sent to c in place of a reply that is recorded already. */
void record_unsaved(struct recorder *, const struct shm_conn *c, uint8_t unit,
    const uint8_t *adu, size_t len);

/* All of c's that was read at once has been answered: so many requests, which
 * are counted by how long they took. */
void record_end(struct recorder *, const struct shm_conn *c, unsigned requests);

#endif
