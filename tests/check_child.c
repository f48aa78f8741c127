/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a child: every cell of the table, and the waits between lives. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "shm/log.h"
#include "supervisor/child.h"

static struct {
	int spawns, drains, kills, changes;
	int64_t timer;
	int spawn_rc;
	enum life from;
	char why[CHILD_WHY_MAX];
	uint64_t now_ms;
} did;

static int
spawn(struct child *c)
{
	(void)c;
	did.spawns++;
	return did.spawn_rc;
}

static void
drain(struct child *c)
{
	(void)c;
	did.drains++;
}

static void
end(struct child *c)
{
	(void)c;
	did.kills++;
}

static void
timer(struct child *c, int64_t ms)
{
	(void)c;
	did.timer = ms;
}

static void
changed(struct child *c, enum life from)
{
	did.changes++;
	did.from = from;
	strcpy(did.why, c->why);
}

static uint64_t
now_ms(void)
{
	return did.now_ms;
}

static uint32_t
middle(void)
{
	return 200; /* of 0..400: no jitter */
}

static const struct child_ops ops = {
	.spawn = spawn,
	.drain = drain,
	.kill = end,
	.timer = timer,
	.changed = changed,
	.now_ms = now_ms,
	.random = middle,
};

static const struct retry_limits limits = {
	.min_ms = 10,
	.max_ms = 5000,
	.window_s = 60,
};

static void
fresh(struct child *c)
{
	memset(&did, 0, sizeof(did));
	child_init(c, "x", &ops, &limits);
}

/* Leads a new child into a state, on the ordinary way there. */
static void
lead(struct child *c, enum life state)
{
	static const enum life_event ways[LIFE_STATES][6] = {
		[LIFE_STOPPED] = { LIFE_EVENTS },
		[LIFE_STARTING] = { LIFE_START, LIFE_EVENTS },
		[LIFE_UP] = { LIFE_START, LIFE_READY, LIFE_EVENTS },
		[LIFE_DRAINING] = { LIFE_START, LIFE_READY, LIFE_STOP,
		    LIFE_EVENTS },
		[LIFE_RESTARTING] = { LIFE_START, LIFE_READY, LIFE_RESTART,
		    LIFE_EVENTS },
		/* two deaths are answered at once, the third one waits */
		[LIFE_BACKOFF] = { LIFE_START, LIFE_CRASHED, LIFE_CRASHED,
		    LIFE_CRASHED, LIFE_EVENTS },
		[LIFE_FAILED] = { LIFE_START, LIFE_MISCONFIGURED, LIFE_EVENTS },
	};
	const enum life_event *ev;

	fresh(c);
	for (ev = ways[state]; *ev != LIFE_EVENTS; ev++)
		ck_assert(child_event(c, *ev));
	ck_assert_int_eq(c->state, state);
	memset(&did, 0, sizeof(did));
	did.timer = -2;
}

enum { NO = -1 }; /* the event cannot be */

/* What must come of an event in a state; written from the requirement and not
 * from the table. */
