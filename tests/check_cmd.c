/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC around the command table: what is answered to good, strange and
 * hostile messages, and how requests that the parent carries out come back.
 */

#include <errno.h>

#include "tests/lib/control_fixture.h"

#define ANSWER(id, rest) "{\"jsonrpc\":\"2.0\"," rest ",\"id\":" id "}"
#define ERROR(id, code, message, reason)                          \
	ANSWER(id,                                                \
	    "\"error\":{\"code\":" code ",\"message\":\"" message \
	    "\",\"data\":{\"reason\":\"" reason "\"}}")
#define PING(id) \
	"{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"id\":" id "}"
#define PONG(id) ANSWER(id, "\"result\":{}")

/* ---- messages and their answers, to the letter ---- */

static const struct {
	const char *title;
	const char *message;
	const char *answer; /* NULL: none */
} messages[] = {
	{ "a call is answered", PING("1"), PONG("1") },
	{ "a string is an id", PING("\"a b\""), PONG("\"a b\"") },
	{ "an id is kept with all its digits", PING("18446744073709551616"),
	    PONG("18446744073709551616") },
	{ "an id below zero is kept", PING("-9223372036854775809"),
	    PONG("-9223372036854775809") },
	{ "an id with a fraction is kept", PING("404.17"), PONG("404.17") },
	{ "a null id is an id", PING("null"), PONG("null") },
	{ "an id with a NUL is kept", PING("\"a\\u0000b\""),
	    PONG("\"a\\u0000b\"") },
	{ "without an id there is no answer",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\"}", NULL },
	{ "a notification of an unknown method is not answered either",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}", NULL },
	{ "params may be empty",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"params\":{},"
	    "\"id\":1}",
	    PONG("1") },
	{ "params may be an empty array",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"params\":[],"
	    "\"id\":1}",
	    PONG("1") },
	{ "white space around a message is nothing", " \r\n\t" PING("1") "\n ",
	    PONG("1") },

	{ "a batch is answered by a batch", "[" PING("1") "," PING("2") "]",
	    "[" PONG("1") "," PONG("2") "]" },
	{ "a batch of one is answered by a batch", "[" PING("1") "]",
	    "[" PONG("1") "]" },
	{ "a batch of notifications is not answered",
	    "[{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\"}]", NULL },
	{ "notifications are left out of a batch's answer",
	    "[{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\"}," PING("2") "]",
	    "[" PONG("2") "]" },
	{ "an empty batch is one error", "[]",
	    ERROR("null", "-32600", "the batch is empty", "bad_request") },
	{ "what is no call in a batch is answered in its place",
	    "[1," PING("2") "]",
	    "[" ERROR("null", "-32600", "a call is an object",
		"bad_request") "," PONG("2") "]" },

	{ "an unknown method is an error with the nearest name",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.pong\",\"id\":1}",
	    ERROR("1", "-32601",
		"no method \\\"system.pong\\\"; did you mean "
		"\\\"system.ping\\\"?",
		"unknown_method") },
	{ "a call without a version is none",
	    "{\"method\":\"system.ping\",\"id\":1}",
	    ERROR(
		"1", "-32600", "jsonrpc must be \\\"2.0\\\"", "bad_request") },
	{ "a version must be a string",
	    "{\"jsonrpc\":2.0,\"method\":\"system.ping\",\"id\":1}",
	    ERROR(
		"1", "-32600", "jsonrpc must be \\\"2.0\\\"", "bad_request") },
	{ "a method must be a string",
	    "{\"jsonrpc\":\"2.0\",\"method\":7,\"id\":1}",
	    ERROR("1", "-32600", "method must be a string", "bad_request") },
	{ "an object is no id",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"id\":{}}",
	    ERROR("null", "-32600", "id must be a string, a number or null",
		"bad_request") },
	{ "params must be an object or an array",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"params\":3,"
	    "\"id\":1}",
	    ERROR("1", "-32600", "params must be an object or an array",
		"bad_request") },
	{ "a number is no call", "17",
	    ERROR("null", "-32600", "a call is an object", "bad_request") },
	{ "an unknown parameter is an error",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"params\":"
	    "{\"a\":1},\"id\":1}",
	    ERROR("1", "-32602", "unknown \\\"a\\\"", "unknown_param") },
	{ "an unknown parameter is told the nearest name",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"connections.list\",\"params\":"
	    "{\"transprot\":\"tcp1\"},\"id\":1}",
	    ERROR("1", "-32602",
		"unknown \\\"transprot\\\"; did you mean \\\"transport\\\"?",
		"unknown_param") },
	{ "too many parameters by position are an error",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.ping\",\"params\":[1],"
	    "\"id\":1}",
	    ERROR("1", "-32602", "system.ping takes 0 parameters",
		"unknown_param") },
	{ "a missing parameter is an error",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"transports.start\",\"id\":1}",
	    ERROR("1", "-32602", "name is missing", "missing_param") },
	{ "a parameter of another type is an error",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"transports.start\",\"params\":"
	    "{\"name\":1},\"id\":1}",
	    ERROR("1", "-32602", "name must be a string", "bad_type") },
	{ "an unknown transport is told the nearest name",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"transports.start\",\"params\":"
	    "{\"name\":\"tpc1\"},\"id\":1}",
	    ERROR("1", "-32001",
		"no transport \\\"tpc1\\\"; did you mean \\\"tcp1\\\"?",
		"no_transport") },
	{ "an unknown connection is not found",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"connections.close\",\"params\":"
	    "{\"id\":\"tcp1.0.1\"},\"id\":1}",
	    ERROR("1", "-32001", "no connection \\\"tcp1.0.1\\\"",
		"no_connection") },
	{ "a connection to close must be named",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"connections.close\",\"id\":1}",
	    ERROR("1", "-32602", "either id or transport is wanted",
		"missing_param") },
	{ "there are no connections without workers",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"connections.list\",\"params\":"
	    "[\"tcp2\"],\"id\":1}",
	    ANSWER("1", "\"result\":[]") },
};

