/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests against the rules of a role: what each function code touches, what
 * is held to be touched where a request does not say, and who may ask for what
 * touches nothing.
 */
#include "workers/rights.h"

#include "tests/roles_case.h"
#include "tests/suite.h"

enum { A, B, NOBODY = CONF_NO_DEVICE };

struct asked {
	const char *rules; /* of the role */
	int device;
	const char *pdu; /* in hexadecimal */
	bool allowed;
};

/* ---- each function code touches its table and its addresses ---- */

#define HR_10_19 "{\"tables\":[\"hr\"],\"addr\":[10,19]}"

static const struct asked ranges[] = {
	/* read coils, 1 */
	{ "{\"tables\":[\"co\"],\"addr\":[10,19]}", A, "01 000a 000a", true },
	{ "{\"tables\":[\"co\"],\"addr\":[10,19]}", A, "01 000a 000b", false },
	{ "{\"tables\":[\"co\"],\"addr\":[10,19]}", A, "01 0009 0002", false },
	{ "{\"tables\":[\"di\",\"hr\",\"ir\"]}", A, "01 000a 0001", false },
	/* read discrete inputs, 2 */
	{ "{\"tables\":[\"di\"],\"addr\":[0,0]}", A, "02 0000 0001", true },
	{ "{\"tables\":[\"di\"],\"addr\":[0,0]}", A, "02 0001 0001", false },
	{ "{\"tables\":[\"co\",\"hr\",\"ir\"]}", A, "02 0000 0001", false },
	/* read holding registers, 3 */
	{ HR_10_19, A, "03 000a 000a", true },
	{ HR_10_19, A, "03 0013 0001", true },
	{ HR_10_19, A, "03 000a 000b", false },
	{ HR_10_19, A, "03 0009 0001", false },
	{ HR_10_19, A, "03 0014 0001", false },
	{ HR_10_19, A, "03 0000 ffff", false },
	{ "{\"tables\":[\"ir\",\"co\",\"di\"]}", A, "03 000a 0001", false },
	/* read input registers, 4 */
	{ "{\"tables\":[\"ir\"],\"addr\":[5,6]}", A, "04 0005 0002", true },
	{ "{\"tables\":[\"ir\"],\"addr\":[5,6]}", A, "04 0006 0002", false },
	{ HR_10_19, A, "04 000a 0001", false },
	/* write one coil, 5, and one register, 6 */
	{ "{\"tables\":[\"co\"],\"addr\":[5,6]}", A, "05 0006 ff00", true },
	{ "{\"tables\":[\"co\"],\"addr\":[5,6]}", A, "05 0007 ff00", false },
	{ HR_10_19, A, "05 000a ff00", false },
	{ HR_10_19, A, "06 0013 ffff", true },
	{ HR_10_19, A, "06 0014 ffff", false },
	/* write many, 15 and 16 */
	{ "{\"tables\":[\"co\"],\"addr\":[0,7]}", A, "0f 0000 0008 01 ff",
	    true },
	{ "{\"tables\":[\"co\"],\"addr\":[0,7]}", A, "0f 0000 0009 02 ff01",
	    false },
	{ HR_10_19, A, "10 0012 0002 04 0001 0002", true },
	{ HR_10_19, A, "10 0012 0003 06 0001 0002 0003", false },
	/* mask, 22 */
	{ HR_10_19, A, "16 0013 00f2 0025", true },
	{ HR_10_19, A, "16 0014 00f2 0025", false },
	/* read and write, 23: both ranges */
	{ HR_10_19, A, "17 000a 0002 000c 0001 02 0001", true },
	{ HR_10_19, A, "17 000a 0002 0014 0001 02 0001", false },
	{ HR_10_19, A, "17 0009 0002 000c 0001 02 0001", false },
	/* ... each by a rule of its own */
	{ "{\"addr\":[0,9]},{\"addr\":[20,29]}", A,
	    "17 0000 0002 0014 0001 02 0001", true },
	{ "{\"addr\":[0,9]},{\"fc\":[3],\"addr\":[20,29]}", A,
	    "17 0000 0002 0014 0001 02 0001", false },
	/* files, 20 and 21: the records of every group */
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "14 07 06 0001 0000 000a", true },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "14 07 06 0001 0000 000b", false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "14 0e 06 0001 0000 0001 06 0002 0009 0001", true },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "14 0e 06 0001 0000 0001 06 0002 000a 0001", false },
	/* ... also of those that the byte count leaves out */
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "14 07 06 0001 0000 0001 06 0002 000a 0001", false },
	{ HR_10_19, A, "14 07 06 0001 000a 0001", false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "15 0b 06 0001 0008 0002 0001 0002", true },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "15 0b 06 0001 0009 0002 0001 0002", false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "15 12 06 0001 0000 0001 0001 06 0001 0009 0001 0001", true },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "15 12 06 0001 0000 0001 0001 06 0001 000a 0001 0001", false },
	/* queues, 24: the pointer */
	{ "{\"tables\":[\"fifos\"],\"addr\":[2000,2001]}", A, "18 07d0", true },
	{ "{\"tables\":[\"fifos\"],\"addr\":[2000,2001]}", A, "18 07d2",
	    false },
	{ "{\"tables\":[\"hr\"]}", A, "18 07d0", false },
};

