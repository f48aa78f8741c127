/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulate: the form becomes a fault rule of its server, and while that lives
 * the form shows what it says. Runs in the http process; the rules live in
 * shared memory, and outlive it.
 */

#include <stdlib.h>
#include <string.h>

#include "control/http/sim_form.h"
#include "control/http/sim_own.h"

enum {
	MS = 1000,
	WAIT_MAX_S = 600, /* as rules have it */
	JUNK_MAX = 512,
	/* A rule has to do something. One of a reply as it is, which is what
	 * Normal alone asks for, lives and is counted like any other. */
	NOTHING_MS = 1,
	ALL_PCT = 100, /* of the values in a reply that is altered */
};

static const struct sim_form fresh = { .junk = 10, .clear_after = 1 };

/* What can be chosen as an error. */
static const struct {
	int code;
	const char *name;
} errors[] = {
	{ 1, "ILLEGAL_FUNCTION" },
	{ 2, "ILLEGAL_ADDRESS" },
	{ 3, "ILLEGAL_VALUE" },
	{ 4, "SLAVE_FAILURE" },
	{ 5, "ACKNOWLEDGE" },
	{ 6, "SLAVE_BUSY" },
	{ 8, "MEMORY_PARITY_ERROR" },
	{ 10, "GATEWAY_PATH_UNAVAILABLE" },
	{ 11, "GATEWAY_NO_RESPONSE" },
};
enum { NERRORS = sizeof(errors) / sizeof(errors[0]) };

/* The form of a server; NULL if memory is short. */
static struct sim_form *
form_of(struct sim *sim, const char *server)
{
	struct sim_form *more;

	for (size_t i = 0; i < sim->nforms; i++)
		if (strcmp(sim->form[i].server, server) == 0)
			return &sim->form[i];
	more = realloc(sim->form, (sim->nforms + 1) * sizeof(*more));
	if (more == NULL)
		return NULL;
	sim->form = more;
	more = &more[sim->nforms++];
	*more = fresh;
	strncpy(more->server, server, sizeof(more->server) - 1);
	return more;
}

/* ---- rules ---- */

static bool
is_ours(const json_t *rule, const char *server)
{
	const char *note = json_string_value(json_object_get(rule, "note"));
	const char *on = json_string_value(json_object_get(rule, "transport"));

	return note != NULL && on != NULL && strcmp(note, SIM_NOTE) == 0 &&
	    strcmp(on, server) == 0;
}

/* Clears all rules of ours on a server but one. */
static void
clear_rules(struct sim_call *c, const char *server, json_int_t but)
{
	json_t *list = sim_ask(c, "faults.list", NULL), *rule;
	size_t i;

	json_array_foreach (list, i, rule) {
		json_int_t id = json_integer_value(json_object_get(rule, "id"));

		if (id != but && is_ours(rule, server))
			json_decref(sim_ask(
			    c, "faults.clear", json_pack("{s:I}", "id", id)));
	}
	json_decref(list);
}

/* ---- the buttons ---- */

/* A field of the form; blank is `blank`. */
struct field {
	const char *name;
	int64_t max, blank;
	size_t at;
};

#define FORM(name, max, blank, member)                              \
	{                                                           \
		name, max, blank, offsetof(struct sim_form, member) \
	}

static const struct field always[] = {
	FORM("response_delay", WAIT_MAX_S, 0, delay),
	FORM("response_junk_datalen", JUNK_MAX, 0, junk),
	FORM("response_error", 255, 0, error),
	FORM("response_clear_after", 1000000, 1, clear_after),
};
static const struct field split = FORM("split_delay", WAIT_MAX_S, 1, split);
static const struct field cr = FORM("response_cr_pct", 100, 0, cr);

static bool
take(struct sim_call *c, const struct field *f, struct sim_form *form)
{
	int64_t *to = (int64_t *)(void *)((char *)form + f->at);

	return sim_integer_or(c, f->name, 0, f->max, f->blank, to);
}

/* Reads the whole form before any of it counts. */
static bool
take_form(struct sim_call *c, int64_t *type, struct sim_form *form)
{
	enum sim_found found;

	found = sim_integer(c, "response_type", SIM_NORMAL, SIM_JUNK, type);
	if (found == SIM_BLANK)
		return sim_fail(c, 400,
		    "response_type is missing: 0 normal, 1 error, 2 empty or "
		    "3 junk");
	form->split = form->cr = 0;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (!take(c, &always[i], form))
			return false;
	if ((sim_ticked(c, "response_split") && !take(c, &split, form)) ||
	    (sim_ticked(c, "response_cr") && !take(c, &cr, form)))
		return false;
	if (form->clear_after == 0)
		form->clear_after = 1;
	if (form->split == 0 && sim_ticked(c, "response_split"))
		form->split = 1;
	if (*type == SIM_ERROR && form->error == 0)
		return sim_fail(c, 400,
		    "response_error must say which exception, 1 to 255");
	return found == SIM_OK;
}

/* Split, change rate and delay are what is done to a proper reply. The change
 * rate is the share of replies that are altered; the others count, too. */
