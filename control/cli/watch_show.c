/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holdfast watch prints of an event: changes of registers that are
 * watched, notices, and what was missed. It asks the daemon for nothing but
 * the values that a gap has hidden.
 */
#include "control/cli/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/address.h"
#include "control/cli/print.h"
#include "control/jtext.h"
#include "shm/table.h"

/* ---- lines ---- */

enum { HEADINGS = 5 };

static const char *const heading[HEADINGS] = { "TIME", "ADDRESS", "FROM", "TO",
	"WHO" };

void
watch_heading(const struct watch *w)
{
	struct print p;

	print_init(&p, w->cli, heading, HEADINGS, -1);
	print_flush(&p);
}

/* One line: time, what, from, to, who; "" for what there is not. */
static void
print_line(const struct watch *w, const json_t *event, const char *what,
    const char *from, const char *to, const char *who)
{
	const char *columns[] = { NULL, what, from, to, who };
	const char *named[] = { what, to };
	bool raw = w->cli->output == CLI_RAW;
	struct print p;
	char at[32];

	columns[0] =
	    print_time(json_object_get(event, "at"), 3, at, sizeof(at));
	if (print_is_table(w->cli)) {
		/* peers and roles are as others have called themselves */
		char *plain = print_harmless(who);

		printf("%s  %-20s  %s%s%s  %s\n", at, what, from,
		    from[0] != '\0' ? " -> " : "", to,
		    plain != NULL ? plain : "?");
		free(plain);
	} else {
		/* rows without their heading */
		print_init(&p, w->cli, heading, raw ? 2 : HEADINGS, -1);
		print_row(&p, raw ? named : columns);
		print_bare(&p);
	}
}

static void
print_event(const char *topic, uint64_t seq, const json_t *event)
{
	json_t *json = json_pack("{s:s, s:o, s:O}", "topic", topic, "sequence",
	    jtext_uint(seq), "event", event);

	print_json(json);
	json_decref(json);
}

/* ---- registers ---- */

/* All addresses of a table that changed, as they are. */
static void
print_plain(const struct watch *w, const json_t *event, const char *device,
    enum store_table table)
{
	struct address a = { .table = table };
	const json_t *old = json_object_get(event, "old");
	const json_t *new = json_object_get(event, "new");
	uint32_t addr =
	    (uint32_t)json_integer_value(json_object_get(event, "addr"));
	char name[96];
	json_t *value;
	size_t i;

	snprintf(a.device, sizeof(a.device), "%.63s", device);
	json_array_foreach ((json_t *)(uintptr_t) new, i, value) {
		if (json_equal(value, json_array_get(old, i)))
			continue;
		registers_name(&a, addr + (uint32_t)i, name, sizeof(name));
		print_line(w, event, name, print_text(json_array_get(old, i)),
		    print_text(value),
		    print_text(json_object_get(event, "who")));
	}
}

/* watched_apply() found that a value differs. */
static void
print_value(void *arg, const json_t *event, const char *name, const char *from,
    const char *to)
{
	const json_t *who = json_object_get(event, "who");

	print_line(
	    arg, event, name, from, to, who != NULL ? print_text(who) : "?");
}

static bool
is_whole(const struct watch *w, const char *topic)
{
	for (size_t i = 0; i < w->nwhole; i++) {
		const struct watch_whole *whole = &w->whole[i];

		if (strncmp(topic, whole->prefix, strlen(whole->prefix)) == 0 &&
		    (whole->table == NULL ||
			strcmp(strrchr(topic, '.') + 1, whole->table) == 0))
			return true;
	}
	return false;
}

static void
show_change(struct watch *w, const char *topic, uint64_t seq,
    const json_t *event, const char *device, enum store_table table)
{
	bool whole = is_whole(w, topic), wanted = whole;

	for (size_t i = 0; i < w->n; i++)
		wanted |= watched_covers(&w->at[i], device, table, event);
	if (!wanted)
		return;
	if (print_is_json(w->cli)) {
		print_event(topic, seq, event);
		return;
	}
	if (whole)
		print_plain(w, event, device, table);
	for (size_t i = 0; i < w->n; i++)
		if (watched_covers(&w->at[i], device, table, event))
			watched_apply(&w->at[i], event, print_value, w);
}