/* ---- the rules together ---- */

static const struct asked together[] = {
	/* nobody in particular */
	{ "", A, "03 0000 0001", false },
	{ "", A, "07", false },
	{ "", NOBODY, "03 0000 0001", false },
	{ "{}", A, "03 0000 0001", true },
	{ "{}", B, "10 0000 0001 02 0000", true },
	{ "{}", NOBODY, "03 0000 0001", true },
	{ HR_10_19, NOBODY, "06 0000 0000", true },
	/* devices */
	{ "{\"devices\":[\"plc1\"]}", A, "03 0000 0001", true },
	{ "{\"devices\":[\"plc1\"]}", B, "03 0000 0001", false },
	{ "{\"devices\":[\"plc2\",\"plc1\"]}", B, "03 0000 0001", true },
	{ "{\"devices\":[\"plc2\"]}", A, "11", false },
	{ "{\"devices\":[\"plc2\"]}", B, "11", true },
	/* function codes */
	{ "{\"fc\":[3,4]}", A, "03 0000 0001", true },
	{ "{\"fc\":[3,4]}", A, "04 0000 0001", true },
	{ "{\"fc\":[3,4]}", A, "01 0000 0001", false },
	{ "{\"fc\":[3,4]}", A, "06 0000 0001", false },
	{ "{\"fc\":[63,64,127]}", A, "40", true },
	{ "{\"fc\":[63,64,127]}", A, "3f", true },
	{ "{\"fc\":[63,64,127]}", A, "7f", true },
	{ "{\"fc\":[63,64,127]}", A, "3e", false },
	{ "{\"fc\":[63,64,127]}", A, "41", false },
	/* any of the rules allows, but each alone */
	{ "{\"fc\":[3]},{\"fc\":[6],\"addr\":[5,5]}", A, "06 0005 0001", true },
	{ "{\"fc\":[3]},{\"fc\":[6],\"addr\":[5,5]}", A, "06 0006 0001",
	    false },
	{ "{\"fc\":[3]},{\"fc\":[6],\"addr\":[5,5]}", A, "03 0006 0001", true },
	{ "{\"addr\":[0,9]},{\"addr\":[10,19]}", A, "03 0008 0004", false },
	{ "{\"addr\":[0,9]},{\"addr\":[10,19]}", A, "03 000a 0004", true },
	{ "{\"fc\":[3],\"devices\":[\"plc1\"]},{\"devices\":[\"plc2\"],"
	  "\"fc\":[6]}",
	    A, "06 0000 0001", false },
};

/* ---- what touches no addresses ---- */

