/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON with comments: what is taken, where each value is said to be, and what
 * is said about text that is no JSON.
 */

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf/jsonc.h"

static char told[2000];
static unsigned ntold;

static void
tell(void *arg, const struct jsonc_doc *doc, uint32_t line, uint32_t col,
    const char *what)
{
	size_t len = strlen(told);

	ck_assert_ptr_eq(arg, &ntold);
	ck_assert_str_eq(doc->path, "f");
	snprintf(told + len, sizeof(told) - len, "%s%u:%u: %s",
	    len > 0 ? "\n" : "", line, col, what);
	ntold++;
}

static struct jsonc_doc *
parse_part(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	struct jsonc_doc *doc;

	memcpy(copy, text, len);
	copy[len] = '\0';
	told[0] = '\0';
	ntold = 0;
	doc = jsonc_parse("f", copy, len, tell, &ntold);
	free(copy); /* nothing may point into it */
	return doc;
}

static struct jsonc_doc *
parse(const char *text)
{
	return parse_part(text, strlen(text));
}

/* ---- what is taken ---- */

/* Each text is an object whose member "a" is the string "ok". */
static const char *const fine[] = {
	"{\"a\":\"ok\"}",
	"{ \"a\" : \"ok\" , }",
	"// one\n{ \"a\": \"ok\" } // two",
	"# one\n{ \"a\": # two\n \"ok\" }\n# three",
	"/* one */{/**/\"a\"/* \n * two */:\"ok\"/***/}",
	"{ \"a\": \"ok\", \"b\": [1, 2, 3, /* last */ ], }",
	"{ \"a\": \"ok\", \"b\": {\"c\": [], }, // end\n}",
	"{ \"a\": \"ok\" // \xff is not read\n}",
	"\xef\xbb\xbf{ \"a\": \"ok\" }",
	"{\r\n\t\"a\": \"ok\"\r\n}\r\n",
	"{ \"a\": \"\\u006f\\u006b\" }",
	"{ \"\\u0061\": \"ok\" }",
	"{ \"b\": \"// no comment\", \"a\": \"ok\" }",
	"{ \"b\": \"# /* no comment\", \"a\": \"ok\" }",
	"{ \"b\": \"\\\"// no comment\", \"a\": \"ok\" }",
	"{ \"b\": \"\\\\\", \"a\": \"ok\" }",
	"{ \"b\": \",]\", \"a\": \"ok\" }",
	"{ \"b\": \",}\", \"a\": \"ok\" }",
};

START_TEST(comments_and_trailing_commas_are_taken)
{
	struct jsonc_doc *doc = parse(fine[_i]);
	struct jsonc_node *a;

	ck_assert_msg(ntold == 0, "%s: %s", fine[_i], told);
	a = jsonc_get(doc->root, "a");
	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(a->type, JSONC_STRING);
	ck_assert_str_eq(a->text, "ok");
	jsonc_free(doc);
}
END_TEST

static const struct {
	const char *text;
	enum jsonc_type type;
	bool negative;
	uint64_t magnitude;
	double real;
} numbers[] = {
	{ "0", JSONC_INTEGER, false, 0, 0 },
	{ "-0", JSONC_INTEGER, true, 0, 0 },
	{ "17", JSONC_INTEGER, false, 17, 17 },
	{ "-32768", JSONC_INTEGER, true, 32768, -32768 },
	{ "9007199254740993", JSONC_INTEGER, false, 9007199254740993u,
	    9007199254740992.0 },
	{ "9223372036854775808", JSONC_INTEGER, false, 9223372036854775808u,
	    9223372036854775808.0 },
	{ "18446744073709551615", JSONC_INTEGER, false, UINT64_MAX,
	    18446744073709551616.0 },
	{ "18446744073709551616", JSONC_REAL, false, 0,
	    18446744073709551616.0 },
	{ "1.5", JSONC_REAL, false, 0, 1.5 },
	{ "-1.5e3", JSONC_REAL, false, 0, -1500 },
	{ "1E2", JSONC_REAL, false, 0, 100 },
};

