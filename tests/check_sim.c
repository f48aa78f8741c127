/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulator's pages are made of: values as Python writes them, fields
 * as forms and JSON bring them, text as HTML shows it.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/sim_form.h"
#include "control/http/sim_python.h"
#include "tests/suite.h"

/* ---- Python's floats ---- */

static const struct {
	double value;
	const char *text;
} floats[] = {
	{ 0, "0.0" },
	{ -0.0, "-0.0" },
	{ 1, "1.0" },
	{ -12.5, "-12.5" },
	{ 5678.18994140625, "5678.18994140625" },
	{ (double)404.17f, "404.1700134277344" },
	{ 404.17, "404.17" },
	{ 0.0001, "0.0001" },
	{ 0.00001, "1e-05" },
	{ 0.000012345, "1.2345e-05" },
	{ 1e15, "1000000000000000.0" },
	{ 9999999999999998.0, "9999999999999998.0" },
	{ 1e16, "1e+16" },
	{ 1.5e300, "1.5e+300" },
	{ 5e-324, "5e-324" },
	{ 1.7976931348623157e308, "1.7976931348623157e+308" },
	{ 0.1, "0.1" },
	{ 1.0 / 3, "0.3333333333333333" },
	{ 617001, "617001.0" },
};

START_TEST(a_float_is_written_as_python_does)
{
	char text[40];

	sim_python_float(floats[_i].value, text, sizeof(text));
	ck_assert_str_eq(text, floats[_i].text);
	ck_assert(strtod(text, NULL) == floats[_i].value);
}
END_TEST

START_TEST(what_is_no_number_is_written_as_python_does)
{
	char text[40];

	sim_python_float(INFINITY, text, sizeof(text));
	ck_assert_str_eq(text, "inf");
	sim_python_float(-INFINITY, text, sizeof(text));
	ck_assert_str_eq(text, "-inf");
	sim_python_float(NAN, text, sizeof(text));
	ck_assert_str_eq(text, "nan");
}
END_TEST

static const struct {
	const char *json, *text;
} reprs[] = {
	{ "{\"minval\":10,\"maxval\":80}", "{'minval': 10, 'maxval': 80}" },
	{ "{\"a\":1.5,\"b\":true,\"c\":null,\"d\":false}",
	    "{'a': 1.5, 'b': True, 'c': None, 'd': False}" },
	{ "[1,\"x\",[]]", "[1, 'x', []]" },
	{ "{}", "{}" },
	{ "[\"it's\",\"say \\\"it's\\\"\",\"a\\\\b\\n\\u0001\"]",
	    "[\"it's\", 'say \"it\\'s\"', 'a\\\\b\\n\\x01']" },
};

START_TEST(parameters_are_written_as_a_dictionary)
{
	json_t *json = json_loads(reprs[_i].json, 0, NULL);
	struct text t = { 0 };

	sim_python_repr(&t, json);
	ck_assert_str_eq(t.at, reprs[_i].text);
	text_free(&t);
	json_decref(json);
}
END_TEST

/* ---- HTML ---- */

START_TEST(nothing_from_outside_is_taken_for_html)
{
	struct text t = { 0 };

	text_html(&t, "<a href=\"x\" id='y'>&amp;\x01\x7f\n\xc3\xa9</a>");
	ck_assert_str_eq(t.at,
	    "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&#x2401;"
	    "&#x2421;\n\xc3\xa9&lt;/a&gt;");
	text_free(&t);
}
END_TEST

START_TEST(text_grows_as_far_as_it_must)
{
	struct text t = { 0 };

	for (int i = 0; i < 10000; i++)
		text_printf(&t, "%d,", i % 10);
	ck_assert_uint_eq(t.len, 20000);
	ck_assert_uint_eq(strlen(t.at), 20000);
	ck_assert(!t.failed);
	text_free(&t);
}
END_TEST

/* ---- fields ---- */

static struct sim_call call;

/* One field "x" with a value as JSON. */
static void
field(const char *json)
{
	json_t *in = json_loads(json, 0, NULL);

	ck_assert_ptr_nonnull(in);
	call = (struct sim_call){ .in = in, .status = 200 };
}