static const struct asked nowhere[] = {
	/* by a rule that looks at none */
	{ "{}", A, "07", true },
	{ "{}", A, "08 0000 1234", true },
	{ "{}", A, "0b", true },
	{ "{}", A, "0c", true },
	{ "{}", A, "11", true },
	{ "{}", A, "2b 0e 01 00", true },
	{ "{}", A, "64", true },
	{ "{\"addr\":[0,65535]}", A, "07", true },
	/* not by one that does */
	{ HR_10_19, A, "07", false },
	{ "{\"tables\":[\"hr\"]}", A, "2b 0e 01 00", false },
	{ "{\"addr\":[0,65534]}", A, "08 0000 1234", false },
	{ "{\"addr\":[1,65535]}", A, "08 0000 1234", false },
	{ HR_10_19, A, "64", false },
	/* unless it names the function code */
	{ "{\"fc\":[43],\"tables\":[\"hr\"],\"addr\":[0,9]}", A, "2b 0e 01 00",
	    true },
	{ "{\"fc\":[43],\"tables\":[\"hr\"],\"addr\":[0,9]}", A, "11", false },
	{ "{\"fc\":[100],\"tables\":[\"hr\"]}", A, "64", true },
	/* numbers that are no function codes */
	{ "{}", A, "00", true },
	{ "{}", A, "83", true },
	{ "{\"fc\":[1,2,3]}", A, "00", false },
	{ "{\"fc\":[1,2,3]}", A, "83", false },
	{ HR_10_19, A, "ff", false },
};

/* ---- nonsense: rights come before what is right ---- */

static const struct asked nonsense[] = {
	/* a count of 0 is held to mean the first address */
	{ HR_10_19, A, "03 000a 0000", true },
	{ HR_10_19, A, "03 0009 0000", false },
	{ HR_10_19, A, "03 0014 0000", false },
	/* what is behind the last address is nobody's: 02, not 01 */
	{ "{\"tables\":[\"hr\"]}", A, "03 fff0 ffff", true },
	{ "{\"tables\":[\"hr\"],\"addr\":[100,65535]}", A, "03 ffff 0002",
	    true },
	{ "{\"tables\":[\"hr\"],\"addr\":[100,65534]}", A, "03 fffe 0002",
	    false },
	/* a byte count that is wrong is for others to find */
	{ HR_10_19, A, "10 000a 0001 ff 0001", true },
	{ HR_10_19, A, "10 000a 0001", true },
	{ HR_10_19, A, "03 000a 0001 ff", true },
	/* too short to say: the whole table */
	{ HR_10_19, A, "03", false },
	{ HR_10_19, A, "03 00", false },
	{ HR_10_19, A, "03 000a", false },
	{ HR_10_19, A, "03 000a 00", false },
	{ HR_10_19, A, "06 00", false },
	{ "{\"tables\":[\"hr\"]}", A, "03", true },
	{ "{\"tables\":[\"hr\"]}", A, "03 000a 00", true },
	{ "{\"tables\":[\"hr\"]}", A, "06 00", true },
	{ "{\"tables\":[\"hr\"]}", A, "01 00", false },
	{ HR_10_19, A, "17 000a 0001 000a", false },
	{ "{\"tables\":[\"hr\"]}", A, "17 000a 0001 000a", true },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A, "14", false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A, "14 07", false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A, "14 07 06 0001 0000 00",
	    false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "14 0e 06 0001 0000 0001 06", false },
	{ "{\"tables\":[\"files\"],\"addr\":[0,9]}", A,
	    "15 0b 06 0001 0000 0002 0001", false },
	{ "{\"tables\":[\"files\"]}", A, "14", true },
	{ "{\"tables\":[\"files\"]}", A, "14 0e 06 0001 0000 0001 06", true },
	{ "{\"tables\":[\"files\"]}", A, "15 0b 06 0001 0000 0002 0001", true },
	{ "{\"tables\":[\"fifos\"],\"addr\":[0,9]}", A, "18 00", false },
	{ "{\"tables\":[\"fifos\"]}", A, "18", true },
	/* nothing at all */
	{ "{}", A, "", true },
	{ HR_10_19, A, "", false },
};

static size_t
bytes(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	for (; *hex != '\0'; hex++)
		if (*hex != ' ') {
			ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
			out[n++] = (uint8_t)byte;
			hex++;
		}
	return n;
}

