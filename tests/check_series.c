/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Values over time: which rows are taken, which are told with their line, and
 * what is between, behind and around them. And what is due when.
 */

#include "shm/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "workers/action/pace.h"

/* ---- rows ---- */

static const struct {
	const char *text;
	size_t n; /* 0: wrong */
	unsigned line;
	const char *why;
} texts[] = {
	{ "0,1", 1, 0, NULL },
	{ "0,1\n", 1, 0, NULL },
	{ "time,value\n0,1\n2,3\n", 2, 0, NULL },
	{ "# a comment\r\n\r\n 0 , 1 \r\n2,-3e2,more,of it\r\n", 2, 0, NULL },
	{ "-5,1\n-4.5,2\n1e3,3\n", 3, 0, NULL },
	{ "", 0, 0, "has no rows" },
	{ "# nothing\n", 0, 0, "has no rows" },
	{ "time,value\n", 0, 0, "has no rows" },
	{ "\ntime,value\n0,1", 0, 2, "its time is no number" },
	{ "time\n0,1", 0, 1, "its time is no number" },
	{ "0,1\n1\n", 0, 2, "a row is \"time,value\"" },
	{ "0,1\n1,\n", 0, 2, "its value is no number" },
	{ "0,1\n1,x\n", 0, 2, "its value is no number" },
	{ "0,1\n1,2 3\n", 0, 2, "its value is no number" },
	{ "0,1\n1,nan\n", 0, 2, "its value is no number" },
	{ "0,1\n1,1e999\n", 0, 2, "its value is no number" },
	{ "0,1\ninf,1\n", 0, 2, "its time is no number" },
	{ "0,1\n0,2\n", 0, 2, "its time does not grow" },
	{ "0,1\n1,1\n0.5,2\n", 0, 3, "its time does not grow" },
};

START_TEST(rows_are_taken_or_told_with_their_line)
{
	struct series s;
	int rc = series_parse(&s, texts[_i].text, strlen(texts[_i].text));

	ck_assert_int_eq(rc, texts[_i].n > 0 ? 0 : -1);
	ck_assert_uint_eq(s.n, texts[_i].n);
	if (rc == -1) {
		ck_assert_uint_eq(s.line, texts[_i].line);
		ck_assert_str_eq(s.why, texts[_i].why);
	}
	series_free(&s);
}
END_TEST

START_TEST(a_nul_or_an_endless_field_is_no_number)
{
	char text[200] = "0,1\n1,2\n";
	struct series s;

	text[4] = '\0';
	ck_assert_int_eq(series_parse(&s, text, 8), -1);
	memset(text, '1', sizeof(text));
	ck_assert_int_eq(series_parse(&s, text, sizeof(text)), -1);
}
END_TEST

static const struct {
	double at, none, linear; /* held */
	double loop; /* linear */
} points[] = {
	{ -1, 10, 10, 10 },
	{ 0, 10, 10, 10 },
	{ 1, 10, 15, 15 },
	{ 2, 20, 20, 20 },
	{ 5, 20, 5, 5 },
	{ 7.999, 20, -9.995, -9.995 },
	{ 8, -10, -10, 10 },
	{ 9, -10, -10, 15 },
	{ 1e9, -10, -10, 10 },
};

START_TEST(a_value_is_the_one_before_or_on_the_line_between)
{
	/* the first row is where it begins, whatever its time is */
	static const char text[] = "100,10\n102,20\n108,-10\n";
	double t = points[_i].at;
	struct series s;

	ck_assert_int_eq(series_parse(&s, text, strlen(text)), 0);
	ck_assert_double_eq_tol(
	    series_at(&s, t, false, false), points[_i].none, 1e-9);
	ck_assert_double_eq_tol(
	    series_at(&s, t, false, true), points[_i].linear, 1e-9);
	ck_assert_double_eq_tol(
	    series_at(&s, t, true, true), points[_i].loop, 1e-6);
	series_free(&s);
}
END_TEST

START_TEST(one_row_holds_for_ever)
{
	struct series s;

	ck_assert_int_eq(series_parse(&s, "3,4", 3), 0);
	for (int i = -1; i < 10; i++)
		for (int k = 0; k < 4; k++)
			ck_assert_double_eq(
			    series_at(&s, i, k & 1, (k & 2) != 0), 4);
	series_free(&s);
}
END_TEST

/* ---- what is due ---- */

enum { ITEMS = 100, MS = 1000000 };

START_TEST(things_are_due_at_multiples_and_drift_nowhere)
{
	struct pace_item item[ITEMS], *i;
	unsigned taken[ITEMS] = { 0 };
	uint64_t origin = 12345, now = origin, next;
	struct pace p;

	ck_assert_int_eq(pace_init(&p, ITEMS, origin), 0);
	ck_assert_uint_eq(pace_next(&p), UINT64_MAX);
	for (unsigned k = 0; k < ITEMS; k++) {
		item[k].period_ns = (k % 7 + 1) * MS;
		pace_add(&p, &item[k], now, false);
	}
	/* 420 is a multiple of them all; whoever looks is late by a bit */
	while ((next = pace_next(&p)) <= origin + 420 * MS) {
		ck_assert_uint_ge(next, now);
		now = next + (uint64_t)(random() % (MS / 2));
		while ((i = pace_take(&p, now)) != NULL) {
			ck_assert_uint_eq(
			    (i->due_ns - origin) % i->period_ns, 0);
			ck_assert_uint_gt(i->due_ns, now);
			ck_assert_uint_eq(
			    pace_last(&p, i, now), i->due_ns - i->period_ns);
			taken[i - item]++;
		}
	}
	for (unsigned k = 0; k < ITEMS; k++)
		ck_assert_uint_eq(taken[k], 420 / (k % 7 + 1));
	pace_fini(&p);
}
END_TEST

START_TEST(what_was_missed_is_left_out)
{
	struct pace_item item = { .period_ns = 10 * MS };
	struct pace p;

	ck_assert_int_eq(pace_init(&p, 1, 0), 0);
	pace_add(&p, &item, 3 * MS, true);
	ck_assert_uint_eq(pace_next(&p), 3 * MS);
	ck_assert_ptr_eq(pace_take(&p, 3 * MS), &item);
	ck_assert_uint_eq(pace_next(&p), 10 * MS);
	ck_assert_ptr_null(pace_take(&p, 10 * MS - 1));
	ck_assert_ptr_eq(pace_take(&p, 1234 * MS), &item);
	ck_assert_ptr_null(pace_take(&p, 1234 * MS));
	ck_assert_uint_eq(pace_next(&p), 1240 * MS);
	pace_fini(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("series");
	TCase *tc = tcase_create("rows");

	tcase_add_loop_test(tc, rows_are_taken_or_told_with_their_line, 0,
	    sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tc, a_nul_or_an_endless_field_is_no_number);
	tcase_add_loop_test(tc,
	    a_value_is_the_one_before_or_on_the_line_between, 0,
	    sizeof(points) / sizeof(points[0]));
	tcase_add_test(tc, one_row_holds_for_ever);
	suite_add_tcase(s, tc);
	tc = tcase_create("pace");
	tcase_add_test(tc, things_are_due_at_multiples_and_drift_nowhere);
	tcase_add_test(tc, what_was_missed_is_left_out);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
