/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.read: the lines of all rings by time, by level, from where the asker was,
 * and what it says when some are gone; whatever a process has left in its ring.
 */

#include "shm/log.h"
#include "shm/notice.h"
#include "shm/ring.h"
#include "tests/lib/control_fixture.h"

static void
setup(void)
{
	cf_open();
}

static void
teardown(void)
{
	cf_close();
}

/* A line of a slot at a time. */
static void
say(unsigned slot, uint64_t unix_ms, enum log_level level, const char *text)
{
	struct notice n = {
		.unix_ms = unix_ms,
		.kind = NOTICE_LOG,
		.a = level,
		.len = (uint32_t)strlen(text),
	};
	struct iovec piece[2] = {
		{ &n, offsetof(struct notice, text) },
		{ (void *)(uintptr_t)text, strlen(text) },
	};

	snprintf(
	    seg_slot(cf.control.shm, slot)->name, SHM_NAME_MAX, "p%u", slot);
	ring_put(seg_notices(cf.control.shm, slot), SHM_RING_BYTES, piece, 2);
}

/* The answer to log.read with params, to be freed. */
static json_t *
ask(const char *params)
{
	char text[512];

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"log.read\",\"params\":%s,"
	    "\"id\":1}",
	    params);
	while (cf.nanswers > 0)
		free(cf.answer[--cf.nanswers]);
	return json_loads(cf_ask(text), 0, NULL);
}

/* "p1:one p2:two" of the lines. */
static const char *
lines(const json_t *answer)
{
	static char text[4096];
	size_t i, used = 0;
	json_t *line;

	text[0] = '\0';
	json_array_foreach (
	    json_object_get(json_object_get(answer, "result"), "lines"), i,
	    line)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%s:%s", i > 0 ? " " : "",
		    json_string_value(json_object_get(line, "who")),
		    json_string_value(json_object_get(line, "line")));
	return text;
}

static bool
lost(const json_t *answer)
{
	return json_is_true(
	    json_object_get(json_object_get(answer, "result"), "lost"));
}

/* Asks with what the last answer called next. */
static json_t *
ask_next(json_t *answer)
{
	json_t *params = json_pack("{s:O}", "since",
	    json_object_get(json_object_get(answer, "result"), "next"));
	char *text = json_dumps(params, 0);
	json_t *next = ask(text);

	free(text);
	json_decref(params);
	json_decref(answer);
	return next;
}

START_TEST(lines_of_all_slots_come_by_time)
{
	json_t *answer, *line;

	say(2, 1000, LOG_INFO, "one");
	say(3, 3000, LOG_WARN, "three");
	say(2, 2000, LOG_ERROR, "two");
	say(2, 3000, LOG_INFO, "first slot first");
	answer = ask("{}");
	ck_assert_str_eq(
	    lines(answer), "p2:one p2:two p2:first slot first p3:three");
	line = json_array_get(
	    json_object_get(json_object_get(answer, "result"), "lines"), 1);
	ck_assert_str_eq(
	    json_string_value(json_object_get(line, "level")), "error");
	ck_assert_double_eq(
	    json_number_value(json_object_get(line, "at")), 2.0);
	ck_assert(!lost(answer));
	json_decref(answer);
}
END_TEST

START_TEST(a_level_leaves_out_what_matters_less)
{
	json_t *answer;

	say(2, 1, LOG_DEBUG, "d");
	say(2, 2, LOG_INFO, "i");
	say(2, 3, LOG_WARN, "w");
	say(2, 4, LOG_ERROR, "e");
	answer = ask("{\"level\":\"warn\"}");
	ck_assert_str_eq(lines(answer), "p2:w p2:e");
	json_decref(answer);
	answer = ask("{\"level\":\"info\"}");
	ck_assert_str_eq(lines(answer), "p2:i p2:w p2:e");
	json_decref(answer);
}
END_TEST

START_TEST(next_gets_only_what_came_after)
{
	json_t *answer;

	say(2, 1, LOG_INFO, "one");
	answer = ask_next(ask("{}"));
	ck_assert_str_eq(lines(answer), "");
	say(2, 2, LOG_INFO, "two");
	say(4, 3, LOG_INFO, "of a slot that was silent");
	answer = ask_next(answer);
	ck_assert_str_eq(lines(answer), "p2:two p4:of a slot that was silent");
	ck_assert(!lost(answer));
	json_decref(answer);
}
END_TEST