START_TEST(message)
{
	const char *answer = cf_ask(messages[_i].message);

	if (messages[_i].answer == NULL) {
		ck_assert_msg(
		    answer == NULL, "%s: %s", messages[_i].title, answer);
	} else {
		ck_assert_msg(
		    answer != NULL && strcmp(answer, messages[_i].answer) == 0,
		    "%s:\n%s\n%s", messages[_i].title, answer,
		    messages[_i].answer);
	}
	ck_assert_uint_eq(cf.ndropped, 1);
}
END_TEST

/* ---- bytes that are no JSON: one parse error, and nothing else ---- */

static const struct {
	const char *text;
	size_t len;
} hostile[] = {
#define BYTES(s)                 \
	{                        \
		s, sizeof(s) - 1 \
	}
	BYTES(""),
	BYTES("{"),
	BYTES("}"),
	BYTES("[1,"),
	BYTES("\"abc"),
	BYTES("\"abc\\"),
	BYTES("\\"),
	BYTES("-"),
	BYTES("1e"),
	BYTES("01"),
	BYTES("1e999"),
	BYTES("nul"),
	BYTES("NaN"),
	BYTES("{\"a\":1,\"a\":2}"),
	BYTES("{\"a\" 1}"),
	BYTES("{a:1}"),
	BYTES("[1,]"),
	BYTES("{} {}"),
	BYTES("\"\xff\xfe\""),
	BYTES("\"\xed\xa0\x80\""),
	BYTES("\"\\ud800\""),
	BYTES("\"a\nb\""),
	BYTES("\0\0\0\0"),
	BYTES("{\"a\0\":1}"),
	BYTES("9999999999999999999999999999999999x"),
	BYTES("--18446744073709551616"),
	BYTES("18446744073709551616.5.5"),
	BYTES("\x01"
	      "18446744073709551616"),
#undef BYTES
};

START_TEST(bytes_that_are_no_json_are_one_parse_error)
{
	static const char head[] =
	    "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,";
	static const char tail[] =
	    "\"data\":{\"reason\":\"parse\"}},\"id\":null}";
	const char *answer;

	rpc_serve(&cf.control, CMD_ADMIN, &cf, hostile[_i].text,
	    hostile[_i].len, NULL, 0);
	ck_assert_uint_eq(cf.nanswers, 1);
	ck_assert_uint_eq(cf.ndropped, 1);
	answer = cf.answer[0];
	ck_assert_msg(strncmp(answer, head, strlen(head)) == 0, "%s", answer);
	ck_assert_msg(strstr(answer, tail) != NULL, "%s", answer);
}
END_TEST

