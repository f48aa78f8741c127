/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program says of its server, read as a file would be: by the same keys,
 * with mistakes that name the key and no place.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf.h"
#include "tests/suite.h"

#define DEVICES "\"devices\": {\"plc1\": {}, \"plc2\": {}}"
#define UNITS "\"units\": {\"1\": \"plc1\", \"*\": \"plc2\"}"
#define TCP                                                                   \
	"{" DEVICES ", \"transports\": {\"tcp1\": {\"type\": \"tcp\", " UNITS \
	", \"listen\": \"127.0.0.1:0\"}}}"

static char why[512];

static struct conf *
read_both(const char *text, const char *more)
{
	struct conf_text t = { .text = text, .more = more };

	why[0] = '\0';
	return conf_parse(&t, why, sizeof(why));
}

START_TEST(options_and_more_are_one_transport)
{
	struct conf *c = read_both(
	    TCP, "// of my own\n{\"max_connections\": 7, \"trace\": false,}");

	ck_assert_msg(c != NULL, "%s", why);
	ck_assert_uint_eq(c->ntransports, 1);
	ck_assert_uint_eq(c->ndevices, 2);
	ck_assert_str_eq(c->transports[0].listen, "127.0.0.1:0");
	ck_assert_uint_eq(c->transports[0].max_connections, 7);
	ck_assert(!c->transports[0].trace);
	ck_assert_int_eq(c->transports[0].units[1], 0);
	ck_assert_int_eq(c->transports[0].units[9], 1);
	conf_free(c);
}
END_TEST

static const struct {
	const char *text, *more, *why;
} wrong[] = {
	{ TCP, "{\"listen\": \":5020\"}",
	    "\"listen\" in \"more\" is said by the options already" },
	{ TCP, "[1]", "\"more\" must be an object, not a list" },
	{ TCP, "{\"max_connections\": }", "more:1:21: " },
	{ TCP, "{\"workers\": 1, \"workers\": 2}", "more:1:16: duplicate key" },
	{ TCP, "{\"max_conections\": 3}", "did you mean \"max_connections\"?" },
	{ TCP, "{\"workers\": 65, \"framer\": \"ascci\"}",
	    "\"workers\" is 65; it must be from 1 to 64; unknown framer" },
	{ "{" DEVICES ", \"transports\": {\"t\": {\"type\": \"tls\", " UNITS
	  ", \"listen\": \"[::1]:0\"}}}",
	    NULL, "\"cert\" is missing in transport \"t\"" },
};

START_TEST(mistakes_name_the_key_without_a_place)
{
	struct conf *c = read_both(wrong[_i].text, wrong[_i].more);

	ck_assert_ptr_null(c);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_msg(strstr(why, wrong[_i].why) != NULL, "%s", why);
	ck_assert_ptr_null(strstr(why, "options:"));
	ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

START_TEST(relative_paths_begin_in_the_folder)
{
	struct conf_text t = { .folder = "/nowhere/at/all",
		.text =
		    "{" DEVICES ", \"transports\": {\"t\": {\"type\": "
		    "\"tls\", " UNITS ", \"listen\": \"[::1]:0\", \"cert\": "
		    "\"a.pem\", \"key\": \"/dev/null\"}}}",
		.more = "{\"client_cert\": \"none\"}" };

	ck_assert_ptr_null(conf_parse(&t, why, sizeof(why)));
	ck_assert_str_eq(
	    why, "\"cert\": /nowhere/at/all/a.pem: No such file or directory");
}
END_TEST

START_TEST(hooks_bring_types)
{
	struct conf_text t = { .text = "{" DEVICES ", \"transports\": {\"t\": "
				       "{\"type\": \"pipe\", " UNITS "}}}",
		.hooked = true };
	struct conf *c = conf_parse(&t, why, sizeof(why));

	ck_assert_msg(c != NULL, "%s", why);
	ck_assert_int_eq(c->transports[0].type, CONF_PLUGIN);
	conf_free(c);
	t.hooked = false;
	ck_assert_ptr_null(conf_parse(&t, why, sizeof(why)));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf_text");
	TCase *tc = tcase_create("text");

	tcase_add_test(tc, options_and_more_are_one_transport);
	tcase_add_loop_test(tc, mistakes_name_the_key_without_a_place, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, relative_paths_begin_in_the_folder);
	tcase_add_test(tc, hooks_bring_types);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
