/* SPDX-License-Identifier: Apache-2.0 */
/* Files of keys: what is taken for one, and what is left out. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/zmq/curve.h"
#include "tests/suite.h"

#define KEY "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static char dir[] = "/tmp/check-curve-XXXXXX", path[64], why[256];
static struct curve_clients clients;

/* Path of a file in the directory, which it is the first one to have. */
static void
name_it(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static void
put(const char *name, const char *text)
{
	FILE *f;

	name_it(name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* Nobody will ever write there. */
static void
put_fifo(const char *name)
{
	name_it(name);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	static const char *names[] = { "a", "b", "c" };

	curve_free_clients(&clients);
	for (int i = 0; i < 3; i++)
		name_it(names[i]);
	ck_assert_int_eq(rmdir(dir), 0);
}

static const char *secrets[] = {
	"metadata\ncurve\n    secret-key = \"" KEY "\"\n",
	"# secret-key = \"" KEY "x\"\nsecret-key=" KEY,
	KEY "\n",
};

START_TEST(a_secret_is_read_named_or_bare)
{
	char secret[CURVE_TEXT];

	put("a", secrets[_i]);
	ck_assert_int_eq(curve_load_secret(path, secret, why, sizeof(why)), 0);
	ck_assert_str_eq(secret, KEY);
}
END_TEST

static const char *wrong[] = {
	"",
	"secret-key = \"too-short\"\n",
	"public-key = \"" KEY "\"\n",
	"secret-key = \"" KEY "x\"\n",
};

START_TEST(what_is_no_secret_is_told)
{
	char secret[CURVE_TEXT];

	put("a", wrong[_i]);
	ck_assert_int_eq(curve_load_secret(path, secret, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "/a holds no secret-key of 40 "));
}
END_TEST

START_TEST(what_is_no_plain_file_is_told_and_not_waited_for)
{
	char secret[CURVE_TEXT];
	size_t size = sizeof(why);

	put_fifo("a");
	ck_assert_int_eq(curve_load_secret(path, secret, why, size), -1);
	ck_assert_ptr_nonnull(strstr(why, "/a: it is no plain file"));
	ck_assert_int_eq(curve_load_secret(dir, secret, why, size), -1);
	ck_assert_ptr_nonnull(strstr(why, ": Is a directory"));
	unlink(path);
	ck_assert_int_eq(curve_load_secret(path, secret, why, size), -1);
	ck_assert_ptr_nonnull(strstr(why, "/a: No such file"));
}
END_TEST

START_TEST(one_that_is_no_client_keeps_out_no_other)
{
	uint8_t key[32];

	put("a", "public-key = \"" KEY "\"\nrole = \"operate\"\n");
	put("b", "public-key = \"no key\"\n");
	put_fifo("c");
	ck_assert_int_eq(curve_load_clients(&clients, dir), 0);
	ck_assert_uint_eq(clients.n, 1);
	memcpy(key, clients.at[0].key, sizeof(key));
	ck_assert_ptr_eq(curve_find(&clients, key), &clients.at[0]);
	ck_assert_int_eq(clients.at[0].role, CMD_OPERATE);
	ck_assert_str_eq(clients.at[0].name, "a");
	ck_assert_uint_ne(clients.stamp, 0);
	key[0] ^= 1;
	ck_assert_ptr_null(curve_find(&clients, key));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("curve");
	TCase *tc = tcase_create("curve");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_secret_is_read_named_or_bare, 0,
	    sizeof(secrets) / sizeof(secrets[0]));
	tcase_add_loop_test(
	    tc, what_is_no_secret_is_told, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, what_is_no_plain_file_is_told_and_not_waited_for);
	tcase_add_test(tc, one_that_is_no_client_keeps_out_no_other);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(make_suite());
}