static const struct {
	enum life state;
	enum life_event ev;
	int next; /* or NO */
	int spawns, drains, kills;
} cells[] = {
	{ LIFE_STOPPED, LIFE_START, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_STOPPED, LIFE_STOP, LIFE_STOPPED, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_RESTART, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_STOPPED, LIFE_READY, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_ENDED, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_MISCONFIGURED, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_CRASHED, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_TIMER, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_HUNG, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_UNBORN, NO, 0, 0, 0 },
	{ LIFE_STOPPED, LIFE_GAVE_UP, NO, 0, 0, 0 },

	{ LIFE_STARTING, LIFE_START, LIFE_STARTING, 0, 0, 0 },
	{ LIFE_STARTING, LIFE_STOP, LIFE_DRAINING, 0, 1, 0 },
	{ LIFE_STARTING, LIFE_RESTART, LIFE_RESTARTING, 0, 1, 0 },
	{ LIFE_STARTING, LIFE_READY, LIFE_UP, 0, 0, 0 },
	{ LIFE_STARTING, LIFE_ENDED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_STARTING, LIFE_MISCONFIGURED, LIFE_FAILED, 0, 0, 0 },
	{ LIFE_STARTING, LIFE_CRASHED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_STARTING, LIFE_TIMER, LIFE_STARTING, 0, 0, 1 },
	{ LIFE_STARTING, LIFE_HUNG, LIFE_STARTING, 0, 0, 1 },
	{ LIFE_STARTING, LIFE_UNBORN, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_STARTING, LIFE_GAVE_UP, NO, 0, 0, 0 },

	{ LIFE_UP, LIFE_START, LIFE_UP, 0, 0, 0 },
	{ LIFE_UP, LIFE_STOP, LIFE_DRAINING, 0, 1, 0 },
	{ LIFE_UP, LIFE_RESTART, LIFE_RESTARTING, 0, 1, 0 },
	{ LIFE_UP, LIFE_READY, NO, 0, 0, 0 },
	{ LIFE_UP, LIFE_ENDED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_UP, LIFE_MISCONFIGURED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_UP, LIFE_CRASHED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_UP, LIFE_TIMER, LIFE_UP, 0, 0, 0 },
	{ LIFE_UP, LIFE_HUNG, LIFE_UP, 0, 0, 1 },
	{ LIFE_UP, LIFE_UNBORN, NO, 0, 0, 0 },
	{ LIFE_UP, LIFE_GAVE_UP, NO, 0, 0, 0 },

	{ LIFE_DRAINING, LIFE_START, LIFE_RESTARTING, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_STOP, LIFE_DRAINING, 0, 1, 0 },
	{ LIFE_DRAINING, LIFE_RESTART, LIFE_RESTARTING, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_READY, LIFE_DRAINING, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_ENDED, LIFE_STOPPED, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_MISCONFIGURED, LIFE_STOPPED, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_CRASHED, LIFE_STOPPED, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_TIMER, LIFE_DRAINING, 0, 0, 1 },
	{ LIFE_DRAINING, LIFE_HUNG, LIFE_DRAINING, 0, 0, 1 },
	{ LIFE_DRAINING, LIFE_UNBORN, NO, 0, 0, 0 },
	{ LIFE_DRAINING, LIFE_GAVE_UP, NO, 0, 0, 0 },

	{ LIFE_RESTARTING, LIFE_START, LIFE_RESTARTING, 0, 0, 0 },
	{ LIFE_RESTARTING, LIFE_STOP, LIFE_DRAINING, 0, 1, 0 },
	{ LIFE_RESTARTING, LIFE_RESTART, LIFE_RESTARTING, 0, 0, 0 },
	{ LIFE_RESTARTING, LIFE_READY, LIFE_RESTARTING, 0, 0, 0 },
	{ LIFE_RESTARTING, LIFE_ENDED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_RESTARTING, LIFE_MISCONFIGURED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_RESTARTING, LIFE_CRASHED, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_RESTARTING, LIFE_TIMER, LIFE_RESTARTING, 0, 0, 1 },
	{ LIFE_RESTARTING, LIFE_HUNG, LIFE_RESTARTING, 0, 0, 1 },
	{ LIFE_RESTARTING, LIFE_UNBORN, NO, 0, 0, 0 },
	{ LIFE_RESTARTING, LIFE_GAVE_UP, NO, 0, 0, 0 },

	{ LIFE_BACKOFF, LIFE_START, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_BACKOFF, LIFE_STOP, LIFE_STOPPED, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_RESTART, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_BACKOFF, LIFE_READY, NO, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_ENDED, NO, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_MISCONFIGURED, NO, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_CRASHED, NO, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_TIMER, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_BACKOFF, LIFE_HUNG, NO, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_UNBORN, NO, 0, 0, 0 },
	{ LIFE_BACKOFF, LIFE_GAVE_UP, LIFE_FAILED, 0, 0, 0 },

	{ LIFE_FAILED, LIFE_START, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_FAILED, LIFE_STOP, LIFE_STOPPED, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_RESTART, LIFE_STARTING, 1, 0, 0 },
	{ LIFE_FAILED, LIFE_READY, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_ENDED, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_MISCONFIGURED, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_CRASHED, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_TIMER, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_HUNG, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_UNBORN, NO, 0, 0, 0 },
	{ LIFE_FAILED, LIFE_GAVE_UP, NO, 0, 0, 0 },
};
enum { CELLS = sizeof(cells) / sizeof(cells[0]) };

