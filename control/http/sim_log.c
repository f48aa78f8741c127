/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log page and its REST: what the daemon's processes have said, the newest
 * first. Clear hides it from who has pressed it; nothing is lost. Runs in the
 * http process.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/http/sim_form.h"
#include "control/http/sim_own.h"

enum { LINES = 1000, LINES_MAX = 10000, FOLLOW_S = 2 };

static void
press(struct sim_call *c, const char *submit)
{
	struct sim_session *s = c->session;

	if (strcmp(submit, "Clear") == 0) {
		s->log_from = c->now;
	} else if (strcmp(submit, "Monitor") == 0) {
		s->log_follows = true;
		if (s->refresh_s == 0)
			s->refresh_s = FOLLOW_S;
	} else if (strcmp(submit, "Stop") == 0) {
		s->log_follows = false;
		s->refresh_s = 0;
	}
}

void
sim_log(struct sim_call *c)
{
	bool all = strcmp(sim_submit(c), "Download") == 0;
	char level[SIM_NAME_MAX] = "";
	json_t *params, *read, *lines, *rows = json_array();
	const char *asked = sim_field(c, "level", level, sizeof(level));
	int64_t limit;

	press(c, sim_submit(c));
	if (!sim_integer_or(
		c, "limit", 1, LINES_MAX, all ? LINES_MAX : LINES, &limit))
		limit = LINES;
	params = json_pack(
	    "{s:I, s:s*}", "limit", (json_int_t)limit, "level", asked);
	read = sim_ask(c, "log.read", params);
	lines = json_object_get(read, "lines");
	for (size_t i = json_array_size(lines); i-- > 0;) {
		json_t *line = json_array_get(lines, i);

		if (all ||
		    json_number_value(json_object_get(line, "at")) >=
			c->session->log_from)
			json_array_append(rows, line);
	}
	json_decref(read);
	json_object_set_new(c->out, "foot",
	    json_string(
		c->session->log_follows ? "Monitoring active" : "not active"));
	json_object_set_new(c->out, "log_rows", rows);
	if (c->html && asked != NULL)
		json_object_set_new(c->out, "level", json_string(asked));
}

void
sim_time(double at, char *text, size_t size)
{
	time_t seconds = (time_t)at;
	char day[32];
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%03dZ", day,
	    (int)((at - (double)seconds) * 1e3) % 1000);
}

/* One line of the log is one line of the file. */
static void
add_line(struct text *t, const char *s)
{
	for (; *s != '\0'; s++)
		text_add(t, (unsigned char)*s < ' ' ? "?" : s, 1);
}

void
sim_log_text(const struct sim_call *c, struct text *t)
{
	const json_t *rows = json_object_get(c->out, "log_rows");
	char at[48];

	for (size_t i = json_array_size(rows); i-- > 0;) {
		const json_t *line = json_array_get(rows, i);

		sim_time(json_number_value(json_object_get(line, "at")), at,
		    sizeof(at));
		text_printf(t, "%s %s ", at,
		    json_string_value(json_object_get(line, "level")));
		add_line(t, json_string_value(json_object_get(line, "who")));
		text_str(t, ": ");
		add_line(t, json_string_value(json_object_get(line, "line")));
		text_str(t, "\n");
	}
}
