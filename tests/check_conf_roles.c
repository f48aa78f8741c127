/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files of roles: what becomes of their rules, each mistake with its place in
 * the file, and what of them is printed.
 */

#include "tests/roles_case.h"
#include "tests/suite.h"

#define RULE(rule) "{\n\"r\":[" rule "]}"
#define NAME_64 \
	"1234567890123456789012345678901234567890123456789012345678901234"

enum { ALL_TABLES = (1 << (STORE_FIFO + 1)) - 1 };

START_TEST(what_a_rule_leaves_out_is_not_limited)
{
	struct conf *c = case_roles("{\"operator\":[{}],\"\":[]}");
	const struct conf_roles *roles;
	const struct conf_rule *r;

	ck_assert_msg(c != NULL, "%s", case_told);
	roles = &c->transports[0].tls.roles;
	ck_assert_str_eq(roles->path, roles_path);
	ck_assert_uint_eq(roles->n, 2);
	ck_assert_str_eq(roles->at[0].name, "operator");
	ck_assert_uint_eq(roles->at[0].nrules, 1);
	r = &roles->at[0].rules[0];
	ck_assert(r->every_fc);
	ck_assert_ptr_null(r->devices);
	ck_assert_uint_eq(r->tables, ALL_TABLES);
	ck_assert_uint_eq(r->first, 0);
	ck_assert_uint_eq(r->last, 65535);
	ck_assert_str_eq(roles->at[1].name, "");
	ck_assert_uint_eq(roles->at[1].nrules, 0);
	conf_free(c);
}
END_TEST

START_TEST(a_rule_is_kept_as_it_is_written)
{
	struct conf *c = case_roles(
	    "# who may look\n{ /* only */ \"v\u00efewer\": [ { \"fc\": [1, 64, "
	    "127], // codes\n \"devices\": [\"plc2\"], \"tables\": [\"hr\", "
	    "\"input_registers\", \"fifos\"], \"addr\": [7, 999], }, "
	    "{ \"addr\": [5, 5] }, ], }");
	const struct conf_rule *r;

	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_str_eq(c->transports[0].tls.roles.at[0].name, "v\u00efewer");
	ck_assert_uint_eq(c->transports[0].tls.roles.at[0].nrules, 2);
	r = c->transports[0].tls.roles.at[0].rules;
	ck_assert(!r->every_fc);
	ck_assert(r->fcs[0] == 1 << 1);
	ck_assert(r->fcs[1] == (1ull << 63 | 1));
	ck_assert(!r->devices[0] && r->devices[1]);
	ck_assert_uint_eq(
	    r->tables, 1u << STORE_HR | 1u << STORE_IR | 1u << STORE_FIFO);
	ck_assert_uint_eq(r->first, 7);
	ck_assert_uint_eq(r->last, 999);
	ck_assert_uint_eq(r[1].first, 5);
	ck_assert_uint_eq(r[1].last, 5);
	ck_assert(r[1].every_fc);
	conf_free(c);
}
END_TEST

static const struct {
	const char *name;
	enum store_table table;
} tables[] = {
	{ "co", STORE_CO },
	{ "di", STORE_DI },
	{ "hr", STORE_HR },
	{ "ir", STORE_IR },
	{ "coils", STORE_CO },
	{ "discrete_inputs", STORE_DI },
	{ "holding_registers", STORE_HR },
	{ "input_registers", STORE_IR },
	{ "files", STORE_FILE },
	{ "fifos", STORE_FIFO },
};

START_TEST(a_table_has_its_short_name_and_its_long_one)
{
	char text[100];
	struct conf *c;

	snprintf(
	    text, sizeof(text), RULE("{\"tables\":[\"%s\"]}"), tables[_i].name);
	c = case_roles(text);
	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_uint_eq(c->transports[0].tls.roles.at[0].rules[0].tables,
	    1u << tables[_i].table);
	conf_free(c);
}
END_TEST

START_TEST(a_name_of_64_bytes_is_a_role)
{
	struct conf *c = case_roles("{\"" NAME_64 "\":[{}]}");

	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_str_eq(c->transports[0].tls.roles.at[0].name, NAME_64);
	conf_free(c);
}
END_TEST

/* ---- mistakes ---- */

