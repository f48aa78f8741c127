/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulator's pages are made of: forms, tables, fields with labels.
 * Whatever comes from outside goes through text_html(). Pure.
 */

#include "control/http/sim_widget.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const sim_page_names[SIM_PAGES] = { "registers", "calls", "log",
	"server" };
const char *const sim_page_titles[SIM_PAGES] = { "Registers", "Calls", "Log",
	"Server" };

const char *
widget_member(const json_t *json, const char *name)
{
	static char bufs[2][32];
	static unsigned turn;
	const json_t *v = json_object_get(json, name);
	char *buf = bufs[turn++ % 2];

	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v))
		snprintf(buf, sizeof(bufs[0]), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, sizeof(bufs[0]), "%.15g", json_real_value(v));
	else
		buf[0] = '\0';
	return buf;
}

void
widget_cell(struct text *t, const json_t *row, const char *name)
{
	text_str(t, "<td>");
	text_html(t, widget_member(row, name));
	text_str(t, "</td>");
}

/* ---- forms ---- */

static void
hidden(struct text *t, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	text_printf(t, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	text_html(t, value);
	text_str(t, "\">\n");
}

void
widget_form(const struct sim_call *c, struct text *t, const char *legend)
{
	text_printf(t,
	    "<form action=\"/api/%s\" method=\"get\">\n"
	    "<fieldset>\n<legend>%s</legend>\n",
	    sim_page_names[c->page], legend);
	hidden(t, "device", widget_member(c->out, "device"));
	hidden(t, "server", widget_member(c->out, "server"));
}

void
widget_form_end(struct text *t, const char *button, ...)
{
	va_list ap;

	text_str(t, "<p class=\"buttons\">");
	va_start(ap, button);
	for (; button != NULL; button = va_arg(ap, const char *))
		text_printf(t,
		    "<button type=\"submit\" name=\"submit\" "
		    "value=\"%s\">%s</button>\n",
		    button, button);
	va_end(ap);
	text_str(t, "</p>\n</fieldset>\n</form>\n");
}

void
widget_input(struct text *t, const char *name, const char *label,
    const char *value, const char *attributes)
{
	text_printf(t,
	    "<label class=\"field\"><span>%s</span> "
	    "<input name=\"%s\" %s value=\"",
	    label, name, attributes);
	text_html(t, value);
	text_str(t, "\"></label>\n");
}

void
widget_tick(struct text *t, const char *name, const char *label, bool ticked)
{
	text_printf(t,
	    "<label class=\"tick\"><input type=\"checkbox\" name=\"%s\"%s> "
	    "%s</label>\n",
	    name, ticked ? " checked" : "", label);
}

void
widget_radio(
    struct text *t, const char *name, int value, const char *label, bool chosen)
{
	text_printf(t,
	    "<label class=\"tick\"><input type=\"radio\" name=\"%s\" "
	    "value=\"%d\"%s> %s</label>\n",
	    name, value, chosen ? " checked" : "", label);
}

void
widget_select(struct text *t, const char *name, const char *label)
{
	text_printf(t,
	    "<label class=\"field\"><span>%s</span> <select name=\"%s\">\n",
	    label, name);
}

void
widget_option(struct text *t, const char *value, const char *label, bool chosen)
{
	text_str(t, "<option value=\"");
	text_html(t, value);
	text_printf(t, "\"%s>", chosen ? " selected" : "");
	text_html(t, label);
	text_str(t, "</option>\n");
}

void
widget_select_end(struct text *t)
{
	text_str(t, "</select></label>\n");
}

void
widget_choice(const struct sim_call *c, struct text *t, const char *field,
    const char *label)
{
	bool devices = strcmp(field, "device") == 0;
	const json_t *list =
	    json_object_get(c->out, devices ? "devices" : "servers");
	const char *now = json_string_value(json_object_get(c->out, field));
	json_t *row;
	size_t i;

	if (json_array_size(list) < 2)
		return;
	text_printf(t,
	    "<form action=\"/api/%s\" method=\"get\" class=\"inline\">\n",
	    sim_page_names[c->page]);
	widget_select(t, field, label);
	json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
		const char *name = widget_member(row, "name");

		widget_option(
		    t, name, name, now != NULL && strcmp(name, now) == 0);
	}
	widget_select_end(t);
	text_printf(t,
	    "<button type=\"submit\" name=\"submit\" "
	    "value=\"%s\">Show</button>\n</form>\n",
	    sim_page_titles[c->page]);
}

/* ---- tables ---- */

void
widget_table(struct text *t, const char *caption, ...)
{
	const char *column;
	va_list ap;

	text_printf(t,
	    "<div class=\"wide\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"%s\">\n<table>\n<caption>%s</caption>\n"
	    "<thead><tr>",
	    caption, caption);
	va_start(ap, caption);
	while ((column = va_arg(ap, const char *)) != NULL)
		text_printf(t, "<th scope=\"col\">%s</th>", column);
	va_end(ap);
	text_str(t, "</tr></thead>\n<tbody>\n");
}

void
widget_table_end(struct text *t)
{
	text_str(t, "</tbody>\n</table>\n</div>\n");
}
