/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.get: every counter that the daemon keeps, by name. The names are those
 * of /metrics without prefix and suffix. Runs in the control process.
 */

#include <stdio.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/view.h"

/* The plain counters of a worker, as they lie in struct shm_stats. */
static const struct {
	const char *name;
	size_t at;
} worker_counters[] = {
#define COUNTER(name)                                   \
	{                                               \
#name, offsetof(struct shm_stats, name) \
	}
	COUNTER(bytes_in),
	COUNTER(bytes_out),
	COUNTER(frames_bad),
	COUNTER(unknown_units),
	COUNTER(broadcasts),
	COUNTER(refused),
	COUNTER(conns_opened),
	COUNTER(conns_open),
	COUNTER(conns_denied),
	COUNTER(conns_evicted),
	COUNTER(conns_refused),
	COUNTER(conns_idle),
	COUNTER(conns_slow),
	COUNTER(conns_bad),
	COUNTER(conns_kicked),
	COUNTER(handshakes),
	COUNTER(handshakes_resumed),
	COUNTER(handshakes_failed),
	COUNTER(backpressured),
	COUNTER(replies_lost),
	COUNTER(busy),
	COUNTER(batches),
	COUNTER(view_in),
	COUNTER(view_out),
	COUNTER(view_refused),
	COUNTER(semaphore_misses),
#undef COUNTER
};

enum { NCOUNTERS = sizeof(worker_counters) / sizeof(worker_counters[0]) };

static uint64_t
load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* One transport: the sums over its workers. */
struct sums {
	uint64_t requests[SHM_FC], exceptions[SHM_EX], plain[NCOUNTERS];
	uint64_t durations[SHM_DURATIONS], duration_ns;
};

static void
add_worker(struct sums *sums, const struct shm_stats *st)
{
	for (unsigned i = 0; i < SHM_FC; i++)
		sums->requests[i] += load(&st->requests[i]);
	for (unsigned i = 0; i < SHM_EX; i++)
		sums->exceptions[i] += load(&st->exceptions[i]);
	for (unsigned i = 0; i < SHM_DURATIONS; i++)
		sums->durations[i] += load(&st->durations[i]);
	sums->duration_ns += load(&st->duration_ns);
	for (unsigned i = 0; i < NCOUNTERS; i++)
		sums->plain[i] +=
		    load((const _Atomic uint64_t *)((const char *)st +
			worker_counters[i].at));
}

/* {"3": 17}: those that are not 0. */
static json_t *
by_number(const uint64_t *counts, unsigned n)
{
	json_t *json = json_object();
	char key[12];

	for (unsigned i = 0; i < n; i++) {
		if (counts[i] == 0)
			continue;
		snprintf(key, sizeof(key), "%u", i);
		json_object_set_new(json, key, jtext_uint(counts[i]));
	}
	return json;
}

/* As a histogram of Prometheus: how many took no longer than each bound. */
static json_t *
durations(const struct sums *sums)
{
	json_t *buckets = json_object();
	char le[24];
	uint64_t n = 0;

	for (unsigned i = 0; i < SHM_DURATIONS; i++) {
		n += sums->durations[i];
		if (i < SHM_DURATIONS - 1)
			snprintf(
			    le, sizeof(le), "%g", shm_duration_us[i] / 1e6);
		else
			snprintf(le, sizeof(le), "+Inf");
		json_object_set_new(buckets, le, jtext_uint(n));
	}
	return json_pack("{s:o, s:o, s:o}", "buckets", buckets, "sum",
	    jtext_float64((double)sums->duration_ns / 1e9), "count",
	    jtext_uint(n));
}

static json_t *
transport_stats(struct control *c, unsigned transport)
{
	struct shm_transport *t = seg_transport(c->shm, transport);
	struct sums sums = { 0 };
	json_t *json;

	for (unsigned i = 0; i < c->nviews; i++)
		if (c->views[i].transport == transport &&
		    view_attach(c, &c->views[i]))
			add_worker(&sums, view_stats(&c->views[i]));
	json = json_pack("{s:b, s:i, s:o, s:o, s:o}", "up",
	    (int)(atomic_load(&t->state) == SHM_UP), "restarts",
	    (int)atomic_load(&t->restarts), "requests",
	    by_number(sums.requests, SHM_FC), "exceptions",
	    by_number(sums.exceptions, SHM_EX), "request_duration",
	    durations(&sums));
	for (unsigned i = 0; i < NCOUNTERS; i++)
		json_object_set_new(
		    json, worker_counters[i].name, jtext_uint(sums.plain[i]));
	return json;
}

static json_t *
device_stats(const struct store *store)
{
	const struct shm_device *dev = store->dev;

	return json_pack("{s:o, s:o, s:o}", "writes",
	    jtext_uint(load(&dev->writes)), "repairs",
	    jtext_uint(load(&dev->repairs)), "commits",
	    jtext_uint(load(&dev->seq) / 2));
}

static json_t *
control_stats(const struct control_stats *st)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "requests",
	    jtext_uint(st->requests), "errors", jtext_uint(st->errors),
	    "denied", jtext_uint(st->denied), "bad_messages",
	    jtext_uint(st->bad_messages), "auth_refused",
	    jtext_uint(st->auth_refused), "events", jtext_uint(st->events),
	    "events_dropped", jtext_uint(st->events_dropped), "events_lost",
	    jtext_uint(st->events_lost));
}

void
cmd_stats_get(struct cmd_call *call)
{
	struct control *c = call->control;
	const struct conf *conf = c->proc->conf;
	json_t *transports = json_object(), *devices = json_object();

	for (size_t i = 0; i < conf->ntransports; i++)
		json_object_set_new(transports, conf->transports[i].name,
		    transport_stats(c, (unsigned)i));
	for (size_t i = 0; i < conf->ndevices; i++)
		json_object_set_new(devices, conf->devices[i].name,
		    device_stats(&c->proc->stores[i]));
	call->result = json_pack("{s:o, s:o, s:o}", "transports", transports,
	    "devices", devices, "control", control_stats(&c->stats));
}
