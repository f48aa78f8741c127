/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a mistyped name is taken for.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/near.h"

static const char *const names[] = { "type", "listen", "framer", "units",
	"missing_unit", "broadcast", "access", "allow", "deny", "priority",
	"max_connections_per_peer", "max_connections", "idle_timeout_s",
	"frame_timeout_ms", "workers", "autostart", "restart" };

static const struct {
	const char *typed;
	const char *meant; /* NULL: nothing */
} cases[] = {
	/* one edit: left out, put in, replaced, neighbours swapped */
	{ "lisen", "listen" },
	{ "lissten", "listen" },
	{ "lksten", "listen" },
	{ "lsiten", "listen" },
	{ "tyep", "type" },
	/* the exact name is the nearest of all */
	{ "units", "units" },
	/* two edits in a long name */
	{ "idel_timout_s", "idle_timeout_s" },
	/* letters' size and separators are forgotten easily */
	{ "MaxConnections", "max_connections" },
	{ "max-connections", "max_connections" },
	{ "framertimeoutms", "frame_timeout_ms" },
	/* a beginning, of the shortest name that has it */
	{ "maxcon", "max_connections" },
	{ "max_connections_per", "max_connections_per_peer" },
	{ "auto", "autostart" },
	/* the beginning of what was typed is a name */
	{ "listen_address", "listen" },
	/* a part from the middle */
	{ "connections", "max_connections" },
	/* nothing like it */
	{ "xyzzy", NULL },
	{ "", NULL },
	{ "___", NULL },
	{ "q", NULL },
	{ "a name that is far too long to be compared with any other name",
	    NULL },
};

START_TEST(a_mistyped_name_gets_the_nearest_one)
{
	const char *got =
	    near_name(cases[_i].typed, names, sizeof(names) / sizeof(names[0]));

	if (cases[_i].meant == NULL)
		ck_assert_msg(got == NULL, "%s: got %s", cases[_i].typed, got);
	else
		ck_assert_pstr_eq(got, cases[_i].meant);
}
END_TEST

START_TEST(no_names_give_no_name)
{
	ck_assert_ptr_null(near_name("listen", NULL, 0));
}
END_TEST

START_TEST(of_equally_near_names_the_first_is_taken)
{
	static const char *const two[] = { "cat", "bat" };

	ck_assert_str_eq(near_name("rat", two, 2), "cat");
}
END_TEST

START_TEST(names_that_are_too_long_are_passed_over)
{
	char longer[400];
	const char *const two[] = { longer, "listen" };

	memset(longer, 'l', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_str_eq(near_name("listn", two, 2), "listen");
}
END_TEST

START_TEST(what_is_near_nothing_is_told_what_there_is)
{
	static const char *const few[] = { "server", "line" };
	char buf[60];

	ck_assert_str_eq(near_or_all(buf, sizeof(buf), "sever", few, 2),
	    "; did you mean \"server\"?");
	ck_assert_str_eq(near_or_all(buf, sizeof(buf), "nix", few, 2),
	    "; there is \"server\", \"line\"");
	ck_assert_str_eq(near_or_all(buf, sizeof(buf), "nix", few, 0), "");
	/* as many as have room */
	ck_assert_str_eq(
	    near_or_all(buf, 30, "nix", few, 2), "; there is \"server\", ...");
	ck_assert_str_eq(near_or_all(buf, 20, "nix", few, 2), "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("near");
	TCase *tc = tcase_create("near");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, a_mistyped_name_gets_the_nearest_one, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, no_names_give_no_name);
	tcase_add_test(tc, of_equally_near_names_the_first_is_taken);
	tcase_add_test(tc, names_that_are_too_long_are_passed_over);
	tcase_add_test(tc, what_is_near_nothing_is_told_what_there_is);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
