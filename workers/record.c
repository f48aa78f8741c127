/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames into the trace of a worker, and durations into its counters. Runs in
 * the workers, on the way of every request; never blocks, allocates nothing,
 * makes no system call.
 */
#include "workers/record.h"

#include <string.h>
#include <sys/socket.h>

#include "shm/clock.h"
#include "shm/trace.h"
#include "workers/who.h"

enum { WORD = 8 };

#define SET_AGAIN_NS 1000000000u /* the time of day may be set, too */

void
record_init(struct recorder *r, struct worker *w, const struct framer *f)
{
	r->worker = w;
	r->ring = seg_trace(w->shm);
	r->ring_bytes = seg_trace_bytes(r->ring);
	r->set_ns = 0;
	r->tick_ns = 0;
	r->tick_us = 0;
	r->nreplies = 0;
	r->last = NULL;
	r->joins = NULL;
	r->spoiled = false;
	r->late_ms = 0;
	r->input = 0;
	r->framer = TRACE_OWN;
	r->splits = f == &frame_mbap || f == &frame_tls;
	if (f == &frame_mbap)
		r->framer = TRACE_SOCKET;
	else if (f == &frame_tls)
		r->framer = TRACE_TLS;
	else if (f == &frame_rtu)
		r->framer = TRACE_RTU;
	else if (f == &frame_ascii)
		r->framer = TRACE_ASCII;
}

/* The time of day when the clock was last read for what came then. */
static inline uint64_t
tick_us(struct recorder *r)
{
	uint64_t now_ns = r->worker->now_ns;
	struct timespec t;

	if (now_ns == r->tick_ns)
		return r->tick_us;
	if (r->set_ns == 0 || now_ns - r->set_ns > SET_AGAIN_NS) {
		clock_gettime(CLOCK_REALTIME, &t);
		r->unix_ns = (uint64_t)t.tv_sec * 1000000000u +
		    (uint64_t)t.tv_nsec - clock_mono_ns();
		r->set_ns = now_ns;
	}
	r->tick_ns = now_ns;
	r->tick_us = (r->unix_ns + now_ns) / 1000;
	return r->tick_us;
}

/* Who is at the other end: address and port, or words and how long they are. */
static const void *
peer_of(struct recorder *r, const struct shm_conn *c, struct trace_head *h)
{
	const struct shm_conn_who *who;

	h->port = c->port;
	h->peer_len = c->family == AF_INET ? 4 : 16;
	if (c->family == AF_INET || c->family == AF_INET6)
		return c->addr;
	h->peer_len = 0;
	who = who_find(r->worker->shm, c);
	if (who == NULL)
		return NULL;
	h->peer_len = (uint8_t)strnlen(who->peer, CONN_PEER_MAX);
	/* no address is to be seen in them: the NUL counts */
	if (h->peer_len == 4 || h->peer_len == 16)
		h->peer_len++;
	return who->peer;
}

static uint64_t
put(struct recorder *r, const struct shm_conn *c, struct trace_head *h,
    const uint8_t *adu)
{
	const void *peer = peer_of(r, c, h);
	uint64_t pos =
	    atomic_load_explicit(&r->ring->head, memory_order_relaxed);

	h->conn = atomic_load_explicit(&c->serial, memory_order_relaxed);
	h->framer = r->framer;
	trace_write(r->ring, r->ring_bytes, h, peer, adu);
	return pos;
}

static uint64_t
put_in(struct recorder *r, const struct shm_conn *c, uint8_t unit,
    uint8_t flags, const uint8_t *adu, size_t len)
{
	struct trace_head h = {
		.unix_us = tick_us(r),
		.flags = flags,
		.unit = unit,
		.len = len < BATCH_IN ? (uint16_t)len : BATCH_IN,
	};

	return put(r, c, &h, adu);
}

uint64_t
record_request(struct recorder *r, const struct shm_conn *c, uint8_t unit,
    const uint8_t *adu, size_t len)
{
	return put_in(r, c, unit, 0, adu, len);
}