START_TEST(every_event_in_every_state_does_what_the_life_says)
{
	struct child c;
	bool possible = cells[_i].next != NO;

	lead(&c, cells[_i].state);
	ck_assert_int_eq(child_event(&c, cells[_i].ev), possible);
	ck_assert_int_eq(
	    c.state, possible ? cells[_i].next : (int)cells[_i].state);
	ck_assert_int_eq(did.spawns, cells[_i].spawns);
	ck_assert_int_eq(did.drains, cells[_i].drains);
	ck_assert_int_eq(did.kills, cells[_i].kills);
	ck_assert_int_eq(c.impossible, !possible);
}
END_TEST

START_TEST(no_state_and_no_event_is_left_out_of_the_cells_above)
{
	bool seen[LIFE_STATES][LIFE_EVENTS] = { { false } };
	int i;

	ck_assert_int_eq(CELLS, LIFE_STATES * LIFE_EVENTS);
	for (i = 0; i < CELLS; i++) {
		ck_assert(!seen[cells[i].state][cells[i].ev]);
		seen[cells[i].state][cells[i].ev] = true;
	}
}
END_TEST

START_TEST(every_state_has_its_time)
{
	struct child c;

	lead(&c, LIFE_STOPPED);
	c.drain_ms = 700;
	child_event(&c, LIFE_START);
	ck_assert_int_eq(did.timer, CHILD_START_MS);
	child_event(&c, LIFE_READY);
	ck_assert_int_eq(did.timer, limits.window_s * 1000);
	child_event(&c, LIFE_STOP);
	ck_assert_int_eq(did.timer, 700 + CHILD_GRACE_MS);
	c.drain_ms = 100;
	child_event(&c, LIFE_STOP); /* in a greater hurry */
	ck_assert_int_eq(did.timer, 100 + CHILD_GRACE_MS);
	child_event(&c, LIFE_ENDED);
	ck_assert_int_eq(did.timer, CHILD_NO_TIMER);
}
END_TEST

START_TEST(an_order_to_drain_again_does_not_prolong_it)
{
	struct child c;

	for (int i = 0; i < 2; i++) {
		lead(&c, LIFE_UP);
		c.drain_ms = 5000;
		child_event(&c, i == 0 ? LIFE_STOP : LIFE_RESTART);
		for (int k = 0; k < 3; k++) {
			did.now_ms += 1000;
			did.timer = -2; /* not touched */
			child_event(&c, LIFE_STOP);
			ck_assert_int_eq(did.timer, -2);
		}
		c.drain_ms = 1000; /* of the two seconds that are left */
		child_event(&c, LIFE_STOP);
		ck_assert_int_eq(did.timer, 1000 + CHILD_GRACE_MS);
		ck_assert_int_eq(did.drains, 5);
	}
}
END_TEST

/* What the process has been told is what it gets, whatever is wanted after
 * its end. */
static const struct {
	enum life_event drain, next;
} promises[] = {
	{ LIFE_STOP, LIFE_START },
	{ LIFE_STOP, LIFE_RESTART },
	{ LIFE_RESTART, LIFE_START },
	{ LIFE_RESTART, LIFE_RESTART },
};
enum { PROMISES = sizeof(promises) / sizeof(promises[0]) };

START_TEST(an_order_to_live_again_does_not_shorten_a_drain)
{
	struct child c;

	lead(&c, LIFE_UP);
	c.drain_ms = 5000;
	child_event(&c, promises[_i].drain);
	ck_assert_int_eq(did.timer, 5000 + CHILD_GRACE_MS);
	c.drain_ms = 0;
	child_event(&c, promises[_i].next);
	ck_assert_int_eq(c.state, LIFE_RESTARTING);
	ck_assert_int_eq(did.timer, 5000 + CHILD_GRACE_MS);
	child_event(&c, LIFE_STOP); /* that one is told to the process */
	ck_assert_int_eq(did.timer, CHILD_GRACE_MS);
	ck_assert_int_eq(did.drains, 2);
}
END_TEST

