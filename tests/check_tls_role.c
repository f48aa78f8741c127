/* SPDX-License-Identifier: Apache-2.0 */
/* Which role a certificate names; how a role is read: check_role.c. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "workers/tls/tls_role.h"

#define U "\x0c"

/* Certificates need not be signed to be looked into. */
static gnutls_x509_crt_t
certificate(const char *der, size_t len)
{
	gnutls_x509_crt_t crt;

	ck_assert_int_eq(gnutls_x509_crt_init(&crt), 0);
	if (der != NULL)
		ck_assert_int_eq(gnutls_x509_crt_set_extension_by_oid(
				     crt, MB_ROLE_OID, der, len, 0),
		    0);
	return crt;
}

START_TEST(r21_r23_a_certificate_names_one_role_or_none)
{
	gnutls_x509_crt_t crt = certificate(NULL, 0);
	char role[TLS_ROLE_MAX + 1];
	const char *why;

	ck_assert_int_eq(tls_role_of(crt, role, &why), TLS_ROLE_NONE);
	ck_assert_str_eq(role, "");
	gnutls_x509_crt_deinit(crt);
	crt = certificate(U "\x08operator", 10);
	ck_assert_int_eq(tls_role_of(crt, role, &why), TLS_ROLE_ONE);
	ck_assert_str_eq(role, "operator");
	gnutls_x509_crt_deinit(crt);
	crt = certificate("\x13\x08operator", 10);
	ck_assert_int_eq(tls_role_of(crt, role, &why), TLS_ROLE_BAD);
	ck_assert_str_eq(role, "");
	ck_assert_str_eq(why, "its role is no UTF8String");
	gnutls_x509_crt_deinit(crt);
}
END_TEST

START_TEST(a_role_of_any_size_is_looked_at_in_little_memory)
{
	static char der[5000];
	char role[TLS_ROLE_MAX + 1];
	gnutls_x509_crt_t crt;
	const char *why;

	memset(der, 'r', sizeof(der));
	memcpy(der, U "\x82\x13\x84", 4);
	crt = certificate(der, sizeof(der));
	ck_assert_int_eq(tls_role_of(crt, role, &why), TLS_ROLE_BAD);
	ck_assert_str_eq(why, "its role is too long");
	gnutls_x509_crt_deinit(crt);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("tls_role");
	TCase *tc = tcase_create("tls_role");

	tcase_add_test(tc, r21_r23_a_certificate_names_one_role_or_none);
	tcase_add_test(tc, a_role_of_any_size_is_looked_at_in_little_memory);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(make_suite());
}
