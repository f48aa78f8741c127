/* SPDX-License-Identifier: Apache-2.0 */
/*
 * max_transactions: what is outstanding beyond it is answered 06 (TG-07), and
 * counted, and not carried out.
 */
#include "tests/lib/link_fixture.h"

/* How many of the replies in out are 06, and where the first of them is; every
 * transaction id must be there, in order. */
static unsigned
count_busy(unsigned first_tid, unsigned *first)
{
	unsigned busy = 0, n = 0;

	for (size_t at = 0; at < lf.out.len; n++) {
		const uint8_t *p = lf.out.p + at;

		ck_assert_uint_eq(
		    (unsigned)(p[0] << 8 | p[1]), (first_tid + n) & 0xffff);
		if (p[7] == 0x83 && p[8] == 6 && busy++ == 0)
			*first = n;
		at += 6u + (p[4] << 8 | p[5]);
	}
	return busy;
}

START_TEST(more_than_may_be_outstanding_are_answered_06)
{
	struct mb_diag *d = lf.fx.worker.bind.by_unit[1]->unit.diag;
	unsigned first = 0;

	lf.fx.transport.max_transactions = 16;
	for (int i = 0; i < 20; i++)
		lf_ask_read(0, 1);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	ck_assert_uint_eq(count_busy(lf.in.p[0] << 8 | lf.in.p[1], &first), 4);
	ck_assert_uint_eq(first, 16);
	ck_assert_uint_eq(mb_diag_get(d, MB_CPT_BUSY), 4);
	ck_assert_uint_eq(mb_diag_get(d, MB_CPT_EXCEPTIONS), 4);
	ck_assert_uint_eq(mb_diag_get(d, MB_CPT_UNIT_MESSAGES), 20);
	ck_assert_uint_eq(atomic_load(&lf.fx.worker.shm->stats.busy), 4);
	ck_assert_uint_eq(
	    atomic_load(&lf.fx.worker.shm->stats.exceptions[6]), 4);
	/* what has been answered is outstanding no longer */
	lf.out.len = 0;
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	ck_assert_uint_eq(count_busy(lf.in.p[0] << 8 | lf.in.p[1], &first), 4);
}
END_TEST

START_TEST(rounds_do_not_make_more_outstanding)
{
	unsigned first = 0;

	lf.fx.transport.max_transactions = 100;
	for (int i = 0; i < 120; i++)
		lf_ask_read(0, 125);
	ck_assert_uint_gt(101 * 259, BATCH_OUT);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	ck_assert_uint_eq(count_busy(lf.in.p[0] << 8 | lf.in.p[1], &first), 20);
	ck_assert_uint_eq(first, 100);
}
END_TEST

START_TEST(who_sends_slowly_is_never_busy)
{
	unsigned first = 0;

	lf.fx.transport.max_transactions = 1;
	for (int i = 0; i < 20; i++)
		lf_ask_read(0, 1);
	for (size_t at = 0; at < lf.in.len; at += 11)
		ck_assert_int_eq(lf_give(lf.in.p + at,
				     lf.in.len - at < 11 ? lf.in.len - at : 11),
		    LINK_MORE);
	ck_assert_uint_eq(count_busy(lf.in.p[0] << 8 | lf.in.p[1], &first), 0);
	ck_assert_uint_eq(lf.out.len, 20 * 11);
}
END_TEST

START_TEST(a_refused_write_is_not_carried_out)
{
	lf.fx.transport.max_transactions = 1;
	lf_ask_write(1, 5, 111);
	lf_ask_write(1, 6, 222);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	ck_assert_uint_eq(lf_reg(0, 5), 111);
	ck_assert_uint_eq(lf_reg(0, 6), 6);
}
END_TEST

START_TEST(a_silent_device_is_not_too_busy_to_be_silent)
{
	lf.fx.transport.max_transactions = 1;
	mb_diag_listen(lf.fx.worker.bind.by_unit[1]->unit.diag, true);
	lf_ask_read(0, 1);
	lf_ask_read(0, 1);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	ck_assert_uint_eq(lf.out.len, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_busy");
	TCase *tc = tcase_create("link_busy");

	tcase_add_checked_fixture(tc, lf_setup, lf_teardown);
	tcase_add_test(tc, more_than_may_be_outstanding_are_answered_06);
	tcase_add_test(tc, rounds_do_not_make_more_outstanding);
	tcase_add_test(tc, who_sends_slowly_is_never_busy);
	tcase_add_test(tc, a_refused_write_is_not_carried_out);
	tcase_add_test(tc, a_silent_device_is_not_too_busy_to_be_silent);
	suite_add_tcase(s, tc);
	return fx_report(s);
}