/* Every beginning of a good message is a bad one. */
START_TEST(a_message_cut_anywhere_is_an_error_and_changes_nothing)
{
	static const char text[] =
	    "{\"jsonrpc\":\"2.0\",\"method\":\"registers.write\",\"params\":"
	    "{\"table\":\"hr\",\"addr\":0,\"values\":[77]},\"id\":1}";
	uint8_t wire[2];

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		cf.nanswers = 0;
		rpc_serve(&cf.control, CMD_ADMIN, &cf, text, len, NULL, 0);
		ck_assert_uint_eq(cf.nanswers, 1);
		ck_assert_ptr_nonnull(strstr(cf.answer[0], "-32700"));
		free(cf.answer[0]);
	}
	store_read(&cf.store.store, STORE_HR, 0, 1, wire, NULL);
	ck_assert_uint_eq(wire[1], 0);
}
END_TEST

START_TEST(deep_nesting_is_refused_before_it_is_parsed)
{
	static char text[1 << 20];

	memset(text, '[', sizeof(text));
	rpc_serve(&cf.control, CMD_ADMIN, &cf, text, sizeof(text), NULL, 0);
	ck_assert_ptr_nonnull(strstr(cf.answer[0], "nested too deeply"));
}
END_TEST

START_TEST(more_values_than_a_message_may_hold_are_refused)
{
	static char text[1 << 20];

	memset(text, ',', sizeof(text));
	text[0] = '[';
	rpc_serve(&cf.control, CMD_ADMIN, &cf, text, sizeof(text), NULL, 0);
	ck_assert_ptr_nonnull(strstr(cf.answer[0], "too many values"));
}
END_TEST

START_TEST(a_batch_that_is_too_long_is_one_error)
{
	static char text[3 * (RPC_BATCH_MAX + 1) + 2];
	size_t n = 0;

	text[n++] = '[';
	for (int i = 0; i <= RPC_BATCH_MAX; i++)
		n += (size_t)sprintf(text + n, "%s1", i > 0 ? "," : "");
	text[n++] = ']';
	rpc_serve(&cf.control, CMD_ADMIN, &cf, text, n, NULL, 0);
	ck_assert_ptr_nonnull(strstr(cf.answer[0], "the batch is too long"));
}
END_TEST

/* A batch of n reads of 64 coils and a ping at its end. */
static const char *
ask_reads(int n)
{
	static char text[1 << 20];
	size_t len = (size_t)sprintf(text, "[");

	for (int i = 0; i < n; i++) {
		len += (size_t)sprintf(text + len,
		    "{\"jsonrpc\":\"2.0\",\"method\":\"registers.read\","
		    "\"params\":{\"table\":\"co\",\"addr\":0,"
		    "\"count\":64},\"id\":%d},",
		    i);
	}
	sprintf(text + len, PING("\"last\"") "]");
	return cf_ask(text);
}

START_TEST(a_batch_goes_on_up_to_a_number_of_values_in_its_answers)
{
	/* transactions read the most */
	static const char call[] =
	    "{\"jsonrpc\":\"2.0\",\"method\":\"registers.transaction\","
	    "\"params\":{\"ops\":[%s]},\"id\":%d},";
	static const char read[] =
	    "{\"op\":\"read\",\"table\":\"hr\",\"addr\":0,\"count\":100}";
	static char text[1 << 20], ops[4096];
	size_t len = 0;
	int done = 0;

	for (int i = 0; i < 40; i++) {
		len +=
		    (size_t)sprintf(ops + len, "%s%s", i > 0 ? "," : "", read);
	}
	len = (size_t)sprintf(text, "[");
	for (int i = 0; i < 80; i++) {
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, call, ops, i);
	}
	sprintf(text + len, PING("\"last\"") "]");
	ck_assert_ptr_nonnull(cf_ask(text));
	for (const char *at = cf.answer[0]; at != NULL; done++)
		at = strstr(at + 1, "\"seq\"");
	/* each has 4000 and some: enough are answered, the rest refused */
	ck_assert_int_ge(done - 1, RPC_VALUES_MAX / 4100);
	ck_assert_int_le(done - 1, RPC_VALUES_MAX / 4000 + 1);
	ck_assert_ptr_nonnull(strstr(cf.answer[0],
	    "a batch goes on up to 262144\",\"data\":{\"reason\":"
	    "\"too_long\"}},\"id\":\"last\"}]"));
}
END_TEST

