/* SPDX-License-Identifier: Apache-2.0 */
/* Who hangs and who does not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/watchdog.h"

#define MS 1000000ull

/* Times in ms; now is 100 000. */
static const struct {
	uint64_t beat, busy, since;
	unsigned hang;
	enum watchdog_verdict verdict;
} cases[] = {
	{ 99999, 0, 1, 2000, WATCHDOG_FINE },
	{ 98001, 0, 1, 2000, WATCHDOG_FINE },
	{ 97999, 0, 1, 2000, WATCHDOG_SILENT },
	{ 0, 0, 97000, 2000, WATCHDOG_SILENT }, /* never a beat */
	{ 0, 0, 99000, 2000, WATCHDOG_FINE }, /* has just become ready */
	{ 0, 0, 1, 0, WATCHDOG_FINE }, /* silence is fine */
	{ 99999, 99600, 1, 2000, WATCHDOG_FINE },
	{ 99999, 99400, 1, 2000, WATCHDOG_BUSY },
	{ 99999, 99400, 1, 0, WATCHDOG_BUSY },
	{ 97999, 99400, 1, 2000, WATCHDOG_BUSY },
	/* a wait for a device may take longer than the shortest hang */
	{ 99600, 99650, 1, 100, WATCHDOG_FINE },
	{ 99300, 99450, 1, 100, WATCHDOG_BUSY },
	{ 99600, 0, 1, 100, WATCHDOG_SILENT },
	{ 99600, UINT64_MAX / MS, 1, 100, WATCHDOG_SILENT },
	/* what a child may make up must not upset the arithmetic */
	{ UINT64_MAX / MS, 0, 1, 2000, WATCHDOG_FINE },
	{ 99999, UINT64_MAX / MS, 1, 2000, WATCHDOG_FINE },
	{ 100000, 100000, 1, 2000, WATCHDOG_FINE },
};

START_TEST(only_old_beats_and_old_requests_are_judged)
{
	ck_assert_int_eq(
	    watchdog_judge(100000 * MS, cases[_i].beat * MS,
		cases[_i].busy * MS, cases[_i].since * MS, cases[_i].hang),
	    cases[_i].verdict);
}
END_TEST

START_TEST(nobody_is_judged_after_the_judge_was_away)
{
	struct watchdog w = { .last_ms = 900 };
	uint64_t now = 1000;
	int i;

	ck_assert(watchdog_tick(&w, now));
	ck_assert(watchdog_tick(&w, now += WATCHDOG_MS));
	ck_assert(watchdog_tick(&w, now += WATCHDOG_AWAY_MS));
	ck_assert(!watchdog_tick(&w, now += WATCHDOG_AWAY_MS + 1));
	for (i = 0; i < WATCHDOG_GRACE; i++)
		ck_assert(!watchdog_tick(&w, now += WATCHDOG_MS));
	ck_assert(watchdog_tick(&w, now += WATCHDOG_MS));
}
END_TEST

START_TEST(a_device_held_unmoved_over_two_ticks_is_noticed)
{
	struct watchdog_hold h = { 0 };

	ck_assert(!watchdog_held(&h, 9, 4, 100));
	ck_assert(!watchdog_held(&h, 9, 4, 100));
	ck_assert(watchdog_held(&h, 9, 4, 100));
}
END_TEST

static const struct {
	uint64_t owner, seq, beat;
} moves[] = {
	{ 0, 4, 100 }, /* it is free */
	{ 8, 4, 100 }, /* another has it */
	{ 9, 6, 100 }, /* it was written */
	{ 9, 4, 101 }, /* its owner is about */
};

START_TEST(a_device_that_moves_is_not_held)
{
	struct watchdog_hold h = { 0 };

	watchdog_held(&h, 9, 4, 100);
	watchdog_held(&h, 9, 4, 100);
	ck_assert(
	    !watchdog_held(&h, moves[_i].owner, moves[_i].seq, moves[_i].beat));
	ck_assert(!watchdog_held(&h, 9, 4, 100));
}
END_TEST

START_TEST(a_free_device_is_never_held)
{
	struct watchdog_hold h = { 0 };
	int i;

	for (i = 0; i < 10; i++)
		ck_assert(!watchdog_held(&h, 0, 4, 0));
}
END_TEST

START_TEST(who_is_not_let_run_is_not_to_blame)
{
	struct watchdog_mark m = { 0 };
	uint64_t spin = WATCHDOG_SPIN_MS * MS;

	watchdog_mark(&m, 5, 7, 1000);
	ck_assert(!watchdog_guilty(&m, 1000, true));
	ck_assert(!watchdog_guilty(&m, 1000 + spin - 1, true));
	ck_assert(watchdog_guilty(&m, 1000 + spin, true));
	/* stopped, or asleep in the middle of something */
	ck_assert(watchdog_guilty(&m, 1000, false));
}
END_TEST

START_TEST(only_a_new_sign_of_life_begins_the_count_anew)
{
	struct watchdog_mark m = { 0 };
	uint64_t spin = WATCHDOG_SPIN_MS * MS;

	watchdog_mark(&m, 5, 7, 1000);
	watchdog_mark(&m, 6, 7, 1000 + spin);
	ck_assert(watchdog_guilty(&m, 1000 + spin, true));
	watchdog_mark(&m, 8, 7, 1000 + spin);
	ck_assert(!watchdog_guilty(&m, 1000 + spin, true));
	/* another process has taken the place: its time begins at 0 */
	watchdog_mark(&m, 8, 7, 10);
	ck_assert(!watchdog_guilty(&m, 10, true));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watchdog");
	TCase *t = tcase_create("watchdog");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, only_old_beats_and_old_requests_are_judged, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, nobody_is_judged_after_the_judge_was_away);
	tcase_add_test(t, a_device_held_unmoved_over_two_ticks_is_noticed);
	tcase_add_loop_test(t, a_device_that_moves_is_not_held, 0,
	    sizeof(moves) / sizeof(moves[0]));
	tcase_add_test(t, a_free_device_is_never_held);
	tcase_add_test(t, who_is_not_let_run_is_not_to_blame);
	tcase_add_test(t, only_a_new_sign_of_life_begins_the_count_anew);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