START_TEST(a_child_that_cannot_be_forked_is_tried_again_later)
{
	struct child c;

	fresh(&c);
	did.spawn_rc = -1;
	child_event(&c, LIFE_START);
	ck_assert_int_eq(c.state, LIFE_BACKOFF);
	ck_assert_int_eq(did.spawns, 3); /* twice at once, then not */
	ck_assert_int_eq(did.timer, 10);
	did.spawn_rc = 0;
	child_event(&c, LIFE_TIMER);
	ck_assert_int_eq(c.state, LIFE_STARTING);
}
END_TEST

START_TEST(deaths_are_counted_but_planned_restarts_are_not)
{
	struct child c;

	lead(&c, LIFE_UP);
	child_event(&c, LIFE_CRASHED);
	ck_assert_uint_eq(c.restarts, 1);
	child_event(&c, LIFE_READY);
	child_event(&c, LIFE_RESTART);
	child_event(&c, LIFE_ENDED);
	ck_assert_int_eq(c.state, LIFE_STARTING);
	ck_assert_uint_eq(c.restarts, 1);
}
END_TEST

START_TEST(too_many_deaths_in_the_window_make_it_fail_until_an_order)
{
	struct child c;
	int i;

	fresh(&c);
	c.limits.max_in_window = 3;
	child_event(&c, LIFE_START);
	for (i = 0; i < 3; i++) {
		child_event(&c, LIFE_CRASHED);
		if (c.state == LIFE_BACKOFF)
			child_event(&c, LIFE_TIMER);
		ck_assert_int_eq(c.state, LIFE_STARTING);
	}
	child_event(&c, LIFE_CRASHED);
	ck_assert_int_eq(c.state, LIFE_FAILED);
	ck_assert_str_eq(did.why, "died more than 3 times within 60 s");
	child_event(&c, LIFE_START);
	ck_assert_int_eq(c.state, LIFE_STARTING);
	child_event(&c, LIFE_CRASHED); /* the row has begun anew */
	ck_assert_int_eq(c.state, LIFE_STARTING);
}
END_TEST

START_TEST(a_reason_is_told_with_its_change_and_with_no_other)
{
	struct child c;

	lead(&c, LIFE_UP);
	child_why(&c, "ordered");
	child_event(&c, LIFE_START); /* changes nothing */
	child_event(&c, LIFE_STOP);
	ck_assert_str_eq(did.why, "");
	child_why(&c, "exit 0");
	child_event(&c, LIFE_ENDED);
	ck_assert_str_eq(did.why, "exit 0");
	ck_assert_int_eq(did.from, LIFE_DRAINING);
}
END_TEST

START_TEST(the_reason_of_a_kill_survives_until_the_death)
{
	struct child c;

	lead(&c, LIFE_STARTING);
	child_event(&c, LIFE_TIMER);
	ck_assert_int_eq(did.kills, 1);
	ck_assert_str_eq(c.why, "not ready in time");
	child_event(&c, LIFE_CRASHED);
	lead(&c, LIFE_DRAINING);
	child_event(&c, LIFE_TIMER);
	ck_assert_str_eq(c.why, "did not drain in time");
}
END_TEST

/* ---- waits ---- */

static const int64_t waits[] = { 0, 0, 10, 50, 250, 1250, 5000, 5000, 5000 };

START_TEST(the_first_two_deaths_wait_for_nothing_and_later_ones_grow)
{
	struct retry r;
	size_t i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		ck_assert_int_eq(
		    retry_next(&r, &limits, false, i, 200), waits[i]);
	retry_calm(&r);
	ck_assert_int_eq(retry_next(&r, &limits, false, 0, 200), 0);
}
END_TEST

START_TEST(what_somebody_has_asked_for_makes_no_wait_grow)
{
	struct retry r;

	memset(&r, 0, sizeof(r));
	for (int i = 0; i < RETRY_SUSPECTED; i++)
		ck_assert_int_eq(retry_next(&r, &limits, true, 0, 200), 0);
	/* so often, and then like any other */
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		ck_assert_int_eq(
		    retry_next(&r, &limits, i % 2 == 0, i, 200), waits[i]);
}
END_TEST