START_TEST(numbers_keep_every_bit)
{
	struct jsonc_doc *doc = parse(numbers[_i].text);
	struct jsonc_node *n = doc->root;

	ck_assert_msg(n != NULL, "%s", told);
	ck_assert_int_eq(n->type, numbers[_i].type);
	if (n->type == JSONC_INTEGER) {
		ck_assert(n->negative == numbers[_i].negative);
		ck_assert(n->magnitude == numbers[_i].magnitude);
	}
	ck_assert(jsonc_number(n) == numbers[_i].real);
	jsonc_free(doc);
}
END_TEST

START_TEST(words_are_what_they_say)
{
	struct jsonc_doc *doc = parse("[true, false, null]");
	struct jsonc_node *n = doc->root->in.first;

	ck_assert_uint_eq(doc->root->in.n, 3);
	ck_assert(n->type == JSONC_BOOL && n->yes);
	n = n->next;
	ck_assert(n->type == JSONC_BOOL && !n->yes);
	n = n->next;
	ck_assert(n->type == JSONC_NULL);
	ck_assert_ptr_null(n->next);
	jsonc_free(doc);
}
END_TEST

/* ---- places ---- */

START_TEST(every_key_and_value_knows_its_place)
{
	struct jsonc_doc *doc = parse("// first\n"
				      "{\n"
				      "  \"one\": 1, /* \xc3\xa4 */ \"two\":\n"
				      "\t[ 10,\n"
				      "    \"\xc3\xa4\xc3\xb6\", 30 ]\n"
				      "}\n");
	struct jsonc_node *two = jsonc_get(doc->root, "two"), *n;

	ck_assert_msg(ntold == 0, "%s", told);
	ck_assert_uint_eq(doc->root->line, 2);
	ck_assert_uint_eq(doc->root->col, 1);
	n = jsonc_get(doc->root, "one");
	ck_assert_uint_eq(n->key_line, 3);
	ck_assert_uint_eq(n->key_col, 3);
	ck_assert_uint_eq(n->line, 3);
	ck_assert_uint_eq(n->col, 10);
	/* a column is a character, in comments too */
	ck_assert_uint_eq(two->key_line, 3);
	ck_assert_uint_eq(two->key_col, 21);
	ck_assert_uint_eq(two->line, 4);
	ck_assert_uint_eq(two->col, 2);
	n = two->in.first->next->next;
	ck_assert_uint_eq(n->magnitude, 30);
	ck_assert_uint_eq(n->line, 5);
	ck_assert_uint_eq(n->col, 11);
	ck_assert_ptr_null(n->key);
	jsonc_free(doc);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
	const char *text;
	const char *told;
} wrong[] = {
	{ "", "1:1: the file is empty" },
	{ " \n ", "1:1: the file is empty" },
	{ "// nothing\n", "1:1: the file is empty" },
	{ "{ \"a\": 1\n  \"b\": 2 }",
	    "2:3: \",\" or \"}\" is missing at \"b\"" },
	{ "{ \"a\": [1 2] }", "1:11: \",\" or \"]\" is missing at 2" },
	{ "{ \"a\": [1, 2 }", "1:14: \",\" or \"]\" is missing at }" },
	{ "{ \"a\" 1 }", "1:7: \":\" is missing after the key at 1" },
	{ "{ a: 1 }", "1:3: a key in double quotes is missing at a" },
	{ "{ \"a\": 1,, }", "1:10: a key in double quotes is missing at ," },
	{ "{ , }", "1:3: a key in double quotes is missing at ," },
	{ "[ , ]", "1:3: a value is missing at ," },
	{ "{ \"a\": }", "1:8: a value is missing at }" },
	{ "{ \"a\": tru }", "1:8: no value that JSON knows at tru" },
	{ "{ \"a\": plc1 }", "1:8: no value that JSON knows at plc1" },
	{ "{ \"a\": \"a text of more than forty characters, "
	  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 and so on }",
	    "1:8: the string is not closed at \"a text of more than forty "
	    "characters, " },
	{ "{ \"a\": 0x10 }", "1:8: \",\" or \"}\" is missing at 0x10" },
	{ "{ \"a\": 010 }", "1:8: no value that JSON knows at 010" },
	{ "{ \"a\": 'x' }", "1:8: strings and keys take double quotes at 'x'" },
	{ "{ 'a': 1 }", "1:3: strings and keys take double quotes at 'a'" },
	{ "{ \"a\": \"x\n\" }",
	    "1:8: the string is not closed on its line at \"x" },
	{ "{ \"a\": \"\\q\" }",
	    "1:8: no escape that JSON knows in the string at \"\\q\"" },
	{ "{ \"a\": \"\\u12\" }",
	    "1:8: no escape that JSON knows in the string at \"\\u12\"" },
	{ "{ \"a\": \"\\ud800\" }",
	    "1:8: no escape that JSON knows in the string at \"\\ud800\"" },
	{ "{ \"a\": \"\\u0000\" }",
	    "1:8: \\u0000 cannot stand in a string at \"\\u0000\"" },
	{ "{ \"a\": \"\t\" }",
	    "1:8: a control character in the string; write it as an escape, "
	    "a tab as \\t, at \"\t\"" },
	{ "{ \"a\": \"\xff\" }", "1:8: the text is not UTF-8 at \"\xff\"" },
	{ "{ \"a\": 1e999 }", "1:8: the number is too large at 1e999" },
	{ "{ \"a\": 1 } }", "1:12: more text after the end of the value at }" },
	{ "{ \"a\": 1",
	    "1:9: the file ends inside the object that begins at "
	    "1:1" },
	{ "{\n \"a\": [\n",
	    "3:1: the file ends inside the list that begins at "
	    "2:7" },
	{ "{ \"a\": \"x", "1:8: the string is not closed at \"x" },
	{ "{ \"a\": 1 /* }", "1:10: this comment is never closed" },
	{ "{ \"a\": 1 } /", "1:12: more text after the end of the value at /" },
};

