/* SPDX-License-Identifier: Apache-2.0 */

/* Notices: one ring a slot, posted by its occupant, read by anybody. */

#include "shm/notice.h"

#include "shm/ring.h"
#include "tests/lib/store_fixture.h"

static struct fixture fix;

static void
setup(void)
{
	struct seg_range r = fix_range(STORE_HR, 0, 10);

	fix_open(&fix, &r, 1, false);
}

static void
teardown(void)
{
	fix_close(&fix);
}

START_TEST(a_notice_arrives_with_everything_that_was_posted)
{
	struct notice n;
	uint64_t pos = notice_end(fix.env.control, 1);

	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 0);
	notice_post(
	    &fix.env, NOTICE_CONN_CLOSE, 3, CONN_ID(3, 1, 77), 12345, "idle");
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_CONN_CLOSE);
	ck_assert_uint_eq(n.transport, 3);
	ck_assert_uint_eq(CONN_ID_TRANSPORT(n.a), 3);
	ck_assert_uint_eq(CONN_ID_WORKER(n.a), 1);
	ck_assert_uint_eq(CONN_ID_SERIAL(n.a), 77);
	ck_assert_uint_eq(n.b, 12345);
	ck_assert_str_eq(n.text, "idle");
	ck_assert_uint_eq(n.len, 4);
	ck_assert_uint_gt(n.unix_ms, 1700000000000);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 0);
}
END_TEST

START_TEST(each_slot_has_its_own_ring)
{
	struct notice n;
	uint64_t own = 0, other = 0;

	notice_post(&fix.env, NOTICE_LOG, 0, 1, 0, "mine");
	ck_assert_int_eq(notice_next(fix.env.control, 2, &other, &n), 0);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &own, &n), 1);
}
END_TEST

START_TEST(text_too_long_is_cut)
{
	struct notice n;
	char text[2000];
	uint64_t pos = 0;

	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = 0;
	notice_post(&fix.env, NOTICE_LOG, 0, 1, 0, text);
	notice_post(&fix.env, NOTICE_LOG, 0, 1, 0, "");
	notice_post(&fix.env, NOTICE_LOG, 0, 1, 0, NULL);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_uint_eq(n.len, NOTICE_TEXT_MAX - 1);
	ck_assert_uint_eq(strlen(n.text), NOTICE_TEXT_MAX - 1);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_str_eq(n.text, "");
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_str_eq(n.text, "");
}
END_TEST

START_TEST(without_a_slot_posting_does_nothing)
{
	struct slot_env none = { .control = fix.env.control, .lock_fd = -1 };
	uint64_t end = notice_end(fix.env.control, 1);

	notice_post(NULL, NOTICE_LOG, 0, 0, 0, "x");
	notice_post(&none, NOTICE_LOG, 0, 0, 0, "x");
	ck_assert_uint_eq(notice_end(fix.env.control, 1), end);
}
END_TEST

START_TEST(lost_notices_are_told_once)
{
	struct notice n;
	uint64_t pos = notice_end(fix.env.control, 1);
	int left = 0;

	for (int i = 0; i < 1000; i++)
		notice_post(&fix.env, NOTICE_LOG, 0, (uint64_t)i, 0, "line");
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), -1);
	while (notice_next(fix.env.control, 1, &pos, &n) == 1)
		left++;
	ck_assert_uint_eq(n.a, 999);
	ck_assert_int_gt(left, 200);
}
END_TEST

START_TEST(a_record_that_lies_about_its_text_harms_nothing)
{
	struct notice n, lie = { .kind = NOTICE_LOG, .len = 0xffffffff };
	struct iovec whole = { &lie, offsetof(struct notice, text) + 3 };
	struct iovec stump = { &lie, 10 };
	uint64_t pos = 0;

	memcpy(lie.text, "abc", 3);
	ring_put(seg_notices(fix.env.control, 1), SHM_RING_BYTES, &whole, 1);
	ring_put(seg_notices(fix.env.control, 1), SHM_RING_BYTES, &stump, 1);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_uint_eq(n.len, 3);
	ck_assert_str_eq(n.text, "abc");
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), -1);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("notice");
	TCase *t = tcase_create("notice");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_notice_arrives_with_everything_that_was_posted);
	tcase_add_test(t, each_slot_has_its_own_ring);
	tcase_add_test(t, text_too_long_is_cut);
	tcase_add_test(t, without_a_slot_posting_does_nothing);
	tcase_add_test(t, lost_notices_are_told_once);
	tcase_add_test(t, a_record_that_lies_about_its_text_harms_nothing);
	suite_add_tcase(s, t);
	return fix_run(s);
}
