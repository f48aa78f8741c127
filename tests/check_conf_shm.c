/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports of type shm in the configuration: what is the default, which
 * units have which names, and what is refused. Opens no object.
 */
#include "tests/lib/conf_case.h"
#include "tests/suite.h"

/* one device, and two */
#define ONE(members) IN_TRANSPORTS("\"t\":{\"type\":\"shm\"" members "}")
#define TWO(members) IN_TRANSPORT("\"type\":\"shm\"" members)
#define PAIR(a, b)     \
	IN_TRANSPORTS( \
	    "\"t\":{\"type\":\"shm\"" a "},\"u\":{\"type\":\"shm\"" b "}")
#define PREFIX(text) ",\"prefix\":\"" text "\""

START_TEST(a_view_is_as_shmmodbus_has_it)
{
	struct conf *c = case_right(ONE(""));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_int_eq(t->type, CONF_SHM);
	ck_assert_str_eq(t->type_name, "shm");
	ck_assert_str_eq(t->shm.prefix, "modbus_");
	ck_assert_str_eq(conf_where(t), "modbus_");
	ck_assert_uint_eq(t->shm.mode, 0600);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(t->shm.counts[i], 0);
	ck_assert_ptr_null(t->shm.semaphore);
	ck_assert_uint_eq(t->shm.semaphore_timeout_s, 5);
	ck_assert_uint_eq(t->shm.scan_ms, 10);
	ck_assert_int_eq(t->shm.plain, 0);
	for (int unit = 0; unit < CONF_UNITS; unit++)
		ck_assert_int_eq(t->units[unit], CONF_NO_DEVICE);
	ck_assert_ptr_null(t->listen);
	ck_assert_uint_eq(t->max_connections, 1);
	ck_assert_uint_eq(t->workers, 1);
	ck_assert(t->autostart && !t->read_only);
	conf_free(c);
}
END_TEST

START_TEST(everything_that_a_view_can_be_told_is_kept)
{
	struct conf *c = case_right(ONE(
	    PREFIX("a.b-C_9") ",\"mode\":\"666\",\"counts\":{\"coils\":65536,"
			      "\"discrete_inputs\":1,\"holding_registers\":2,"
			      "\"input_registers\":3},\"semaphore\":\"s\","
			      "\"semaphore_timeout_s\":1,\"scan_ms\":10000,"
			      "\"access\":\"read-only\",\"autostart\":false"));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_str_eq(t->shm.prefix, "a.b-C_9");
	ck_assert_uint_eq(t->shm.mode, 0666);
	ck_assert_uint_eq(t->shm.counts[STORE_CO], 65536);
	ck_assert_uint_eq(t->shm.counts[STORE_DI], 1);
	ck_assert_uint_eq(t->shm.counts[STORE_HR], 2);
	ck_assert_uint_eq(t->shm.counts[STORE_IR], 3);
	ck_assert_str_eq(t->shm.semaphore, "s");
	ck_assert_uint_eq(t->shm.semaphore_timeout_s, 1);
	ck_assert_uint_eq(t->shm.scan_ms, 10000);
	ck_assert(t->read_only && !t->autostart);
	conf_free(c);
}
END_TEST

/* Devices of the plain set and of units 1 and 26. */
static const struct {
	const char *text;
	int plain, one, other;
} units[] = {
	{ TWO(",\"units\":{\"*\":\"e\"}"), 1, -1, -1 },
	{ TWO(",\"units\":{\"26\":\"e\"}"), 1, -1, -1 },
	{ TWO(",\"units\":{\"1\":\"d\",\"26\":\"e\"}"), -1, 0, 1 },
	{ TWO(",\"units\":{\"26\":\"d\",\"*\":\"e\"}"), 1, -1, 0 },
	{ TWO(",\"units\":{\"26\":\"e\",\"*\":\"e\",\"1\":\"e\"}"), 1, 1, 1 },
};

START_TEST(the_plain_set_is_the_others_or_the_only_one)
{
	struct conf *c = case_right(units[_i].text), *again;
	const struct conf_transport *t = &c->transports[0];
	char *shown = case_dump(c, conf_dump), *twice;

	ck_assert_int_eq(t->shm.plain, units[_i].plain);
	ck_assert_int_eq(t->units[1], units[_i].one);
	ck_assert_int_eq(t->units[26], units[_i].other);
	ck_assert_int_eq(t->units[0], CONF_NO_DEVICE);
	ck_assert_int_eq(t->units[255], CONF_NO_DEVICE);
	again = case_right(shown);
	ck_assert_mem_eq(
	    again->transports[0].units, t->units, sizeof(t->units));
	ck_assert_int_eq(again->transports[0].shm.plain, t->shm.plain);
	twice = case_dump(again, conf_dump);
	ck_assert_str_eq(shown, twice);
	free(shown);
	free(twice);
	conf_free(c);
	conf_free(again);
}
END_TEST

static const char *const rounds[] = {
	ONE(""),
	ONE(PREFIX("x") ",\"mode\":\"0644\",\"counts\":{\"coils\":5},"
			"\"semaphore\":\"y\",\"scan_ms\":1"),
};

START_TEST(the_dump_of_a_view_loads_and_dumps_alike)
{
	struct conf *c = case_right(rounds[_i]), *again;
	char *shown = case_dump(c, conf_dump), *twice;

	again = case_right(shown);
	twice = case_dump(again, conf_dump);
	ck_assert_str_eq(shown, twice);
	ck_assert_uint_eq(
	    again->transports[0].shm.mode, c->transports[0].shm.mode);
	ck_assert_ptr_null(strstr(shown, "framer"));
	free(shown);
	free(twice);
	conf_free(c);
	conf_free(again);
}
END_TEST