START_TEST(a_batch_within_its_limits_is_answered_to_the_last_call)
{
	const char *answer = ask_reads(RPC_BATCH_MAX - 1);

	ck_assert_ptr_null(strstr(answer, "error"));
	ck_assert_ptr_nonnull(strstr(
	    answer, "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":\"last\"}]"));
}
END_TEST

/* The clock of the fixture stands still until a call has been carried out. */
START_TEST(a_batch_that_takes_too_long_is_refused_what_is_left)
{
	const char *answer;

	cf.control.now_ns -= (RPC_BATCH_MS + 1) * 1000000ull;
	answer = cf_ask("[" PING("1") "," PING("2") "]");
	ck_assert_ptr_nonnull(strstr(answer,
	    "\"result\":{},\"id\":1},{\"jsonrpc\":\"2.0\","
	    "\"error\":{\"code\":-32000,"));
	ck_assert_ptr_nonnull(strstr(answer, "longer than 1000 ms"));
}
END_TEST

START_TEST(each_call_is_a_beat)
{
	_Atomic uint64_t *beat =
	    &seg_slot(cf.control.shm, SLOT_OF(cf.proc.env.me))->beat_ns;
	uint64_t before = cf.control.now_ns;

	atomic_store(beat, 0);
	cf_ask(PING("1"));
	ck_assert_uint_ge(atomic_load(beat), before);
}
END_TEST

START_TEST(messages_that_wait_hold_so_much_and_no_more)
{
	const char *answer;

	cf.control.held = RPC_HELD_MAX;
	ck_assert_ptr_nonnull(strstr(cf_ask(PING("1")), "\"result\""));
	cf.control.held++;
	answer = cf_ask(PING("2"));
	ck_assert_ptr_nonnull(strstr(answer, "\"reason\":\"busy\""));
	cf.control.held = 0;
}
END_TEST

START_TEST(nobody_may_do_nothing)
{
	const char *answer = cf_ask_as(CMD_NOBODY, PING("1"), NULL, 0);

	ck_assert_ptr_nonnull(strstr(answer, "-32002"));
	ck_assert_ptr_nonnull(
	    strstr(answer, "needs the role read; you have none"));
}
END_TEST

START_TEST(a_batch_takes_no_second_frame)
{
	const char *answer = cf_ask_as(CMD_ADMIN, "[" PING("1") "]", "ab", 2);

	ck_assert_ptr_nonnull(strstr(answer, "a batch takes no second frame"));
}
END_TEST

/* ---- roles ---- */

static const char *const role_said[] = {
	[CMD_READ] = "\"role\":\"read\"",
	[CMD_OPERATE] = "\"role\":\"operate\"",
	[CMD_ADMIN] = "\"role\":\"admin\"",
};

START_TEST(system_info_tells_who_asks_what_he_may)
{
	const char *answer;

	answer = cf_ask_as((enum cmd_role)_i,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"system.info\",\"id\":1}", NULL,
	    0);
	ck_assert_ptr_nonnull(strstr(answer, role_said[_i]));
}
END_TEST

START_TEST(a_command_is_refused_to_a_lower_role_and_to_no_other)
{
	size_t n;
	const struct cmd *cmd = cmd_table(&n);
	char text[128];

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{\"none\":1},"
	    "\"id\":1}",
	    cmd[_i].name);
	for (int role = CMD_READ; role <= CMD_ADMIN; role++) {
		const char *answer =
		    cf_ask_as((enum cmd_role)role, text, NULL, 0);
		bool denied = strstr(answer, "-32002") != NULL;

		ck_assert_msg(denied == (role < (int)cmd[_i].role),
		    "%s as %d: %s", cmd[_i].name, role, answer);
	}
}
END_TEST

