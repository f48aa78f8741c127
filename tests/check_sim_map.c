/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device as the simulator's pages see one: where tables and bits lie, what
 * is read of them, what is set, whatever the commands answer.
 */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/sim_cells.h"
#include "control/http/sim_own.h"
#include "tests/suite.h"

/* What the commands answer, and what they were asked last. */
static struct {
	const char *devices, *ranges;
	int fail; /* status of registers.read and .write, 0: fine */
	int asked, reads;
	char last[2000];
} daemon_;

static struct sim sim;
static struct sim_call call;

static json_t *
parsed(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	ck_assert_msg(json != NULL, "%s", text);
	return json;
}

/* Register a holds a; bit a is set where a % 3 is 0. */
static json_t *
read_values(const json_t *params)
{
	json_int_t addr = json_integer_value(json_object_get(params, "addr"));
	json_int_t n = json_integer_value(json_object_get(params, "count"));
	const char *table = json_string_value(json_object_get(params, "table"));
	bool bits = table[0] == 'c' || table[0] == 'd';
	json_t *values = json_array();

	for (json_int_t a = addr; a < addr + n; a++)
		json_array_append_new(
		    values, json_integer(bits ? a % 3 == 0 : a));
	return json_pack("{s:o}", "values", values);
}

static json_t *
ask(void *arg, const char *method, json_t *params, struct sim_error *error)
{
	json_t *result = NULL;
	char *text = params != NULL ? json_dumps(params, 0) : NULL;

	(void)arg;
	daemon_.asked++;
	if (strcmp(method, "devices.list") == 0) {
		result = parsed(daemon_.devices);
	} else if (strcmp(method, "registers.describe") == 0) {
		result = parsed(daemon_.ranges);
	} else if (daemon_.fail != 0) {
		error->status = daemon_.fail;
		snprintf(error->why, sizeof(error->why), "no");
	} else if (strcmp(method, "registers.read") == 0) {
		daemon_.reads++;
		result = read_values(params);
	} else if (strcmp(method, "registers.write") == 0) {
		snprintf(daemon_.last, sizeof(daemon_.last), "%s", text);
		result = parsed("{\"seq\":1}");
	} else {
		error->status = 404;
		error->why[0] = '\0';
	}
	free(text);
	json_decref(params);
	return result;
}

/* Asks the registers endpoint, to show unless it says what; the JSON is the
 * call's. */
static json_t *
run(const char *in)
{
	sim_call_fini(&call);
	json_decref((json_t *)(uintptr_t)call.in);
	call = (struct sim_call){
		.sim = &sim,
		.in = parsed(in),
		.now = 1000,
		.ask = ask,
	};
	json_object_update_missing_new((json_t *)(uintptr_t)call.in,
	    json_pack("{s:s}", "submit", "Registers"));
	call.session = sim_session_of(&call, NULL);
	sim_run(&call);
	return call.out;
}

/* "0:uint16=5 1:next=6" of the rows. */
static const char *
rows(const char *in)
{
	static char text[4000];
	size_t used = 0, i;
	json_t *row;

	text[0] = '\0';
	json_array_foreach (json_object_get(run(in), "register_rows"), i, row)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%s:%s=%s", i > 0 ? " " : "",
		    json_string_value(json_object_get(row, "index")),
		    json_string_value(json_object_get(row, "type")),
		    json_string_value(json_object_get(row, "value")));
	return text;
}

static void
setup(void)
{
	memset(&daemon_, 0, sizeof(daemon_));
	daemon_.devices = "[{\"name\":\"plc\"}]";
	daemon_.ranges = "[]";
}

static void
teardown(void)
{
	sim_call_fini(&call);
	json_decref((json_t *)(uintptr_t)call.in);
	sim_fini(&sim);
}

#define RANGE(table, addr, count, type)                                 \
	"{\"table\":\"" table "\",\"addr\":" #addr ",\"count\":" #count \
	",\"type\":\"" type "\",\"order\":\"abcd\",\"access\":\"rw\"}"

START_TEST(tables_lie_behind_each_other)
{
	daemon_.ranges =
	    "[" RANGE("holding_registers", 1, 2, "uint16") "," RANGE(
		"coils", 0, 17, "bits") "," RANGE("input_registers", 0, 1,
		"uint16") "," RANGE("discrete_inputs", 16, 1, "bits") "]";
	/* coils 0-1, discrete inputs 2-3, holding 4-6, input 7 */
	ck_assert_str_eq(rows("{\"range_start\":0,\"range_stop\":7}"),
	    "0:bits=0x9249 1:bits=0x0 2:invalid=0 3:bits=0x0 4:invalid=0 "
	    "5:uint16=1 6:uint16=2 7:uint16=0");
	run("{\"range_start\":8}");
	ck_assert_int_eq(call.status, 404);
}
END_TEST

