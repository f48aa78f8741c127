/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.read: the lines that the processes' rings still hold, by time. A ring is
 * its occupant's to scribble on, so what lies there is taken as bytes from
 * outside, and no more of it than a ring can hold. Never waits for a writer.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/state.h"
#include "shm/log.h"
#include "shm/notice.h"
#include "shm/ring.h"

enum {
	LINES_DEFAULT = 1000,
	RECORD_MIN = 40, /* bytes of a ring that a notice takes at least */
	KEY_BYTES = 16,
};

/* One line, where it came from, and its place among those. */
struct line {
	uint64_t unix_ms;
	unsigned slot, level;
	size_t nth;
	size_t len;
	char *text; /* owned */
};

struct reading {
	const json_t *since; /* NULL: from the oldest */
	unsigned level; /* and those above it */
	struct line *line;
	size_t n, room;
	json_t *next;
	bool lost, failed;
};

static void
keep(struct reading *r, unsigned slot, const struct notice *n)
{
	struct line *l;

	if (n->kind != NOTICE_LOG || n->a > r->level)
		return;
	if (r->n == r->room) {
		size_t room = r->room > 0 ? 2 * r->room : 256;
		void *more = realloc(r->line, room * sizeof(*r->line));

		if (more == NULL) {
			r->failed = true;
			return;
		}
		r->line = more;
		r->room = room;
	}
	l = &r->line[r->n];
	*l = (struct line){
		.unix_ms = n->unix_ms,
		.slot = slot,
		.level = (unsigned)n->a,
		.nth = r->n,
		.len = n->len,
		.text = malloc(n->len + 1),
	};
	if (l->text == NULL) {
		r->failed = true;
		return;
	}
	memcpy(l->text, n->text, n->len);
	r->n++;
}

/* What the ring of a slot holds from where the asker was. */
static void
read_slot(struct shm_control *shm, unsigned slot, struct reading *r)
{
	int most = SHM_RING_BYTES / RECORD_MIN;
	struct notice n;
	char key[KEY_BYTES];
	uint64_t pos;
	int rc = 1;

	snprintf(key, sizeof(key), "%u", slot);
	pos = (uint64_t)json_integer_value(json_object_get(r->since, key));
	/* a position of an earlier daemon: its lines are gone */
	if (pos > notice_end(shm, slot)) {
		r->lost = true;
		pos = 0;
	}
	while (rc != 0 && !r->failed && most-- > 0) {
		rc = notice_next(shm, slot, &pos, &n);
		if (rc == -1)
			r->lost |= r->since != NULL;
		else if (rc == 1)
			keep(r, slot, &n);
	}
	if (pos != 0)
		json_object_set_new(r->next, key, jtext_uint(pos));
}

static int
by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->unix_ms != y->unix_ms)
		return x->unix_ms < y->unix_ms ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static json_t *
line_json(struct shm_control *shm, const struct line *l)
{
	const char *who = seg_slot(shm, l->slot)->name;

	return json_pack("{s:o, s:s, s:o, s:o}", "at",
	    jtext_float64((double)l->unix_ms / 1e3), "level",
	    log_level_name(l->level), "who",
	    jtext_bytes(who, strnlen(who, SHM_NAME_MAX)), "line",
	    jtext_bytes(l->text, l->len));
}

/* False after the call has failed. */
static bool
check_params(struct cmd_call *call, struct reading *r)
{
	const char *level = cmd_string(call, "level"), *key;
	int found = level != NULL ? log_level_find(level) : LOG_DEBUG;
	json_t *pos;

	if (found == -1) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "level is error, warn, info or debug, not \"%.40s\"",
		    level);
		return false;
	}
	r->level = (unsigned)found;
	r->since = json_object_get(call->params, "since");
	json_object_foreach ((json_t *)(uintptr_t)r->since, key, pos) {
		if (json_is_integer(pos) && json_integer_value(pos) >= 0)
			continue;
		cmd_fail(call, CMD_PARAMS, "bad_type",
		    "since holds positions as next gave them; %.40s is none",
		    key);
		return false;
	}
	return true;
}

void
cmd_log_read(struct cmd_call *call)
{
	struct shm_control *shm = call->control->shm;
	size_t limit = (size_t)cmd_integer(call, "limit", LINES_DEFAULT);
	struct reading r = { 0 };
	json_t *lines;

	if (!check_params(call, &r))
		return;
	r.next = json_object();
	for (unsigned s = 0; s < seg_slots(shm) && !r.failed; s++)
		if (seg_notices(shm, s) != NULL)
			read_slot(shm, s, &r);
	if (r.n > 0)
		qsort(r.line, r.n, sizeof(*r.line), by_time);
	lines = json_array();
	r.lost |= r.since != NULL && r.n > limit;
	for (size_t i = r.n > limit ? r.n - limit : 0; i < r.n; i++)
		json_array_append_new(lines, line_json(shm, &r.line[i]));
	for (size_t i = 0; i < r.n; i++)
		free(r.line[i].text);
	free(r.line);
	if (r.failed) /* cmd_run() says that memory is short */
		json_decref(lines);
	else
		call->result = json_pack("{s:o, s:O, s:b}", "lines", lines,
		    "next", r.next, "lost", (int)r.lost);
	json_decref(r.next);
}
