/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Actions in a configuration: what is wrong with one is told with its place and
 * the name that was meant, what is left out is there, files are found.
 */

#include "tests/lib/conf_case.h"
#include "tests/suite.h"

#define HR(range) IN_TABLE("holding_registers", range)
#define ACT(action) HR("{\"addr\":0,\"action\":" action "}")
#define TYPE(type, action) \
	HR("{\"addr\":0,\"type\":\"" type "\",\"action\":" action "}")

static const struct {
	const char *text;
	const char *told;
} bad[] = {
	{ ACT("\"sinus\""),
	    "2:20: no action is called \"sinus\", and there are no plugins or "
	    "module to bring it; did you mean \"sine\"?" },
	{ ACT("{\"name\":\"xyzzy\"}"),
	    "2:28: no action is called \"xyzzy\", and there are no plugins or "
	    "module to bring it" },
	{ ACT("{\"name\":\"sine\",\"amplitdue\":3}"),
	    "2:47: the action \"sine\": has no parameter \"amplitdue\"; did you "
	    "mean \"amplitude\"?" },
	{ ACT("{\"name\":\"ramp\",\"period_ms\":0}"),
	    "2:47: the action \"ramp\": period_ms is 0, not 1 to 86400000" },
	{ ACT("{\"name\":\"ramp\",\"period_ms\":1.5}"),
	    "2:47: the action \"ramp\": period_ms is 1.5, no whole number" },
	{ ACT("{\"name\":\"ramp\",\"period_s\":0}"),
	    "2:46: the action \"ramp\": period_s is 0, not 0.001 to "
	    "3162240000" },
	{ ACT("{\"name\":\"ramp\",\"phase\":\"x\"}"),
	    "2:43: the action \"ramp\": phase is \"x\", no number" },
	{ ACT("{\"name\":\"ramp\",\"max\":70000}"),
	    "2:41: the action \"ramp\": max is 70000, not 0 to 65535" },
	{ TYPE("int16", "{\"name\":\"walk\",\"min\":-32769}"),
	    "2:56: the action \"walk\": min is -32769, not -32768 to 32767" },
	{ ACT("{\"name\":\"square\",\"min\":7,\"max\":6}"),
	    "2:20: the action \"square\": min 7 is more than max 6" },
	{ ACT("{\"name\":\"square\",\"min\":101}"),
	    "2:20: the action \"square\": min 101 is more than max 100" },
	{ ACT("{\"name\":\"increment\",\"minval\":9,\"maxval\":8}"),
	    "2:20: the action \"increment\": minval 9 is more than maxval 8" },
	{ ACT("{\"name\":\"reset\",\"period_ms\":9}"),
	    "2:48: the action \"reset\": has no parameter \"period_ms\"" },
	{ ACT("\"replay\""),
	    "2:20: the action \"replay\": \"file\" is missing" },
	{ ACT("{\"name\":\"replay\",\"file\":\"/nowhere/x.csv\"}"),
	    "2:44: \"file\": /nowhere/x.csv: No such file or "
	    "directory" },
	{ ACT("{\"name\":\"replay\",\"file\":\"/dev/null\"}"),
	    "2:44: /dev/null: it is no plain file" },
	{ ACT("{\"name\":\"replay\",\"file\":\"\"}"),
	    "2:44: the action \"replay\": file is empty" },
	{ ACT("{\"name\":\"replay\",\"file\":\"/x\",\"end\":\"lop\"}"),
	    "2:55: the action \"replay\": end is \"lop\"; did you mean "
	    "\"loop\"?" },
	{ ACT("\"copy\""), "2:20: the action \"copy\": \"addr\" is missing" },
	{ ACT("{\"name\":\"copy\",\"addr\":1}"),
	    "2:42: device \"d\" does not have all of holding_registers 1 to "
	    "1" },
	{ ACT("{\"name\":\"copy\",\"addr\":0,\"type\":\"float32\"}"),
	    "2:42: device \"d\" does not have all of holding_registers 0 to "
	    "1" },
	{ ACT("{\"name\":\"copy\",\"addr\":0,\"table\":\"coils\"}"),
	    "2:42: device \"d\" does not have all of coils 0 to 0" },
	{ ACT("{\"name\":\"copy\",\"addr\":0,\"device\":\"dd\"}"),
	    "2:53: no device is called \"dd\"; did you mean \"d\"?" },
	{ ACT("\"lua\""), "2:20: the action \"lua\": \"script\" is missing" },
	{ ACT("{\"name\":\"lua\",\"script\":\"/nowhere/x.lua\"}"),
	    "2:43: \"script\": /nowhere/x.lua: No such file or "
	    "directory" },
	{ HR("{\"addr\":0,\"type\":\"string\",\"count\":4,"
	     "\"action\":\"sine\"}"),
	    "2:46: the action \"sine\": makes no strings" },
};

START_TEST(what_is_wrong_with_an_action_is_told_with_its_place)
{
	struct conf *c = case_load(bad[_i].text);
	char *end;

	ck_assert_ptr_null(c);
	end = strchr(case_told, '\n');
	if (end != NULL)
		*end = '\0';
	ck_assert_str_eq(case_told, bad[_i].told);
}
END_TEST