static const struct {
	const char *name;
	enum cmd_role role;
} contract[] = {
	{ "system.ping", CMD_READ },
	{ "system.info", CMD_READ },
	{ "system.methods", CMD_READ },
	{ "system.reload", CMD_ADMIN },
	{ "system.shutdown", CMD_ADMIN },
	{ "registers.read", CMD_READ },
	{ "registers.write", CMD_OPERATE },
	{ "registers.transaction", CMD_OPERATE },
	{ "registers.counts", CMD_READ },
	{ "registers.describe", CMD_READ },
	{ "devices.list", CMD_READ },
	{ "transports.list", CMD_READ },
	{ "transports.start", CMD_OPERATE },
	{ "transports.stop", CMD_OPERATE },
	{ "transports.restart", CMD_OPERATE },
	{ "connections.list", CMD_READ },
	{ "connections.close", CMD_OPERATE },
	{ "quarantine.list", CMD_READ },
	{ "quarantine.lift", CMD_OPERATE },
	{ "stats.get", CMD_READ },
	{ "trace.read", CMD_READ },
};

START_TEST(each_method_of_the_contract_has_a_row_with_its_role_and_help)
{
	const struct cmd *cmd = cmd_find(contract[_i].name);

	ck_assert_msg(cmd != NULL, "%s", contract[_i].name);
	ck_assert_int_eq(cmd->role, contract[_i].role);
	ck_assert_uint_gt(strlen(cmd->help), 0);
	ck_assert_ptr_nonnull(
	    strstr(cf_ask("{\"jsonrpc\":\"2.0\",\"method\":\"system.methods\","
			  "\"id\":1}"),
		contract[_i].name));
}
END_TEST

START_TEST(a_name_that_is_no_method_has_no_row)
{
	ck_assert_ptr_null(cmd_find(""));
	ck_assert_ptr_null(cmd_find("system"));
	ck_assert_ptr_null(cmd_find("system.ping "));
	ck_assert_int_eq(cmd_role_find("operate"), CMD_OPERATE);
	ck_assert_int_eq(cmd_role_find("root"), -1);
}
END_TEST

/* ---- what the parent carries out ---- */

#define RESTART(id)                                                          \
	"{\"jsonrpc\":\"2.0\",\"method\":\"transports.restart\",\"params\":" \
	"{\"name\":\"tcp2\",\"drain_s\":1.5},\"id\":" id "}"

START_TEST(a_start_may_name_a_time_to_drain_and_has_nothing_to_drain)
{
	struct ipc_msg msg;

	ck_assert_ptr_null(cf_ask(
	    "{\"jsonrpc\":\"2.0\",\"method\":\"transports.start\",\"params\":"
	    "{\"name\":\"tcp2\",\"drain_s\":1.5},\"id\":1}"));
	msg = cf_order();
	ck_assert_uint_eq(msg.kind, IPC_START);
	ck_assert_uint_eq(msg.arg, 0);
}
END_TEST

START_TEST(an_order_is_answered_once_it_has_happened)
{
	struct ipc_msg msg;

	ck_assert_ptr_null(cf_ask(RESTART("7")));
	msg = cf_order();
	ck_assert_uint_eq(msg.kind, IPC_RESTART);
	ck_assert_uint_eq(msg.transport, 1);
	ck_assert_uint_eq(msg.arg, 1500);
	cf_done(msg.tag + 1, 0, SHM_UP, ""); /* somebody else's */
	ck_assert_uint_eq(cf.nanswers, 0);
	cf_done(msg.tag, 0, SHM_UP, "");
	ck_assert_str_eq(cf.answer[0],
	    ANSWER("7", "\"result\":{\"name\":\"tcp2\",\"state\":\"up\"}"));
	cf_done(msg.tag, 0, SHM_UP, ""); /* twice is once */
	ck_assert_uint_eq(cf.nanswers, 1);
	ck_assert_uint_eq(cf.ndropped, 1);
}
END_TEST

