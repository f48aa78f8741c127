/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of traces: what it lets pass, and what it says of mistakes. */

#include <stdio.h>
#include <string.h>

#include "control/filter.h"
#include "tests/suite.h"

static const unsigned values[] = { 3, 500, 7 };

static unsigned
value(const void *arg, unsigned i)
{
	return ((const unsigned *)arg)[i];
}

/* A reply to read holding registers; a number and a string that it has not. */
static const struct filter_frame frame = {
	.number = {
		[FILTER_FC] = 3,
		[FILTER_UNIT] = 1,
		[FILTER_ADDR] = 100,
		[FILTER_COUNT] = 3,
		[FILTER_EXCEPTION] = -1,
		[FILTER_US] = 250,
		[FILTER_TRANSACTION] = 17,
	},
	.string = {
		[FILTER_TRANSPORT] = "tcp1",
		[FILTER_PEER] = "10.0.0.7:4021",
		[FILTER_CONNECTION] = "tcp1.0.5",
		[FILTER_DIRECTION] = "out",
		[FILTER_TYPE] = "tcp",
	},
	.nvalues = 3,
	.value = value,
	.arg = values,
};

static const struct {
	const char *text;
	bool passes;
} cases[] = {
	{ "", true },
	{ "  ", true },
	{ "fc==3", true },
	{ "fc == 0x3", true },
	{ "fc==4", false },
	{ "fc!=4", true },
	{ "fc==3 && unit==1", true },
	{ "fc==3&&unit==2", false },
	{ "fc==4 || unit==1", true },
	{ "fc==4||unit==2", false },
	{ "!fc==4", true },
	{ "!!fc==4", false },
	{ "!(fc==3 && unit==1)", false },
	{ "fc==4 && unit==2 || addr==100", true },
	{ "addr==100 || fc==4 && unit==2", true },
	{ "(addr==100 || fc==4) && unit==2", false },
	{ "addr>99 && addr<101", true },
	{ "addr>100", false },
	{ "addr<100", false },
	{ "addr>=100 && addr<=100", true },
	{ "us > -1", true },
	{ "count < 3 || count > 3", false },
	/* what it has not is no number at all */
	{ "exception", false },
	{ "!exception", true },
	{ "exception == 2", false },
	{ "exception != 2", false },
	{ "exception < 9", false },
	{ "us", true },
	{ "name", false },
	{ "name == x", false },
	{ "name != x", false },
	{ "transport", true },
	{ "transport == tcp1", true },
	{ "transport == 'tcp1'", true },
	{ "transport == \"tcp 1\"", false },
	{ "transport != tcp2", true },
	{ "peer == 10.0.0.7", true },
	{ "peer == 10.0.0.7:4021", true },
	{ "peer == 10.0.0", false },
	{ "peer == 10.0.0.70", false },
	{ "peer != 10.0.0.7", false },
	{ "connection == tcp1.0.5", true },
	{ "direction==in", false },
	{ "direction==out", true },
	{ "type == tcp && transaction == 17", true },
	/* one of several values */
	{ "value", true },
	{ "value == 500", true },
	{ "value == 8", false },
	{ "value != 8", true },
	{ "value != 500", false },
	{ "value > 499", true },
	{ "value > 500", false },
	{ "value < 4", true },
};

START_TEST(an_expression_lets_pass_what_it_says)
{
	char why[FILTER_WHY_MAX] = "";
	struct filter f;

	ck_assert_msg(filter_parse(&f, cases[_i].text, why) == 0, "%s: %s",
	    cases[_i].text, why);
	ck_assert_msg(filter_passes(&f, &frame) == cases[_i].passes, "%s",
	    cases[_i].text);
}
END_TEST

START_TEST(a_peer_is_its_host_in_ipv6_too)
{
	struct filter_frame six = frame;
	char why[FILTER_WHY_MAX];
	struct filter f;

	six.string[FILTER_PEER] = "[fe80::1]:502";
	ck_assert_int_eq(filter_parse(&f, "peer == fe80::1", why), 0);
	ck_assert(filter_passes(&f, &six));
	ck_assert_int_eq(filter_parse(&f, "peer == [fe80::1]:502", why), 0);
	ck_assert(filter_passes(&f, &six));
	ck_assert_int_eq(filter_parse(&f, "peer == fe80::", why), 0);
	ck_assert(!filter_passes(&f, &six));
	six.nvalues = 0;
	ck_assert_int_eq(filter_parse(&f, "value != 1", why), 0);
	ck_assert(!filter_passes(&f, &six));
}
END_TEST

static const struct {
	const char *text, *why;
} wrong[] = {
	{ "fc=3", "column 3: \"=\" is no comparison: \"==\" is" },
	{ "fd==3", "column 1: no field \"fd\"; did you mean \"fc\"?" },
	{ "zebra", "column 1: no field \"zebra\"" },
	{ "fc==", "column 5: a number is wanted" },
	{ "fc==x", "column 5: \"x\" is no number, which fc is compared with" },
	{ "fc==3x",
	    "column 5: \"3x\" is no number, which fc is compared with" },
	{ "fc==99999999999999999999",
	    "column 5: \"99999999999999999999\" is no number, which fc is "
	    "compared with" },
	{ "fc==3 &&", "column 9: a field, \"!\" or \"(\" is wanted" },
	{ "fc==3 unit==1", "column 7: \"&&\", \"||\" or the end is wanted" },
	{ "(fc==3", "column 7: \")\" is wanted" },
	{ "fc==3)", "column 6: \"&&\", \"||\" or the end is wanted" },
	{ "!", "column 2: a field, \"!\" or \"(\" is wanted" },
	{ "transport > tcp1",
	    "column 11: transport is a string: == or != is wanted" },
	{ "transport == \"tcp1", "column 14: the string does not end" },
	{ "transport ==", "column 13: a word or \"string\" is wanted" },
	{ "fc==3 & unit==1", "column 7: \"&&\", \"||\" or the end is wanted" },
};

START_TEST(a_mistake_is_told_with_its_column)
{
	char why[FILTER_WHY_MAX] = "";
	struct filter f;

	ck_assert_int_eq(filter_parse(&f, wrong[_i].text, why), -1);
	ck_assert_str_eq(why, wrong[_i].why);
}
END_TEST

/* n times the piece behind the head. */
static int
parse_many(const char *head, const char *piece, unsigned n, char *why)
{
	char text[4096];
	struct filter f;

	snprintf(text, sizeof(text), "%s", head);
	for (unsigned i = 0; i < n; i++)
		strcat(text, piece);
	return filter_parse(&f, text, why);
}

START_TEST(length_and_depth_have_an_end)
{
	char why[FILTER_WHY_MAX];

	ck_assert_int_eq(parse_many("us", "||us", 31, why), 0);
	ck_assert_int_eq(parse_many("us", "||us", 32, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "too many conditions: 32"));
	ck_assert_int_eq(parse_many("", "!", 31, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "a field"));
	ck_assert_int_eq(parse_many("", "!", 40, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "nested too deeply"));
	ck_assert_int_eq(parse_many("", "(", 40, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "nested too deeply"));
	ck_assert_int_eq(parse_many("us", "  ", 600, why), -1);
	ck_assert_str_eq(why, "longer than 1023 bytes");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("filter");
	TCase *tc = tcase_create("filter");

	tcase_add_loop_test(tc, an_expression_lets_pass_what_it_says, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_peer_is_its_host_in_ipv6_too);
	tcase_add_loop_test(tc, a_mistake_is_told_with_its_column, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, length_and_depth_have_an_end);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