static const struct {
	const char *text, *told;
} bad[] = {
	/* the file */
	{ "[]", "ROLES:1:1: a file of roles must be an object, not a list" },
	{ "", "ROLES:1:1: the file is empty" },
	{ "{}",
	    "ROLES:1:1: the file names no role, so nobody may do anything" },
	{ "{\n\"r\":[{}]\n",
	    "ROLES:3:1: the file ends inside the object that begins at 1:1" },
	/* the roles */
	{ "{\"r\":[{}],\n\"r\":[]}",
	    "ROLES:2:1: duplicate key \"r\"; it stands at 1:2 already" },
	{ "{\"r\":{}}",
	    "ROLES:1:6: \"r\" must be a list of rules, not an "
	    "object" },
	{ "{\"r\":null}",
	    "ROLES:1:6: \"r\" must be a list of rules, not null" },
	{ "{\"" NAME_64 "5\":[]}",
	    "ROLES:1:2: the name of a role is 65 bytes long; 64 is the most" },
	{ "{\"a\\tb\":[]}",
	    "ROLES:1:2: the name of a role holds a control character" },
	/* the rules */
	{ RULE("[]"), "ROLES:2:6: this value must be an object, not a list" },
	{ RULE("{\"fcs\":[3]}"),
	    "ROLES:2:7: unknown key \"fcs\" in a rule of role \"r\"; did you "
	    "mean \"fc\"?" },
	{ RULE("{\"device\":[\"plc1\"]}"),
	    "ROLES:2:7: unknown key \"device\" in a rule of role \"r\"; did "
	    "you mean \"devices\"?" },
	{ RULE("{\"units\":[1]}"),
	    "ROLES:2:7: unknown key \"units\" in a rule of role \"r\"; it "
	    "belongs into a transport" },
	{ RULE("{\"fc\":3}"),
	    "ROLES:2:12: \"fc\" must be a list of function codes, not a whole "
	    "number" },
	{ RULE("{\"fc\":[]}"),
	    "ROLES:2:12: \"fc\" is empty, so the rule allows nothing; leave "
	    "it out to allow all" },
	{ RULE("{\"fc\":[0,128,\"3\",-1]}"),
	    "ROLES:2:13: this value is 0; it must be from 1 to 127\n"
	    "ROLES:2:15: this value is 128; it must be from 1 to 127\n"
	    "ROLES:2:19: this value must be a whole number from 1 to 127, not "
	    "a string\n"
	    "ROLES:2:23: this value is -1; it must be from 1 to 127" },
	{ RULE("{\"devices\":\"plc1\"}"),
	    "ROLES:2:17: \"devices\" must be a list of names of devices, not "
	    "a string" },
	{ RULE("{\"devices\":[]}"),
	    "ROLES:2:17: \"devices\" is empty, so the rule allows nothing; "
	    "leave it out to allow all" },
	{ RULE("{\"devices\":[\"plc3\",\"boiler\",1]}"),
	    "ROLES:2:18: no device is called \"plc3\"; did you mean "
	    "\"plc1\"?\n"
	    "ROLES:2:25: no device is called \"boiler\"\n"
	    "ROLES:2:34: this value must be the name of a device, not a whole "
	    "number" },
	{ RULE("{\"tables\":[]}"),
	    "ROLES:2:16: \"tables\" is empty, so the rule allows nothing; "
	    "leave it out to allow all" },
	{ RULE("{\"tables\":[\"holding_register\",\"hrs\",4,\"xyzzy\"]}"),
	    "ROLES:2:17: no table is called \"holding_register\"; did you "
	    "mean \"holding_registers\"?\n"
	    "ROLES:2:36: no table is called \"hrs\"; did you mean \"hr\"?\n"
	    "ROLES:2:42: this value must be the name of a table, not a whole "
	    "number\n"
	    "ROLES:2:44: no table is called \"xyzzy\"" },
	{ RULE("{\"addr\":5}"),
	    "ROLES:2:14: \"addr\" must be a list of the first and last "
	    "address, not a whole number" },
	{ RULE("{\"addr\":[5]}"),
	    "ROLES:2:14: \"addr\" must be two addresses, [FIRST, LAST], not "
	    "1" },
	{ RULE("{\"addr\":[1,2,3]}"),
	    "ROLES:2:14: \"addr\" must be two addresses, [FIRST, LAST], not "
	    "3" },
	{ RULE("{\"addr\":[9,8]}"),
	    "ROLES:2:14: \"addr\": 9 is behind 8; the first address comes "
	    "first" },
	{ RULE("{\"addr\":[0,65536]}"),
	    "ROLES:2:17: this value is 65536; it must be from 0 to 65535" },
	{ RULE("{\"addr\":[\"0\",1]}"),
	    "ROLES:2:15: this value must be a whole number from 0 to 65535, "
	    "not a string" },
	{ RULE("{\"fc\":[3],\n\"fc\":[4]}"),
	    "ROLES:3:1: duplicate key \"fc\"; it stands at 2:7 already" },
};