/* ---- the others ---- */

/* What is worth telling of a connection's event, in text. */
static void
about_connection(const json_t *event, char *text, size_t size)
{
	const json_t *peer = json_object_get(event, "peer");
	const json_t *fc = json_object_get(event, "fc");

	if (fc == NULL)
		snprintf(text, size, "%s",
		    print_text(
			peer != NULL ? peer : json_object_get(event, "why")));
	else
		snprintf(text, size, "%s role=%s unit=%s fc=%s",
		    print_text(peer),
		    print_role(json_object_get(event, "role")),
		    print_text(json_object_get(event, "unit")), print_text(fc));
}

static void
show_notice(
    struct watch *w, const char *topic, uint64_t seq, const json_t *event)
{
	const json_t *was = json_object_get(event, "was");
	const json_t *what = json_object_get(event, "event");
	const json_t *rule = json_object_get(event, "rule");
	char about[256];

	if (print_is_json(w->cli))
		print_event(topic, seq, event);
	else if (was != NULL)
		print_line(w, event, topic, print_text(was),
		    print_text(json_object_get(event, "state")),
		    print_text(json_object_get(event, "why")));
	else if (rule != NULL)
		print_line(w, event, topic,
		    print_text(json_object_get(event, "id")), print_text(what),
		    print_text(rule));
	else if (what != NULL) {
		about_connection(event, about, sizeof(about));
		print_line(w, event, print_text(json_object_get(event, "id")),
		    "", print_text(what), about);
	} else
		print_line(w, event, topic, "",
		    print_text(json_object_get(event, "level")),
		    print_text(json_object_get(event, "line")));
}

/* ---- gaps ---- */

/* True if the event is not the one after the last of its topic. */
static bool
is_gap(struct watch *w, const char *topic, uint64_t seq)
{
	struct watch_seen *grown;
	bool gap;

	for (size_t i = 0; i < w->nseen; i++) {
		if (strcmp(w->seen[i].topic, topic) != 0)
			continue;
		gap = w->seen[i].seq + 1 != seq;
		w->seen[i].seq = seq;
		return gap;
	}
	grown = realloc(w->seen, (w->nseen + 1) * sizeof(w->seen[0]));
	if (grown == NULL)
		return false;
	w->seen = grown;
	snprintf(grown[w->nseen].topic, WATCH_TOPIC_BYTES, "%s", topic);
	grown[w->nseen++].seq = seq;
	return false;
}

static void
show_gap(struct watch *w, const char *topic, const json_t *event)
{
	fflush(stdout);
	fprintf(stderr, "holdfast: %s: some events were missed\n", topic);
	for (size_t i = 0; i < w->n; i++)
		watched_catch_up(&w->at[i], w->cli, event,
		    print_is_json(w->cli) ? NULL : print_value, w);
}

/* "registers.DEVICE.TABLE" into its parts. */
static bool
split_topic(
    const char *topic, char device[SHM_NAME_MAX], enum store_table *table)
{
	const char *dot = strrchr(topic, '.');
	static const size_t head = sizeof("registers.") - 1;
	int found;

	if (strncmp(topic, "registers.", head) != 0 || dot < topic + head ||
	    (size_t)(dot - topic) - head >= SHM_NAME_MAX)
		return false;
	memcpy(device, topic + head, (size_t)(dot - topic) - head);
	device[(size_t)(dot - topic) - head] = '\0';
	found = table_find(dot + 1);
	*table = (enum store_table)found;
	return found != -1 && found < TABLE_PLAIN;
}

void
watch_show(
    struct watch *w, const char *topic, uint64_t seq, const json_t *event)
{
	char device[SHM_NAME_MAX];
	enum store_table table = STORE_HR;

	if (is_gap(w, topic, seq) || json_object_get(event, "lost") != NULL)
		show_gap(w, topic, event);
	if (json_object_get(event, "lost") != NULL)
		return;
	if (split_topic(topic, device, &table))
		show_change(w, topic, seq, event, device, table);
	else if (strncmp(topic, "registers.", 10) != 0)
		show_notice(w, topic, seq, event);
}
