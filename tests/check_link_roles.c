/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of those whose role does not allow them: refused before anything
 * else is looked at, counted and told of.
 */
#include "tests/lib/link_fixture.h"

static uint8_t only_b[] = { 0, 1 };
static struct conf_rule rules[] = {
	/* reads on a and b, writes on b */
	{ .fcs = { 1 << 3 }, .tables = 1 << STORE_HR, .last = 99 },
	{ .every_fc = true,
	    .devices = only_b,
	    .tables = 1 << STORE_HR,
	    .last = 99 },
};
static char viewer_name[] = "viewer";
static const struct conf_role viewer = { viewer_name, rules, 2 };

static uint64_t
refused(void)
{
	return atomic_load(&lf.fx.worker.shm->stats.refused);
}

START_TEST(what_a_role_does_not_allow_is_answered_01_before_all_else)
{
	lf.link.rights = &viewer;
	lf_ask_read(0, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 11);
	ck_assert_uint_eq(refused(), 0);

	lf.in.len = lf.out.len = 0;
	lf_ask_write(1, 12, 0x77); /* may not write there */
	lf_ask_read(90, 200); /* a wrong count and a wrong address */
	lf_ask_read(500, 1); /* neither is there such an address */
	lf_ask(1, (const uint8_t *)"\x42", 1); /* nor such a function code */
	lf_ask_write(2, 12, 0x77);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 9 + 9 + 9 + 9 + 12);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(
		    lf.out.p[9 * i + 5], 3); /* nine bytes in all */
		ck_assert_uint_eq(lf.out.p[9 * i + 8], MB_EX_FUNCTION);
	}
	ck_assert_uint_eq(lf.out.p[7], 0x86);
	ck_assert_uint_eq(lf.out.p[16], 0x83);
	ck_assert_uint_eq(lf.out.p[34], 0xc2);
	ck_assert_uint_eq(lf_reg(0, 12), 12);
	ck_assert_uint_eq(lf_reg(1, 12), 0x77);
	ck_assert_uint_eq(refused(), 4);
	ck_assert_uint_eq(
	    atomic_load(&lf.fx.worker.shm->stats.exceptions[MB_EX_FUNCTION]),
	    4);
}
END_TEST

START_TEST(the_device_counts_what_was_refused_and_stays_silent_if_told_to)
{
	struct mb_diag *d = lf.fx.worker.bind.by_unit[1]->unit.diag;

	lf.link.rights = &viewer;
	for (int i = 0; i < 3; i++)
		lf_ask_write(1, 12, 0x77);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 27);
	ck_assert_uint_eq(mb_diag_get(d, MB_CPT_EXCEPTIONS), 3);
	ck_assert_uint_eq(mb_diag_get(d, MB_CPT_UNIT_MESSAGES), 3);

	mb_diag_listen(d, true);
	lf.in.len = lf.out.len = 0;
	lf_ask_write(1, 12, 0x77);
	lf_ask_write(2, 12, 0x77);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 12); /* of unit 2 */
	ck_assert_uint_eq(lf.out.p[6], 2);
	ck_assert_uint_eq(lf_reg(0, 12), 12);
	ck_assert_uint_eq(refused(), 4);
}
END_TEST

START_TEST(what_a_role_does_allow_may_still_be_wrong)
{
	static struct conf_rule all = {
		.every_fc = true, .tables = 63, .last = CONF_ADDR_MAX
	};
	static const struct conf_role operator= { viewer_name, &all, 1 };

	lf.link.rights = &operator;
	lf_ask_read(90, 200);
	lf_ask_read(500, 1);
	lf_ask(9, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 27);
	ck_assert_uint_eq(lf.out.p[8], MB_EX_VALUE);
	ck_assert_uint_eq(lf.out.p[17], MB_EX_ADDRESS);
	ck_assert_uint_eq(lf.out.p[26], MB_EX_NO_REPLY);
	ck_assert_uint_eq(refused(), 0);
}
END_TEST

