/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has happened, under topics. Runs in the control process. It reads rings
 * that their writers never wait for; where it was too slow it says so.
 */

#include "control/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/faults.h"
#include "control/jtext.h"
#include "control/take.h"
#include "control/topics.h"
#include "control/values.h"
#include "control/view.h"
#include "shm/clock.h"
#include "shm/log.h"
#include "shm/notice.h"
#include "shm/state.h"
#include "shm/table.h"

enum {
	NOTICES_SLICE_MS = 50, /* notices wake nobody */
	EARLY_NS = 1000000000,
	EVENTS_VALUES = 128, /* in a change that counts as one event */
	EVENTS_LAST = 1 << 20, /* more than a ring holds */
};

static struct topic *
table_topic(const struct events *ev, size_t device, unsigned table)
{
	return &ev->topics[device * SHM_TABLES + table];
}

static bool
device_wanted(const struct events *ev, size_t device)
{
	for (unsigned t = 0; t < SHM_TABLES; t++)
		if (table_topic(ev, device, t)->subscriptions > 0)
			return true;
	return false;
}

static bool
notices_wanted(const struct events *ev)
{
	for (unsigned i = ev->first_transport; i < ev->ntopics; i++)
		if (ev->topics[i].subscriptions > 0)
			return true;
	return false;
}

/* ---- life ---- */

int
events_init(struct events *ev, struct control *c)
{
	const struct conf *conf = c->proc->conf;
	struct topic *topics = topics_new(conf);

	*ev = (struct events){ .control = c, .bell = { .fd = -1 } };
	ev->nslots = seg_slots(c->shm);
	ev->changes = calloc(conf->ndevices + 1, sizeof(ev->changes[0]));
	ev->notices = calloc(ev->nslots + 1, sizeof(ev->notices[0]));
	ev->buf = malloc(STORE_CHANGE_BYTES);
	if (topics != NULL)
		topics_set(ev, topics, conf);
	if (topics == NULL || ev->changes == NULL || ev->notices == NULL ||
	    ev->buf == NULL) {
		events_fini(ev);
		errno = ENOMEM;
		return -1;
	}
	if (bell_open(&ev->bell, &c->proc->env) == -1)
		log_warn(
		    "no bell; register events come every %d ms", BELL_SLICE_MS);
	c->events = ev;
	return 0;
}

void
events_fini(struct events *ev)
{
	if (ev->control != NULL)
		ev->control->events = NULL;
	free(ev->topics);
	free(ev->wanted);
	free(ev->changes);
	free(ev->notices);
	free(ev->buf);
	bell_close(&ev->bell);
	*ev = (struct events){ .bell = { .fd = -1 } };
}

/* What is wanted from now on starts now. */
static void
start_rings(struct events *ev, const bool *were_wanted, bool had_notices)
{
	struct control *c = ev->control;

	for (size_t d = 0; d < c->proc->conf->ndevices; d++)
		if (!were_wanted[d] && device_wanted(ev, d))
			ev->changes[d] = store_changes_end(&c->proc->stores[d]);
	if (had_notices || !notices_wanted(ev))
		return;
	for (unsigned s = 0; s < ev->nslots; s++)
		ev->notices[s] = notice_end(c->shm, s);
}

void
events_subscribe(struct events *ev, const char *prefix, size_t len, bool wanted)
{
	size_t ndevices = ev->control->proc->conf->ndevices;
	bool *were = calloc(ndevices + 1, sizeof(*were));
	bool had_notices = notices_wanted(ev);

	if (were == NULL) {
		log_warn("a subscription was not taken");
		return;
	}
	for (size_t d = 0; d < ndevices; d++)
		were[d] = device_wanted(ev, d);
	topics_want(ev, prefix, len, wanted);
	start_rings(ev, were, had_notices);
	free(were);
}

/* ---- publishing ---- */

static json_t *
unix_time(uint64_t ms)
{
	return jtext_float64((double)ms / 1e3);
}

/* Takes the value over. */
static void
publish(struct events *ev, struct topic *t, json_t *json)
{
	size_t len = 0;
	char *text = json != NULL ? jtext_dump(json, &len) : NULL;

	t->seq++; /* a gap to everybody, if there is no memory for it */
	if (text != NULL) {
		ev->control->stats->events++;
		ev->send(ev->arg, t->name, text, len, t->seq);
	}
	free(text);
	json_decref(json);
}

