/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.read: frames of workers' segments as they are told, whatever lies
 * there, and positions that go on where the last answer ended.
 */

#include "shm/trace.h"
#include "tests/lib/control_fixture.h"

static struct seg seg;
static struct shm_ring *ring;

static void
setup(void)
{
	cf_open();
	ck_assert_int_eq(
	    seg_create_worker(&seg, cf.store.name, "tcp1", 0, 0, 4, 2, 16384),
	    0);
	ring = seg_trace(seg_worker(&seg));
}

static void
teardown(void)
{
	seg_unmap(&seg);
	cf_close();
}

/* The result of trace.read with params, to be freed. */
static json_t *
ask(const char *params)
{
	char text[512];
	json_t *json, *result;

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"trace.read\",\"params\":%s,"
	    "\"id\":1}",
	    params);
	json = json_loads(cf_ask(text), 0, NULL);
	result = json_object_get(json, "result");
	ck_assert_msg(result != NULL, "%s", cf.answer[cf.nanswers - 1]);
	json_incref(result);
	json_decref(json);
	return result;
}

/* ---- a frame, as each framer has it ---- */

#define FRAME(text) text, sizeof(text) - 1
#define FUNCTION(fc, name) "\"function\":" fc ",\"name\":" name

static const struct {
	const char *framer; /* NULL: the default */
	const char *adu;
	size_t len;
	bool sent;
	const char *is;
} frames[] = {
	{ NULL, FRAME("\0\1\0\0\0\6\1\3\0\0\0\1"), false,
	    FUNCTION("3", "\"read_holding_registers\"") },
	{ "socket", FRAME("\0\1\0\0\0\3\1\x83\2"), true,
	    FUNCTION("3", "\"read_holding_registers\"") ",\"exception\":2" },
	{ "socket", FRAME("\0\1\0\0\0\5\1\3\2\0\7"), true,
	    FUNCTION("3", "\"read_holding_registers\"") },
	{ "socket", FRAME("\0\1\0\0\0\2\1\x63"), false,
	    FUNCTION("99", "null") },
	{ "socket", FRAME("GET / HTTP/1.1\r\n"), false,
	    FUNCTION("null", "null") },
	{ "socket", FRAME(""), false, FUNCTION("null", "null") },
	{ "socket", FRAME(""), true, FUNCTION("null", "null") },
	{ "socket", FRAME("\0\1\0\0\0\2\1\3"), true, FUNCTION("null", "null") },
	{ "tls", FRAME("\0\1\0\0\0\6\1\3\0\0\0\1"), false,
	    FUNCTION("3", "\"read_holding_registers\"") },
	{ "rtu", FRAME("\1\3\0\0\0\1\x84\x0a"), false,
	    FUNCTION("3", "\"read_holding_registers\"") },
	{ "rtu", FRAME("\1\3\0\0\0\1\x84\x0b"), false,
	    FUNCTION("null", "null") },
	{ "rtu", FRAME("\1\x83\2\xc0\xf1"), true,
	    FUNCTION("3", "\"read_holding_registers\"") ",\"exception\":2" },
	{ "ascii", FRAME(":010300000001FB\r\n"), false,
	    FUNCTION("3", "\"read_holding_registers\"") },
	{ "ascii", FRAME(":0183027A\r\n"), true,
	    FUNCTION("3", "\"read_holding_registers\"") ",\"exception\":2" },
	{ "ascii", FRAME(":01xy027A\r\n"), true, FUNCTION("null", "null") },
};

START_TEST(a_frame_is_told_with_its_function_if_it_is_one)
{
	char want[512], hex[128] = "";
	json_t *result;
	char *got;

	for (size_t i = 0; i < frames[_i].len; i++)
		sprintf(hex + 2 * i, "%02x", (uint8_t)frames[_i].adu[i]);
	cf.transport[0].framer = (char *)(uintptr_t)frames[_i].framer;
	trace_put(ring, 1500000, 17, frames[_i].sent, 9,
	    (const uint8_t *)frames[_i].adu, frames[_i].len);
	result = ask("{}");
	got = json_dumps(json_object_get(result, "frames"), JSON_COMPACT);
	snprintf(want, sizeof(want),
	    "[{\"at\":1.5,\"transport\":\"tcp1\",\"connection\":\"tcp1.0.17\","
	    "\"direction\":\"%s\",\"unit\":9,%s,\"adu\":\"%s\"}]",
	    frames[_i].sent ? "out" : "in", frames[_i].is, hex);
	ck_assert_str_eq(got, want);
	ck_assert(json_is_false(json_object_get(result, "lost")));
	free(got);
	json_decref(result);
}
END_TEST

/* ---- going on ---- */

