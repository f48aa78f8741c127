/* SPDX-License-Identifier: Apache-2.0 */
/* Roles as they stand in certificates: one UTF8String, or words for why not. */
#include "workers/proto/role.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define DER(text) sizeof(text) - 1, text

static const struct {
	size_t len;
	const char *der, *role, *why;
} roles[] = {
	{ DER("\x0c\x06viewer"), "viewer", NULL },
	{ DER("\x0c\x01x"), "x", NULL },
	{ DER("\x0c\x05\xc3\xa4\xe2\x82\xac"), "\xc3\xa4\xe2\x82\xac", NULL },
	{ DER("\x0c\x04\xf0\x9f\x94\x92"), "\xf0\x9f\x94\x92", NULL },
	{ DER(""), "", "its role is cut off" },
	{ DER("\x0c"), "", "its role is cut off" },
	{ DER("\x13\x06viewer"), "", "its role is no UTF8String" },
	{ DER("\x0c\x07viewer"), "", "its role is not one UTF8String" },
	{ DER("\x0c\x05viewer"), "", "its role is not one UTF8String" },
	{ DER("\x0c\x06viewer\x0c\x01x"), "",
	    "its role is not one UTF8String" },
	{ DER("\x0c\x81\x06viewer"), "", "its role is too long" },
	{ DER("\x0c\x80viewer\0\0"), "", "its role is too long" },
	{ DER("\x0c\x41"), "", "its role is too long" },
	{ DER("\x0c\0"), "", "its role is empty" },
	{ DER("\x0c\x02x\0"), "", "its role is no UTF-8" },
	{ DER("\x0c\x02\xe4\xf6"), "", "its role is no UTF-8" },
	{ DER("\x0c\x01\xc3"), "", "its role is no UTF-8" }, /* cut */
	{ DER("\x0c\x02\xc0\x80"), "", "its role is no UTF-8" }, /* longer */
	{ DER("\x0c\x03\xed\xa0\x80"), "", "its role is no UTF-8" }, /* half */
	{ DER("\x0c\x04\xf4\x90\x80\x80"), "", "its role is no UTF-8" },
};

START_TEST(a_role_is_one_utf8string)
{
	char role[MB_ROLE_MAX + 1];
	uint8_t *der = malloc(roles[_i].len + 1); /* ends where it ends */
	const char *why;

	ck_assert_ptr_nonnull(der);
	memcpy(der, roles[_i].der, roles[_i].len);
	memset(role, 'x', sizeof(role));
	why = mb_role_parse(der, roles[_i].len, role);
	ck_assert_pstr_eq(why, roles[_i].why);
	ck_assert_str_eq(role, roles[_i].role);
	free(der);
}
END_TEST

START_TEST(a_role_has_at_most_64_bytes)
{
	uint8_t der[2 + MB_ROLE_MAX + 1] = { 0x0c, MB_ROLE_MAX };
	char role[MB_ROLE_MAX + 1];

	memset(der + 2, 'r', MB_ROLE_MAX + 1);
	ck_assert_ptr_null(mb_role_parse(der, 2 + MB_ROLE_MAX, role));
	ck_assert_uint_eq(strlen(role), MB_ROLE_MAX);
	der[1]++;
	ck_assert_str_eq(
	    mb_role_parse(der, sizeof(der), role), "its role is too long");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("role");
	TCase *tc = tcase_create("role");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    tc, a_role_is_one_utf8string, 0, sizeof(roles) / sizeof(roles[0]));
	tcase_add_test(tc, a_role_has_at_most_64_bytes);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