static void
publish_lost(struct events *ev, struct topic *t)
{
	if (t->subscriptions > 0)
		publish(ev, t,
		    json_pack("{s:b, s:o}", "lost", 1, "at",
			unix_time(clock_unix_ms())));
}

static void
publish_change(
    struct events *ev, size_t device, const struct store_change *change)
{
	struct topic *t = table_topic(ev, device, change->table);
	const char *who = slot_name(ev->control->shm, change->who);
	json_t *at = NULL; /* in the room of a queue */

	if (t->subscriptions == 0)
		return;
	if (change->table == STORE_FIFO)
		at = json_integer(change->addr % VALUES_FIFO_UNITS);
	publish(ev, t,
	    json_pack("{s:o, s:o*, s:i, s:o*, s:i, s:o, s:o, s:o, s:o}", "who",
		jtext_bytes(who, strnlen(who, SHM_NAME_MAX)), "file",
		values_file(change->table, change->addr), "addr",
		(int)values_addr(change->table, change->addr), "offset", at,
		"count", (int)change->count, "old",
		values_plain(change->table, change->count, change->was), "new",
		values_plain(change->table, change->count, change->is), "seq",
		jtext_uint(change->seq), "at", unix_time(clock_unix_ms())));
}

static int
pump_device(struct events *ev, size_t device, int budget)
{
	struct store_change change;
	int rc;

	while (budget > 0) {
		rc = store_next_change(&ev->control->proc->stores[device],
		    &ev->changes[device], &change, ev->buf);
		if (rc == 0)
			break;
		budget--;
		if (rc == 1 && (unsigned)change.table < SHM_TABLES) {
			/* a wide one is as much work as many narrow ones */
			budget -= (int)(change.count / EVENTS_VALUES);
			publish_change(ev, device, &change);
			continue;
		}
		ev->control->stats->events_lost++;
		for (unsigned t = 0; t < SHM_TABLES; t++)
			publish_lost(ev, table_topic(ev, device, t));
	}
	return budget;
}

/* ---- notices ---- */

static void
publish_transport(
    struct events *ev, unsigned slot, const struct notice *n, json_t *text)
{
	struct topic *t = &ev->topics[ev->first_transport + n->transport];

	(void)slot;
	publish(ev, t,
	    json_pack("{s:s, s:s, s:s, s:O, s:o}", "name",
		ev->control->proc->conf->transports[n->transport].name, "state",
		shm_state_name((unsigned)n->b), "was",
		shm_state_name((unsigned)n->a), "why", text, "at",
		unix_time(n->unix_ms)));
}

static void
publish_connection(
    struct events *ev, unsigned slot, const struct notice *n, json_t *text)
{
	struct topic *t = &ev->topics[ev->first_connections + n->transport];
	bool open = n->kind == NOTICE_CONN_OPEN;
	char id[SHM_NAME_MAX + 32];
	json_t *json;

	(void)slot;
	view_format_id(ev->control, n->transport, CONN_ID_WORKER(n->a),
	    CONN_ID_SERIAL(n->a), id, sizeof(id));
	json = json_pack("{s:s, s:s, s:O}", "event", open ? "open" : "close",
	    "id", id, open ? "peer" : "why", text);
	if (!open)
		json_object_set_new(json, "requests", jtext_uint(n->b));
	json_object_set_new(json, "at", unix_time(n->unix_ms));
	publish(ev, t, json);
}

static void
publish_refused(
    struct events *ev, unsigned slot, const struct notice *n, json_t *text)
{
	struct topic *t = &ev->topics[ev->first_connections + n->transport];
	int role = NOTICE_REFUSED_LEN(n->b);
	size_t skip = role > 0 ? (size_t)role : 0;
	char id[SHM_NAME_MAX + 32];

	(void)slot;
	(void)text; /* holds the role, too */
	if (skip > n->len)
		return;
	view_format_id(ev->control, n->transport, CONN_ID_WORKER(n->a),
	    CONN_ID_SERIAL(n->a), id, sizeof(id));
	publish(ev, t,
	    json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:o}", "event", "refused",
		"id", id, "peer", jtext_bytes(n->text + skip, n->len - skip),
		"role", view_role(n->text, role), "unit",
		(int)NOTICE_REFUSED_UNIT(n->b), "fc",
		(int)NOTICE_REFUSED_FC(n->b), "at", unix_time(n->unix_ms)));
}

