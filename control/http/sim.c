/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's pages and REST: which button does what, and what is answered
 * where it could not. Runs in the http process.
 */

#include "control/http/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/http/sim_form.h"
#include "control/http/sim_own.h"
#include "control/http/sim_widget.h"
#include "control/jtext.h"

#define ON(page) (1u << (page))
#define BOTH (ON(SIM_REGISTERS) | ON(SIM_CALLS))
#define ALL (BOTH | ON(SIM_LOG) | ON(SIM_SERVER))

/* What "submit" may say on which pages; without a function it shows, or the
 * page looks at it itself. */
static const struct {
	const char *submit;
	unsigned pages;
	void (*act)(struct sim_call *);
} buttons[] = {
	{ "Registers", ALL, NULL },
	{ "Register", ALL, NULL }, /* what pymodbus's documents say */
	{ "Calls", ALL, NULL },
	{ "Log", ALL, NULL },
	{ "Server", ALL, NULL },
	{ "Add", BOTH, sim_filter_add },
	{ "Clear", BOTH, sim_filter_clear },
	{ "Set", BOTH, sim_set },
	{ "Monitor", BOTH, sim_monitor },
	{ "Stop", BOTH, sim_stop },
	{ "Simulate", BOTH, sim_simulate },
	{ "Reset", BOTH, sim_reset },
	{ "Clear", ON(SIM_LOG), NULL },
	{ "Monitor", ON(SIM_LOG), NULL },
	{ "Stop", ON(SIM_LOG), NULL },
	{ "Download", ON(SIM_LOG), NULL },
	{ "Restart", ON(SIM_SERVER), NULL },
};
enum { BUTTONS = sizeof(buttons) / sizeof(buttons[0]) };

static void (*const pages[SIM_PAGES])(struct sim_call *) = {
	[SIM_REGISTERS] = sim_registers,
	[SIM_CALLS] = sim_calls,
	[SIM_LOG] = sim_log,
	[SIM_SERVER] = sim_server,
};

void
sim_fini(struct sim *sim)
{
	for (int i = 0; i < SIM_SESSIONS; i++)
		free(sim->session[i].filter);
	free(sim->form);
	*sim = (struct sim){ 0 };
}

bool
sim_fail(struct sim_call *c, int status, const char *fmt, ...)
{
	va_list ap;

	if (c->why[0] != '\0')
		return false;
	c->status = status;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return false;
}

json_t *
sim_ask(struct sim_call *c, const char *method, json_t *params)
{
	struct sim_error e = { .status = 500 };
	json_t *result = c->ask(c->arg, method, params, &e);

	if (result == NULL)
		sim_fail(c, e.status, "%s",
		    e.why[0] != '\0' ? e.why : "out of memory");
	return result;
}

json_t *
sim_try(struct sim_call *c, const char *method, json_t *params)
{
	struct sim_error e;

	return c->ask(c->arg, method, params, &e);
}

const char *
sim_server_of(struct sim_call *c, json_t **row)
{
	json_t *list = sim_ask(c, "transports.list", NULL);
	const char *name = NULL;
	size_t i = 0;

	*row = NULL;
	if (list != NULL)
		name = sim_choice(c, "server", list, &i);
	if (name != NULL) {
		*row = json_incref(json_array_get(list, i));
		json_object_set(c->out, "servers", list);
	}
	json_decref(list);
	return json_string_value(json_object_get(*row, "name"));
}

static void
take_refresh(struct sim_call *c)
{
	int64_t seconds;

	if (sim_integer(c, "refresh", 0, SIM_REFRESH_MAX, &seconds) == SIM_OK)
		c->session->refresh_s = (unsigned)seconds;
}

/* The button of this page, or BUTTONS. */
static size_t
button_of(const struct sim_call *c)
{
	const char *submit = sim_submit(c);
	size_t i = 0;

	while (i < BUTTONS &&
	    ((buttons[i].pages & ON(c->page)) == 0 ||
		strcmp(buttons[i].submit, submit) != 0))
		i++;
	return i;
}

/* A page may be looked at without a button. So may the log and the server over
 * REST, where pymodbus wants none either. */
static void
check_submit(struct sim_call *c)
{
	const json_t *v = json_object_get(c->in, "submit");
	const char *submit = sim_submit(c);
	char may[200] = "";
	size_t len = 0;

	if (v != NULL && !json_is_string(v) && !json_is_null(v)) {
		sim_fail(c, 400, "submit must be a string");
		return;
	}
	if (button_of(c) < BUTTONS ||
	    (submit[0] == '\0' && (c->html || !(BOTH & ON(c->page)))))
		return;
	for (size_t i = 0; i < BUTTONS; i++)
		if (buttons[i].pages & ON(c->page) &&
		    (buttons[i].pages != ALL ||
			strcasecmp(
			    buttons[i].submit, sim_page_names[c->page]) == 0))
			len += (size_t)snprintf(may + len, sizeof(may) - len,
			    "%s%s", len > 0 ? ", " : "", buttons[i].submit);
	if (submit[0] == '\0')
		sim_fail(c, 400, "submit is missing; it may be %s", may);
	else
		sim_fail(c, 400, "submit \"%.40s\" is unknown; it may be %s",
		    submit, may);
}

static void
press(struct sim_call *c)
{
	size_t i = button_of(c);

	if (i < BUTTONS && buttons[i].act != NULL)
		buttons[i].act(c);
}

static bool
is_missing(const struct sim_call *c)
{
	return strcmp(c->why, SIM_MISSING_REGISTER) == 0;
}

/* Only what has happened is told to a program. */
static void
answer_error(struct sim_call *c)
{
	json_decref(c->out);
	c->out = json_pack("{s:s, s:o}", "result", "error", "error",
	    jtext_bytes(c->why, strlen(c->why)));
}

void
sim_run(struct sim_call *c)
{
	if (c->status == 0)
		c->status = 200;
	c->out = json_pack("{s:s}", "result", "ok");
	check_submit(c);
	take_refresh(c);
	if (c->why[0] == '\0')
		press(c);
	if (c->html || c->why[0] == '\0' || is_missing(c))
		pages[c->page](c);
	if (!c->html && c->why[0] != '\0' && !is_missing(c)) {
		answer_error(c);
		return;
	}
	if (!c->html)
		json_object_del(c->out, "servers");
	if (c->why[0] != '\0')
		json_object_set_new(
		    c->out, "result", jtext_bytes(c->why, strlen(c->why)));
}

void
sim_call_fini(struct sim_call *c)
{
	json_decref(c->out);
	c->out = NULL;
}