START_TEST(a_syntax_error_is_told_with_its_place_and_reason)
{
	struct jsonc_doc *doc = parse(wrong[_i].text);

	ck_assert_ptr_null(doc->root);
	ck_assert_uint_eq(ntold, 1);
	ck_assert_str_eq(told, wrong[_i].told);
	jsonc_free(doc);
}
END_TEST

START_TEST(a_byte_of_zero_is_told)
{
	struct jsonc_doc *doc = parse_part("{ \"a\":\n \0 1 }", 12);

	ck_assert_ptr_null(doc->root);
	ck_assert_str_eq(told, "2:2: a NUL byte: this is no text file");
	jsonc_free(doc);
}
END_TEST

START_TEST(each_duplicate_key_is_told_with_the_place_of_the_first)
{
	struct jsonc_doc *doc = parse("{ \"a\": 1, \"b\": 2,\n"
				      "  \"a\": 3, \"\\u0062\": 4,\n"
				      "  \"a\": 5, \"c\": {\"a\": 6} }");

	ck_assert_uint_eq(ntold, 3);
	ck_assert_str_eq(told,
	    "2:3: duplicate key \"a\"; it stands at 1:3 already\n"
	    "3:3: duplicate key \"a\"; it stands at 1:3 already\n"
	    "2:11: duplicate key \"b\"; it stands at 1:11 already");
	/* the first one stays */
	ck_assert_uint_eq(doc->root->in.n, 3);
	ck_assert_uint_eq(jsonc_get(doc->root, "a")->magnitude, 1);
	ck_assert_uint_eq(jsonc_get(doc->root, "b")->magnitude, 2);
	jsonc_free(doc);
}
END_TEST

START_TEST(text_cut_anywhere_is_refused_with_one_line)
{
	static const char whole[] =
	    "{ \"a\": [1, 2.5, \"\\u00e4\\\\\", true], // c\n"
	    "  \"b\": { \"c\": null, \"d\": -7 }, /* e */ \"f\": [[], {}] }";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct jsonc_doc *doc = parse_part(whole, n);

		ck_assert_msg(doc->root == NULL && ntold == 1,
		    "%zu bytes: %u told", n, ntold);
		jsonc_free(doc);
	}
}
END_TEST