static void
publish_poison(
    struct events *ev, unsigned slot, const struct notice *n, json_t *text)
{
	struct topic *t = &ev->topics[ev->first_connections + n->transport];
	unsigned fc = NOTICE_POISON_FC(n->b);
	size_t len = NOTICE_POISON_LEN(n->b);
	char id[SHM_NAME_MAX + 32];

	(void)slot;
	(void)text; /* holds the bytes, too */
	if (len > n->len)
		return;
	view_format_id(ev->control, n->transport, CONN_ID_WORKER(n->a),
	    CONN_ID_SERIAL(n->a), id, sizeof(id));
	publish(ev, t,
	    json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:s, s:o, s:o}", "event",
		"poison", "id",
		CONN_ID_SERIAL(n->a) != 0 ? json_string(id) : json_null(),
		"peer", jtext_bytes(n->text, len), "unit",
		fc != 0 ? json_integer(NOTICE_POISON_UNIT(n->b)) : json_null(),
		"fc", fc != 0 ? json_integer(fc) : json_null(), "count",
		(int)NOTICE_POISON_COUNT(n->b), "then",
		notice_poison_name(NOTICE_POISON_WHAT(n->b)), "bytes",
		jtext_bytes(n->text + len, n->len - len), "at",
		unix_time(n->unix_ms)));
}

static void
publish_log(
    struct events *ev, unsigned slot, const struct notice *n, json_t *text)
{
	const char *who = seg_slot(ev->control->shm, slot)->name;

	publish(ev, &ev->topics[ev->log],
	    json_pack("{s:s, s:o, s:O, s:o}", "level",
		log_level_name(n->a < LOG_LEVELS ? (unsigned)n->a : LOG_LEVELS),
		"who", jtext_bytes(who, strnlen(who, SHM_NAME_MAX)), "line",
		text, "at", unix_time(n->unix_ms)));
}

static void
publish_fault(
    struct events *ev, unsigned slot, const struct notice *n, json_t *text)
{
	struct fault_rule rule;

	(void)slot;
	(void)text; /* the bytes of the rule */
	if (n->len != sizeof(rule))
		return;
	memcpy(&rule, n->text, sizeof(rule));
	if (fault_why_not(&rule) != NULL)
		return;
	publish(ev, &ev->topics[ev->faults],
	    json_pack("{s:s, s:o, s:o, s:o}", "event", fault_event_name(n->b),
		"id", jtext_uint(n->a), "rule", faults_json(ev->control, &rule),
		"at", unix_time(n->unix_ms)));
}

static const struct {
	void (*publish)(
	    struct events *, unsigned slot, const struct notice *, json_t *);
	bool of_transport;
	bool of_connections;
	bool of_faults;
} kinds[] = {
	[NOTICE_LOG] = { publish_log },
	[NOTICE_TRANSPORT] = { publish_transport, .of_transport = true },
	[NOTICE_CONN_OPEN] = { publish_connection, true, true },
	[NOTICE_CONN_CLOSE] = { publish_connection, true, true },
	[NOTICE_REFUSED] = { publish_refused, true, true },
	[NOTICE_POISON] = { publish_poison, true, true },
	[NOTICE_FAULT] = { publish_fault, .of_faults = true },
};

static void
publish_notice(struct events *ev, unsigned slot, struct notice *n)
{
	unsigned at = ev->log;
	json_t *text = NULL;
	int transport;

	if (n->kind >= sizeof(kinds) / sizeof(kinds[0]) ||
	    kinds[n->kind].publish == NULL || n->len > NOTICE_TEXT_MAX)
		return;
	if (kinds[n->kind].of_transport) {
		transport = take_transport(ev->control, n->transport);
		if (transport == -1)
			return;
		n->transport = (unsigned)transport; /* was its place */
		at = n->transport +
		    (kinds[n->kind].of_connections ? ev->first_connections
						   : ev->first_transport);
	}
	if (kinds[n->kind].of_faults)
		at = ev->faults;
	if (ev->topics[at].subscriptions == 0)
		return;
	if (!kinds[n->kind].of_faults)
		text = jtext_bytes(n->text, n->len);
	kinds[n->kind].publish(ev, slot, n, text);
	json_decref(text);
}

