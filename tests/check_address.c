/* SPDX-License-Identifier: Apache-2.0 */
/* The address syntax of the command line: every form, every mistake. */

#include "control/cli/address.h"

#include <string.h>

#include "tests/suite.h"

static const struct {
	const char *text, *device;
	enum store_table table;
	uint32_t addr, count;
	bool has_count;
	const char *type, *order;
	unsigned step;
} good[] = {
	{ "hr:0", "", STORE_HR, 0, 1, false, "", "", 1 },
	{ "co:65535", "", STORE_CO, 65535, 1, false, "", "", 1 },
	{ "di:7", "", STORE_DI, 7, 1, false, "", "", 1 },
	{ "ir:7", "", STORE_IR, 7, 1, false, "", "", 1 },
	{ "holding_registers:1", "", STORE_HR, 1, 1, false, "", "", 1 },
	{ "plc1/hr:100+4", "plc1", STORE_HR, 100, 4, true, "", "", 1 },
	{ "plc-1_b/coils:0+16", "plc-1_b", STORE_CO, 0, 16, true, "", "", 1 },
	{ "hr:1100:float32", "", STORE_HR, 1100, 1, false, "float32", "", 2 },
	{ "hr:1+2:uint64:dcba", "", STORE_HR, 1, 2, true, "uint64", "dcba", 4 },
	{ "hr:1:declared", "", STORE_HR, 1, 1, false, "declared", "", 0 },
	{ "hr:1+8:string", "", STORE_HR, 1, 8, true, "string", "", 1 },
	{ "co:1:bits", "", STORE_CO, 1, 1, false, "bits", "", 1 },
	{ "hr:0x10+0x2", "", STORE_HR, 16, 2, true, "", "", 1 },
	{ "hr:0xFFFF", "", STORE_HR, 65535, 1, false, "", "", 1 },
	{ "hr:007", "", STORE_HR, 7, 1, false, "", "", 1 },
};

START_TEST(an_address_is_taken_apart)
{
	char why[ADDRESS_WHY_MAX] = "";
	struct address a;

	ck_assert_msg(address_parse(good[_i].text, &a, why) == 0, "%s", why);
	ck_assert_str_eq(a.device, good[_i].device);
	ck_assert_int_eq(a.table, good[_i].table);
	ck_assert_uint_eq(a.addr, good[_i].addr);
	ck_assert_uint_eq(a.count, good[_i].count);
	ck_assert_int_eq(a.has_count, good[_i].has_count);
	ck_assert_str_eq(a.type, good[_i].type);
	ck_assert_str_eq(a.order, good[_i].order);
	ck_assert_uint_eq(address_step(&a), good[_i].step);
}
END_TEST

#define SHAPE "an address is [device/]table:addr[+count][:type[:order]]"
#define ADDR "the address must be a number of 0..65535"
#define COUNT "the count after + must be a number from 1"

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", ": " SHAPE },
	{ "hr", "hr: " SHAPE },
	{ "plc1/hr", "plc1/hr: " SHAPE },
	{ "17", "17: " SHAPE },
	{ "hr:", "hr:: " ADDR },
	{ "hr:-1", "hr:-1: " ADDR },
	{ "hr:1.5", "hr:1.5: " ADDR },
	{ "hr: 1", "hr: 1: " ADDR },
	{ "hr:65536", "hr:65536: " ADDR },
	{ "hr:4294967296", "hr:4294967296: " ADDR },
	{ "hr:18446744073709551616", "hr:18446744073709551616: " ADDR },
	{ "hr:0x", "hr:0x: " ADDR },
	{ "hr:0x10000", "hr:0x10000: " ADDR },
	{ "hr:ten", "hr:ten: " ADDR },
	{ "hr:1+", "hr:1+: " COUNT },
	{ "hr:1+0", "hr:1+0: " COUNT },
	{ "hr:1+-2", "hr:1+-2: " COUNT },
	{ "hr:1+2+3", "hr:1+2+3: " COUNT },
	{ "hr:1+99999999", "hr:1+99999999: " COUNT },
	{ "h:1", "h:1: unknown table \"h\"; did you mean \"hr\"?" },
	{ "coil:1", "coil:1: unknown table \"coil\"; did you mean \"coils\"?" },
	{ "registers:1", "registers:1: unknown table \"registers\"" },
	{ "HR:1", "HR:1: unknown table \"HR\"" },
	{ ":1", ":1: unknown table \"\"" },
	{ "/hr:1", "/hr:1: no device before /" },
	{ "a/b/hr:1", "a/b/hr:1: unknown table \"b/hr\"" },
	{ "hr:1:float23",
	    "hr:1:float23: unknown type \"float23\"; did you mean "
	    "\"float32\"?" },
	{ "hr:1:", "hr:1:: unknown type \"\"" },
	{ "hr:1:float32:acbd",
	    "hr:1:float32:acbd: unknown order \"acbd\"; did you mean "
	    "\"abcd\"?" },
	{ "hr:1:float32:", "hr:1:float32:: unknown order \"\"" },
	{ "hr:1:float32:abcd:x",
	    "hr:1:float32:abcd:x: \":x\" is one field too many" },
};

