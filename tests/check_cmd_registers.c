/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registers.* and what shows devices, connections and counters: parameters in,
 * results out, and what is in the store afterwards.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>

#include "shm/clock.h"
#include "shm/notice.h"
#include "shm/patience.h"
#include "tests/lib/control_fixture.h"

/* Calls a method with params; the answer from "result" or "error" on, without
 * the id. */
static const char *
call(const char *method, const char *params)
{
	static char text[1 << 17];
	const char *answer;
	char *end;

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s,\"id\":1}",
	    method, params);
	answer = cf_ask(text);
	ck_assert_ptr_nonnull(answer);
	snprintf(
	    text, sizeof(text), "%s", answer + strlen("{\"jsonrpc\":\"2.0\","));
	end = strstr(text, ",\"id\":1}");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	return text;
}

#define MODBUS(code, reason, message)                                       \
	"\"error\":{\"code\":-32003,\"message\":\"" message                 \
	"\",\"data\":{\"reason\":\"" reason "\",\"modbus_exception\":" code \
	"}}"
#define PARAMS(reason, message)                             \
	"\"error\":{\"code\":-32602,\"message\":\"" message \
	"\",\"data\":{\"reason\":\"" reason "\"}}"
#define HR_HAS "which has 0..99, 200..203, 300..307"

/* ---- read ---- */

static const struct {
	const char *title, *params, *answer;
} reads[] = {
	{ "registers are read", "{\"table\":\"hr\",\"addr\":3,\"count\":2}",
	    "\"result\":{\"values\":[3,4],\"seq\":4}" },
	{ "the device may be named",
	    "{\"device\":\"plc\",\"table\":\"hr\",\"addr\":3}",
	    "\"result\":{\"values\":[3],\"seq\":4}" },
	{ "a long table name is one too",
	    "{\"table\":\"holding_registers\",\"addr\":9}",
	    "\"result\":{\"values\":[9],\"seq\":4}" },
	{ "parameters may come by position", "[\"plc\",\"hr\",1,2]",
	    "\"result\":{\"values\":[1,2],\"seq\":4}" },
	{ "bits are 0 and 1", "{\"table\":\"co\",\"addr\":0,\"count\":4}",
	    "\"result\":{\"values\":[1,0,1,0],\"seq\":4}" },
	{ "bits of registers count from the lowest",
	    "{\"table\":\"hr\",\"addr\":5,\"count\":20,\"type\":\"bits\"}",
	    "\"result\":{\"values\":[1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,"
	    "0],\"seq\":4}" },
	{ "two registers make a uint32",
	    "{\"table\":\"hr\",\"addr\":1,\"count\":2,\"type\":\"uint32\"}",
	    "\"result\":{\"values\":[65538,196612],\"seq\":4}" },
	{ "an order is followed",
	    "{\"table\":\"hr\",\"addr\":1,\"type\":\"uint32\",\"order\":"
	    "\"dcba\"}",
	    "\"result\":{\"values\":[33554688],\"seq\":4}" },
	{ "four registers make a uint64",
	    "{\"table\":\"hr\",\"addr\":1,\"type\":\"uint64\"}",
	    "\"result\":{\"values\":[281483566841860],\"seq\":4}" },
	{ "a float32 has its shortest text, in the order of its range",
	    "{\"table\":\"hr\",\"addr\":200,\"type\":\"float32\"}",
	    "\"result\":{\"values\":[404.17],\"seq\":4}" },
	{ "without a type a declared range is registers all the same",
	    "{\"table\":\"hr\",\"addr\":200,\"count\":2}",
	    "\"result\":{\"values\":[5571,17354],\"seq\":4}" },
	{ "declared is the type of the range",
	    "{\"table\":\"hr\",\"addr\":200,\"type\":\"declared\",\"count\":2}",
	    "\"result\":{\"values\":[404.17,0.0],\"seq\":4}" },
	{ "another order overrides that of the range",
	    "{\"table\":\"hr\",\"addr\":200,\"type\":\"float32\",\"order\":"
	    "\"abcd\"}",
	    "\"result\":{\"values\":[7.8866825e-26],\"seq\":4}" },
	{ "another type has no order of the range",
	    "{\"table\":\"hr\",\"addr\":200,\"type\":\"uint32\"}",
	    "\"result\":{\"values\":[365118410],\"seq\":4}" },
	{ "a string ends before its padding",
	    "{\"table\":\"hr\",\"addr\":300,\"type\":\"string\",\"count\":8}",
	    "\"result\":{\"values\":[\"hello\"],\"seq\":4}" },
	{ "a string of swapped bytes",
	    "{\"table\":\"hr\",\"addr\":300,\"type\":\"string\",\"count\":2,"
	    "\"order\":\"badc\"}",
	    "\"result\":{\"values\":[\"ehll\"],\"seq\":4}" },

	{ "an address outside is exception 2",
	    "{\"table\":\"hr\",\"addr\":100}",
	    MODBUS("2", "illegal_data_address",
		"plc/holding_registers:100+1 is not wholly inside the table, " HR_HAS) },
	{ "a range that ends outside is exception 2",
	    "{\"table\":\"hr\",\"addr\":99,\"count\":2}",
	    MODBUS("2", "illegal_data_address",
		"plc/holding_registers:99+2 is not wholly inside the table, " HR_HAS) },
	{ "a wide value that ends outside is exception 2",
	    "{\"table\":\"hr\",\"addr\":97,\"type\":\"float64\"}",
	    MODBUS("2", "illegal_data_address",
		"plc/holding_registers:97+4 is not wholly inside the table, " HR_HAS) },
	{ "a table without addresses is exception 2",
	    "{\"table\":\"di\",\"addr\":0}",
	    MODBUS("2", "illegal_data_address",
		"plc/discrete_inputs:0+1 is not wholly inside the table, "
		"which has nothing") },
	{ "an address beyond all tables is exception 2",
	    "{\"table\":\"hr\",\"addr\":2147483647,\"count\":65536}",
	    MODBUS("2", "illegal_data_address",
		"plc/holding_registers:2147483647+65536 is not wholly inside "
		"the table, " HR_HAS) },
	{ "more than 65536 registers are exception 2",
	    "{\"table\":\"hr\",\"addr\":0,\"count\":65536,\"type\":"
	    "\"float64\"}",
	    MODBUS("2", "illegal_data_address",
		"plc/holding_registers:0+262144 is not wholly inside the "
		"table, " HR_HAS) },

	{ "an unknown device",
	    "{\"device\":\"pcl\",\"table\":\"hr\",\"addr\":0}",
	    "\"error\":{\"code\":-32001,\"message\":\"no device \\\"pcl\\\"; "
	    "did you mean \\\"plc\\\"?\",\"data\":{\"reason\":\"no_device\"}}" },
	{ "an unknown table", "{\"table\":\"coil\",\"addr\":0}",
	    PARAMS("bad_value",
		"unknown table \\\"coil\\\"; did you mean \\\"coils\\\"?") },
	{ "an unknown type",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"unit16\"}",
	    PARAMS("bad_value",
		"unknown type \\\"unit16\\\"; did you mean \\\"uint16\\\"?") },
	{ "an unknown order",
	    "{\"table\":\"hr\",\"addr\":0,\"order\":\"acbd\"}",
	    PARAMS("bad_value",
		"unknown order \\\"acbd\\\"; did you mean \\\"abcd\\\"?") },
	{ "an unknown encoding",
	    "{\"table\":\"hr\",\"addr\":0,\"encoding\":\"u16be\"}",
	    PARAMS("bad_value",
		"encoding must be \\\"json\\\" or \\\"u16le\\\"") },
	{ "bits have no type of registers",
	    "{\"table\":\"co\",\"addr\":0,\"type\":\"uint16\"}",
	    PARAMS("bad_value", "a table of bits has no uint16") },
	{ "an address below 0", "{\"table\":\"hr\",\"addr\":-1}",
	    PARAMS("out_of_range", "addr must be within 0..2147483647") },
	{ "a count of 0", "{\"table\":\"hr\",\"addr\":0,\"count\":0}",
	    PARAMS("out_of_range", "count must be within 1..1048576") },
	{ "an address with a fraction", "{\"table\":\"hr\",\"addr\":0.5}",
	    PARAMS("bad_type", "addr must be an integer") },
	{ "an address of 20 digits",
	    "{\"table\":\"hr\",\"addr\":18446744073709551616}",
	    PARAMS("bad_type", "addr must be an integer") },
	{ "an address that is missing", "{\"table\":\"hr\"}",
	    PARAMS("missing_param", "addr is missing") },
};