static void
add_normal(json_t *rule, const struct sim_form *form)
{
	int64_t delay = form->delay * MS;

	if (delay == 0 && form->split == 0)
		delay = NOTHING_MS;
	if (delay > 0)
		json_object_set_new(rule, "delay_ms", json_integer(delay));
	if (form->split > 0)
		json_object_set_new(
		    rule, "split_ms", json_integer(form->split * MS));
	if (form->cr == 0)
		return;
	json_object_set_new(rule, "change_pct", json_integer(ALL_PCT));
	json_object_set_new(rule, "change_rate_pct", json_integer(form->cr));
}

static json_t *
rule_of(const struct sim_form *form, int64_t type)
{
	json_t *rule = json_pack("{s:s, s:s, s:I}", "transport", form->server,
	    "note", SIM_NOTE, "count", (json_int_t)form->clear_after);

	if (type == SIM_NORMAL)
		add_normal(rule, form);
	else if (type == SIM_ERROR)
		json_object_set_new(
		    rule, "exception", json_integer(form->error));
	else if (type == SIM_JUNK && form->junk > 0)
		json_object_set_new(
		    rule, "junk_bytes", json_integer(form->junk));
	else /* no reply, or none of no bytes */
		json_object_set_new(rule, "drop", json_true());
	return rule;
}

void
sim_simulate(struct sim_call *c)
{
	struct sim_form form = fresh, *kept;
	json_t *row, *rule = NULL;
	const char *server = sim_server_of(c, &row);
	int64_t type;

	if (server == NULL || !take_form(c, &type, &form))
		goto out;
	kept = form_of(c->sim, server);
	if (kept == NULL) {
		sim_fail(c, 500, "out of memory");
		goto out;
	}
	memcpy(form.server, kept->server, sizeof(form.server));
	rule = sim_ask(c, "faults.add", rule_of(&form, type));
	if (rule == NULL)
		goto out;
	*kept = form;
	clear_rules(c, server, json_integer_value(json_object_get(rule, "id")));
out:
	json_decref(rule);
	json_decref(row);
}

void
sim_reset(struct sim_call *c)
{
	json_t *row;
	const char *server = sim_server_of(c, &row);
	struct sim_form *form;

	if (server != NULL) {
		clear_rules(c, server, -1);
		form = form_of(c->sim, server);
		if (form != NULL) {
			char name[SIM_NAME_MAX];

			memcpy(name, form->server, sizeof(name));
			*form = fresh;
			memcpy(form->server, name, sizeof(name));
		}
	}
	json_decref(row);
}

/* ---- what is shown ---- */

static int64_t
number(const json_t *rule, const char *name)
{
	return (int64_t)json_number_value(json_object_get(rule, name));
}

/* What a rule says is what is so, whoever made it. Its type. */
static int
read_rule(const json_t *rule, struct sim_form *form)
{
	if (json_is_integer(json_object_get(rule, "left")))
		form->clear_after = number(rule, "left");
	if (number(rule, "exception") != 0) {
		form->error = number(rule, "exception");
		return SIM_ERROR;
	}
	if (number(rule, "junk_bytes") != 0) {
		form->junk = number(rule, "junk_bytes");
		return SIM_JUNK;
	}
	if (json_is_true(json_object_get(rule, "drop")))
		return SIM_EMPTY;
	form->delay = number(rule, "delay_ms") / MS;
	form->split = number(rule, "split_ms") / MS;
	form->cr = number(rule, "change_rate_pct");
	return SIM_NORMAL;
}

static void
show(json_t *out, const struct sim_form *f, int type)
{
	static const char *const checked[] = {
		[SIM_NORMAL] = "function_response_normal_checked",
		[SIM_ERROR] = "function_response_error_checked",
		[SIM_EMPTY] = "function_response_empty_checked",
		[SIM_JUNK] = "function_response_junk_checked",
	};
	json_t *list = json_array();

	json_object_set_new(
	    out, "simulation_action", json_string(type != -1 ? "ACTIVE" : ""));
	for (int i = SIM_NORMAL; i <= SIM_JUNK; i++)
		json_object_set_new(out, checked[i], json_boolean(i == type));
	json_object_set_new(
	    out, "function_response_split_checked", json_boolean(f->split > 0));
	json_object_set_new(
	    out, "function_response_split_delay", json_integer(f->split));
	json_object_set_new(
	    out, "function_response_cr_checked", json_boolean(f->cr > 0));
	json_object_set_new(
	    out, "function_response_cr_pct", json_integer(f->cr));
	json_object_set_new(
	    out, "function_response_delay", json_integer(f->delay));
	json_object_set_new(
	    out, "function_response_junk", json_integer(f->junk));
	for (int i = 0; i < NERRORS; i++)
		json_array_append_new(list,
		    json_pack("{s:i, s:s, s:b}", "value", errors[i].code,
			"text", errors[i].name, "selected",
			errors[i].code == f->error));
	json_object_set_new(out, "function_error", list);
	json_object_set_new(
	    out, "function_response_clear_after", json_integer(f->clear_after));
}

void
sim_simulate_show(struct sim_call *c, const char *server)
{
	const struct sim_form *kept = form_of(c->sim, server);
	struct sim_form form = kept != NULL ? *kept : fresh;
	json_t *list = sim_ask(c, "faults.list", NULL), *rule;
	int type = -1;
	size_t i;

	json_array_foreach (list, i, rule)
		if (is_ours(rule, server))
			type = read_rule(rule, &form);
	show(c->out, &form, type);
	json_decref(list);
}