START_TEST(ranges_that_share_a_register_of_bits_are_read_each)
{
	daemon_.ranges = "[" RANGE("coils", 0, 2, "bits") "," RANGE(
	    "coils", 6, 1, "bits") "," RANGE("coils", 15, 3, "bits") "]";
	ck_assert_str_eq(rows("{\"range_start\":0,\"range_stop\":1}"),
	    "0:bits=0x8041 1:bits=0x0");
}
END_TEST

START_TEST(shared_tables_are_one)
{
	daemon_.devices = "[{\"name\":\"plc\",\"shared_blocks\":true,"
			  "\"blocks\":{\"coils\":9}}]";
	daemon_.ranges =
	    "[" RANGE("coils", 32, 16, "bits") "," RANGE("holding_registers", 0,
		2, "uint16") "," RANGE("input_registers", 1, 3, "uint16") "]";
	ck_assert_str_eq(rows("{\"range_start\":0,\"range_stop\":8}"),
	    "0:uint16=0 1:uint16=1 2:uint16=2 3:uint16=3 4:invalid=0 "
	    "5:invalid=0 6:invalid=0 7:invalid=0 8:invalid=0");
}
END_TEST

START_TEST(neighbours_are_read_at_once)
{
	daemon_.ranges = "[" RANGE("holding_registers", 0, 10,
	    "uint16") "," RANGE("holding_registers", 10, 10,
	    "int16") "," RANGE("holding_registers", 20, 10, "uint16") "]";
	run("{\"range_start\":0,\"range_stop\":29}");
	ck_assert_int_eq(daemon_.reads, 1);
	run("{\"range_start\":0,\"range_stop\":16384}");
	ck_assert_int_eq(call.status, 404);
}
END_TEST

START_TEST(a_value_that_is_cut_short_has_no_type)
{
	daemon_.ranges = "[" RANGE("holding_registers", 0, 3, "uint32") "]";
	ck_assert_str_eq(rows("{\"range_start\":0,\"range_stop\":2}"),
	    "0-1:uint32=1 1:next=1 2:next=2");
}
END_TEST

START_TEST(what_makes_no_sense_is_not_shown)
{
	daemon_.ranges = "[1,{},null," RANGE(
	    "holding_registers", -1, 2, "uint16") "," RANGE("holding_registers",
	    0, 0, "uint16") "," RANGE("holding_registers", 65535, 2,
	    "uint16") "," RANGE("files", 0, 2,
	    "uint16") "," RANGE("holding_registers", 3, 1, "uint99") "]";
	ck_assert_str_eq(rows("{\"range_start\":3}"), "3:uint16=3");
	daemon_.ranges = "[]";
	run("{}");
	ck_assert_int_eq(call.status, 404);
	daemon_.devices = "[]";
	run("{}");
	ck_assert_str_eq(call.why, "there is no device");
	daemon_.devices = "[{},{\"name\":5}]";
	run("{\"device\":\"plc\"}");
	ck_assert_int_eq(call.status, 404);
}
END_TEST

START_TEST(a_command_that_fails_says_why)
{
	daemon_.ranges = "[" RANGE("holding_registers", 0, 3, "uint16") "]";
	daemon_.fail = 503;
	run("{}");
	ck_assert_int_eq(call.status, 503);
	ck_assert_str_eq(
	    json_string_value(json_object_get(call.out, "error")), "no");
	run("{\"submit\":\"Set\",\"register\":1,\"value\":5}");
	ck_assert_int_eq(call.status, 503);
}
END_TEST

START_TEST(a_command_that_fails_keeps_nothing)
{
	size_t before = 0;

	daemon_.ranges = "[" RANGE("holding_registers", 0, 8, "string") "]";
	for (int i = 0; i < 200; i++) {
		daemon_.fail = 503;
		run("{\"submit\":\"Set\",\"register\":0,\"value\":\"x\"}");
		ck_assert_int_eq(call.status, 503);
		daemon_.fail = 0;
		run("{}");
		if (i == 20)
			before = mallinfo2().uordblks;
	}
	ck_assert_uint_le(mallinfo2().uordblks, before + 4096);
}
END_TEST

