/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV as spreadsheets and people write it: what is in the fields, where they
 * stand, and what is refused.
 */
#include "supervisor/conf/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

/* All of a text: fields in <>, lines by /, then what is wrong and where. */
static void
show(const char *text, size_t len, char *out, size_t size)
{
	/* a block of its own size, so that a byte too far is noticed */
	char *copy = malloc(len + 1);
	struct csv_field f[CSV_FIELDS_MAX];
	struct csv c;
	size_t n = 0;
	int fields;

	memcpy(copy, text, len);
	copy[len] = '\0';
	csv_init(&c, copy, len);
	out[0] = '\0';
	while ((fields = csv_next(&c, f)) > 0) {
		for (int i = 0; i < fields; i++)
			n += (size_t)snprintf(
			    out + n, size - n, "<%s>", f[i].text);
		n += (size_t)snprintf(out + n, size - n, "/");
	}
	if (fields == -1)
		snprintf(out + n, size - n, "%u:%u %.20s", c.why_line,
		    c.why_col, c.why);
	free(copy);
}

static const struct {
	const char *text, *wanted;
} texts[] = {
	{ "", "" },
	{ "a", "<a>/" },
	{ "a,b\n", "<a><b>/" },
	{ "a,b\r\nc,d\r\n", "<a><b>/<c><d>/" },
	{ "a,\n", "<a><>/" },
	{ "a,", "<a><>/" },
	{ ",a\n", "<><a>/" },
	{ " a b ,\tc\t\n", "<a b><c>/" },
	{ "\xef\xbb\xbf"
	  "a,b\n1,2",
	    "<a><b>/<1><2>/" },
	{ "a;b\n1,5;2\n", "<a><b>/<1,5><2>/" },
	{ "a\tb\n\t2\n", "<a><b>/<><2>/" },
	{ "# x, y\n\n;;\na;b\n", "<a><b>/" },
	{ "a,b\n#c,d\n  # e\nf,#g\n", "<a><b>/<f><#g>/" },
	{ "a,b\n,\n\r\n , \n1,2", "<a><b>/<1><2>/" },
	{ "\"#a\",b", "<#a><b>/" },
	{ "a,\"b,c\"\n", "<a><b,c>/" },
	{ "a,\"say \"\"x\"\"\" ,c", "<a><say \"x\"><c>/" },
	{ "\"\",a\n", "<><a>/" },
	{ "\"a\nb\",c\nd", "<a\nb><c>/<d>/" },
	{ "a,\"\"\"\"", "<a><\">/" },
	{ "m\xc2\xb3,\xe2\x82\xac,\xf0\x9f\x98\x80",
	    "<m\xc2\xb3><\xe2\x82\xac><\xf0\x9f\x98\x80>/" },
	{ "a\rb,c\r", "<a\rb><c>/" },
	/* what is wrong, and where */
	{ "a,b\n1,\"2", "<a><b>/2:3 this quote is never " },
	{ "a,\"b", "1:3 this quote is never " },
	{ "a,\"", "1:3 this quote is never " },
	{ "a,\"b\"c,d", "1:6 a separator is wante" },
	{ "m\xc2\xb3,b\"c", "1:5 a quote in the middl" },
	{ "a,\xb3", "1:3 this is no UTF-8; sa" },
	{ "a,\xc2", "1:3 this is no UTF-8; sa" },
	{ "a,\"\xc0\x80\"", "1:4 this is no UTF-8; sa" },
	{ "a,\xed\xa0\x80", "1:3 this is no UTF-8; sa" },
	{ "a,\xf4\x90\x80\x80", "1:3 this is no UTF-8; sa" },
	{ "#\xff\na", "1:2 this is no UTF-8; sa" },
};

START_TEST(fields_are_what_was_meant_and_mistakes_have_their_place)
{
	char out[200];

	show(texts[_i].text, strlen(texts[_i].text), out, sizeof(out));
	ck_assert_str_eq(out, texts[_i].wanted);
}
END_TEST

START_TEST(every_beginning_of_a_text_is_read_to_its_end)
{
	char out[200];

	for (size_t len = 0; len < strlen(texts[_i].text); len++)
		show(texts[_i].text, len, out, sizeof(out));
}
END_TEST

START_TEST(a_field_knows_its_line_and_column)
{
	char text[] = "a,b\n\"x\ny\",\"\xc2\xb3\",  z\n";
	struct csv_field f[CSV_FIELDS_MAX];
	struct csv c;

	csv_init(&c, text, sizeof(text) - 1);
	ck_assert_int_eq(csv_next(&c, f), 2);
	ck_assert_uint_eq(f[1].line, 1);
	ck_assert_uint_eq(f[1].col, 3);
	ck_assert(!f[1].quoted);
	ck_assert_int_eq(csv_next(&c, f), 3);
	ck_assert_uint_eq(f[0].line, 2);
	ck_assert_uint_eq(f[0].col, 1);
	ck_assert_uint_eq(f[1].line, 3);
	ck_assert_uint_eq(f[1].col, 4);
	ck_assert(f[1].quoted);
	ck_assert_uint_eq(f[2].col, 10);
	ck_assert_int_eq(csv_next(&c, f), 0);
	ck_assert_int_eq(csv_next(&c, f), 0);
}
END_TEST

START_TEST(a_nul_byte_is_no_text)
{
	char out[100];

	show("a,b\0c\n", 6, out, sizeof(out));
	ck_assert_str_eq(out, "1:4 a NUL byte: this is ");
}
END_TEST

START_TEST(so_many_fields_and_no_more)
{
	char text[2 * CSV_FIELDS_MAX + 2] = "";
	struct csv_field f[CSV_FIELDS_MAX];
	struct csv c;

	for (int i = 0; i < CSV_FIELDS_MAX; i++)
		strcat(text, i == 0 ? "a" : ",a");
	csv_init(&c, text, strlen(text));
	ck_assert_int_eq(csv_next(&c, f), CSV_FIELDS_MAX);
	for (size_t i = 0; i < strlen(text); i++)
		ck_assert(text[i] != ',');
	memset(text, ',', sizeof(text) - 1);
	csv_init(&c, text, strlen(text));
	ck_assert_int_eq(csv_next(&c, f), -1);
	ck_assert_str_eq(c.why, "too many fields");
	/* with a mistake it ends */
	ck_assert_int_eq(csv_next(&c, f), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("csv");
	TCase *tc = tcase_create("csv");
	int n = sizeof(texts) / sizeof(texts[0]);

	suite_add_tcase(s, tc);
	tcase_add_loop_test(
	    tc, fields_are_what_was_meant_and_mistakes_have_their_place, 0, n);
	tcase_add_loop_test(
	    tc, every_beginning_of_a_text_is_read_to_its_end, 0, n);
	tcase_add_test(tc, a_field_knows_its_line_and_column);
	tcase_add_test(tc, a_nul_byte_is_no_text);
	tcase_add_test(tc, so_many_fields_and_no_more);
	return suite_run(s);
}