START_TEST(the_newest_are_kept_and_the_rest_is_told)
{
	json_t *answer;

	say(2, 1, LOG_INFO, "one");
	answer = ask("{}");
	for (int i = 2; i < 6; i++)
		say(2, (uint64_t)i, LOG_INFO, i == 5 ? "five" : "more");
	json_decref(answer);
	answer = ask("{\"limit\":1}");
	ck_assert_str_eq(lines(answer), "p2:five");
	ck_assert(!lost(answer)); /* nobody has said where he was */
	json_decref(answer);
	answer = ask("{\"limit\":1,\"since\":{}}");
	ck_assert(lost(answer));
	json_decref(answer);
}
END_TEST

START_TEST(what_was_overwritten_is_told)
{
	json_t *answer;

	say(2, 1, LOG_INFO, "one");
	answer = ask("{}");
	for (int i = 0; i < 1000; i++)
		say(2, 2, LOG_INFO, "so many that the first are gone");
	answer = ask_next(answer);
	ck_assert(lost(answer));
	ck_assert_uint_gt(json_array_size(json_object_get(
			      json_object_get(answer, "result"), "lines")),
	    100);
	json_decref(answer);
}
END_TEST

START_TEST(a_position_of_an_earlier_daemon_is_told)
{
	json_t *answer;

	say(2, 1, LOG_INFO, "one");
	answer = ask("{\"since\":{\"2\":99999999}}");
	ck_assert(lost(answer));
	ck_assert_str_eq(lines(answer), "p2:one");
	json_decref(answer);
}
END_TEST

START_TEST(what_is_no_line_is_left_out_and_bytes_are_text)
{
	struct notice n = { .kind = NOTICE_CONN_OPEN, .len = 1 };
	struct iovec piece = { &n, offsetof(struct notice, text) };
	struct shm_ring *ring = seg_notices(cf.control.shm, 2);
	json_t *answer;

	ring_put(ring, SHM_RING_BYTES, &piece, 1);
	n.kind = NOTICE_LOG;
	n.a = UINT64_MAX;
	ring_put(ring, SHM_RING_BYTES, &piece, 1);
	piece.iov_len = 8;
	ring_put(ring, SHM_RING_BYTES, &piece, 1);
	say(2, 1, LOG_INFO, "\xff<b>\"");
	answer = ask("{}");
	ck_assert_str_eq(lines(answer), "p2:\xc3\xbf<b>\"");
	json_decref(answer);
}
END_TEST

static const struct {
	const char *params, *reason;
} wrong[] = {
	{ "{\"level\":\"loud\"}", "bad_value" },
	{ "{\"level\":1}", "bad_type" },
	{ "{\"limit\":0}", "out_of_range" },
	{ "{\"limit\":10001}", "out_of_range" },
	{ "{\"since\":{\"2\":\"x\"}}", "bad_type" },
	{ "{\"since\":{\"2\":-1}}", "bad_type" },
	{ "{\"since\":3}", "bad_type" },
	{ "{\"sinze\":{}}", "unknown_param" },
};

START_TEST(wrong_parameters_are_refused)
{
	json_t *answer = ask(wrong[_i].params);

	ck_assert_str_eq(
	    json_string_value(json_object_get(
		json_object_get(json_object_get(answer, "error"), "data"),
		"reason")),
	    wrong[_i].reason);
	json_decref(answer);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd_log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, lines_of_all_slots_come_by_time);
	tcase_add_test(t, a_level_leaves_out_what_matters_less);
	tcase_add_test(t, next_gets_only_what_came_after);
	tcase_add_test(t, the_newest_are_kept_and_the_rest_is_told);
	tcase_add_test(t, what_was_overwritten_is_told);
	tcase_add_test(t, a_position_of_an_earlier_daemon_is_told);
	tcase_add_test(t, what_is_no_line_is_left_out_and_bytes_are_text);
	tcase_add_loop_test(t, wrong_parameters_are_refused, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	suite_add_tcase(s, t);
	return fix_run(s);
}
