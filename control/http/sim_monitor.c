/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monitor: the calls of a server, as its trace has kept them, from when the
 * button was pressed. Nothing is kept here but what is looked for. Runs in the
 * http process.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/http/sim_form.h"
#include "control/http/sim_own.h"
#include "control/jtext.h"

enum {
	FUNCTION_MAX = 127,
	NONE = -1,
	EXCEPTION = 0x80,
};

const struct sim_function sim_functions[SIM_FUNCTIONS] = {
	{ 1, "Read Coils", "read_coils" },
	{ 2, "Read Discrete Inputs", "read_discrete_input" },
	{ 3, "Read Holding Registers", "read_holding_registers" },
	{ 4, "Read Input Registers", "read_input_registers" },
	{ 5, "Write Single Coil", "write_coil" },
	{ 6, "Write Single Register", "write_register" },
	{ 7, "Read Exception Status", "read_exception_status" },
	{ 8, "Diagnostics", "diagnostic_status" },
	{ 11, "Get Comm Event Counter", "get_event_counter" },
	{ 12, "Get Comm Event Log", "get_event_log" },
	{ 15, "Write Multiple Coils", "write_coils" },
	{ 16, "Write Multiple Registers", "write_registers" },
	{ 17, "Report Server ID", "report_slave_id" },
	{ 20, "Read File Record", "read_file_record" },
	{ 21, "Write File Record", "write_file_record" },
	{ 22, "Mask Write Register", "mask_write_register" },
	{ 23, "Read/Write Multiple Registers",
	    "read_write_multiple_registers" },
	{ 24, "Read FIFO Queue", "read_fifo_queue" },
	{ 43, "Encapsulated Interface Transport", "read_device_information" },
};

const char *
sim_function_name(int code)
{
	for (int i = 0; i < SIM_FUNCTIONS; i++)
		if (sim_functions[i].code == code)
			return sim_functions[i].name;
	return NULL;
}

/* ---- on and off ---- */

void
sim_monitor(struct sim_call *c)
{
	struct sim_session *s = c->session;
	int64_t start = NONE, stop = NONE, function;
	const char *server;
	json_t *row;

	server = sim_server_of(c, &row);
	if (server == NULL || sim_range(c, &start, &stop) == -1 ||
	    !sim_integer_or(c, "function", NONE, FUNCTION_MAX, NONE, &function))
		goto out;
	/* mostly it is on; who may not switch it on sees what there is */
	json_decref(sim_try(c, "trace.set",
	    json_pack("{s:s, s:b}", "transport", server, "on", 1)));
	snprintf(s->monitor.server, sizeof(s->monitor.server), "%s", server);
	s->monitor.active = true;
	s->monitor.stopped = false;
	s->monitor.hex = sim_ticked(c, "show_hex");
	s->monitor.decode = sim_ticked(c, "show_decode");
	s->monitor.start = start;
	s->monitor.stop = stop;
	s->monitor.function = function;
	s->monitor.since = c->now;
out:
	json_decref(row);
}

void
sim_stop(struct sim_call *c)
{
	c->session->monitor.stopped = c->session->monitor.active;
	c->session->monitor.active = false;
}

/* ---- rows ---- */

static int64_t
integer(const json_t *frame, const char *name)
{
	const json_t *v = json_object_get(frame, name);

	return json_is_integer(v) ? json_integer_value(v) : NONE;
}

static bool
is_call(const json_t *frame)
{
	const char *direction =
	    json_string_value(json_object_get(frame, "direction"));

	return direction != NULL && strcmp(direction, "in") == 0;
}

static void
add_hex(struct text *t, const char *adu)
{
	for (size_t i = 0; adu[i] != '\0' && adu[i + 1] != '\0'; i += 2)
		text_printf(t, "%s%c%c", i > 0 ? " " : "", adu[i], adu[i + 1]);
}

static void
add_values(struct text *t, const json_t *values)
{
	json_t *v;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)values, i, v)
		text_printf(t, "%s%" JSON_INTEGER_FORMAT, i > 0 ? " " : "",
		    json_is_true(v) ? 1 : json_integer_value(v));
}

/* The values; or, if asked for, the frame in words, in hexadecimal. */
static json_t *
frame_data(const struct sim_session *s, const json_t *f)
{
	const char *adu = json_string_value(json_object_get(f, "adu"));
	const char *words = json_string_value(json_object_get(f, "text"));
	int64_t exception = integer(f, "exception");
	struct text t = { 0 };
	json_t *json;

	if (s->monitor.decode && words != NULL)
		text_str(&t, words);
	if (s->monitor.hex && adu != NULL) {
		if (t.len > 0)
			text_str(&t, " | ");
		add_hex(&t, adu);
	}
	if (!s->monitor.hex && !s->monitor.decode) {
		if (exception != NONE)
			text_printf(&t, "exception %" PRId64, exception);
		else
			add_values(&t, json_object_get(f, "values"));
	}
	json = jtext_bytes(t.at != NULL ? t.at : "", t.len);
	text_free(&t);
	return json;
}

static json_t *
call_row(struct sim_call *c, const json_t *f)
{
	int64_t fc = integer(f, "function");
	json_t *row;

	if (fc != NONE && integer(f, "exception") != NONE)
		fc |= EXCEPTION;
	row = json_pack("{s:b, s:I, s:I, s:I, s:o}", "call", is_call(f), "fc",
	    (json_int_t)fc, "address", (json_int_t)integer(f, "addr"), "count",
	    (json_int_t)integer(f, "count"), "data", frame_data(c->session, f));
	if (c->html) {
		json_object_set(row, "at", json_object_get(f, "at"));
		json_object_set(row, "unit", json_object_get(f, "unit"));
		json_object_set(row, "peer", json_object_get(f, "peer"));
	}
	return row;
}

/* What is looked for, as trace.read takes it; "": all. */
static void
filter_of(const struct sim_session *s, char *text, size_t size)
{
	bool function = s->monitor.function != NONE;
	int used = 0;

	text[0] = '\0';
	if (function)
		used =
		    snprintf(text, size, "fc==%" PRId64, s->monitor.function);
	if (s->monitor.start != NONE)
		snprintf(text + used, size - (size_t)used,
		    "%saddr>=%" PRId64 " && addr<=%" PRId64,
		    function ? " && " : "", s->monitor.start, s->monitor.stop);
}

json_t *
sim_monitor_rows(struct sim_call *c)
{
	const struct sim_session *s = c->session;
	json_t *rows = json_array(), *params, *read, *frames;
	char filter[120];

	if (!s->monitor.active)
		return rows;
	params =
	    json_pack("{s:s, s:b, s:i, s:f}", "transport", s->monitor.server,
		"newest", 1, "limit", SIM_CALLS_MAX, "after", s->monitor.since);
	filter_of(s, filter, sizeof(filter));
	if (filter[0] != '\0')
		json_object_set_new(params, "filter", json_string(filter));
	read = sim_ask(c, "trace.read", params);
	frames = json_object_get(read, "frames");
	for (size_t i = json_array_size(frames); i-- > 0;)
		json_array_append_new(
		    rows, call_row(c, json_array_get(frames, i)));
	json_decref(read);
	return rows;
}
