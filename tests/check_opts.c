/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of holdfastd. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/opts.h"

static char said[1000];

/* Reads a line of words; what it says is in said. */
static int
read_line(struct opts *o, const char *line)
{
	static char words[400]; /* opts borrows from it */
	char *argv[16], *w;
	int argc = 0, rc;
	FILE *f = fmemopen(said, sizeof(said), "w");

	snprintf(words, sizeof(words), "holdfastd %s", line);
	for (w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	said[0] = '\0';
	rc = opts_read(o, argc, argv, f);
	fclose(f);
	return rc;
}

START_TEST(without_options_the_paths_are_the_systems)
{
	struct opts o;

	unsetenv("HOLDFAST_RUN_DIR");
	ck_assert_int_eq(read_line(&o, ""), 0);
	ck_assert_int_eq(o.task, OPTS_SERVE);
	ck_assert_str_eq(o.config, "/etc/holdfast/holdfast.json");
	ck_assert_str_eq(o.run_dir, "/run/holdfast");
	ck_assert_ptr_null(o.log_file);
	ck_assert_int_eq(o.log_level, LOG_INFO);
	ck_assert_int_eq(o.log_format, LOG_TEXT);
}
END_TEST

START_TEST(the_run_directory_is_the_option_else_the_environment)
{
	struct opts o;

	setenv("HOLDFAST_RUN_DIR", "/tmp/e", 1);
	ck_assert_int_eq(read_line(&o, ""), 0);
	ck_assert_str_eq(o.run_dir, "/tmp/e");
	ck_assert_int_eq(read_line(&o, "--run-dir /tmp/o"), 0);
	ck_assert_str_eq(o.run_dir, "/tmp/o");
	setenv("HOLDFAST_RUN_DIR", "", 1);
	ck_assert_int_eq(read_line(&o, ""), 0);
	ck_assert_str_eq(o.run_dir, "/run/holdfast");
}
END_TEST

START_TEST(long_and_short_forms_do_the_same)
{
	struct opts o;

	ck_assert_int_eq(read_line(&o, "-c a -t"), 0);
	ck_assert_str_eq(o.config, "a");
	ck_assert_int_eq(o.task, OPTS_CHECK);
	ck_assert_int_eq(read_line(&o, "--config=b --check-config"), 0);
	ck_assert_str_eq(o.config, "b");
	ck_assert_int_eq(o.task, OPTS_CHECK);
	ck_assert_int_eq(read_line(&o, "--dump-config"), 0);
	ck_assert_int_eq(o.task, OPTS_DUMP);
	ck_assert_int_eq(read_line(&o, "-V"), 0);
	ck_assert_int_eq(o.task, OPTS_VERSION);
	ck_assert_int_eq(read_line(&o, "-h"), 0);
	ck_assert_int_eq(o.task, OPTS_HELP);
	ck_assert_int_eq(
	    read_line(&o, "--log debug --log-file f --log-format json"), 0);
	ck_assert_int_eq(o.log_level, LOG_DEBUG);
	ck_assert_str_eq(o.log_file, "f");
	ck_assert_int_eq(o.log_format, LOG_JSON);
	ck_assert(!o.guard);
	ck_assert_int_eq(read_line(&o, "--guard"), 0);
	ck_assert(o.guard);
}
END_TEST

static const struct {
	const char *line, *says;
} wrong[] = {
	{ "--confg x", "unknown option \"confg\"; did you mean \"config\"?" },
	{ "--run-dri=x",
	    "unknown option \"run-dri\"; did you mean "
	    "\"run-dir\"?" },
	{ "--chek-config", "did you mean \"check-config\"?" },
	{ "--zzzzzzzzzzzz", "unknown option \"zzzzzzzzzzzz\"\n" },
	{ "-t --confg", "did you mean \"config\"?" },
	{ "--version=3", "option --version takes no value" },
	{ "-x", "unknown option -x" },
	{ "-tx", "unknown option -x" },
	{ "-c", "option --config needs a value" },
	{ "--log-file", "option --log-file needs a value" },
	{ "--log infos",
	    "unknown log level \"infos\"; did you mean \"info\"?" },
	{ "--log-format jason",
	    "unknown log format \"jason\"; did you mean \"json\"?" },
	{ "plant.json", "unexpected \"plant.json\"" },
	{ "-t plant.json --bogus", "unexpected \"plant.json\"" },
};

START_TEST(mistakes_are_said_with_what_was_probably_meant)
{
	struct opts o;

	ck_assert_int_eq(read_line(&o, wrong[_i].line), -1);
	ck_assert_msg(strstr(said, wrong[_i].says) != NULL, "%s", said);
}
END_TEST

START_TEST(the_help_names_every_option)
{
	static const char *const names[] = { "-c, --config FILE",
		"-t, --check-config", "-T, --dump-config", "--run-dir DIR",
		"--guard", "--log LEVEL", "--log-file FILE",
		"--log-format FORMAT", "-V, --version", "-h, --help" };
	char text[2000] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");
	size_t i;

	opts_help(f);
	fclose(f);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(strstr(text, names[i]) != NULL, "%s", names[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("opts");
	TCase *t = tcase_create("opts");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, without_options_the_paths_are_the_systems);
	tcase_add_test(t, the_run_directory_is_the_option_else_the_environment);
	tcase_add_test(t, long_and_short_forms_do_the_same);
	tcase_add_loop_test(t, mistakes_are_said_with_what_was_probably_meant,
	    0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(t, the_help_names_every_option);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
