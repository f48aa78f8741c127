/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of the log and of a server. Pure. */

#include <string.h>

#include "control/http/sim_own.h"
#include "control/http/sim_widget.h"

/* ---- log ---- */

void
sim_html_log(const struct sim_call *c, struct text *t)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	const json_t *rows = json_object_get(c->out, "log_rows");
	const char *level = widget_member(c->out, "level");
	json_t *row;
	char at[48];
	size_t i;

	widget_form(c, t, "Log");
	widget_select(t, "level", "Level");
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		widget_option(t, levels[i], levels[i],
		    strcmp(levels[i], level[0] != '\0' ? level : "debug") == 0);
	widget_select_end(t);
	widget_form_end(t, "Log", "Download", "Monitor", "Stop", "Clear", NULL);
	widget_table(t, "Log", "Time", "Level", "Who", "Line", NULL);
	json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
		sim_time(json_number_value(json_object_get(row, "at")), at,
		    sizeof(at));
		text_printf(t, "<tr><td class=\"time\">%s</td>", at);
		widget_cell(t, row, "level");
		widget_cell(t, row, "who");
		text_str(t, "<td class=\"line\">");
		text_html(t, widget_member(row, "line"));
		text_str(t, "</td></tr>\n");
	}
	widget_table_end(t);
	text_printf(t, "<p>%zu line(s), ", json_array_size(rows));
	text_html(t, widget_member(c->out, "foot"));
	text_str(t, "</p>\n");
}

/* ---- server ---- */

static void
uptime(struct text *t, const char *name, double seconds)
{
	unsigned long s = (unsigned long)seconds;

	text_printf(t,
	    "<tr><th scope=\"row\">%s</th><td>%lu d %02lu:%02lu:%02lu</td>"
	    "</tr>\n",
	    name, s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

static void
rows_of(struct text *t, const json_t *object, const char *prefix)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		if (json_is_object(value)) {
			rows_of(t, value, key);
			continue;
		}
		text_str(t, "<tr><th scope=\"row\">");
		text_html(t, prefix);
		text_str(t, prefix[0] != '\0' ? " " : "");
		text_html(t, key);
		text_str(t, "</th><td class=\"value\">");
		if (json_is_boolean(value))
			text_str(t, json_is_true(value) ? "yes" : "no");
		else
			text_html(t, widget_member(object, key));
		text_str(t, "</td></tr>\n");
	}
}

/* What clients notice. */
static const char *
after_restart(const struct sim_call *c)
{
	const char *type = widget_member(c->out, "type");

	if (strcmp(type, "tcp") == 0)
		return "; connections stay";
	return strcmp(type, "tls") == 0 ? "; then clients connect again" : "";
}

void
sim_html_server(const struct sim_call *c, struct text *t)
{
	static const char *const shown[][2] = { { "server", "Server" },
		{ "type", "Type" }, { "listen", "Listens on" },
		{ "state", "State" }, { "line", "Line" }, { "pid", "Process" },
		{ "restarts", "Restarts" }, { "connections", "Connections" },
		{ "requests", "Requests" }, { "exceptions", "Exceptions" },
		{ "errors", "Errors" }, { "last_exit", "Last exit" },
		{ "version", "Version" } };

	widget_choice(c, t, "server", "Server");
	widget_table(t, "Server", "What", "Value", NULL);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const char *value = widget_member(c->out, shown[i][0]);

		if (value[0] == '\0')
			continue;
		text_printf(
		    t, "<tr><th scope=\"row\">%s</th><td>", shown[i][1]);
		text_html(t, value);
		text_str(t, "</td></tr>\n");
	}
	uptime(t, "Uptime",
	    json_number_value(json_object_get(c->out, "uptime_s")));
	uptime(t, "Uptime of the daemon",
	    json_number_value(json_object_get(c->out, "daemon_uptime_s")));
	widget_table_end(t);
	widget_form(c, t, "Restart");
	text_printf(t, "<p>Requests that have come are answered first%s.</p>\n",
	    after_restart(c));
	widget_form_end(t, "Restart", NULL);
	widget_table(t, "Counters", "Counter", "Value", NULL);
	rows_of(t, json_object_get(c->out, "counters"), "");
	widget_table_end(t);
}