START_TEST(read_answers)
{
	const char *answer = call("registers.read", reads[_i].params);

	ck_assert_msg(strcmp(answer, reads[_i].answer) == 0, "%s:\n%s\n%s",
	    reads[_i].title, answer, reads[_i].answer);
}
END_TEST

/* ---- write: params, the answer, and registers or coils from `at` on ---- */

static const struct {
	const char *title, *params, *answer;
	enum store_table table;
	uint32_t at, n;
	uint8_t wire[16];
} writes[] = {
	{ "registers are written",
	    "{\"table\":\"hr\",\"addr\":3,\"values\":[1,65535]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 2, 4,
	    { 0, 2, 0, 1, 0xff, 0xff, 0, 5 } },
	{ "what Modbus clients may not write an operator may",
	    "{\"table\":\"ir\",\"addr\":7,\"values\":[9]}",
	    "\"result\":{\"seq\":5}", STORE_IR, 7, 1, { 0, 9 } },
	{ "bits are 0, 1, true and false",
	    "{\"table\":\"co\",\"addr\":1,\"values\":[1,false,true,0]}",
	    "\"result\":{\"seq\":5}", STORE_CO, 0, 8, { 0x0b } },
	{ "bits within a register leave the others alone",
	    "{\"table\":\"hr\",\"addr\":5,\"type\":\"bits\",\"values\":[0,1]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 5, 1, { 0, 6 } },
	{ "bits go over register ends",
	    "{\"table\":\"hr\",\"addr\":5,\"type\":\"bits\",\"values\":[0,0,0,"
	    "0,0,0,0,0,1,0,0,0,0,0,0,0,1]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 5, 2, { 1, 0, 0, 7 } },
	{ "a float goes into the order of its range",
	    "{\"table\":\"hr\",\"addr\":202,\"type\":\"float32\",\"values\":"
	    "[1.5]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 202, 2, { 0, 0, 0x3f, 0xc0 } },
	{ "an integer is a float too",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"float32\",\"values\":[2]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 0, 2, { 0x40, 0, 0, 0 } },
	{ "a float without a fraction is an integer too",
	    "{\"table\":\"hr\",\"addr\":0,\"values\":[7.0]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 0, 1, { 0, 7 } },
	{ "infinity is a string",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"float32\",\"values\":"
	    "[\"-Infinity\"]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 0, 2, { 0xff, 0x80, 0, 0 } },
	{ "the highest uint64 is written exactly",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"uint64\",\"values\":"
	    "[18446744073709551615]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 0, 4,
	    { 255, 255, 255, 255, 255, 255, 255, 255 } },
	{ "the lowest int64 is written exactly",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"int64\",\"values\":"
	    "[-9223372036854775808]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 0, 4, { 0x80 } },
	{ "a string clears the rest of its range",
	    "{\"table\":\"hr\",\"addr\":300,\"type\":\"string\",\"values\":"
	    "[\"abc\"]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 300, 3,
	    { 'a', 'b', 'c', 0, 0, 0 } },
	{ "a string elsewhere takes what it needs",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"string\",\"values\":"
	    "[\"abc\"]}",
	    "\"result\":{\"seq\":5}", STORE_HR, 0, 3,
	    { 'a', 'b', 'c', 0, 0, 2 } },

	{ "a value above its type changes nothing",
	    "{\"table\":\"hr\",\"addr\":0,\"values\":[7,65536]}",
	    PARAMS("bad_value",
		"values[1]: 65536 does not fit type uint16, whole numbers 0..65535"),
	    STORE_HR, 0, 2, { 0, 0, 0, 1 } },
	{ "a value below its type",
	    "{\"table\":\"hr\",\"addr\":0,\"values\":[-1]}",
	    PARAMS("bad_value",
		"values[0]: -1 does not fit type uint16, whole numbers 0..65535"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "int16 ends at 32767",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"int16\",\"values\":"
	    "[32768]}",
	    PARAMS("bad_value",
		"values[0]: 32768 does not fit type int16, whole numbers -32768..32767"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "a fraction is no integer",
	    "{\"table\":\"hr\",\"addr\":0,\"values\":[1.5]}",
	    PARAMS("bad_value",
		"values[0]: 1.5 does not fit type uint16, whole numbers 0..65535"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "a number beyond float32",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"float32\",\"values\":"
	    "[1e39]}",
	    PARAMS("bad_value",
		"values[0]: 1e+39 does not fit type float32, numbers up to 3.4028235e38"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "a uint64 of 21 digits",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"uint64\",\"values\":"
	    "[100000000000000000000]}",
	    PARAMS("bad_value",
		"values[0]: 100000000000000000000 does not fit type uint64, whole numbers 0..18446744073709551615"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "null is no value", "{\"table\":\"hr\",\"addr\":0,\"values\":[null]}",
	    PARAMS("bad_value",
		"values[0]: null does not fit type uint16, whole numbers 0..65535"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "2 is no bit", "{\"table\":\"co\",\"addr\":0,\"values\":[2]}",
	    PARAMS("bad_value", "values[0] is not 0, 1, true or false"),
	    STORE_CO, 0, 8, { 5 } },
	{ "a string longer than asked for",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"string\",\"count\":1,"
	    "\"values\":[\"abc\"]}",
	    PARAMS("bad_value", "the string has 3 bytes; there is room for 2"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "two strings are not one",
	    "{\"table\":\"hr\",\"addr\":0,\"type\":\"string\",\"values\":"
	    "[\"a\",\"b\"]}",
	    PARAMS("bad_type", "values must be one string"), STORE_HR, 0, 1,
	    { 0, 0 } },
	{ "a count that is not that of the values",
	    "{\"table\":\"hr\",\"addr\":0,\"count\":3,\"values\":[1,2]}",
	    PARAMS("bad_value", "count is 3 and there are 2 values"), STORE_HR,
	    0, 1, { 0, 0 } },
	{ "a count above a single value",
	    "{\"table\":\"hr\",\"addr\":0,\"count\":5,\"values\":[1]}",
	    PARAMS("bad_value", "count is 5 and there is 1 value"), STORE_HR, 0,
	    1, { 0, 0 } },
	{ "no values at all", "{\"table\":\"hr\",\"addr\":0,\"values\":[]}",
	    PARAMS("out_of_range", "there is no value"), STORE_HR, 0, 1,
	    { 0, 0 } },
	{ "values that are missing", "{\"table\":\"hr\",\"addr\":0}",
	    PARAMS("missing_param",
		"the values stand in values or in a second frame"),
	    STORE_HR, 0, 1, { 0, 0 } },
	{ "values that end outside are exception 2",
	    "{\"table\":\"hr\",\"addr\":99,\"values\":[1,2]}",
	    MODBUS("2", "illegal_data_address",
		"plc/holding_registers:99+2 is not wholly inside the table, " HR_HAS),
	    STORE_HR, 99, 1, { 0, 0 } },
};

START_TEST(write_changes_what_it_says)
{
	_Atomic uint32_t *armed = &cf.control.shm->bells.armed;
	const char *answer;
	uint8_t wire[16];

	atomic_store(armed, 1);
	answer = call("registers.write", writes[_i].params);
	ck_assert_msg(strcmp(answer, writes[_i].answer) == 0, "%s:\n%s\n%s",
	    writes[_i].title, answer, writes[_i].answer);
	ck_assert_int_eq(store_read(&cf.store.store, writes[_i].table,
			     writes[_i].at, writes[_i].n, wire, NULL),
	    STORE_OK);
	ck_assert_mem_eq(
	    wire, writes[_i].wire, store_bytes(writes[_i].table, writes[_i].n));
	/* who waits for changes is woken */
	ck_assert_int_eq(
	    atomic_load(armed) == 0, strstr(answer, "result") != NULL);
}
END_TEST

START_TEST(a_write_of_more_than_one_step_holds_is_refused)
{
	static char params[1 << 16];
	size_t n = (size_t)sprintf(
	    params, "{\"table\":\"hr\",\"addr\":0,\"values\":[0");

	for (int i = 1; i <= STORE_STEP_BYTES / 2; i++)
		n += (size_t)sprintf(params + n, ",0");
	sprintf(params + n, "]}");
	ck_assert_str_eq(call("registers.write", params),
	    PARAMS("too_long", "one step writes at most 8192 bytes"));
}
END_TEST

START_TEST(operation_numbers_go_on_after_a_restart)
{
	uint64_t before;
	struct control next;

	call("registers.write", "{\"table\":\"hr\",\"addr\":0,\"values\":[1]}");
	before = cf.control.op;
	ck_assert_int_eq(control_init(&next, &cf.proc), 0);
	ck_assert_uint_ge(next.op, before);
	control_fini(&next);
}
END_TEST

/* Another process owns the device, lives, and does not let go of it. */
static pid_t
hold_device(void)
{
	struct shm_device *dev = cf.store.store.dev;
	uint64_t none = 0;
	pid_t pid = fork();

	if (pid == 0) {
		fix_become(&cf.store, 2);
		atomic_compare_exchange_strong(
		    &dev->owner, &none, cf.store.env.me);
		for (;;)
			pause();
	}
	while (atomic_load(&dev->owner) == 0)
		sched_yield();
	return pid;
}

START_TEST(a_device_that_is_not_let_go_of_is_exception_6_and_still_read)
{
	pid_t pid = hold_device();

	ck_assert_str_eq(call("registers.write",
			     "{\"table\":\"hr\",\"addr\":0,\"values\":[1]}"),
	    MODBUS("6", "server_device_busy", "the device is busy; ask again"));
	ck_assert_str_eq(
	    call("registers.read", "{\"table\":\"hr\",\"addr\":1}"),
	    "\"result\":{\"values\":[1],\"seq\":4}");
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_str_eq(call("registers.write",
			     "{\"table\":\"hr\",\"addr\":0,\"values\":[1]}"),
	    "\"result\":{\"seq\":5}");
}
END_TEST

#define WRITE_1 "{\"table\":\"hr\",\"addr\":0,\"values\":[1]}"

/* True if the one that ends it came in time. */
static bool
ended_in_time(uint64_t *ended_ns)
{
	static const char right[] = "\"result\":{\"seq\":";
	pid_t pid = hold_device(), killer;
	uint64_t began = clock_mono_ns();
	const char *answer;

	killer = fork();
	if (killer == 0) {
		poll(NULL, 0, (PATIENCE_HOLDS + 1) * PATIENCE_LOOK_MS);
		kill(pid, SIGKILL);
		*ended_ns = clock_mono_ns();
		_exit(0);
	}
	answer = call("registers.write", WRITE_1);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
	if (*ended_ns - began > (PATIENCE_WRITE_MS - 20) * 1000000ull)
		return false;
	ck_assert_msg(strncmp(answer, right, strlen(right)) == 0, "%s", answer);
	return true;
}

START_TEST(an_owner_that_is_ended_as_late_as_the_parent_does_is_waited_for)
{
	uint64_t *ended_ns = mmap(NULL, sizeof(*ended_ns),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(ended_ns, MAP_FAILED);
	/* a machine on which the one that ends it comes late proves nothing */
	for (int i = 0; i < 10 && !ended_in_time(ended_ns); i++)
		;
	munmap(ended_ns, sizeof(*ended_ns));
}
END_TEST

START_TEST(a_device_that_was_waited_for_in_vain_is_not_waited_for_again)
{
	pid_t pid = hold_device();
	uint64_t wait_ns = PATIENCE_WRITE_MS * 1000000ull;
	uint64_t shortest = UINT64_MAX, began = clock_mono_ns(), took;

	call("registers.write", WRITE_1);
	ck_assert_uint_ge(clock_mono_ns() - began, wait_ns);
	/* each would wait so long; a machine that is busy holds up some */
	for (int i = 0; i < 5; i++) {
		began = clock_mono_ns();
		call("registers.write", WRITE_1);
		took = clock_mono_ns() - began;
		if (took < shortest)
			shortest = took;
	}
	ck_assert_uint_lt(shortest, wait_ns / 2);
	ck_assert_uint_eq(seg_slot(cf.control.shm, 1)->busy_ns, 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* ---- the second frame ---- */

#define ASK(params) \
	"{\"jsonrpc\":\"2.0\",\"method\":\"registers." params ",\"id\":1}"

START_TEST(raw_values_travel_in_a_second_frame)
{
	const char *answer;

	answer = cf_ask_as(CMD_ADMIN,
	    ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":1,\"encoding\":"
		"\"u16le\"}"),
	    "\x34\x12\xff\x00", 4);
	ck_assert_ptr_nonnull(strstr(answer, "\"result\":{\"seq\":5}"));
	answer = cf_ask(
	    ASK("read\",\"params\":{\"table\":\"hr\",\"addr\":0,\"count\":3,"
		"\"encoding\":\"u16le\"}"));
	ck_assert_ptr_nonnull(strstr(answer,
	    "\"result\":{\"encoding\":\"u16le\",\"count\":3,\"seq\":5}"));
	ck_assert_uint_eq(cf.raw_len[1], 6);
	ck_assert_mem_eq(cf.raw[1], "\0\0\x34\x12\xff\x00", 6);
}
END_TEST

START_TEST(raw_bits_are_words_too)
{
	cf_ask_as(CMD_ADMIN,
	    ASK("write\",\"params\":{\"table\":\"co\",\"addr\":0,\"encoding\":"
		"\"u16le\"}"),
	    "\0\0\1\0", 4);
	cf_ask(ASK("read\",\"params\":{\"table\":\"co\",\"addr\":0,\"count\":3,"
		   "\"encoding\":\"u16le\"}"));
	ck_assert_uint_eq(cf.raw_len[1], 6);
	ck_assert_mem_eq(cf.raw[1], "\0\0\1\0\1\0", 6);
}
END_TEST

#define U16LE "\"encoding\":\"u16le\""

static const struct {
	const char *message, *raw;
	size_t len;
	const char *why;
} bad_raw[] = {
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0," U16LE "}"),
	    "abc", 3, "the second frame has 3 bytes" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0," U16LE "}"), "",
	    0, "the second frame has 0 bytes" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0,\"count\":2," U16LE
	      "}"),
	    "ab", 2, "the second frame has 2 bytes" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0,\"values\":[1],"
	      "\"encoding\":\"u16le\"}"),
	    "ab", 2, "the values stand in values or in a second frame" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0,\"encoding\":"
	      "\"u16le\"}"),
	    NULL, 0, "the values stand in values or in a second frame" },
	{ ASK("write\",\"params\":{\"table\":\"co\",\"addr\":0," U16LE "}"),
	    "\2\0", 2, "values[0] is not 0 or 1" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":99," U16LE "}"),
	    "abcd", 4, "is not wholly inside" },
	{ "[" ASK("read\",\"params\":{\"table\":\"hr\",\"addr\":0,"
		  "\"encoding\":\"u16le\"}") "]",
	    NULL, 0, "there is no second frame" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0}"), "ab", 2,
	    "a second frame goes with registers.write and" },
	{ ASK("write\",\"params\":{\"table\":\"hr\",\"addr\":0,\"values\":[1],"
	      "\"encoding\":\"json\"}"),
	    "ab", 2, "a second frame goes with registers.write and" },
	{ ASK("read\",\"params\":{\"table\":\"hr\",\"addr\":0," U16LE "}"),
	    "ab", 2, "a second frame goes with registers.write and" },
};

START_TEST(a_wrong_second_frame_is_refused)
{
	const char *answer = cf_ask_as(
	    CMD_ADMIN, bad_raw[_i].message, bad_raw[_i].raw, bad_raw[_i].len);

	ck_assert_msg(strstr(answer, bad_raw[_i].why) != NULL, "%s", answer);
	ck_assert_uint_eq(cf.raw_len[0], 0);
}
END_TEST

/* ---- transactions ---- */

#define OPS(list) "{\"ops\":[" list "]}"

static const struct {
	const char *title, *params, *answer;
	uint8_t wire[6]; /* registers 0..2 afterwards */
} transactions[] = {
	{ "ops are one step, reads see the writes before them",
	    OPS("{\"op\":\"read\",\"table\":\"hr\",\"addr\":0,\"count\":3},"
		"{\"op\":\"write\",\"table\":\"hr\",\"addr\":1,\"values\":"
		"[10]},"
		"{\"op\":\"read\",\"table\":\"hr\",\"addr\":0,\"count\":3}"),
	    "\"result\":{\"seq\":5,\"values\":[[0,1,2],[0,10,2]]}",
	    { 0, 0, 0, 10, 0, 2 } },
	{ "a mask is (register AND and) OR (or AND NOT and)",
	    OPS("{\"op\":\"mask\",\"table\":\"hr\",\"addr\":2,\"and\":242,"
		"\"or\":37}"),
	    "\"result\":{\"seq\":5,\"values\":[]}", { 0, 0, 0, 1, 0, 7 } },
	{ "a check that holds lets the writes happen",
	    OPS("{\"op\":\"check\",\"table\":\"hr\",\"addr\":1,\"values\":"
		"[1,2]},"
		"{\"op\":\"write\",\"table\":\"hr\",\"addr\":0,\"values\":"
		"[9]}"),
	    "\"result\":{\"seq\":5,\"values\":[]}", { 0, 9, 0, 1, 0, 2 } },
	{ "a check that does not hold undoes what stood before it",
	    OPS("{\"op\":\"write\",\"table\":\"hr\",\"addr\":0,\"values\":"
		"[9]},"
		"{\"op\":\"check\",\"table\":\"hr\",\"addr\":1,\"values\":"
		"[7]}"),
	    "\"error\":{\"code\":-32000,\"message\":\"a check did not hold; "
	    "nothing was written\",\"data\":{\"reason\":\"check_failed\"}}",
	    { 0, 0, 0, 1, 0, 2 } },
	{ "tables go together",
	    OPS("{\"op\":\"write\",\"table\":\"co\",\"addr\":1,\"values\":[1]},"
		"{\"op\":\"write\",\"table\":\"hr\",\"addr\":0,\"values\":"
		"[\"x\"],\"type\":\"string\"},"
		"{\"op\":\"read\",\"table\":\"co\",\"addr\":0,\"count\":3}"),
	    "\"result\":{\"seq\":5,\"values\":[[1,1,1]]}",
	    { 'x', 0, 0, 1, 0, 2 } },
	{ "an address outside undoes everything",
	    OPS("{\"op\":\"write\",\"table\":\"hr\",\"addr\":0,\"values\":"
		"[9]},"
		"{\"op\":\"write\",\"table\":\"ir\",\"addr\":8,\"values\":"
		"[9]}"),
	    MODBUS("2", "illegal_data_address",
		"plc/input_registers:8+1 is not wholly inside the table, "
		"which has 0..7"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "no ops", OPS(""), PARAMS("bad_value", "ops is empty"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "an op that is no object", OPS("1"),
	    PARAMS("missing_param", "ops[0]: an object with op is wanted"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "an unknown op", OPS("{\"op\":\"wirte\"}"),
	    PARAMS("bad_value",
		"ops[0]: unknown op \\\"wirte\\\"; did you mean \\\"write\\\"?"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "an unknown parameter of an op",
	    OPS("{\"op\":\"read\",\"table\":\"hr\",\"addr\":0},"
		"{\"op\":\"read\",\"table\":\"hr\",\"adr\":0}"),
	    PARAMS("unknown_param",
		"ops[1]: unknown \\\"adr\\\"; did you mean \\\"addr\\\"?"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "a mask of bits",
	    OPS("{\"op\":\"mask\",\"table\":\"co\",\"addr\":0,\"and\":0,\"or\":"
		"0}"),
	    PARAMS("bad_value", "ops[0]: mask works on registers"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "a mask wider than a register",
	    OPS("{\"op\":\"mask\",\"table\":\"hr\",\"addr\":0,\"and\":65536,"
		"\"or\":0}"),
	    PARAMS("out_of_range", "ops[0]: and must be within 0..65535"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "a check of some bits of a register",
	    OPS("{\"op\":\"check\",\"table\":\"hr\",\"addr\":0,\"type\":"
		"\"bits\",\"values\":[0]}"),
	    PARAMS("bad_value",
		"ops[0]: a check of bits in registers takes 16 for "
		"each"),
	    { 0, 0, 0, 1, 0, 2 } },
	{ "more reading than a step may do",
	    OPS("{\"op\":\"read\",\"table\":\"hr\",\"addr\":0,\"count\":4097}"),
	    PARAMS("too_long", "ops[0]: one step reads at most 8192 bytes"),
	    { 0, 0, 0, 1, 0, 2 } },
};

START_TEST(transaction_is_all_or_nothing)
{
	const char *answer =
	    call("registers.transaction", transactions[_i].params);
	uint8_t wire[6];

	ck_assert_msg(strcmp(answer, transactions[_i].answer) == 0,
	    "%s:\n%s\n%s", transactions[_i].title, answer,
	    transactions[_i].answer);
	store_read(&cf.store.store, STORE_HR, 0, 3, wire, NULL);
	ck_assert_mem_eq(wire, transactions[_i].wire, sizeof(wire));
}
END_TEST

START_TEST(a_transaction_of_too_many_ops_is_refused)
{
	static char params[1 << 14];
	size_t n = (size_t)sprintf(params, "{\"ops\":[");

	for (int i = 0; i < STORE_STEPS_MAX; i++) {
		n += (size_t)sprintf(params + n,
		    "%s{\"op\":\"read\",\"table\":\"hr\",\"addr\":0}",
		    i > 0 ? "," : "");
	}
	sprintf(params + n, "]}");
	ck_assert_str_eq(call("registers.transaction", params),
	    PARAMS("too_long", "ops[63]: one step does at most 63 things"));
}
END_TEST

/* ---- what there is ---- */

START_TEST(describe_shows_ranges_as_configured)
{
	ck_assert_str_eq(call("registers.describe", "{\"table\":\"ir\"}"),
	    "\"result\":[{\"table\":\"input_registers\",\"addr\":0,\"count\":"
	    "8,\"access\":\"ro\",\"type\":\"uint16\",\"order\":\"abcd\","
	    "\"name\":null,\"unit\":null,\"scale\":1.0,\"action\":null}]");
	ck_assert_ptr_nonnull(strstr(call("registers.describe", "{}"),
	    "\"type\":\"float32\",\"order\":\"cdab\",\"name\":\"flow\","
	    "\"unit\":\"m3/h\""));
}
END_TEST

START_TEST(devices_show_units_and_tables)
{
	ck_assert_str_eq(call("devices.list", "{}"),
	    "\"result\":[{\"name\":\"plc\",\"units\":{\"tcp1\":\"0-255\","
	    "\"tcp2\":\"0,2-255\"},\"tables\":{\"coils\":64,"
	    "\"holding_registers\":112,\"input_registers\":8,\"files\":10,\"fifos\":1},"
	    "\"shared_blocks\":false,\"type_exception\":false,\"counters\":false}]");
}
END_TEST

/* ---- workers' segments ---- */

static struct shm_worker *
make_worker(struct seg *seg)
{
	struct shm_worker *w;
	struct shm_conn *conn;

	ck_assert_int_eq(
	    seg_create_worker(seg, cf.store.name, "tcp1", 0, 0, 4, 2, 4096), 0);
	w = seg_worker(seg);
	conn = seg_conn(w, 2);
	conn->family = AF_INET;
	conn->port = 4021;
	inet_pton(AF_INET, "10.0.0.7", conn->addr);
	atomic_store(&conn->serial, 17);
	atomic_store(&conn->requests, 5);
	atomic_store(&conn->last_fc, 3);
	atomic_store(&conn->since_ms, 1500);
	atomic_store(&conn->used, CONN_USED);
	atomic_store(&w->stats.requests[3], 5);
	atomic_store(&w->stats.exceptions[2], 1);
	return w;
}

#define CONNECTION                                                          \
	"{\"id\":\"tcp1.0.17\",\"transport\":\"tcp1\",\"peer\":\"10.0.0.7:" \
	"4021\",\"since\":1.5,\"requests\":5,\"last_fc\":3,\"role\":null}"

START_TEST(connections_are_read_from_the_workers_records)
{
	struct seg seg;

	make_worker(&seg);
	ck_assert_str_eq(
	    call("connections.list", "{}"), "\"result\":[" CONNECTION "]");
	ck_assert_str_eq(call("connections.list", "{\"transport\":\"tcp2\"}"),
	    "\"result\":[]");
	ck_assert_ptr_nonnull(strstr(call("stats.get", "{}"),
	    "\"requests\":{\"3\":5},\"exceptions\":{\"2\":1}"));
	ck_assert_ptr_nonnull(strstr(call("transports.list", "{}"),
	    "\"requests\":5,\"exceptions\":1,\"errors\":0"));
}
END_TEST

START_TEST(a_connection_is_closed_by_its_worker)
{
	struct ipc_msg msg;
	struct seg seg;

	make_worker(&seg);
	ck_assert_ptr_null(
	    cf_ask("{\"jsonrpc\":\"2.0\",\"method\":\"connections.close\","
		   "\"params\":{\"id\":\"tcp1.0.17\"},\"id\":1}"));
	msg = cf_order();
	ck_assert_uint_eq(msg.kind, IPC_KICK);
	ck_assert_uint_eq(msg.arg, CONN_ID(0, 0, 17));
	cf_done(msg.tag, 0, 0, "");
	ck_assert_ptr_nonnull(strstr(cf.answer[0], "\"result\":{}"));
}
END_TEST

START_TEST(all_connections_of_a_transport_are_closed_one_by_one)
{
	struct shm_worker *w;
	struct ipc_msg msg;
	struct seg seg;

	w = make_worker(&seg);
	atomic_store(&seg_conn(w, 0)->serial, 18);
	atomic_store(&seg_conn(w, 0)->used, CONN_USED);
	cf_ask("{\"jsonrpc\":\"2.0\",\"method\":\"connections.close\","
	       "\"params\":{\"transport\":\"tcp1\"},\"id\":1}");
	msg = cf_order();
	ck_assert_uint_eq(msg.arg, CONN_ID(0, 0, 17));
	cf_done(msg.tag, ENOENT, 0, "it has gone by itself");
	msg = cf_order();
	ck_assert_uint_eq(msg.arg, CONN_ID(0, 0, 18));
	ck_assert_uint_eq(cf.nanswers, 0);
	cf_done(msg.tag, 0, 0, "");
	ck_assert_ptr_nonnull(strstr(cf.answer[0], "\"result\":{}"));
}
END_TEST

static const char *const bad_ids[] = { "", "tcp1", "tcp1.", "tcp1.0", "tcp1.0.",
	"tcp1.1.17", "tcp1.0.18", "tcp1.0.17x", "tcp3.0.17", "tcp1.-1.17",
	"tcp1.0.99999999999999999999", ".0.17", "tcp1.0.17.1" };

START_TEST(an_id_that_names_no_open_connection_is_not_found)
{
	struct seg seg;
	char params[96];

	make_worker(&seg);
	snprintf(params, sizeof(params), "{\"id\":\"%s\"}", bad_ids[_i]);
	ck_assert_ptr_nonnull(
	    strstr(call("connections.close", params), "\"code\":-32001"));
}
END_TEST

/* What a worker has scribbled on its segment must not lead us astray. */
START_TEST(a_scribbled_segment_is_survived)
{
	struct seg seg;
	struct shm_worker *w = make_worker(&seg);
	const char *answer;

	call("connections.list", "{}"); /* now it is mapped and checked */
	w->nconns = UINT32_MAX;
	w->conns_off = UINT64_MAX - 8;
	seg_conn(w, 0);
	memset((char *)seg.at + sizeof(struct shm_worker), 0xff,
	    4 * sizeof(struct shm_conn));
	answer = call("connections.list", "{}");
	ck_assert_ptr_nonnull(strstr(answer, "\"result\":["));
	ck_assert_ptr_nonnull(strstr(call("stats.get", "{}"), "result"));
}
END_TEST

START_TEST(a_damaged_segment_is_not_read)
{
	struct seg seg;
	struct shm_worker *w = make_worker(&seg);

	w->nconns = UINT32_MAX;
	ck_assert_str_eq(call("connections.list", "{}"), "\"result\":[]");
}
END_TEST

START_TEST(a_transport_is_described)
{
	struct shm_transport *t = seg_transport(cf.control.shm, 0);

	snprintf(t->listen, sizeof(t->listen), "127.0.0.1:1502");
	atomic_store(&t->state, SHM_BACKOFF);
	atomic_store(&t->last_exit, 9);
	atomic_store(&t->restarts, 3);
	ck_assert_ptr_nonnull(strstr(call("transports.list", "{}"),
	    "\"result\":[{\"name\":\"tcp1\",\"type\":\"tcp\",\"listen\":"
	    "\"127.0.0.1:1502\",\"state\":\"backoff\",\"line\":null,\"pid\":null,"
	    "\"restarts\":3,\"uptime_s\":0.0,\"connections\":0,\"requests\":"
	    "0,\"exceptions\":0,\"errors\":0,\"last_exit\":\"signal 9 "
	    "(KILL)\",\"workers\":1,\"max_connections\":"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd_registers");
	TCase *tc = tcase_create("registers");

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
	tcase_add_checked_fixture(tc, cf_open, cf_close);
	tcase_add_loop_test(tc, read_answers, 0, N(reads));
	tcase_add_loop_test(tc, write_changes_what_it_says, 0, N(writes));
	tcase_add_test(tc, a_write_of_more_than_one_step_holds_is_refused);
	tcase_add_test(tc, operation_numbers_go_on_after_a_restart);
	tcase_add_test(
	    tc, a_device_that_is_not_let_go_of_is_exception_6_and_still_read);
	tcase_add_test(tc,
	    an_owner_that_is_ended_as_late_as_the_parent_does_is_waited_for);
	tcase_add_test(
	    tc, a_device_that_was_waited_for_in_vain_is_not_waited_for_again);
	tcase_add_test(tc, raw_values_travel_in_a_second_frame);
	tcase_add_test(tc, raw_bits_are_words_too);
	tcase_add_loop_test(tc, a_wrong_second_frame_is_refused, 0, N(bad_raw));
	tcase_add_loop_test(
	    tc, transaction_is_all_or_nothing, 0, N(transactions));
	tcase_add_test(tc, a_transaction_of_too_many_ops_is_refused);
	suite_add_tcase(s, tc);

	tc = tcase_create("what there is");
	tcase_add_checked_fixture(tc, cf_open, cf_close);
	tcase_add_test(tc, describe_shows_ranges_as_configured);
	tcase_add_test(tc, devices_show_units_and_tables);
	tcase_add_test(tc, connections_are_read_from_the_workers_records);
	tcase_add_test(tc, a_connection_is_closed_by_its_worker);
	tcase_add_test(
	    tc, all_connections_of_a_transport_are_closed_one_by_one);
	tcase_add_loop_test(tc,
	    an_id_that_names_no_open_connection_is_not_found, 0, N(bad_ids));
	tcase_add_test(tc, a_scribbled_segment_is_survived);
	tcase_add_test(tc, a_damaged_segment_is_not_read);
	tcase_add_test(tc, a_transport_is_described);
	suite_add_tcase(s, tc);
	return fix_run(s);
}