static struct jsonc_doc *
parse_nested(size_t depth)
{
	char *text = malloc(2 * depth + 1);
	struct jsonc_doc *doc;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	doc = parse_part(text, 2 * depth);
	free(text);
	return doc;
}

START_TEST(brackets_nested_beyond_all_reason_are_refused)
{
	struct jsonc_doc *doc = parse_nested(2000);

	ck_assert_uint_eq(ntold, 0);
	jsonc_free(doc);
	doc = parse_nested(100000);
	ck_assert_ptr_null(doc->root);
	ck_assert_ptr_nonnull(strstr(told, "nested too deeply"));
	jsonc_free(doc);
}
END_TEST

START_TEST(a_long_list_takes_no_longer_than_its_length)
{
	enum { N = 200000 };
	char *text = malloc(N * 7 + 16);
	struct jsonc_doc *doc;
	size_t at = 0;

	/* one line: a column must not cost a walk from the line's start */
	text[at++] = '[';
	for (unsigned i = 0; i < N; i++)
		at += (size_t)sprintf(text + at, "%u,", i % 65536);
	text[at++] = ']';
	doc = parse_part(text, at);
	ck_assert_msg(ntold == 0, "%s", told);
	ck_assert_uint_eq(doc->root->in.n, N);
	jsonc_free(doc);
	free(text);
}
END_TEST

static const struct {
	const char *a, *b;
	bool equal;
} pairs[] = {
	{ "{\"a\":1,\"b\":[true,null]}", "{\"b\":[true,null],\"a\":1}", true },
	{ "{\"a\":1}", "{\"a\":1,\"b\":2}", false },
	{ "{\"a\":1,\"c\":2}", "{\"a\":1,\"b\":2}", false },
	{ "[1,2]", "[2,1]", false },
	{ "[1,2]", "[1,2,3]", false },
	{ "[1,2]", "[1,2]", true },
	{ "1", "1.0", false },
	{ "1", "-1", false },
	{ "1.5", "1.5", true },
	{ "1.5", "1.25", false },
	{ "18446744073709551615", "18446744073709551614", false },
	{ "\"a\"", "\"\\u0061\"", true },
	{ "\"a\"", "\"b\"", false },
	{ "true", "false", false },
	{ "null", "null", true },
	{ "null", "[]", false },
};

START_TEST(equal_is_what_says_the_same)
{
	struct jsonc_doc *a = parse(pairs[_i].a), *b = parse(pairs[_i].b);

	ck_assert(jsonc_equal(a->root, b->root) == pairs[_i].equal);
	ck_assert(jsonc_equal(b->root, a->root) == pairs[_i].equal);
	ck_assert(!jsonc_equal(a->root, NULL) && !jsonc_equal(NULL, a->root));
	ck_assert(jsonc_equal(NULL, NULL));
	jsonc_free(a);
	jsonc_free(b);
}
END_TEST

START_TEST(what_is_no_object_has_no_members)
{
	struct jsonc_doc *doc = parse("[1]");

	ck_assert_ptr_null(jsonc_get(doc->root, "a"));
	ck_assert_ptr_null(jsonc_get(NULL, "a"));
	jsonc_free(doc);
	jsonc_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("jsonc");
	TCase *tc = tcase_create("jsonc");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, comments_and_trailing_commas_are_taken, 0,
	    sizeof(fine) / sizeof(fine[0]));
	tcase_add_loop_test(tc, numbers_keep_every_bit, 0,
	    sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_test(tc, words_are_what_they_say);
	tcase_add_test(tc, every_key_and_value_knows_its_place);
	tcase_add_loop_test(tc,
	    a_syntax_error_is_told_with_its_place_and_reason, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, a_byte_of_zero_is_told);
	tcase_add_test(
	    tc, each_duplicate_key_is_told_with_the_place_of_the_first);
	tcase_add_test(tc, text_cut_anywhere_is_refused_with_one_line);
	tcase_add_test(tc, brackets_nested_beyond_all_reason_are_refused);
	tcase_add_test(tc, a_long_list_takes_no_longer_than_its_length);
	tcase_add_loop_test(tc, equal_is_what_says_the_same, 0,
	    sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(tc, what_is_no_object_has_no_members);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