static const char *
of(const struct conf_range *r, const char *name)
{
	const char *text = conf_action_text(r, name);

	return text != NULL ? text : "-";
}

START_TEST(what_is_left_out_has_its_default)
{
	struct conf *c =
	    case_right(HR("{\"addr\":0,\"action\":\"sine\"},"
			  "{\"addr\":1,\"action\":\"increment\"}"));
	const struct conf_range *r = c->devices[0].ranges;

	ck_assert_uint_eq(r[0].parameters.n, 5);
	ck_assert_str_eq(of(&r[0], "period_ms"), "1000");
	ck_assert_str_eq(of(&r[0], "offset"), "50");
	ck_assert_str_eq(of(&r[0], "amplitude"), "50");
	ck_assert_str_eq(of(&r[0], "period_s"), "60");
	ck_assert_str_eq(of(&r[0], "phase"), "0");
	ck_assert_uint_eq(conf_action_period_ms(c, &r[0]), 1000);
	ck_assert_uint_eq(r[1].parameters.n, 0);
	ck_assert_uint_eq(conf_action_period_ms(c, &r[1]), 0);
	conf_free(c);
	c = case_right(IN_TABLE("coils", "{\"addr\":0,\"action\":\"square\"}"));
	ck_assert_str_eq(of(c->devices[0].ranges, "max"), "1");
	conf_free(c);
}
END_TEST

/* Somebody else's action of the same name has parameters of its own. */
START_TEST(a_module_may_have_actions_of_any_name)
{
	struct conf *c = case_right(
	    "{ \"actions\": {\"module\":\"m\"}, \"transports\": {},"
	    "\"devices\": { \"d\": { \"holding_registers\": ["
	    "{\"addr\":0,\"action\":{\"name\":\"ramp\",\"by\":2}},"
	    "{\"addr\":1,\"action\":\"mine\"},"
	    "{\"addr\":2,\"action\":{\"name\":\"ramp\",\"period_ms\":5}}"
	    "] } } }");
	const struct conf_range *r = c->devices[0].ranges;

	ck_assert(conf_action_others(c));
	ck_assert_uint_eq(conf_action_period_ms(c, &r[0]), 0);
	ck_assert_uint_eq(conf_action_period_ms(c, &r[1]), 0);
	ck_assert_uint_eq(conf_action_period_ms(c, &r[2]), 5);
	ck_assert_str_eq(of(&r[2], "max"), "100");
	conf_free(c);
}
END_TEST

START_TEST(a_copy_is_of_what_is_declared_there)
{
	struct conf *c = case_right(
	    "{ \"transports\": {}, \"devices\": { \"d\": {"
	    "\"holding_registers\": [ {\"addr\":0,\"count\":4,\"action\":"
	    "{\"name\":\"copy\",\"device\":\"e\",\"addr\":10}} ] },"
	    "\"e\": { \"holding_registers\": [ {\"addr\":10,\"count\":8,"
	    "\"type\":\"float32\",\"order\":\"cdab\"}] } } }");
	struct conf_copy s;

	conf_action_source(c, 0, c->devices[0].ranges, &s);
	ck_assert_int_eq(s.device, 1);
	ck_assert_int_eq(s.table, STORE_HR);
	ck_assert_uint_eq(s.addr, 10);
	ck_assert_uint_eq(s.count, 8);
	ck_assert_int_eq(s.type, TYPED_FLOAT32);
	ck_assert_int_eq(s.order, TYPED_CDAB);
	conf_free(c);
}
END_TEST

START_TEST(files_are_beside_the_file_that_names_them)
{
	char path[100];
	struct conf *c;

	case_put("more/x.csv", "0,1\n1,2\n");
	case_put("more/bad.csv", "0,1\n1,2\n1,3\n");
	case_put("more/d.json",
	    "{ \"devices\": { \"d\": { \"holding_registers\": [{\"addr\":0,"
	    "\"action\":{\"name\":\"replay\",\"file\":\"x.csv\"}}]}}}");
	case_put("main.json",
	    "{ \"include\": [\"more/d.json\"], \"transports\": {} }");
	c = case_load_main();
	ck_assert_msg(c != NULL, "%s", case_told);
	snprintf(path, sizeof(path), "%s/more/x.csv", case_dir);
	ck_assert_str_eq(of(c->devices[0].ranges, "file"), path);
	conf_free(c);
	case_put("main.json",
	    "{ \"transports\": {}, \"devices\": { \"d\": {"
	    "\"holding_registers\": [{\"addr\":0,\"action\":"
	    "{\"name\":\"replay\",\"file\":\"more/bad.csv\"}}]}}}");
	ck_assert_ptr_null(case_load_main());
	ck_assert_ptr_nonnull(
	    strstr(case_told, "more/bad.csv:3: its time does not grow"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf_act");
	TCase *tc = tcase_create("actions");

	tcase_add_loop_test(tc,
	    what_is_wrong_with_an_action_is_told_with_its_place, 0,
	    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, what_is_left_out_has_its_default);
	tcase_add_test(tc, a_module_may_have_actions_of_any_name);
	tcase_add_test(tc, a_copy_is_of_what_is_declared_there);
	suite_add_tcase(s, tc);
	tc = tcase_create("files");
	case_in_dir(tc);
	tcase_add_test(tc, files_are_beside_the_file_that_names_them);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
