/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of counters. Read by relaxed loads where they lie in shared
 * memory; each is written by the one process that it belongs to.
 */

#include "control/counters.h"

#include <stdio.h>
#include <string.h>

#include "control/view.h"

const struct counter counters_worker[] = {
#define COUNTER(name, help)                                          \
	{                                                            \
#name, offsetof(struct shm_stats, name), false, help \
	}
#define NOW(name, help)                                             \
	{                                                           \
#name, offsetof(struct shm_stats, name), true, help \
	}
	COUNTER(bytes_in, "Bytes that came in."),
	COUNTER(bytes_out, "Bytes that went out."),
	COUNTER(frames_bad, "Frames with a wrong checksum or header."),
	COUNTER(unknown_units, "Requests to units that are not served."),
	COUNTER(broadcasts, "Requests to all units."),
	COUNTER(refused, "Requests that a role does not allow."),
	COUNTER(conns_opened, "Connections that were taken in."),
	NOW(conns_open, "Connections that are open."),
	COUNTER(conns_denied, "Connections refused by allow and deny."),
	COUNTER(conns_evicted, "Connections closed for a newer one."),
	COUNTER(conns_refused, "Connections refused for want of room."),
	COUNTER(conns_idle, "Connections closed by idle_timeout_s."),
	COUNTER(conns_slow, "Connections closed by frame_timeout_ms."),
	COUNTER(conns_bad, "Connections closed for hopeless bytes."),
	COUNTER(conns_kicked, "Connections closed by an operator."),
	COUNTER(conns_quarantined,
	    "Connections refused for what their peer has asked."),
	COUNTER(handshakes, "TLS handshakes that were finished."),
	COUNTER(handshakes_resumed, "TLS handshakes that resumed a session."),
	COUNTER(handshakes_failed, "TLS handshakes that failed."),
	COUNTER(backpressured, "Times that a client did not read."),
	COUNTER(replies_lost, "Replies that the system would not send."),
	COUNTER(repeats, "Requests over again, answered as before."),
	COUNTER(busy, "Requests answered 06 for being too many."),
	COUNTER(fatal, "Requests that a worker has died of."),
	COUNTER(poisoned, "Requests answered 04 since workers died of them."),
	COUNTER(faults, "Replies that fault rules have spoiled."),
	COUNTER(batches, "Reads that brought something."),
	COUNTER(view_in, "Registers and bits taken from the view."),
	COUNTER(view_out, "Registers and bits put into the view."),
	COUNTER(view_refused, "Registers and bits put back in the view."),
	COUNTER(semaphore_misses, "Times without the view's semaphore."),
#undef COUNTER
#undef NOW
	{ NULL, 0, false, NULL },
};

const struct counter counters_door[] = {
#define COUNTER(name, help)                                         \
	{                                                           \
#name, offsetof(struct shm_door, name), false, help \
	}
#define NOW(name, help)                                            \
	{                                                          \
#name, offsetof(struct shm_door, name), true, help \
	}
	COUNTER(requests, "Commands that were asked for."),
	COUNTER(errors, "Commands that were answered with an error."),
	COUNTER(denied, "Commands refused for want of a role."),
	COUNTER(bad_messages, "Messages thrown away unanswered."),
	COUNTER(auth_refused, "Keys and tokens that are none."),
	COUNTER(events, "Events that were published."),
	COUNTER(events_dropped, "Events that a subscriber was too slow for."),
	COUNTER(events_lost, "Gaps in what events come from."),
	COUNTER(pages, "Requests over HTTP."),
	COUNTER(pages_failed, "Requests over HTTP answered 4xx or 5xx."),
	COUNTER(conns_opened, "Connections that were taken in."),
	NOW(conns_open, "Connections that are open."),
	COUNTER(conns_evicted, "Connections closed for a newer one."),
	COUNTER(conns_refused, "Connections refused for want of room."),
	COUNTER(conns_slow, "Connections closed for being slow."),
	NOW(streams, "Streams of events that are open."),
	COUNTER(streams_dropped, "Streams closed for not being read."),
#undef COUNTER
#undef NOW
	{ NULL, 0, false, NULL },
};

_Static_assert(
    sizeof(counters_worker) / sizeof(counters_worker[0]) <= COUNTERS_MAX,
    "more counters than struct counters has room for");

uint64_t
counters_load(const void *in, const struct counter *c)
{
	return atomic_load_explicit(
	    (const _Atomic uint64_t *)((const char *)in + c->at),
	    memory_order_relaxed);
}

static void
add_worker(struct counters *sums, const struct shm_stats *st)
{
	for (unsigned i = 0; i < SHM_FC; i++)
		sums->requests[i] += atomic_load_explicit(
		    &st->requests[i], memory_order_relaxed);
	for (unsigned i = 0; i < SHM_EX; i++)
		sums->exceptions[i] += atomic_load_explicit(
		    &st->exceptions[i], memory_order_relaxed);
	for (unsigned i = 0; i < SHM_DURATIONS; i++)
		sums->durations[i] += atomic_load_explicit(
		    &st->durations[i], memory_order_relaxed);
	sums->duration_ns +=
	    atomic_load_explicit(&st->duration_ns, memory_order_relaxed);
	for (unsigned i = 0; counters_worker[i].name != NULL; i++)
		sums->plain[i] += counters_load(st, &counters_worker[i]);
}

void
counters_sum(struct control *c, unsigned transport, struct counters *sums)
{
	memset(sums, 0, sizeof(*sums));
	for (unsigned i = 0; i < c->nviews; i++)
		if (c->views[i].transport == transport &&
		    view_attach(c, &c->views[i]))
			add_worker(sums, view_stats(&c->views[i]));
}

const char *
counters_le(unsigned i, char text[COUNTERS_LE])
{
	if (i < SHM_DURATIONS - 1)
		snprintf(text, COUNTERS_LE, "%g", shm_duration_us[i] / 1e6);
	else
		snprintf(text, COUNTERS_LE, "+Inf");
	return text;
}

int
counters_slot(const struct control *c, const char *name)
{
	for (unsigned i = 0; i < SHM_WORKER_SLOT && i < c->shm->nslots; i++)
		if (strncmp(seg_slot(c->shm, i)->name, name, SHM_NAME_MAX) == 0)
			return (int)i;
	return -1;
}
