/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's pages as HTML: what all of them have around what is their
 * own. They are plain documents that need no script; a page that refreshes
 * itself asks to be shown, and never does again what a button did. Pure, but
 * that it asks whether faults are in force.
 */

#include <stdio.h>
#include <string.h>

#include "control/http/sim_own.h"
#include "control/http/sim_widget.h"

static void (*const bodies[SIM_PAGES])(
    const struct sim_call *, struct text *) = {
	[SIM_REGISTERS] = sim_html_registers,
	[SIM_CALLS] = sim_html_calls,
	[SIM_LOG] = sim_html_log,
	[SIM_SERVER] = sim_html_server,
};

/* In an address: names are of letters, digits, '_' and '-', and all else is
 * left out. */
static void
add_field(struct text *t, const char *field, const char *value)
{
	if (value[0] == '\0')
		return;
	text_printf(t, "&amp;%s=", field);
	for (; *value != '\0'; value++)
		if (strchr("<>&\"'#%+ ;=", *value) == NULL)
			text_add(t, value, 1);
}

/* Where a page is shown as it is now. */
static void
address(const struct sim_call *c, struct text *t, enum sim_page page)
{
	text_printf(t, "/api/%s?submit=%s", sim_page_names[page],
	    sim_page_titles[page]);
	add_field(t, "device", widget_member(c->out, "device"));
	add_field(t, "server", widget_member(c->out, "server"));
	if (page == c->page)
		add_field(t, "level", widget_member(c->out, "level"));
}

static void
head(const struct sim_call *c, struct text *t)
{
	text_str(t,
	    "<!doctype html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" "
	    "content=\"width=device-width, initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n");
	if (c->session->refresh_s > 0) {
		text_printf(t, "<meta http-equiv=\"refresh\" content=\"%u;url=",
		    c->session->refresh_s);
		address(c, t, c->page);
		text_str(t, "\">\n");
	}
	text_printf(t,
	    "<title>%s - Holdfast simulator</title>\n"
	    "<link rel=\"stylesheet\" href=\"/pymodbus.css\">\n</head>\n",
	    sim_page_titles[c->page]);
}

static void
navigation(const struct sim_call *c, struct text *t)
{
	text_str(t,
	    "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
	    "<header>\n<p class=\"brand\"><a href=\"/\">Holdfast</a> "
	    "simulator</p>\n<nav aria-label=\"Pages\">\n<ul>\n");
	for (enum sim_page p = 0; p < SIM_PAGES; p++) {
		text_str(t, "<li><a href=\"");
		address(c, t, p);
		text_printf(t, "\"%s>%s</a></li>\n",
		    p == c->page ? " aria-current=\"page\"" : "",
		    sim_page_titles[p]);
	}
	text_str(t, "</ul>\n</nav>\n</header>\n");
}

/* Nobody is to look for a fault that somebody has switched on. */
static void
faults(struct sim_call *c, struct text *t)
{
	json_t *list = sim_try(c, "faults.list", NULL);
	size_t n = json_array_size(list);

	json_decref(list);
	if (n == 0)
		return;
	text_printf(t,
	    "<p class=\"banner\" role=\"status\"><strong>%zu fault %s in "
	    "force:</strong> replies are not what they would be.</p>\n",
	    n, n == 1 ? "rule is" : "rules are");
}

static void
refresh(const struct sim_call *c, struct text *t)
{
	char now[16];

	snprintf(now, sizeof(now), "%u", c->session->refresh_s);
	text_str(t, "<footer>\n");
	widget_form(c, t, "Refresh");
	widget_input(t, "refresh", "Every so many seconds, 0 for never", now,
	    "type=\"number\" min=\"0\" max=\"86400\"");
	widget_form_end(t, sim_page_titles[c->page], NULL);
	text_str(t, "</footer>\n");
}

void
sim_html(struct sim_call *c, struct text *t)
{
	bool fine = c->why[0] == '\0';

	head(c, t);
	text_str(t, "<body>\n");
	navigation(c, t);
	text_printf(
	    t, "<main id=\"main\">\n<h1>%s</h1>\n", sim_page_titles[c->page]);
	faults(c, t);
	text_printf(t, "<p class=\"%s\" role=\"%s\">Result of last command: ",
	    fine ? "result" : "result wrong", fine ? "status" : "alert");
	text_html(t, fine ? "ok" : c->why);
	text_str(t, "</p>\n");
	bodies[c->page](c, t);
	text_str(t, "</main>\n");
	refresh(c, t);
	text_str(t, "</body>\n</html>\n");
}