START_TEST(an_order_that_fails_is_refused_with_the_reason)
{
	cf_ask(RESTART("7"));
	cf_done(cf_order().tag, EIO, SHM_FAILED, "exit 78");
	ck_assert_str_eq(
	    cf.answer[0], ERROR("7", "-32000", "tcp2: exit 78", "refused"));
}
END_TEST

START_TEST(an_order_that_the_parent_gives_up_is_a_timeout)
{
	cf_ask(RESTART("7"));
	cf_done(cf_order().tag, ETIMEDOUT, SHM_DRAINING, "not done in time");
	ck_assert_str_eq(cf.answer[0],
	    ERROR("7", "-32004", "tcp2: not done in time", "timeout"));
}
END_TEST

START_TEST(an_order_without_an_answer_times_out)
{
	uint64_t due;

	cf_ask(RESTART("7"));
	due = rpc_expire(&cf.control);
	ck_assert_uint_gt(due, cf.control.now_ns);
	ck_assert_uint_eq(cf.nanswers, 0);
	cf.control.now_ns = due;
	ck_assert_uint_eq(rpc_expire(&cf.control), UINT64_MAX);
	ck_assert_ptr_nonnull(strstr(cf.answer[0], "-32004"));
	cf_done(cf_order().tag, 0, SHM_UP, ""); /* too late */
	ck_assert_uint_eq(cf.nanswers, 1);
}
END_TEST

START_TEST(a_batch_waits_for_all_of_its_orders)
{
	struct ipc_msg first, second;

	ck_assert_ptr_null(
	    cf_ask("[" RESTART("1") "," PING("2") "," RESTART("3") "]"));
	first = cf_order();
	second = cf_order();
	cf_done(second.tag, 0, SHM_UP, "");
	ck_assert_uint_eq(cf.nanswers, 0);
	cf_done(first.tag, 0, SHM_UP, "");
	ck_assert_str_eq(cf.answer[0],
	    "[" ANSWER("1",
		"\"result\":{\"name\":\"tcp2\",\"state\":"
		"\"up\"}") "," PONG("2") "," ANSWER("3",
		"\"result\":{\"name\":\"tcp2\",\"state\":\"up\"}") "]");
}
END_TEST

START_TEST(a_parent_that_does_not_read_is_said_so)
{
	struct ipc_msg full = { .kind = IPC_RELOAD };

	while (ipc_send(cf.proc.chan, &full) == 0)
		continue;
	ck_assert_ptr_nonnull(strstr(cf_ask(RESTART("7")), "-32000"));
	ck_assert_uint_eq(cf.control.njobs, 0);
}
END_TEST

START_TEST(who_asks_for_too_much_at_once_is_refused)
{
	for (int i = 0; i < RPC_JOBS_MAX; i++) {
		ck_assert_ptr_null(cf_ask(RESTART("7")));
		(void)cf_order();
	}
	ck_assert_ptr_nonnull(strstr(cf_ask(PING("7")), "-32000"));
	rpc_drop_all(&cf.control);
	ck_assert_uint_eq(cf.ndropped, RPC_JOBS_MAX + 1);
	ck_assert_ptr_nonnull(strstr(cf_ask(PING("7")), "result"));
}
END_TEST

static const struct {
	const char *method;
	enum ipc_kind kind;
	const char *answer;
} orders[] = {
	{ "system.shutdown", IPC_SHUTDOWN, PONG("1") },
	{ "system.reload", IPC_RELOAD,
	    ANSWER("1",
		"\"result\":{\"added\":[],\"removed\":[],\"changed\":[],"
		"\"restarted\":[],\"refreshed\":[]}") },
};

START_TEST(an_order_to_the_whole_daemon_is_answered_by_what_it_did)
{
	struct ipc_msg msg;
	char text[96];

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"id\":1}",
	    orders[_i].method);
	cf_ask(text);
	msg = cf_order();
	ck_assert_uint_eq(msg.kind, orders[_i].kind);
	cf_done(msg.tag, 0, 0, "");
	ck_assert_str_eq(cf.answer[0], orders[_i].answer);
}
END_TEST

