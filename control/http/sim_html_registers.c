/* SPDX-License-Identifier: Apache-2.0 */
/* The registers page: the table of what is shown, and what is asked. Pure. */

#include <string.h>

#include "control/http/sim_own.h"
#include "control/http/sim_widget.h"

#define INDEX "type=\"number\" min=\"0\" inputmode=\"numeric\""

/* {"name": number} as options, in its order. */
static void
options(struct text *t, const json_t *names)
{
	const char *name;
	json_t *number;

	widget_option(t, "-1", "any", true);
	json_object_foreach ((json_t *)(uintptr_t)names, name, number)
		widget_option(t, widget_member(names, name),
		    strcmp(name, "null") == 0 ? "none" : name, false);
}

static void
table(const struct sim_call *c, struct text *t)
{
	const json_t *rows = json_object_get(c->out, "register_rows");
	json_t *row;
	size_t i;

	widget_table(t, "Registers", "Register", "Type", "Write", "Action",
	    "Value", "Name", "# read", "# write", NULL);
	json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
		const char *unit = widget_member(row, "unit");

		text_str(t, "<tr><th scope=\"row\">");
		text_html(t, widget_member(row, "index"));
		text_str(t, "</th>");
		widget_cell(t, row, "type");
		widget_cell(t, row, "access");
		widget_cell(t, row, "action");
		text_str(t, "<td class=\"value\">");
		text_html(t, widget_member(row, "value"));
		if (unit[0] != '\0') {
			text_str(t, " ");
			text_html(t, unit);
		}
		text_str(t, "</td>");
		widget_cell(t, row, "name");
		widget_cell(t, row, "count_read");
		widget_cell(t, row, "count_write");
		text_str(t, "</tr>\n");
	}
	widget_table_end(t);
	text_str(t, "<p>");
	text_html(t, widget_member(c->out, "footer"));
	text_str(t, "</p>\n");
}

/* Which registers are which addresses. */
static void
blocks(const struct sim_call *c, struct text *t)
{
	const json_t *all = json_object_get(c->out, "blocks");
	json_t *block;
	size_t i;

	if (json_array_size(all) == 0)
		return;
	widget_table(t, "Where the tables of this device lie", "Table",
	    "First register", "Last register", NULL);
	json_array_foreach ((json_t *)(uintptr_t)all, i, block) {
		text_str(t, "<tr><th scope=\"row\">");
		text_html(t, widget_member(block, "table"));
		text_str(t, "</th>");
		widget_cell(t, block, "first");
		widget_cell(t, block, "last");
		text_str(t, "</tr>\n");
	}
	widget_table_end(t);
	text_str(t,
	    "<p>16 coils or discrete inputs are one register here, the first "
	    "of them its lowest bit.</p>\n");
}

void
sim_html_registers(const struct sim_call *c, struct text *t)
{
	widget_choice(c, t, "device", "Device");
	table(c, t);
	widget_form(c, t, "Show registers");
	widget_input(t, "range_start", "From, or all", "", INDEX);
	widget_input(t, "range_stop", "To", "", INDEX);
	widget_select(t, "type", "Type");
	options(t, json_object_get(c->out, "register_types"));
	widget_select_end(t);
	widget_select(t, "action", "Action");
	options(t, json_object_get(c->out, "register_actions"));
	widget_select_end(t);
	widget_tick(t, "writeable", "Only those that can be written", false);
	widget_form_end(t, "Add", "Clear", NULL);
	widget_form(c, t, "Set a register");
	widget_input(t, "register", "Register", "", INDEX);
	widget_input(
	    t, "value", "Value, by its type", "", "type=\"text\" size=\"12\"");
	widget_form_end(t, "Set", NULL);
	blocks(c, t);
}
