/* SPDX-License-Identifier: Apache-2.0 */
/* Roles as they lie in certificates: exactly one UTF8String in DER. */

#include "workers/proto/role.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

#define U "\x0c"

static const struct good {
	const char *der;
	size_t len;
	const char *role;
} goods[] = {
	{ U "\x08operator", 10, "operator" }, { U "\x01x", 3, "x" },
	{ U "\x12ReadOnlySunSpec-01", 20, "ReadOnlySunSpec-01" },
	{ U "\x02\xc3\xa9", 4, "\xc3\xa9" },
	{ U "\x02\xc2\x80", 4, "\xc2\x80" },
	{ U "\x02\xdf\xbf", 4, "\xdf\xbf" },
	{ U "\x03\xe0\xa0\x80", 5, "\xe0\xa0\x80" },
	{ U "\x03\xed\x9f\xbf", 5, "\xed\x9f\xbf" },
	{ U "\x03\xee\x80\x80", 5, "\xee\x80\x80" },
	{ U "\x04\xf0\x90\x80\x80", 6, "\xf0\x90\x80\x80" },
	{ U "\x04\xf4\x8f\xbf\xbf", 6, "\xf4\x8f\xbf\xbf" },
	{ U "\x03 a ", 5, " a " }, /* the whole string is the role */
};

static const struct bad {
	const char *der;
	size_t len;
	const char *why;
} bads[] = {
	{ "", 0, "its role is cut off" },
	{ U, 1, "its role is cut off" },
	{ U "\x00", 2, "its role is empty" },
	{ U "\x08operato", 9, "its role is not one UTF8String" },
	{ U "\x07operator", 10, "its role is not one UTF8String" },
	{ U "\x01"
	    "a" U "\x01"
	    "b",
	    6, "its role is not one UTF8String" },
	{ "\x13\x08operator", 10, "its role is no UTF8String" }, /* Printable */
	{ "\x16\x08operator", 10, "its role is no UTF8String" }, /* IA5 */
	{ "\x04\x08operator", 10, "its role is no UTF8String" }, /* OCTET */
	{ "\x2c\x08operator", 10, "its role is no UTF8String" }, /* in parts */
	{ "\x30\x03" U "\x01x", 5, "its role is no UTF8String" },
	/* lengths that DER would not spell so */
	{ U "\x81\x08operator", 11, "its role is too long" },
	{ U "\x80operator\x00\x00", 12, "its role is too long" },
	{ U "\xff", 2, "its role is too long" },
	{ U "\x41", 2, "its role is too long" },
	{ U "\x08oper\x00tor", 10, "its role is no UTF-8" },
	{ U "\x01\x80", 3, "its role is no UTF-8" },
	{ U "\x01\xc3", 3, "its role is no UTF-8" },
	{ U "\x02\xc3x", 4, "its role is no UTF-8" },
	{ U "\x02\xc0\xaf", 4, "its role is no UTF-8" }, /* too long a way */
	{ U "\x02\xc1\xbf", 4, "its role is no UTF-8" },
	{ U "\x03\xe0\x9f\xbf", 5, "its role is no UTF-8" },
	{ U "\x03\xed\xa0\x80", 5, "its role is no UTF-8" }, /* half a pair */
	{ U "\x02\xe2\x82", 4, "its role is no UTF-8" },
	{ U "\x04\xf0\x8f\xbf\xbf", 6, "its role is no UTF-8" },
	{ U "\x04\xf4\x90\x80\x80", 6, "its role is no UTF-8" },
	{ U "\x04\xf5\x80\x80\x80", 6, "its role is no UTF-8" },
	{ U "\x03\xf0\x90\x80", 5, "its role is no UTF-8" },
	{ U "\x01\xff", 3, "its role is no UTF-8" },
};

/* In memory of exactly that size: its end is seen by ASan. */
static const char *
parse(const char *der, size_t len, char role[MB_ROLE_MAX + 1])
{
	uint8_t *copy = malloc(len + 1);
	const char *why;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy + 1, der, len);
	memset(role, '?', MB_ROLE_MAX + 1);
	why = mb_role_parse(copy + 1, len, role);
	free(copy);
	return why;
}

START_TEST(r22_r65_one_utf8string_is_the_role)
{
	const struct good *g = &goods[_i];
	char role[MB_ROLE_MAX + 1];

	ck_assert_ptr_null(parse(g->der, g->len, role));
	ck_assert_str_eq(role, g->role);
}
END_TEST

START_TEST(r65_anything_else_is_none)
{
	const struct bad *b = &bads[_i];
	char role[MB_ROLE_MAX + 1];

	ck_assert_pstr_eq(parse(b->der, b->len, role), b->why);
	ck_assert_str_eq(role, "");
}
END_TEST

START_TEST(a_role_that_is_cut_anywhere_is_none)
{
	const struct good *g = &goods[_i];
	char role[MB_ROLE_MAX + 1];

	for (size_t n = 0; n < g->len; n++) {
		ck_assert_ptr_nonnull(parse(g->der, n, role));
		ck_assert_str_eq(role, "");
	}
}
END_TEST

START_TEST(the_longest_role_has_64_bytes)
{
	char der[MB_ROLE_MAX + 4], role[MB_ROLE_MAX + 1];

	memset(der, 'r', sizeof(der));
	der[0] = 12;
	der[1] = MB_ROLE_MAX;
	ck_assert_ptr_null(parse(der, MB_ROLE_MAX + 2, role));
	ck_assert_uint_eq(strlen(role), MB_ROLE_MAX);
	der[1] = MB_ROLE_MAX + 1;
	ck_assert_str_eq(
	    parse(der, MB_ROLE_MAX + 3, role), "its role is too long");
}
END_TEST

START_TEST(a_role_is_written_as_it_is_read)
{
	const struct good *g = &goods[_i];
	uint8_t der[MB_ROLE_DER_MAX];

	ck_assert_uint_eq(mb_role_put(der, g->role), g->len);
	ck_assert_mem_eq(der, g->der, g->len);
}
END_TEST

START_TEST(what_would_not_be_read_is_not_written)
{
	uint8_t der[MB_ROLE_DER_MAX];
	char text[MB_ROLE_MAX + 2];

	memset(text, 'r', sizeof(text));
	text[MB_ROLE_MAX + 1] = '\0';
	ck_assert_uint_eq(mb_role_put(der, text), 0);
	ck_assert_uint_eq(mb_role_put(der, text + 1), MB_ROLE_DER_MAX);
	ck_assert_uint_eq(mb_role_put(der, ""), 0);
	ck_assert_uint_eq(mb_role_put(der, "\xc3"), 0);
	ck_assert_uint_eq(mb_role_put(der, "\xed\xa0\x80"), 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("role");
	TCase *tc = tcase_create("role");
	int ngoods = sizeof(goods) / sizeof(goods[0]);
	int nbads = sizeof(bads) / sizeof(bads[0]);

	tcase_add_loop_test(tc, r22_r65_one_utf8string_is_the_role, 0, ngoods);
	tcase_add_loop_test(tc, r65_anything_else_is_none, 0, nbads);
	tcase_add_loop_test(tc, a_role_that_is_cut_anywhere_is_none, 0, ngoods);
	tcase_add_test(tc, the_longest_role_has_64_bytes);
	tcase_add_loop_test(tc, a_role_is_written_as_it_is_read, 0, ngoods);
	tcase_add_test(tc, what_would_not_be_read_is_not_written);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(make_suite());
}
