/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls page and its REST: what is monitored, what is simulated. Runs in
 * the http process.
 */

#include "control/http/sim_own.h"

/* What is looked for; nothing is null. */
static json_t *
range_end(const struct sim_session *s, int64_t at)
{
	return s->monitor.active && s->monitor.start != -1 ? json_integer(at)
							   : json_null();
}

/* People are told the standard's names, scripts the documented ones. */
static json_t *
function_codes(const struct sim_call *c)
{
	const struct sim_session *s = c->session;
	const struct sim_function *f = sim_functions;
	json_t *all = json_array();

	for (; f < sim_functions + SIM_FUNCTIONS; f++)
		json_array_append_new(all,
		    json_pack("{s:i, s:s, s:b}", "value", f->code, "text",
			c->html ? f->name : f->documented, "selected",
			s->monitor.active && s->monitor.function == f->code));
	return all;
}

static const char *
foot(const struct sim_session *s)
{
	if (s->monitor.active)
		return "Monitoring active";
	return s->monitor.stopped ? "Stopped monitoring" : "not active";
}

void
sim_calls(struct sim_call *c)
{
	struct sim_session *s = c->session;
	json_t *row, *rows;
	const char *server = sim_server_of(c, &row);

	if (server == NULL)
		return;
	sim_simulate_show(c, server);
	rows = sim_monitor_rows(c);
	json_object_set_new(
	    c->out, "range_start", range_end(s, s->monitor.start));
	json_object_set_new(
	    c->out, "range_stop", range_end(s, s->monitor.stop));
	json_object_set_new(c->out, "function_codes", function_codes(c));
	json_object_set_new(
	    c->out, "function_show_hex_checked", json_boolean(s->monitor.hex));
	json_object_set_new(c->out, "function_show_decoded_checked",
	    json_boolean(s->monitor.decode));
	json_object_set_new(c->out, "call_rows", rows);
	json_object_set_new(c->out, "foot", json_string(foot(s)));
	s->monitor.stopped = false;
	if (c->html)
		json_object_set_new(c->out, "server", json_string(server));
	json_decref(row);
}