START_TEST(a_mistake_is_told_with_its_place_in_the_file)
{
	struct conf *conf = case_roles(bad[_i].text);

	ck_assert_ptr_null(conf);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(case_told, bad[_i].told);
}
END_TEST

START_TEST(a_mistake_in_a_file_of_two_transports_is_told_once)
{
	char more[500];
	struct conf *c;

	/* the path is known once the first one has been loaded */
	conf_free(case_roles("{\"r\":[]}"));
	snprintf(more, sizeof(more),
	    ",\n\"u\":{" ROLES_TLS ",\"roles\":\"%s\"}", roles_path);
	ck_assert_ptr_null(case_roles_with("{\"r\":[{\"fc\":[0]}]}", more));
	ck_assert_str_eq(
	    case_told, "ROLES:1:14: this value is 0; it must be from 1 to 127");
	/* but what comes behind it is told, too */
	ck_assert_ptr_null(case_roles_with("{\"r\":[{\"fc\":[0]}]}",
	    strcat(more,
		",\n\"v\":{" TCP ",\"xyz\":1,"
		"\"units\":{\"1\":\"plc1\"}}")));
	ck_assert_str_eq(case_told,
	    "4:45: unknown key \"xyz\" in transport \"v\"\n"
	    "ROLES:1:14: this value is 0; it must be from 1 to 127");
	*strstr(more, ",\n\"v\"") = '\0';
	c = case_roles_with("{\"r\":[{\"fc\":[7]}]}", more);
	ck_assert_msg(c != NULL, "%s", case_told);
	for (int i = 0; i < 2; i++)
		ck_assert(
		    c->transports[i].tls.roles.at[0].rules[0].fcs[0] == 1 << 7);
	conf_free(c);
}
END_TEST

static const struct {
	const char *roles, *told;
} paths[] = {
	{ "\"/no/roles.json\"",
	    "cannot read /no/roles.json: No such file or directory" },
	{ "\"/dev\"", "cannot read /dev: Is a directory" },
	{ "\"/dev/zero\"", "cannot read /dev/zero: it is no plain file" },
	{ "{\"viewer\":[]}", "\"roles\" must be a path, not an object" },
};

START_TEST(a_file_that_cannot_be_read_is_told_where_it_is_named)
{
	char text[400], told[200];

	snprintf(text, sizeof(text),
	    "{\"devices\":{\"plc1\":{}},\"transports\":{\"t\":{" ROLES_TLS
	    ",\n\"roles\":%s}}}",
	    paths[_i].roles);
	snprintf(told, sizeof(told), "2:9: %s", paths[_i].told);
	ck_assert_ptr_null(case_load(text));
	ck_assert_str_eq(case_told, told);
}
END_TEST

START_TEST(roles_are_for_tls)
{
	ck_assert_ptr_null(case_load(
	    IN_TRANSPORTS("\"t\":{" TCP ",\"roles\":\"/no/roles.json\"}")));
	ck_assert_str_eq(case_told,
	    "2:45: \"roles\" does not apply to transport \"t\", which is tcp: "
	    "it is for tls");
}
END_TEST

/* ---- relative paths ---- */

START_TEST(the_file_is_found_beside_the_one_that_names_it)
{
	char roles[128], want[300];
	struct conf *c;

	snprintf(roles, sizeof(roles), "%s/roles.json", case_dir);
	case_put("main.json",
	    "{\"devices\":{\"plc1\":{}},\"transports\":{\"t\":{" ROLES_TLS
	    ",\"roles\":\"roles.json\"}}}");
	case_put("roles.json", "{\"viewer\":[{\"devices\":[\"plc1\"]}]}");
	c = case_load_main();
	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_str_eq(c->transports[0].tls.roles.path, roles);
	ck_assert_uint_eq(c->transports[0].tls.roles.n, 1);
	conf_free(c);
	case_put("roles.json", "{\"viewer\":[{\"devices\":[\"plc9\"]}]}");
	ck_assert_ptr_null(case_load_main());
	snprintf(want, sizeof(want),
	    "%s:1:24: no device is called \"plc9\"; did you mean \"plc1\"?",
	    roles);
	ck_assert_str_eq(case_told, want);
}
END_TEST