static void
refreshed(uint32_t tag, unsigned transport, const char *why)
{
	struct ipc_msg msg = { .kind = IPC_REFRESHED,
		.tag = tag,
		.transport = transport,
		.rc = why[0] != '\0' };

	snprintf(msg.text, sizeof(msg.text), "%s", why);
	rpc_done(&cf.control, &msg);
}

START_TEST(a_reload_names_who_has_read_its_files_and_who_has_not)
{
	uint32_t tag;

	ck_assert_ptr_null(cf_ask("{\"jsonrpc\":\"2.0\",\"method\":"
				  "\"system.reload\",\"id\":1}"));
	tag = cf_order().tag;
	refreshed(tag + 1, 0, "of another one");
	refreshed(tag, 1, "");
	refreshed(tag, 0, "x.crl: no list");
	refreshed(tag, 99, "no such transport");
	cf_done(tag, 0, 0, "");
	ck_assert_str_eq(cf.answer[0],
	    ANSWER("1",
		"\"result\":{\"added\":[],\"removed\":[],\"changed\":[],"
		"\"restarted\":[],\"refreshed\":[\"tcp2\"],"
		"\"failed\":{\"tcp1\":\"x.crl: no list\"}}"));
	ck_assert_uint_eq(cf.control.njobs, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd");
	TCase *tc = tcase_create("rpc");
	size_t n;

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
	(void)cmd_table(&n);
	tcase_add_checked_fixture(tc, cf_open, cf_close);
	tcase_add_loop_test(tc, message, 0, N(messages));
	tcase_add_loop_test(
	    tc, bytes_that_are_no_json_are_one_parse_error, 0, N(hostile));
	tcase_add_test(
	    tc, a_message_cut_anywhere_is_an_error_and_changes_nothing);
	tcase_add_test(tc, deep_nesting_is_refused_before_it_is_parsed);
	tcase_add_test(tc, more_values_than_a_message_may_hold_are_refused);
	tcase_add_test(tc, a_batch_that_is_too_long_is_one_error);
	tcase_add_test(
	    tc, a_batch_goes_on_up_to_a_number_of_values_in_its_answers);
	tcase_add_test(
	    tc, a_batch_within_its_limits_is_answered_to_the_last_call);
	tcase_add_test(tc, a_batch_that_takes_too_long_is_refused_what_is_left);
	tcase_add_test(tc, each_call_is_a_beat);
	tcase_add_test(tc, messages_that_wait_hold_so_much_and_no_more);
	tcase_add_test(tc, nobody_may_do_nothing);
	tcase_add_test(tc, a_batch_takes_no_second_frame);
	tcase_add_loop_test(tc,
	    a_command_is_refused_to_a_lower_role_and_to_no_other, 0, (int)n);
	tcase_add_loop_test(
	    tc, system_info_tells_who_asks_what_he_may, CMD_READ, CMD_ROLES);
	tcase_add_loop_test(tc,
	    each_method_of_the_contract_has_a_row_with_its_role_and_help, 0,
	    N(contract));
	tcase_add_test(tc, a_name_that_is_no_method_has_no_row);
	suite_add_tcase(s, tc);

	tc = tcase_create("orders");
	tcase_add_checked_fixture(tc, cf_open, cf_close);
	tcase_add_test(
	    tc, a_start_may_name_a_time_to_drain_and_has_nothing_to_drain);
	tcase_add_test(tc, an_order_is_answered_once_it_has_happened);
	tcase_add_test(tc, an_order_that_fails_is_refused_with_the_reason);
	tcase_add_test(tc, an_order_that_the_parent_gives_up_is_a_timeout);
	tcase_add_test(tc, an_order_without_an_answer_times_out);
	tcase_add_test(tc, a_batch_waits_for_all_of_its_orders);
	tcase_add_test(tc, a_parent_that_does_not_read_is_said_so);
	tcase_add_test(tc, who_asks_for_too_much_at_once_is_refused);
	tcase_add_loop_test(tc,
	    an_order_to_the_whole_daemon_is_answered_by_what_it_did, 0,
	    N(orders));
	tcase_add_test(
	    tc, a_reload_names_who_has_read_its_files_and_who_has_not);
	suite_add_tcase(s, tc);
	return fix_run(s);
}