START_TEST(who_has_no_rights_is_not_told_which_units_there_are)
{
	static const struct conf_role none = { .nrules = 0 };

	lf.link.rights = &none;
	lf.fx.transport.silent_units = true;
	lf_ask(9, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_ask(1, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 18);
	ck_assert_uint_eq(lf.out.p[8], MB_EX_FUNCTION);
	ck_assert_uint_eq(lf.out.p[17], MB_EX_FUNCTION);
	ck_assert_uint_eq(
	    atomic_load(&lf.fx.worker.shm->stats.unknown_units), 0);
}
END_TEST

START_TEST(a_broadcast_reaches_the_devices_that_the_role_may_write)
{
	lf.fx.transport.broadcast = true;
	lf.link.rights = &viewer;
	lf_ask_write(0, 12, 0x77);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 0);
	ck_assert_uint_eq(lf_reg(0, 12), 12);
	ck_assert_uint_eq(lf_reg(1, 12), 0x77);
	ck_assert_uint_eq(refused(), 1);
}
END_TEST

/* The next notice must be of a refusal to a role, in so many words. */
static void
check_refusal(uint64_t *pos, const char *role, unsigned unit, unsigned fc)
{
	struct notice n;
	size_t len = role != NULL ? strlen(role) : 0;

	ck_assert_int_eq(
	    notice_next(lf.fx.proc.env.control, FX_SLOT, pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_REFUSED);
	ck_assert_uint_eq(
	    n.a, CONN_ID(0, 0, atomic_load(&lf.conn->rec.shm->serial)));
	ck_assert_uint_eq(NOTICE_REFUSED_UNIT(n.b), unit);
	ck_assert_uint_eq(NOTICE_REFUSED_FC(n.b), fc);
	ck_assert_int_eq(NOTICE_REFUSED_LEN(n.b), role != NULL ? (int)len : -1);
	ck_assert_int_eq(strncmp(n.text, role != NULL ? role : "", len), 0);
	ck_assert_str_eq(n.text + len, "0.0.0.0:0");
}

START_TEST(every_refusal_is_told_with_its_role_but_not_logged_without_end)
{
	uint64_t pos;
	unsigned lines = 0;

	lf.link.rights = &viewer;
	pos = notice_end(lf.fx.proc.env.control, FX_SLOT);
	lf_ask_write(1, 12, 0x77);
	lf_give(lf.in.p, lf.in.len);
	check_refusal(&pos, NULL, 1, 6);
	conns_role(lf.conn, "viewer");
	for (unsigned i = 0; i < 100; i++) {
		lf.in.len = lf.out.len = 0;
		lf_ask_write(1, 12, 0x77);
		lf_give(lf.in.p, lf.in.len);
		check_refusal(&pos, "viewer", 1, 6);
	}
	while (worker_may_log(&lf.fx.worker))
		lines++;
	ck_assert_uint_eq(lines, 0);
	lf.fx.worker.now_ns += 1000000000;
	ck_assert(worker_may_log(&lf.fx.worker));
}
END_TEST

START_TEST(the_null_role_is_told_as_such)
{
	uint64_t pos = notice_end(lf.fx.proc.env.control, FX_SLOT);

	lf.link.rights = &viewer;
	conns_role(lf.conn, "");
	lf_ask(2, (const uint8_t *)"\x42", 1);
	lf_give(lf.in.p, lf.in.len);
	check_refusal(&pos, "", 2, 0x42);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_roles");
	TCase *tc = tcase_create("link_roles");

	tcase_add_checked_fixture(tc, lf_setup, lf_teardown);
	tcase_add_test(
	    tc, what_a_role_does_not_allow_is_answered_01_before_all_else);
	tcase_add_test(
	    tc, the_device_counts_what_was_refused_and_stays_silent_if_told_to);
	tcase_add_test(tc, what_a_role_does_allow_may_still_be_wrong);
	tcase_add_test(tc, who_has_no_rights_is_not_told_which_units_there_are);
	tcase_add_test(
	    tc, a_broadcast_reaches_the_devices_that_the_role_may_write);
	tcase_add_test(
	    tc, every_refusal_is_told_with_its_role_but_not_logged_without_end);
	tcase_add_test(tc, the_null_role_is_told_as_such);
	suite_add_tcase(s, tc);
	return fx_report(s);
}
