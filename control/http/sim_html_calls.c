/* SPDX-License-Identifier: Apache-2.0 */
/* The calls page: what was called, and the forms to monitor and to simulate.
 * Pure. */

#include <stdio.h>

#include "control/http/sim_own.h"
#include "control/http/sim_widget.h"

#define ADDRESS "type=\"number\" min=\"0\" max=\"65535\""
#define EXCEPTION 0x80

static bool
is(const struct sim_call *c, const char *name)
{
	return json_is_true(json_object_get(c->out, name));
}

static void
call_name(struct text *t, const json_t *row)
{
	int fc = (int)json_integer_value(json_object_get(row, "fc"));
	const char *name = sim_function_name(fc & ~EXCEPTION);

	text_str(t,
	    json_is_true(json_object_get(row, "call")) ? "Call" : "Response");
	if (fc >= 0)
		text_printf(t, " - %d", fc);
	if (name != NULL)
		text_printf(t, " %s", name);
}

static void
optional(struct text *t, const json_t *row, const char *name)
{
	text_str(t, "<td>");
	if (json_integer_value(json_object_get(row, name)) >= 0)
		text_html(t, widget_member(row, name));
	text_str(t, "</td>");
}

static void
table(const struct sim_call *c, struct text *t)
{
	const json_t *rows = json_object_get(c->out, "call_rows");
	json_t *row;
	char at[48];
	size_t i;

	widget_table(t, "Calls", "Call/Response", "Address", "Count", "Data",
	    "Unit", "Peer", "Time", NULL);
	json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
		text_str(t, "<tr><th scope=\"row\">");
		call_name(t, row);
		text_str(t, "</th>");
		optional(t, row, "address");
		optional(t, row, "count");
		text_str(t, "<td class=\"value\">");
		text_html(t, widget_member(row, "data"));
		text_str(t, "</td>");
		widget_cell(t, row, "unit");
		widget_cell(t, row, "peer");
		sim_time(json_number_value(json_object_get(row, "at")), at,
		    sizeof(at));
		text_printf(t, "<td class=\"time\">%s</td></tr>\n", at);
	}
	widget_table_end(t);
	text_str(t, "<p>");
	text_html(t, widget_member(c->out, "foot"));
	text_str(t, "</p>\n");
}

/* {value, text, selected} as options. */
static void
options(struct text *t, const json_t *list)
{
	json_t *row;
	char label[80];
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
		snprintf(label, sizeof(label), "%s %s",
		    widget_member(row, "value"), widget_member(row, "text"));
		widget_option(t, widget_member(row, "value"), label,
		    json_is_true(json_object_get(row, "selected")));
	}
}

static void
monitor(const struct sim_call *c, struct text *t)
{
	widget_form(c, t, "Monitor");
	widget_input(t, "range_start", "From address, or all",
	    widget_member(c->out, "range_start"), ADDRESS);
	widget_input(t, "range_stop", "To address",
	    widget_member(c->out, "range_stop"), ADDRESS);
	widget_select(t, "function", "Function");
	widget_option(t, "-1", "any", false);
	options(t, json_object_get(c->out, "function_codes"));
	widget_select_end(t);
	widget_tick(t, "show_hex", "In hexadecimal",
	    is(c, "function_show_hex_checked"));
	widget_tick(t, "show_decode", "In words",
	    is(c, "function_show_decoded_checked"));
	widget_form_end(t, "Monitor", "Stop", NULL);
}

static void
number(const struct sim_call *c, struct text *t, const char *name,
    const char *label, const char *key, unsigned max)
{
	char attributes[64];

	snprintf(attributes, sizeof(attributes),
	    "type=\"number\" min=\"0\" max=\"%u\"", max);
	widget_input(t, name, label, widget_member(c->out, key), attributes);
}

static void
simulate(const struct sim_call *c, struct text *t)
{
	bool error = is(c, "function_response_error_checked");
	bool empty = is(c, "function_response_empty_checked");
	bool junk = is(c, "function_response_junk_checked");
	const char *active = widget_member(c->out, "simulation_action");

	text_printf(t, "<h2>Simulate%s%s</h2>\n", active[0] != '\0' ? ": " : "",
	    active);
	widget_form(c, t, "What is answered");
	widget_radio(t, "response_type", SIM_NORMAL, "Normal",
	    !error && !empty && !junk);
	widget_tick(t, "response_split", "In two parts",
	    is(c, "function_response_split_checked"));
	number(c, t, "split_delay", "Seconds between them",
	    "function_response_split_delay", 600);
	widget_tick(t, "response_cr", "With changed values",
	    is(c, "function_response_cr_checked"));
	number(c, t, "response_cr_pct", "Percent of the replies",
	    "function_response_cr_pct", 100);
	number(c, t, "response_delay", "After so many seconds",
	    "function_response_delay", 600);
	widget_radio(t, "response_type", SIM_ERROR, "Error", error);
	widget_select(t, "response_error", "Which");
	options(t, json_object_get(c->out, "function_error"));
	widget_select_end(t);
	widget_radio(t, "response_type", SIM_JUNK, "Junk", junk);
	number(c, t, "response_junk_datalen", "Bytes of it",
	    "function_response_junk", 512);
	widget_radio(t, "response_type", SIM_EMPTY, "Empty: none", empty);
	number(c, t, "response_clear_after", "For so many replies",
	    "function_response_clear_after", 1000000);
	widget_form_end(t, "Simulate", "Reset", NULL);
}

void
sim_html_calls(const struct sim_call *c, struct text *t)
{
	widget_choice(c, t, "server", "Server");
	table(c, t);
	monitor(c, t);
	simulate(c, t);
}