START_TEST(each_answer_goes_on_where_the_last_one_ended)
{
	uint8_t adu[] = { 0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };
	char params[256] = "{}", *next;
	unsigned put = 0, got = 0;

	for (int round = 0; round < 200; round++) {
		json_t *result, *frame;
		size_t i;

		for (int n = 0; n < round % 7; n++, put++) {
			adu[0] = (uint8_t)(put >> 8);
			adu[1] = (uint8_t)put;
			trace_put(ring, 1, 1, false, 1, adu, sizeof(adu));
		}
		result = ask(params);
		ck_assert(json_is_false(json_object_get(result, "lost")));
		json_array_foreach (
		    json_object_get(result, "frames"), i, frame) {
			char head[8];

			snprintf(head, sizeof(head), "%04x", got++);
			ck_assert_int_eq(
			    strncmp(json_string_value(
					json_object_get(frame, "adu")),
				head, 4),
			    0);
		}
		ck_assert_uint_eq(got, put);
		next = json_dumps(json_object_get(result, "next"), 0);
		snprintf(params, sizeof(params),
		    "{\"transport\":\"tcp1\",\"since\":%s}", next);
		free(next);
		json_decref(result);
		free(cf.answer[0]);
		cf.nanswers = 0;
	}
}
END_TEST

START_TEST(frames_that_were_overwritten_are_told_as_lost)
{
	uint8_t adu[200] = { 0 };
	json_t *first, *result;
	char params[128];

	trace_put(ring, 1, 1, false, 1, adu, sizeof(adu));
	first = ask("{}");
	for (int i = 0; i < 200; i++)
		trace_put(ring, 1, 1, false, 1, adu, sizeof(adu));
	snprintf(params, sizeof(params), "{\"since\":{\"tcp1.0\":%lld}}",
	    json_integer_value(
		json_object_get(json_object_get(first, "next"), "tcp1.0")));
	result = ask(params);
	ck_assert(json_is_true(json_object_get(result, "lost")));
	ck_assert_uint_gt(
	    json_array_size(json_object_get(result, "frames")), 10);
	json_decref(first);
	json_decref(result);
}
END_TEST

START_TEST(a_position_of_an_earlier_daemon_begins_anew)
{
	uint8_t adu[12] = { 0 };
	json_t *result;

	trace_put(ring, 1, 1, false, 1, adu, sizeof(adu));
	result = ask("{\"since\":{\"tcp1.0\":9007199254740992,\"x.9\":8}}");
	ck_assert(json_is_true(json_object_get(result, "lost")));
	ck_assert_uint_eq(
	    json_array_size(json_object_get(result, "frames")), 1);
	json_decref(result);
}
END_TEST

START_TEST(one_answer_holds_a_thousand_frames_and_the_next_one_the_rest)
{
	static struct seg big;
	uint8_t adu[12] = { 0 };
	json_t *result;

	ck_assert_int_eq(
	    seg_create_worker(&big, cf.store.name, "tcp2", 1, 0, 4, 2, 1 << 18),
	    0);
	for (int i = 0; i < 1500; i++) {
		trace_put(seg_trace(seg_worker(&big)), 1, 1, false, 1, adu,
		    sizeof(adu));
	}
	for (size_t want = 1000; want >= 500; want -= 500) {
		static char params[128] = "{}";
		char *next;

		result = ask(params);
		ck_assert_uint_eq(
		    json_array_size(json_object_get(result, "frames")), want);
		next = json_dumps(json_object_get(result, "next"), 0);
		snprintf(params, sizeof(params), "{\"since\":%s}", next);
		free(next);
		json_decref(result);
	}
	seg_unmap(&big);
}
END_TEST

/* ---- a worker that has scribbled on its segment ---- */

START_TEST(whatever_lies_in_a_ring_is_answered)
{
	uint64_t *words = (uint64_t *)ring;
	uint8_t adu[12] = { 0 };
	unsigned seed = (unsigned)_i + 1;
	json_t *result;

	for (int i = 0; i < 100; i++)
		trace_put(ring, 1, 1, false, 1, adu, sizeof(adu));
	for (int i = 0; i < 400; i++) {
		size_t at = (size_t)rand_r(&seed) % (i % 2 != 0 ? 3 : 1500);

		words[at] = (uint64_t)rand_r(&seed)
		    << (rand_r(&seed) % 40 - 8 < 0 ? 0 : rand_r(&seed) % 33);
	}
	result = ask("{}");
	ck_assert_uint_le(
	    json_array_size(json_object_get(result, "frames")), 1000);
	json_decref(result);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd_trace");
	TCase *tc = tcase_create("trace");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_frame_is_told_with_its_function_if_it_is_one,
	    0, sizeof(frames) / sizeof(frames[0]));
	tcase_add_test(tc, each_answer_goes_on_where_the_last_one_ended);
	tcase_add_test(tc, frames_that_were_overwritten_are_told_as_lost);
	tcase_add_test(tc, a_position_of_an_earlier_daemon_begins_anew);
	tcase_add_test(
	    tc, one_answer_holds_a_thousand_frames_and_the_next_one_the_rest);
	tcase_add_loop_test(tc, whatever_lies_in_a_ring_is_answered, 0, 50);
	suite_add_tcase(s, tc);
	return fix_run(s);
}