START_TEST(jitter_stays_within_a_fifth_and_under_the_most)
{
	struct retry_limits lim = { .min_ms = 1000, .max_ms = 5000 };
	struct retry r;
	uint32_t random;
	int64_t ms, least = INT64_MAX, most = 0;

	for (random = 0; random < 5000; random += 7) {
		memset(&r, 0, sizeof(r));
		r.row = 2;
		ms = retry_next(&r, &lim, false, 0, random);
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
		ck_assert_int_le(retry_next(&r, &lim, false, 0, random), 5000);
	}
	ck_assert_int_eq(least, 800);
	ck_assert_int_eq(most, 1200);
}
END_TEST

START_TEST(who_may_not_wait_at_all_never_does)
{
	static const struct retry_limits none = { .min_ms = 0, .max_ms = 0 };
	struct retry r;

	memset(&r, 0, sizeof(r));
	for (uint32_t i = 0; i < 50; i++)
		ck_assert_int_eq(retry_next(&r, &none, false, i, i * 99999), 0);
}
END_TEST

START_TEST(only_deaths_in_the_window_count_towards_giving_up)
{
	struct retry_limits lim = { 0, 100, 2, 10 };
	struct retry r;

	memset(&r, 0, sizeof(r));
	ck_assert_int_ge(retry_next(&r, &lim, false, 0, 0), 0);
	ck_assert_int_ge(retry_next(&r, &lim, false, 1000, 0), 0);
	ck_assert_int_ge(
	    retry_next(&r, &lim, false, 10500, 0), 0); /* 0 is out */
	ck_assert_int_eq(retry_next(&r, &lim, false, 10900, 0), RETRY_GIVE_UP);
}
END_TEST

START_TEST(without_a_limit_it_never_gives_up)
{
	struct retry r;
	int i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < 10000; i++)
		ck_assert_int_ge(retry_next(&r, &limits, false, 0, 0), 0);
}
END_TEST

START_TEST(even_the_smallest_wait_grows_instead_of_spinning)
{
	struct retry_limits lim = { 0, 5000, 0, 60 };
	struct retry r;
	int i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < 12; i++)
		retry_next(&r, &lim, false, 0, 200);
	ck_assert_int_eq(retry_next(&r, &lim, false, 0, 200), 5000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("child");
	TCase *life = tcase_create("life"), *wait = tcase_create("waits");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    life, every_event_in_every_state_does_what_the_life_says, 0, CELLS);
	tcase_add_test(
	    life, no_state_and_no_event_is_left_out_of_the_cells_above);
	tcase_add_test(life, an_order_to_drain_again_does_not_prolong_it);
	tcase_add_test(life, every_state_has_its_time);
	tcase_add_loop_test(
	    life, an_order_to_live_again_does_not_shorten_a_drain, 0, PROMISES);
	tcase_add_test(
	    life, a_child_that_cannot_be_forked_is_tried_again_later);
	tcase_add_test(life, deaths_are_counted_but_planned_restarts_are_not);
	tcase_add_test(
	    life, too_many_deaths_in_the_window_make_it_fail_until_an_order);
	tcase_add_test(
	    life, a_reason_is_told_with_its_change_and_with_no_other);
	tcase_add_test(life, the_reason_of_a_kill_survives_until_the_death);
	tcase_add_test(
	    wait, the_first_two_deaths_wait_for_nothing_and_later_ones_grow);
	tcase_add_test(wait, what_somebody_has_asked_for_makes_no_wait_grow);
	tcase_add_test(wait, jitter_stays_within_a_fifth_and_under_the_most);
	tcase_add_test(wait, who_may_not_wait_at_all_never_does);
	tcase_add_test(wait, only_deaths_in_the_window_count_towards_giving_up);
	tcase_add_test(wait, without_a_limit_it_never_gives_up);
	tcase_add_test(wait, even_the_smallest_wait_grows_instead_of_spinning);
	suite_add_tcase(s, life);
	suite_add_tcase(s, wait);
	log_set_level(LOG_ERROR); /* impossible events are warned of */
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