static void
check(const struct asked *a)
{
	char text[300];
	uint8_t pdu[260], *block;
	size_t len = bytes(a->pdu, pdu);
	const struct conf_role *role;
	struct conf *c;
	bool allowed;

	snprintf(text, sizeof(text), "{\"r\":[%s]}", a->rules);
	c = case_roles(text);
	ck_assert_msg(c != NULL, "%s", case_told);
	role = rights_of(&c->transports[0].tls.roles, "r");
	ck_assert_ptr_nonnull(role);
	block = malloc(len); /* its end is seen by a sanitizer */
	memcpy(block, pdu, len);
	allowed = rights_allow(role, a->device, block, len);
	ck_assert_msg(allowed == a->allowed, "%s on %d by [%s]: %s", a->pdu,
	    a->device, a->rules, allowed ? "allowed" : "refused");
	free(block);
	conf_free(c);
}

#define TABLE_TEST(title, table)     \
	START_TEST(title)            \
	{                            \
		check(&(table)[_i]); \
	}                            \
	END_TEST

TABLE_TEST(each_function_code_touches_its_addresses, ranges)
TABLE_TEST(any_rule_allows_but_each_alone, together)
TABLE_TEST(what_touches_no_addresses_is_allowed_by_name, nowhere)
TABLE_TEST(rights_come_before_what_is_right, nonsense)

/* ---- who is who ---- */

START_TEST(a_role_has_its_own_rules_and_an_unknown_one_has_none)
{
	struct conf *c =
	    case_roles("{\"operator\":[{}],\"viewer\":[{\"fc\":[3]}],\"\":[]}");
	const struct conf_transport *t = &c->transports[0];

	ck_assert_uint_eq(rights_of(&t->tls.roles, "operator")->nrules, 1);
	ck_assert(rights_of(&t->tls.roles, "operator")->rules[0].every_fc);
	ck_assert(!rights_of(&t->tls.roles, "viewer")->rules[0].every_fc);
	ck_assert_uint_eq(rights_of(&t->tls.roles, "")->nrules, 0);
	ck_assert_str_eq(rights_of(&t->tls.roles, "")->name, "");
	/* the whole of the name counts, and its letters do */
	ck_assert_uint_eq(rights_of(&t->tls.roles, "Operator")->nrules, 0);
	ck_assert_uint_eq(rights_of(&t->tls.roles, "operator ")->nrules, 0);
	ck_assert_uint_eq(rights_of(&t->tls.roles, "oper")->nrules, 0);
	ck_assert_uint_eq(rights_none(&t->tls.roles)->nrules, 0);
	conf_free(c);
}
END_TEST

START_TEST(the_null_role_may_be_given_rights)
{
	struct conf *c = case_roles("{\"\":[{\"fc\":[4]}]}");
	const struct conf_transport *t = &c->transports[0];

	ck_assert(rights_allow(
	    rights_of(&t->tls.roles, ""), 0, (const uint8_t *)"\4\0\0\0\1", 5));
	ck_assert_msg(rights_none(&t->tls.roles)->nrules == 0,
	    "who cannot be told has not even the NULL role's");
	conf_free(c);
}
END_TEST

START_TEST(without_a_file_of_roles_there_are_no_rights_to_ask_for)
{
	struct conf *c = case_right(
	    "{\"devices\":{\"plc1\":{}},\"transports\":{\"t\":{" ROLES_TLS
	    "}}}");

	ck_assert_ptr_null(rights_of(&c->transports[0].tls.roles, "operator"));
	ck_assert_ptr_null(rights_of(&c->transports[0].tls.roles, ""));
	ck_assert_ptr_null(rights_none(&c->transports[0].tls.roles));
	conf_free(c);
}
END_TEST

#define ADD(tc, title, table) \
	tcase_add_loop_test(tc, title, 0, sizeof(table) / sizeof(table[0]))

int
main(void)
{
	Suite *s = suite_create("rights");
	TCase *tc = tcase_create("rights");

	ADD(tc, each_function_code_touches_its_addresses, ranges);
	ADD(tc, any_rule_allows_but_each_alone, together);
	ADD(tc, what_touches_no_addresses_is_allowed_by_name, nowhere);
	ADD(tc, rights_come_before_what_is_right, nonsense);
	tcase_add_test(
	    tc, a_role_has_its_own_rules_and_an_unknown_one_has_none);
	tcase_add_test(tc, the_null_role_may_be_given_rights);
	tcase_add_test(
	    tc, without_a_file_of_roles_there_are_no_rights_to_ask_for);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