START_TEST(a_mistake_is_told_exactly)
{
	char why[ADDRESS_WHY_MAX] = "";
	struct address a;

	ck_assert_int_eq(address_parse(bad[_i].text, &a, why), -1);
	/* near names are near_name()'s business where none is asked for */
	if (strstr(bad[_i].why, "did you mean") == NULL) {
		ck_assert_msg(
		    strncmp(why, bad[_i].why, strlen(bad[_i].why)) == 0,
		    "%s\n%s", why, bad[_i].why);
	} else {
		ck_assert_str_eq(why, bad[_i].why);
	}
}
END_TEST

/* ---- whole tables ---- */

static const struct {
	const char *text, *device;
	int table; /* -1: refused, device being why */
} whole[] = {
	{ "hr", "", STORE_HR },
	{ "plc/co", "plc", STORE_CO },
	{ "plc/discrete_inputs", "plc", STORE_DI },
	{ "hrs", "hrs: unknown table \"hrs\"; did you mean \"hr\"?", -1 },
	{ "/hr", "/hr: no device before /", -1 },
	{ "plc/", "plc/: unknown table \"\"", -1 },
};

START_TEST(a_whole_table_is_a_word_without_colon)
{
	char why[ADDRESS_WHY_MAX] = "";
	struct address a;
	int rc = address_parse_table(whole[_i].text, &a, why);

	ck_assert(address_is_table(whole[_i].text));
	ck_assert(!address_is_table("hr:0"));
	ck_assert_int_eq(rc, whole[_i].table == -1 ? -1 : 0);
	if (rc == -1) {
		ck_assert_msg(strncmp(why, whole[_i].device,
				  strlen(whole[_i].device)) == 0,
		    "%s", why);
	} else {
		ck_assert_str_eq(a.device, whole[_i].device);
		ck_assert_int_eq((int)a.table, whole[_i].table);
	}
}
END_TEST

START_TEST(an_endless_address_is_refused)
{
	static char text[100000];
	char why[ADDRESS_WHY_MAX];
	struct address a;

	memset(text, 'a', sizeof(text) - 1);
	ck_assert_int_eq(address_parse(text, &a, why), -1);
	ck_assert_ptr_nonnull(strstr(why, "too long"));
	memset(text, 'd', 100);
	memcpy(text + 100, "/hr:1", 6);
	ck_assert_int_eq(address_parse(text, &a, why), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("address");
	TCase *tc = tcase_create("address");

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
	tcase_add_loop_test(tc, an_address_is_taken_apart, 0, N(good));
	tcase_add_loop_test(tc, a_mistake_is_told_exactly, 0, N(bad));
	tcase_add_loop_test(
	    tc, a_whole_table_is_a_word_without_colon, 0, N(whole));
	tcase_add_test(tc, an_endless_address_is_refused);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