/* ---- the dump ---- */

START_TEST(the_dump_names_the_file)
{
	char line[100];
	struct conf *c = case_roles("{\"r\":[{\"fc\":[3]}]}");
	char *shown = case_dump(c, conf_dump);

	snprintf(line, sizeof(line), "\"roles\": \"%s\"", roles_path);
	ck_assert_ptr_nonnull(strstr(shown, line));
	conf_free(c);
	free(shown);
}
END_TEST

/* ---- once more ---- */

/* What reading the file again says; "" if it went well. */
static char *
again(const struct conf *c, const char *path, struct conf_roles *roles)
{
	char *told = NULL;
	size_t size;
	FILE *f = open_memstream(&told, &size);
	int rc = conf_roles_load(c, path, roles, f);

	fclose(f);
	ck_assert_int_eq(rc, told[0] == '\0' ? 0 : -1);
	return told;
}

START_TEST(a_file_is_read_again_for_the_devices_that_there_are)
{
	char path[128], want[300];
	struct conf *c = case_roles("{\"r\":[{}]}");
	struct conf_roles roles;
	char *told;

	snprintf(path, sizeof(path), "%s/roles.json", case_dir);
	case_put("roles.json",
	    "{\"w\":[{\"fc\":[6],\"devices\":[\"plc1\"]}],\"\":[]}");
	told = again(c, path, &roles);
	ck_assert_str_eq(told, "");
	free(told);
	ck_assert_str_eq(roles.path, path);
	ck_assert_uint_eq(roles.n, 2);
	ck_assert_str_eq(roles.at[0].name, "w");
	ck_assert_uint_eq(roles.at[0].rules[0].devices[0], 1);
	conf_roles_free(&roles);
	case_put("roles.json", "{\"w\":[{\"devices\":[\"plc9\"]}]}");
	told = again(c, path, &roles);
	snprintf(want, sizeof(want),
	    "%s:1:19: no device is called \"plc9\"; did you mean \"plc1\"?\n",
	    path);
	ck_assert_str_eq(told, want);
	free(told);
	ck_assert_ptr_null(roles.at);
	unlink(path);
	told = again(c, path, &roles);
	ck_assert_ptr_nonnull(strstr(told, "No such file or directory"));
	free(told);
	ck_assert_uint_eq(c->transports[0].tls.roles.n, 1);
	conf_free(c);
}
END_TEST

/* ---- the sample ---- */

START_TEST(the_sample_has_the_roles_that_it_explains)
{
	struct conf *c = case_load(
	    "{\"devices\":{\"plc1\":{}},\"transports\":{\"t\":{" ROLES_TLS
	    ",\"roles\":\"/proc/self/cwd/conf/roles.json\"}}}");

	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_uint_ge(c->transports[0].tls.roles.n, 3);
	conf_free(c);
}
END_TEST

#define ADD(tc, title, table) \
	tcase_add_loop_test(tc, title, 0, sizeof(table) / sizeof(table[0]))

int
main(void)
{
	Suite *s = suite_create("conf_roles");
	TCase *tc = tcase_create("conf_roles"), *files = tcase_create("files");

	tcase_add_test(tc, what_a_rule_leaves_out_is_not_limited);
	tcase_add_test(tc, a_rule_is_kept_as_it_is_written);
	ADD(tc, a_table_has_its_short_name_and_its_long_one, tables);
	tcase_add_test(tc, a_name_of_64_bytes_is_a_role);
	ADD(tc, a_mistake_is_told_with_its_place_in_the_file, bad);
	tcase_add_test(tc, a_mistake_in_a_file_of_two_transports_is_told_once);
	ADD(tc, a_file_that_cannot_be_read_is_told_where_it_is_named, paths);
	tcase_add_test(tc, roles_are_for_tls);
	tcase_add_test(tc, the_dump_names_the_file);
	tcase_add_test(tc, the_sample_has_the_roles_that_it_explains);
	suite_add_tcase(s, tc);
	case_in_dir(files);
	tcase_add_test(files, the_file_is_found_beside_the_one_that_names_it);
	tcase_add_test(
	    files, a_file_is_read_again_for_the_devices_that_there_are);
	suite_add_tcase(s, files);
	return suite_run(s);
}