static const struct {
	const char *type, *in, *written;
} sets[] = {
	{ "uint16", "{\"register\":1,\"value\":0}",
	    "{\"device\": \"plc\", \"table\": \"holding_registers\", \"addr\": "
	    "1, \"values\": [0], \"type\": \"uint16\", \"order\": \"abcd\"}" },
	{ "uint32", "{\"register\":2,\"value\":\"0x10\"}",
	    "{\"device\": \"plc\", \"table\": \"holding_registers\", \"addr\": "
	    "2, \"values\": [16], \"type\": \"uint32\", \"order\": \"abcd\"}" },
	{ "uint32", "{\"register\":3,\"value\":7}",
	    "{\"device\": \"plc\", \"table\": \"holding_registers\", \"addr\": "
	    "3, \"values\": [7], \"type\": \"uint16\", \"order\": \"abcd\"}" },
	{ "float32", "{\"register\":0,\"value\":\"1.5\"}",
	    "{\"device\": \"plc\", \"table\": \"holding_registers\", \"addr\": "
	    "0, \"values\": [1.5], \"type\": \"float32\", \"order\": "
	    "\"abcd\"}" },
	{ "float32", "{\"register\":0,\"value\":\"nan\"}",
	    "{\"device\": \"plc\", \"table\": \"holding_registers\", \"addr\": "
	    "0, \"values\": [\"NaN\"], \"type\": \"float32\", \"order\": "
	    "\"abcd\"}" },
	{ "bits", "{\"register\":1,\"value\":3}",
	    "{\"device\": \"plc\", \"table\": \"holding_registers\", \"addr\": "
	    "1, \"values\": [3], \"type\": \"uint16\", \"order\": \"abcd\"}" },
};

START_TEST(a_value_is_written_by_its_type)
{
	char ranges[400], in[400];

	snprintf(ranges, sizeof(ranges),
	    "[{\"table\":\"holding_registers\",\"addr\":0,\"count\":4,"
	    "\"type\":\"%s\",\"order\":\"abcd\",\"access\":\"ro\"}]",
	    sets[_i].type);
	daemon_.ranges = ranges;
	snprintf(in, sizeof(in), "{\"submit\":\"Set\",%s", sets[_i].in + 1);
	run(in);
	ck_assert_str_eq(call.why, "");
	ck_assert_str_eq(daemon_.last, sets[_i].written);
}
END_TEST

START_TEST(a_write_without_a_value_is_refused)
{
	daemon_.ranges = "[" RANGE("holding_registers", 0, 4, "uint16") "]";
	run("{\"submit\":\"Set\",\"register\":1,\"value\":\"\"}");
	ck_assert_int_eq(call.status, 400);
	run("{\"submit\":\"Set\",\"register\":1}");
	ck_assert_int_eq(call.status, 400);
	ck_assert_str_eq(daemon_.last, "");
}
END_TEST

START_TEST(sessions_are_bounded_and_end)
{
	char first[33];
	const char *id;

	run("{}");
	id = sim_session_new(&call);
	ck_assert_uint_eq(strlen(id), 32);
	memcpy(first, id, sizeof(first));
	ck_assert_str_eq(sim_session_of(&call, first)->id, first);
	ck_assert_str_eq(sim_session_of(&call, "nobody's")->id, "");
	for (int i = 0; i < SIM_SESSIONS * 3; i++) {
		call.now += 0.001;
		ck_assert_ptr_nonnull(sim_session_new(&call));
		/* who comes again is not the one who makes room */
		ck_assert_str_eq(sim_session_of(&call, first)->id, first);
	}
	call.now += 2 * 3600;
	ck_assert_str_eq(sim_session_of(&call, first)->id, "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim_map");
	TCase *t = tcase_create("registers");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, tables_lie_behind_each_other);
	tcase_add_test(t, ranges_that_share_a_register_of_bits_are_read_each);
	tcase_add_test(t, shared_tables_are_one);
	tcase_add_test(t, neighbours_are_read_at_once);
	tcase_add_test(t, a_value_that_is_cut_short_has_no_type);
	tcase_add_test(t, what_makes_no_sense_is_not_shown);
	tcase_add_test(t, a_command_that_fails_says_why);
	tcase_add_test(t, a_command_that_fails_keeps_nothing);
	tcase_add_loop_test(t, a_value_is_written_by_its_type, 0,
	    sizeof(sets) / sizeof(sets[0]));
	tcase_add_test(t, a_write_without_a_value_is_refused);
	tcase_add_test(t, sessions_are_bounded_and_end);
	suite_add_tcase(s, t);
	return suite_run(s);
}