static const struct {
	const char *json;
	enum sim_found found;
	int64_t value;
	const char *why;
} integers[] = {
	{ "{\"x\":0}", SIM_OK, 0, "" },
	{ "{\"x\":\"0\"}", SIM_OK, 0, "" },
	{ "{\"x\":7}", SIM_OK, 7, "" },
	{ "{\"x\":7.0}", SIM_OK, 7, "" },
	{ "{\"x\":\" 12 \"}", SIM_OK, 12, "" },
	{ "{\"x\":\"+5\"}", SIM_OK, 5, "" },
	{ "{\"x\":\"-5\"}", SIM_OK, -5, "" },
	{ "{\"x\":\"010\"}", SIM_OK, 10, "" },
	{ "{\"x\":\"0x708\"}", SIM_OK, 1800, "" },
	{ "{}", SIM_BLANK, 0, "" },
	{ "{\"x\":null}", SIM_BLANK, 0, "" },
	{ "{\"x\":\"\"}", SIM_BLANK, 0, "" },
	{ "{\"x\":\" \\t\"}", SIM_BLANK, 0, "" },
	{ "{\"x\":\"abc\"}", SIM_BAD, 0, "x must be an integer, not \"abc\"" },
	{ "{\"x\":\"1.5\"}", SIM_BAD, 0, "x must be an integer, not \"1.5\"" },
	{ "{\"x\":\"0x\"}", SIM_BAD, 0, "x must be an integer, not \"0x\"" },
	{ "{\"x\":\"--5\"}", SIM_BAD, 0, "x must be an integer, not \"--5\"" },
	{ "{\"x\":\"- 5\"}", SIM_BAD, 0, "x must be an integer, not \"- 5\"" },
	{ "{\"x\":1.5}", SIM_BAD, 0, "x must be an integer" },
	{ "{\"x\":true}", SIM_BAD, 0, "x must be an integer" },
	{ "{\"x\":[1]}", SIM_BAD, 0, "x must be an integer" },
	{ "{\"x\":1e30}", SIM_BAD, 0, "x must be an integer" },
	{ "{\"x\":\"99999999999999999999\"}", SIM_BAD, 0,
	    "x must be an integer, not \"99999999999999999999\"" },
	{ "{\"x\":-101}", SIM_BAD, 0,
	    "x must be within -100..100000, and -101 is not" },
	{ "{\"x\":\"100001\"}", SIM_BAD, 0,
	    "x must be within -100..100000, and 100001 is not" },
};

START_TEST(an_integer_is_read_or_refused_with_a_sentence)
{
	int64_t value = 0;

	field(integers[_i].json);
	ck_assert_int_eq(
	    sim_integer(&call, "x", -100, 100000, &value), integers[_i].found);
	ck_assert_str_eq(call.why, integers[_i].why);
	if (integers[_i].found == SIM_OK)
		ck_assert_int_eq(value, integers[_i].value);
	ck_assert_int_eq(
	    call.status, integers[_i].found == SIM_BAD ? 400 : 200);
}
END_TEST

static const struct {
	const char *json;
	int found;
	int64_t start, stop;
} ranges[] = {
	{ "{}", 0, 0, 0 },
	{ "{\"range_start\":\"\",\"range_stop\":5}", 0, 0, 0 },
	{ "{\"range_start\":0}", 1, 0, 0 },
	{ "{\"range_start\":16,\"range_stop\":17}", 1, 16, 17 },
	{ "{\"range_start\":16,\"range_end\":18}", 1, 16, 18 },
	{ "{\"range_start\":16,\"range_stop\":17,\"range_end\":18}", 1, 16,
	    17 },
	{ "{\"range_start\":\"16\",\"range_stop\":\"\"}", 1, 16, 16 },
	{ "{\"range_start\":16,\"range_stop\":15}", -1, 0, 0 },
	{ "{\"range_start\":-1}", -1, 0, 0 },
	{ "{\"range_start\":\"x\"}", -1, 0, 0 },
	{ "{\"range_start\":1,\"range_stop\":\"x\"}", -1, 0, 0 },
};

START_TEST(a_range_has_both_names_of_its_end)
{
	int64_t start = 0, stop = 0;

	field(ranges[_i].json);
	ck_assert_int_eq(sim_range(&call, &start, &stop), ranges[_i].found);
	ck_assert_int_eq(call.why[0] != '\0', ranges[_i].found == -1);
	if (ranges[_i].found != 1)
		return;
	ck_assert_int_eq(start, ranges[_i].start);
	ck_assert_int_eq(stop, ranges[_i].stop);
}
END_TEST

START_TEST(a_box_is_ticked_by_being_there)
{
	field("{\"a\":\"\",\"b\":\"on\",\"c\":0,\"d\":false,\"e\":null,"
	      "\"f\":true}");
	ck_assert(sim_ticked(&call, "a"));
	ck_assert(sim_ticked(&call, "b"));
	ck_assert(sim_ticked(&call, "c"));
	ck_assert(!sim_ticked(&call, "d"));
	ck_assert(!sim_ticked(&call, "e"));
	ck_assert(sim_ticked(&call, "f"));
	ck_assert(!sim_ticked(&call, "g"));
}
END_TEST

START_TEST(the_first_failure_is_told)
{
	field("{}");
	ck_assert(!sim_fail(&call, 404, "first"));
	ck_assert(!sim_fail(&call, 500, "second"));
	ck_assert_str_eq(call.why, "first");
	ck_assert_int_eq(call.status, 404);
}
END_TEST

#define LOOP(t, test, array) \
	tcase_add_loop_test(t, test, 0, sizeof(array) / sizeof((array)[0]))

int
main(void)
{
	Suite *s = suite_create("sim");
	TCase *t = tcase_create("texts");

	LOOP(t, a_float_is_written_as_python_does, floats);
	tcase_add_test(t, what_is_no_number_is_written_as_python_does);
	LOOP(t, parameters_are_written_as_a_dictionary, reprs);
	tcase_add_test(t, nothing_from_outside_is_taken_for_html);
	tcase_add_test(t, text_grows_as_far_as_it_must);
	suite_add_tcase(s, t);
	t = tcase_create("fields");
	LOOP(t, an_integer_is_read_or_refused_with_a_sentence, integers);
	LOOP(t, a_range_has_both_names_of_its_end, ranges);
	tcase_add_test(t, a_box_is_ticked_by_being_there);
	tcase_add_test(t, the_first_failure_is_told);
	suite_add_tcase(s, t);
	return suite_run(s);
}