/* About a transport of the next configuration, which is about to be told: it
 * is left for that, if that comes soon. */
static bool
is_early(struct events *ev, const struct notice *n)
{
	const struct control *c = ev->control;

	if (n->kind >= sizeof(kinds) / sizeof(kinds[0]) ||
	    !kinds[n->kind].of_transport ||
	    n->transport >= c->shm->ntransports ||
	    take_transport(c, n->transport) != -1)
		return false;
	if (ev->early_ns == 0)
		ev->early_ns = c->now_ns;
	return c->now_ns - ev->early_ns < EARLY_NS;
}

static int
pump_slot(struct events *ev, unsigned slot, int budget)
{
	struct notice n;
	uint64_t at;
	int rc;

	while (budget > 0) {
		at = ev->notices[slot];
		rc =
		    notice_next(ev->control->shm, slot, &ev->notices[slot], &n);
		if (rc == 0)
			break;
		if (rc == 1 && is_early(ev, &n)) {
			ev->notices[slot] = at;
			break;
		}
		budget--;
		if (rc == 1) {
			publish_notice(ev, slot, &n);
			continue;
		}
		/* it may have been about any of them */
		ev->control->stats->events_lost++;
		for (unsigned i = ev->first_transport; i < ev->ntopics; i++)
			publish_lost(ev, &ev->topics[i]);
	}
	return budget;
}

bool
events_pump(struct events *ev)
{
	const struct control *c = ev->control;
	int budget = EVENTS_BUDGET;

	for (size_t d = 0; d < c->proc->conf->ndevices && budget > 0; d++)
		if (device_wanted(ev, d))
			budget = pump_device(ev, d, budget);
	if (!notices_wanted(ev))
		return budget <= 0;
	for (unsigned s = 0; s < ev->nslots && budget > 0; s++)
		budget = pump_slot(ev, s, budget);
	return budget <= 0;
}

/* ---- another configuration ---- */

/* What may not be there afterwards, once and not as long as it goes on. */
static void
pump_last(struct events *ev)
{
	for (size_t d = 0; d < ev->control->proc->conf->ndevices; d++)
		if (device_wanted(ev, d))
			pump_device(ev, d, EVENTS_LAST);
	for (unsigned s = 0; notices_wanted(ev) && s < ev->nslots; s++)
		pump_slot(ev, s, EVENTS_LAST);
}

int
events_take(struct events *ev, const struct conf *next, const int *was)
{
	struct topic *topics = topics_new(next);
	uint64_t *changes = calloc(next->ndevices + 1, sizeof(*changes));

	if (topics == NULL || changes == NULL) {
		free(topics);
		free(changes);
		return -1;
	}
	ev->early_ns = 0;
	pump_last(ev);
	ev->early_ns = 0;
	topics_carry(ev, topics, next);
	/* a ring that is new to us is read from its beginning */
	for (size_t d = 0; d < next->ndevices; d++)
		if (was[d] >= 0)
			changes[d] = ev->changes[was[d]];
	free(ev->topics);
	free(ev->changes);
	ev->changes = changes;
	topics_set(ev, topics, next);
	return 0;
}

/* ---- sleeping ---- */

int
events_arm(struct events *ev)
{
	const struct control *c = ev->control;
	int slice_ms = notices_wanted(ev) ? NOTICES_SLICE_MS : -1;
	bool any = false;

	for (size_t d = 0; d < c->proc->conf->ndevices; d++)
		any |= device_wanted(ev, d);
	if (!any)
		return slice_ms;
	/* ask first, look then: a change after the look finds us armed */
	bell_arm(&ev->bell);
	for (size_t d = 0; d < c->proc->conf->ndevices; d++)
		if (device_wanted(ev, d) &&
		    store_changes_end(&c->proc->stores[d]) != ev->changes[d])
			return 0;
	return slice_ms != -1 ? slice_ms : BELL_SLICE_MS;
}

void
events_disarm(struct events *ev)
{
	bell_disarm(&ev->bell);
}