void
record_input(struct recorder *r, const struct shm_conn *c, const uint8_t *bytes,
    size_t len)
{
	r->input = put_in(r, c, 0, TRACE_MANY, bytes, len);
	r->input_conn = atomic_load_explicit(&c->serial, memory_order_relaxed);
	r->input_done = 0;
}

uint64_t
record_again(struct recorder *r, const struct shm_conn *c, bool begun)
{
	if (!begun ||
	    r->input_conn !=
		atomic_load_explicit(&c->serial, memory_order_relaxed))
		r->input = 0;
	return r->input;
}

void
record_stray(struct recorder *r, const struct shm_conn *c, uint8_t unit,
    const uint8_t *bytes, size_t len)
{
	put_in(r, c, unit, TRACE_STRAY, bytes, len);
}

static uint32_t
least(uint64_t us)
{
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* The replies that wait, as of now. */
static void
put_replies(struct recorder *r, const struct shm_conn *c, uint64_t now_ns)
{
	uint64_t us = (now_ns - r->worker->now_ns) / 1000, at, back;

	at = tick_us(r) + us;
	for (unsigned i = 0; i < r->nreplies; i++) {
		const struct record_reply *reply = &r->reply[i];
		struct trace_head h = {
			.unix_us = at + reply->late_ms * 1000ull,
			.us = least(us + reply->late_ms * 1000ull),
			.flags = reply->flags,
			.unit = reply->unit,
			.len = reply->len,
		};

		back = (atomic_load_explicit(
			    &r->ring->head, memory_order_relaxed) -
			   reply->asked) /
		    WORD;
		if (reply->asked != 0 && back < 1 << TRACE_BACK_BITS &&
		    reply->first < 1 << TRACE_FIRST_BITS) {
			h.back = back & ((1 << TRACE_BACK_BITS) - 1);
			h.first = reply->first & ((1 << TRACE_FIRST_BITS) - 1);
		}
		put(r, c, &h, reply->adu);
	}
	r->nreplies = 0;
	r->joins = NULL;
}

void
record_first(struct recorder *r, const struct shm_conn *c, uint8_t unit,
    uint64_t asked, bool many, const uint8_t *adu, size_t len)
{
	unsigned index = many ? r->input_done : 0;

	many = many && !r->spoiled;
	if (r->nreplies == RECORD_WAITING)
		put_replies(r, c, clock_mono_ns());
	r->last = &r->reply[r->nreplies++];
	*r->last = (struct record_reply){
		.adu = adu,
		.asked = asked,
		.len = (uint16_t)len,
		.first = (uint16_t)index,
		.next = (uint16_t)(index + 1),
		.unit = unit,
		.flags = TRACE_SENT | (many ? TRACE_MANY : 0) |
		    (r->spoiled ? TRACE_SPOILED : 0),
		.late_ms = r->late_ms,
	};
	r->joins = many ? adu + len : NULL;
	r->spoiled = false;
	r->late_ms = 0;
}

void
record_spoiled(struct recorder *r, uint32_t late_ms)
{
	r->spoiled = true;
	r->late_ms = late_ms;
}

void
record_late(struct recorder *r, uint32_t late_ms)
{
	r->late_ms = late_ms;
}

void
record_unsaved(struct recorder *r, const struct shm_conn *c, uint8_t unit,
    const uint8_t *adu, size_t len)
{
	put_in(r, c, unit, TRACE_SENT, adu, len);
}

/* The first class whose bound is not below it. */
static unsigned
class_of(uint64_t ns)
{
	unsigned i = 0;

	while (i < SHM_DURATIONS - 1 && ns > shm_duration_us[i] * 1000ull)
		i++;
	return i;
}

void
record_end(struct recorder *r, const struct shm_conn *c, unsigned requests)
{
	struct shm_stats *s = &r->worker->shm->stats;
	uint64_t now_ns, took_ns;

	if (requests == 0)
		return;
	now_ns = clock_mono_ns();
	took_ns = now_ns - r->worker->now_ns;
	worker_count(&s->durations[class_of(took_ns)], requests);
	worker_count(&s->duration_ns, took_ns * requests);
	if (r->nreplies != 0)
		put_replies(r, c, now_ns);
}
