/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: every counter of stats.get and what is worth a graph besides. The
 * samples of a metric stand together, below what it is. Runs in the http
 * process.
 */
#include "control/http/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/counters.h"
#include "control/quarantined.h"
#include "control/saved.h"
#include "control/take.h"
#include "shm/clock.h"
#include "shm/state.h"

void
metrics_head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (*value == '"' || *value == '\\')
			fputc('\\', f);
		fputc(*value, f);
	}
	fputc('"', f);
}

/* One sample with one label, or two. */
static void
put(FILE *f, const char *metric, const char *label, const char *value,
    const char *label2, const char *value2, uint64_t number)
{
	fprintf(f, "%s{", metric);
	metrics_label(f, label, value);
	if (label2 != NULL) {
		fputc(',', f);
		metrics_label(f, label2, value2);
	}
	fprintf(f, "} %" PRIu64 "\n", number);
}

/* ---- the daemon ---- */

static void
show_daemon(FILE *f, struct http_call *call)
{
	json_t *info = http_ask(call, "system.info", NULL);
	json_t *faults = json_object_get(info, "faults");

	metrics_head(f, "holdfast_build_info", "gauge",
	    "Which version this is; always 1.");
	put(f, "holdfast_build_info", "version", HOLDFAST_VERSION, NULL, NULL,
	    1);
	metrics_head(f, "holdfast_start_time_seconds", "gauge",
	    "When the daemon was started, in seconds since 1970.");
	fprintf(f, "holdfast_start_time_seconds %.3f\n",
	    (double)call->control->shm->started_ms / 1e3);
	if (json_is_integer(faults)) {
		metrics_head(f, "holdfast_faults_active", "gauge",
		    "Rules that spoil replies on purpose.");
		fprintf(f, "holdfast_faults_active %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(faults));
	}
	json_decref(info);
}

/* ---- what is saved of the registers ---- */

static void
put_seconds(FILE *f, const char *name, const char *help, double seconds)
{
	metrics_head(f, name, "gauge", help);
	fprintf(f, "%s %.3f\n", name, seconds);
}

static void
put_plain(FILE *f, const char *name, const char *type, const char *help,
    uint64_t number)
{
	metrics_head(f, name, type, help);
	fprintf(f, "%s %" PRIu64 "\n", name, number);
}

/* Seconds from a unix time to now, which may have been put back. */
static double
age(uint64_t ms)
{
	uint64_t now = clock_unix_ms();

	return ms == 0 || ms > now ? 0 : (double)(now - ms) / 1e3;
}

static void
show_saved(FILE *f, struct control *c)
{
	struct shm_saved *s = &c->shm->saved;
	uint64_t at = atomic_load(&s->at_ms);

	if (c->proc->conf->snapshot.path == NULL)
		return;
	if (at != 0)
		put_seconds(f, "holdfast_snapshot_age_seconds",
		    "Since the registers were saved last.", age(at));
	put_seconds(f, "holdfast_snapshot_behind_seconds",
	    "How long changes have been waiting to be saved; 0: there are "
	    "none.",
	    age(atomic_load(&s->behind_ms)));
	put_seconds(f, "holdfast_snapshot_duration_seconds",
	    "How long saving took the last time.",
	    (double)atomic_load(&s->took_us) / 1e6);
	put_plain(f, "holdfast_snapshot_bytes", "gauge",
	    "Length of the last snapshot.", atomic_load(&s->bytes));
	put_plain(f, "holdfast_snapshot_failing", "gauge",
	    "Whether the registers could not be saved the last time: 1, or 0.",
	    atomic_load(&s->error) != 0);
	put_plain(f, "holdfast_snapshot_saves_total", "counter",
	    "Times that the registers were saved.", atomic_load(&s->saves));
	put_plain(f, "holdfast_snapshot_failures_total", "counter",
	    "Times that they could not be.", atomic_load(&s->failures));
	if (!conf_durable(c->proc->conf))
		return;
	put_plain(f, "holdfast_durable_failing", "gauge",
	    "Whether durable ranges could not be saved the last time: 1, or 0.",
	    atomic_load(&s->durable_error) != 0);
	put_plain(f, "holdfast_durable_saves_total", "counter",
	    "Times that durable ranges were saved.",
	    atomic_load(&s->durable_saves));
	put_plain(f, "holdfast_durable_failures_total", "counter",
	    "Times that they could not be.", atomic_load(&s->durable_failures));
}

/* ---- transports ---- */

static void
show_life(FILE *f, struct control *c)
{
	const struct conf *conf = c->proc->conf;
	struct shm_transport *t;

	metrics_head(f, "holdfast_up", "gauge",
	    "Whether the transport serves: 1, or 0.");
	for (size_t i = 0; i < conf->ntransports; i++) {
		t = seg_transport(c->shm, take_place(c, i));
		put(f, "holdfast_up", "transport", conf->transports[i].name,
		    "type", conf->transports[i].type_name,
		    atomic_load(&t->state) == SHM_UP);
	}
	metrics_head(f, "holdfast_restarts_total", "counter",
	    "Deaths of the transport's processes.");
	for (size_t i = 0; i < conf->ntransports; i++) {
		t = seg_transport(c->shm, take_place(c, i));
		put(f, "holdfast_restarts_total", "transport",
		    conf->transports[i].name, NULL, NULL,
		    atomic_load(&t->restarts));
	}
}

static void
show_quarantined(FILE *f, struct control *c)
{
	const struct conf *conf = c->proc->conf;
	json_t *list;

	metrics_head(f, "holdfast_quarantined", "gauge",
	    "Hosts that are kept out for what they have asked for.");
	for (size_t i = 0; i < conf->ntransports; i++) {
		list = quarantined_json(c, (unsigned)i);
		put(f, "holdfast_quarantined", "transport",
		    conf->transports[i].name, NULL, NULL,
		    json_array_size(list));
		json_decref(list);
	}
}

static void
put_by_number(FILE *f, const char *metric, const char *transport,
    const char *label, const uint64_t *counts, unsigned n)
{
	char number[12];

	for (unsigned i = 0; i < n; i++) {
		if (counts[i] == 0)
			continue;
		snprintf(number, sizeof(number), "%u", i);
		put(f, metric, "transport", transport, label, number,
		    counts[i]);
	}
}

/* The name of a counter: conns_open of a transport is holdfast_connections. */
static void
name_of(const struct counter *n, const char *prefix, char name[80])
{
	if (n->now && strcmp(n->name, "conns_open") == 0)
		snprintf(name, 80, "holdfast_%sconnections", prefix);
	else
		snprintf(name, 80, "holdfast_%s%s%s", prefix, n->name,
		    n->now ? "" : "_total");
}

/* How long requests took, each bound counting all below it. */
static void
put_durations(FILE *f, const char *transport, const struct counters *all)
{
	static const char metric[] = "holdfast_request_duration_seconds";
	char le[COUNTERS_LE];
	uint64_t n = 0;

	for (unsigned i = 0; i < SHM_DURATIONS; i++) {
		n += all->durations[i];
		put(f, "holdfast_request_duration_seconds_bucket", "transport",
		    transport, "le", counters_le(i, le), n);
	}
	fprintf(f, "%s_sum{", metric);
	metrics_label(f, "transport", transport);
	fprintf(f, "} %.9f\n%s_count{", (double)all->duration_ns / 1e9, metric);
	metrics_label(f, "transport", transport);
	fprintf(f, "} %" PRIu64 "\n", n);
}

static void
show_transports(FILE *f, struct control *c)
{
	const struct conf *conf = c->proc->conf;
	struct counters *all = calloc(conf->ntransports + 1, sizeof(*all));
	char name[80];
	size_t i;

	if (all == NULL)
		return;
	for (i = 0; i < conf->ntransports; i++)
		counters_sum(c, (unsigned)i, &all[i]);
	metrics_head(f, "holdfast_requests_total", "counter",
	    "Requests by function code.");
	for (i = 0; i < conf->ntransports; i++)
		put_by_number(f, "holdfast_requests_total",
		    conf->transports[i].name, "fc", all[i].requests, SHM_FC);
	metrics_head(f, "holdfast_exceptions_total", "counter",
	    "Exceptions that were answered, by their code.");
	for (i = 0; i < conf->ntransports; i++)
		put_by_number(f, "holdfast_exceptions_total",
		    conf->transports[i].name, "code", all[i].exceptions,
		    SHM_EX);
	metrics_head(f, "holdfast_request_duration_seconds", "histogram",
	    "From when a request was read until its reply was ready.");
	for (i = 0; i < conf->ntransports; i++)
		put_durations(f, conf->transports[i].name, &all[i]);
	for (unsigned n = 0; counters_worker[n].name != NULL; n++) {
		name_of(&counters_worker[n], "", name);
		metrics_head(f, name,
		    counters_worker[n].now ? "gauge" : "counter",
		    counters_worker[n].help);
		for (i = 0; i < conf->ntransports; i++)
			put(f, name, "transport", conf->transports[i].name,
			    NULL, NULL, all[i].plain[n]);
	}
	free(all);
}

/* ---- devices, and who serves commands ---- */

static void
show_devices(FILE *f, struct control *c)
{
	static const struct {
		const char *metric, *help;
		size_t at;
		unsigned divide; /* a commit counts up by two */
	} rows[] = {
		{ "holdfast_device_writes_total", "Changes of registers.",
		    offsetof(struct shm_device, writes), 1 },
		{ "holdfast_device_repairs_total",
		    "Times that a dead writer's change was undone or ended.",
		    offsetof(struct shm_device, repairs), 1 },
		{ "holdfast_device_commits_total", "Steps that were committed.",
		    offsetof(struct shm_device, seq), 2 },
	};
	const struct conf *conf = c->proc->conf;

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		const struct counter at = { .at = rows[r].at };

		metrics_head(f, rows[r].metric, "counter", rows[r].help);
		for (size_t i = 0; i < conf->ndevices; i++)
			put(f, rows[r].metric, "device", conf->devices[i].name,
			    NULL, NULL,
			    counters_load(c->proc->stores[i].dev, &at) /
				rows[r].divide);
	}
}

static void
show_doors(FILE *f, struct control *c)
{
	static const char *const doors[] = { "control", "http" };
	char name[80];
	int slot;

	for (const struct counter *n = counters_door; n->name != NULL; n++) {
		name_of(n, "control_", name);
		metrics_head(f, name, n->now ? "gauge" : "counter", n->help);
		for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++)
			if ((slot = counters_slot(c, doors[i])) >= 0)
				put(f, name, "process", doors[i], NULL, NULL,
				    counters_load(&c->shm->door[slot], n));
	}
}

void
metrics_show(struct http_call *call)
{
	struct control *c = call->control;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL) {
		http_fail(call, 503, "no_memory", "Out of memory.");
		return;
	}
	show_daemon(f, call);
	show_saved(f, c);
	show_life(f, c);
	show_quarantined(f, c);
	show_transports(f, c);
	show_devices(f, c);
	show_doors(f, c);
	metrics_registers(f, c);
	if (fclose(f) != 0)
		http_fail(call, 503, "no_memory", "Out of memory.");
	else
		http_reply(call, 200,
		    "text/plain; version=0.0.4; charset=utf-8", text, len);
	free(text);
}