START_TEST(two_views_stand_beside_each_other)
{
	struct conf *c = case_right(PAIR(PREFIX("modbus_a"), PREFIX("mod")));

	conf_free(c);
	/* a unit has two digits */
	conf_free(case_right(PAIR(PREFIX("m_"), PREFIX("m_1_"))));
	conf_free(case_right(PAIR(PREFIX("m_"), PREFIX("m_0g_"))));
}
END_TEST

#define NAMED(key, text, col)                                                  \
	"2:" col ": \"" key "\" must be of letters, digits, \"_\", \"-\" and " \
	"\".\", 1 to 40 of them, not \"" text "\""
#define MODE(text)                                                          \
	"2:26: \"mode\" must be permissions such as \"0600\", \"0660\" or " \
	"\"0644\", not \"" text                                             \
	"\": reading and writing, and both for the owner"
#define NOT_FOR_VIEWS(key)                               \
	"2:19: \"" key "\" does not apply to transport " \
	"\"t\", which is shm: it is for "

static const struct {
	const char *text, *told;
} bad[] = {
	{ ONE(PREFIX("")), NAMED("prefix", "", "28") },
	{ ONE(PREFIX("a/b")), NAMED("prefix", "a/b", "28") },
	{ ONE(PREFIX(".a")), NAMED("prefix", ".a", "28") },
	{ ONE(PREFIX("12345678901234567890123456789012345678901")),
	    NAMED(
		"prefix", "12345678901234567890123456789012345678901", "28") },
	{ ONE(",\"semaphore\":\"/s\""), NAMED("semaphore", "/s", "31") },
	{ ONE(",\"semaphore\":1"),
	    "2:31: \"semaphore\" must be a string, not a whole number" },
	{ ONE(PREFIX("holdfast-x")),
	    "2:28: \"prefix\" must not begin with \"holdfast-\", as the "
	    "store's own objects do" },
	{ ONE(",\"mode\":\"0400\""), MODE("0400") },
	{ ONE(",\"mode\":\"0700\""), MODE("0700") },
	{ ONE(",\"mode\":\"60\""), MODE("60") },
	{ ONE(",\"mode\":\"0680\""), MODE("0680") },
	{ ONE(",\"mode\":\"00600\""), MODE("00600") },
	{ ONE(",\"mode\":600"),
	    "2:26: \"mode\" must be an octal number as a string, not a whole "
	    "number" },
	{ ONE(",\"counts\":{\"coils\":65537}"),
	    "2:37: \"coils\" is 65537; it must be from 0 to 65536" },
	{ ONE(",\"counts\":{\"coil\":1}"),
	    "2:29: unknown key \"coil\" in \"counts\"; did you mean "
	    "\"coils\"?" },
	{ ONE(",\"scan_ms\":0"),
	    "2:29: \"scan_ms\" is 0; it must be from 1 to 10000" },
	{ ONE(",\"semaphore_timeout_s\":0"),
	    "2:41: \"semaphore_timeout_s\" is 0; it must be from 1 to 3600" },
	{ ONE(",\"permissions\":\"0640\""),
	    "2:19: unknown key \"permissions\" in transport \"t\"; did you "
	    "mean \"mode\"?" },
	{ ONE(",\"units\":{}"), "2:27: \"units\" serves no unit" },
	{ TWO(""),
	    "1:57: \"units\" is missing in transport \"t\": there are 2 devices "
	    "to choose from" },
	/* what has to do with clients and frames */
	{ ONE(",\"framer\":\"rtu\""),
	    NOT_FOR_VIEWS("framer") "tcp, tls, udp, serial or a plugin's" },
	{ ONE(",\"broadcast\":true"),
	    NOT_FOR_VIEWS("broadcast") "tcp, tls, udp, serial or a plugin's" },
	{ ONE(",\"trace\":true"),
	    NOT_FOR_VIEWS("trace") "tcp, tls, udp, serial or a plugin's" },
	{ ONE(",\"workers\":2"),
	    NOT_FOR_VIEWS("workers") "tcp, tls, udp or serial on a socket" },
	{ ONE(",\"listen\":\"127.0.0.1:0\""),
	    NOT_FOR_VIEWS("listen") "tcp, tls, udp or a plugin's" },
	/* and the other way round */
	{ IN_TRANSPORTS("\"t\":{" TCP ",\"scan_ms\":5}"),
	    "2:45: \"scan_ms\" does not apply to transport \"t\", which is "
	    "tcp: it is for shm" },
	/* two of them */
	{ PAIR("", ""),
	    "2:24: with the prefix \"modbus_\" objects have the names of those "
	    "of transport \"t\" (\"modbus_\") at 2:1" },
	{ PAIR(PREFIX("m_1f_"), PREFIX("m_")),
	    "2:64: with the prefix \"m_\" objects have the names of those of "
	    "transport \"t\" (\"m_1f_\") at 2:1" },
};

START_TEST(what_a_view_cannot_have_is_told)
{
	struct conf *conf = case_load(bad[_i].text);

	ck_assert_ptr_null(conf);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(case_told, bad[_i].told);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

int
main(void)
{
	Suite *s = suite_create("conf_shm");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, a_view_is_as_shmmodbus_has_it);
	tcase_add_test(tc, everything_that_a_view_can_be_told_is_kept);
	tcase_add_loop_test(
	    tc, the_plain_set_is_the_others_or_the_only_one, 0, N(units));
	tcase_add_loop_test(
	    tc, the_dump_of_a_view_loads_and_dumps_alike, 0, N(rounds));
	tcase_add_test(tc, two_views_stand_beside_each_other);
	tcase_add_loop_test(tc, what_a_view_cannot_have_is_told, 0, N(bad));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
