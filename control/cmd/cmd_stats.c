/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.get: every counter that the daemon keeps, by name. The names are those
 * of /metrics without prefix and suffix. Runs in the control process.
 */

#include <stdio.h>

#include "control/cmd/cmd_rows.h"
#include "control/counters.h"
#include "control/faults.h"
#include "control/jtext.h"
#include "control/saved.h"
#include "control/take.h"

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
durations(const struct counters *sums)
{
	json_t *buckets = json_object();
	char le[COUNTERS_LE];
	uint64_t n = 0;

	for (unsigned i = 0; i < SHM_DURATIONS; i++) {
		n += sums->durations[i];
		json_object_set_new(buckets, counters_le(i, le), jtext_uint(n));
	}
	return json_pack("{s:o, s:o, s:o}", "buckets", buckets, "sum",
	    jtext_float64((double)sums->duration_ns / 1e9), "count",
	    jtext_uint(n));
}

static json_t *
transport_stats(struct control *c, unsigned transport)
{
	struct shm_transport *t =
	    seg_transport(c->shm, take_place(c, transport));
	struct counters sums;
	json_t *json;

	counters_sum(c, transport, &sums);
	json = json_pack("{s:b, s:i, s:o, s:o, s:o}", "up",
	    (int)(atomic_load(&t->state) == SHM_UP), "restarts",
	    (int)atomic_load(&t->restarts), "requests",
	    by_number(sums.requests, SHM_FC), "exceptions",
	    by_number(sums.exceptions, SHM_EX), "request_duration",
	    durations(&sums));
	for (unsigned i = 0; counters_worker[i].name != NULL; i++)
		json_object_set_new(
		    json, counters_worker[i].name, jtext_uint(sums.plain[i]));
	return json;
}

static json_t *
device_stats(const struct store *store)
{
	const struct shm_device *dev = store->dev;

	return json_pack("{s:o, s:o, s:o}", "writes",
	    jtext_uint(
		atomic_load_explicit(&dev->writes, memory_order_relaxed)),
	    "repairs",
	    jtext_uint(
		atomic_load_explicit(&dev->repairs, memory_order_relaxed)),
	    "commits", jtext_uint(atomic_load(&dev->seq) / 2));
}

/* What a process that serves commands has counted; NULL: there is none. */
static json_t *
door_stats(const struct control *c, const char *name)
{
	int slot = counters_slot(c, name);
	json_t *json;

	if (slot < 0)
		return NULL;
	json = json_object();
	for (const struct counter *n = counters_door; n->name != NULL; n++)
		json_object_set_new(json, n->name,
		    jtext_uint(counters_load(&c->shm->door[slot], n)));
	return json;
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
	call->result = json_pack("{s:o, s:o, s:o*, s:o*, s:i, s:o*}",
	    "transports", transports, "devices", devices, "control",
	    door_stats(c, "control"), "http", door_stats(c, "http"),
	    "faults_active", (int)faults_count(c, -1), "snapshot",
	    saved_rows(c));
}
