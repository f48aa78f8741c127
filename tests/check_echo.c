/* SPDX-License-Identifier: Apache-2.0 */
/* The echo of what was sent, whole, in pieces, broken off and missing. */
#include <string.h>

#include "tests/suite.h"
#include "workers/proto/echo.h"

static struct echo e;
static size_t taken;

static enum echo_rc
come(const char *text)
{
	return echo_match(&e, (const uint8_t *)text, strlen(text), &taken);
}

static void
await(const char *text)
{
	echo_await(&e, (const uint8_t *)text, strlen(text), 7);
}

START_TEST(nothing_is_taken_when_nothing_was_sent)
{
	memset(&e, 0, sizeof(e));
	ck_assert_int_eq(come("abc"), ECHO_NONE);
	ck_assert_uint_eq(taken, 0);
}
END_TEST

START_TEST(an_echo_is_taken_whole_and_what_follows_is_not)
{
	await("abc");
	ck_assert_int_eq(come("abcabc"), ECHO_ALL);
	ck_assert_uint_eq(taken, 3);
	ck_assert_int_eq(come("abc"), ECHO_NONE);
}
END_TEST

START_TEST(an_echo_is_taken_in_pieces)
{
	await("abcd");
	ck_assert_int_eq(come("a"), ECHO_PART);
	ck_assert_uint_eq(taken, 1);
	ck_assert_int_eq(come("bc"), ECHO_PART);
	ck_assert_uint_eq(taken, 2);
	ck_assert_int_eq(come("dx"), ECHO_ALL);
	ck_assert_uint_eq(taken, 1);
}
END_TEST

START_TEST(what_was_held_for_an_echo_is_given_back)
{
	await("abcd");
	ck_assert_int_eq(come("ab"), ECHO_PART);
	ck_assert_int_eq(come("cX"), ECHO_OTHER);
	ck_assert_uint_eq(taken, 1);
	ck_assert_uint_eq(e.at, 3);
	ck_assert_mem_eq(e.sent, "abc", 3);
	ck_assert_int_eq(come("d"), ECHO_NONE);
}
END_TEST

START_TEST(an_echo_may_be_forgotten)
{
	await("abcd");
	ck_assert_int_eq(come("ab"), ECHO_PART);
	echo_forget(&e);
	ck_assert_int_eq(come("cd"), ECHO_NONE);
	await("xy");
	ck_assert_int_eq(come("xy"), ECHO_ALL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("echo");
	TCase *tc = tcase_create("echo");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, nothing_is_taken_when_nothing_was_sent);
	tcase_add_test(tc, an_echo_is_taken_whole_and_what_follows_is_not);
	tcase_add_test(tc, an_echo_is_taken_in_pieces);
	tcase_add_test(tc, what_was_held_for_an_echo_is_given_back);
	tcase_add_test(tc, an_echo_may_be_forgotten);
	return suite_run(s);
}
