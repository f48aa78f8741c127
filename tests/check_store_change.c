/* SPDX-License-Identifier: Apache-2.0 */

/* Changes: exactly what was committed, in order, or a gap that is told. */

#include <signal.h>

#include "shm/store_reap.h"
#include "tests/lib/store_fixture.h"

static struct fixture fix;
static struct store_change ch;
static uint8_t buf[STORE_CHANGE_BYTES];
static uint64_t pos;

static void
setup(void)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 6000),
		fix_range(STORE_CO, 0, 300),
		fix_range(STORE_FILE, 1 << 16, 10),
	};

	fix_open(&fix, r, 3, false);
	pos = store_changes_end(&fix.store);
}

static void
teardown(void)
{
	fix_close(&fix);
}

static int
next(void)
{
	return store_next_change(&fix.store, &pos, &ch, buf);
}

static void
expect(enum store_table t, uint32_t addr, uint32_t count, const void *was,
    const void *is)
{
	ck_assert_int_eq(next(), 1);
	ck_assert_int_eq(ch.table, t);
	ck_assert_uint_eq(ch.addr, addr);
	ck_assert_uint_eq(ch.count, count);
	ck_assert_uint_eq(ch.who, fix.env.me);
	ck_assert_uint_eq(ch.seq, atomic_load(&fix.store.dev->seq) / 2);
	ck_assert_mem_eq(ch.was, was, store_bytes(t, count));
	ck_assert_mem_eq(ch.is, is, store_bytes(t, count));
}

START_TEST(a_write_that_changes_something_leaves_one_change)
{
	ck_assert_int_eq(next(), 0);
	fix_write(&fix, STORE_HR, 7, 3, "\1\2\3\4\5\6");
	expect(STORE_HR, 7, 3, "\0\0\0\0\0\0", "\1\2\3\4\5\6");
	ck_assert_int_eq(next(), 0);
	fix_write(&fix, STORE_HR, 8, 1, "\3\5");
	expect(STORE_HR, 8, 1, "\3\4", "\3\5");
	fix_write(&fix, STORE_CO, 5, 11, "\xff\xff");
	expect(STORE_CO, 5, 11, "\0\0", "\xff\x07");
	fix_write(&fix, STORE_CO, 6, 2, "\1");
	expect(STORE_CO, 6, 2, "\3", "\1");
	fix_write(&fix, STORE_FILE, (1 << 16) + 9, 1, "\1\1");
	expect(STORE_FILE, (1 << 16) + 9, 1, "\0\0", "\1\1");
	ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(a_write_of_the_same_values_leaves_none)
{
	fix_write(&fix, STORE_HR, 1, 1, "\1\2");
	fix_write(&fix, STORE_CO, 63, 3, "\2");
	ck_assert_int_eq(next(), 1);
	ck_assert_int_eq(next(), 1);
	fix_write(&fix, STORE_HR, 1, 1, "\1\2");
	fix_write(&fix, STORE_HR, 0, 3, "\0\0\1\2\0\0");
	fix_write(&fix, STORE_CO, 63, 3, "\2");
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->seq), 10);
}
END_TEST

START_TEST(a_mask_leaves_the_register_before_and_after)
{
	struct store_step s = { STORE_MASK, STORE_HR, 6, 0, 0xf2, 0x25, NULL,
		NULL };
	struct store_who who;

	fix_write(&fix, STORE_HR, 6, 1, "\0\x12");
	ck_assert_int_eq(next(), 1);
	who = fix_who(&fix);
	ck_assert_int_eq(store_apply(&fix.store, &who, &s, 1, NULL), STORE_OK);
	expect(STORE_HR, 6, 1, "\0\x12", "\0\x17");
}
END_TEST

START_TEST(a_transaction_tells_what_it_came_to_and_nothing_twice)
{
	uint8_t out[4];
	struct store_step s[] = {
		/* covered by the third step: told there */
		{ STORE_WRITE, STORE_HR, 1, 1, 0, 0, (const uint8_t *)"\7\7",
		    NULL },
		{ STORE_READ, STORE_HR, 1, 2, 0, 0, NULL, out },
		{ STORE_WRITE, STORE_HR, 0, 2, 0, 0,
		    (const uint8_t *)"\1\1\2\2", NULL },
		{ STORE_WRITE, STORE_CO, 9, 1, 0, 0, (const uint8_t *)"\1",
		    NULL },
		/* there and back again: nothing has changed */
		{ STORE_WRITE, STORE_HR, 9, 1, 0, 0, (const uint8_t *)"\1\1",
		    NULL },
		{ STORE_WRITE, STORE_HR, 9, 1, 0, 0, (const uint8_t *)"\0\0",
		    NULL },
		/* inside the third one */
		{ STORE_MASK, STORE_HR, 1, 1, 0, 0x303, NULL, NULL },
	};
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(store_apply(&fix.store, &who, s, 7, NULL), STORE_OK);
	expect(STORE_HR, 0, 2, "\0\0\0\0", "\1\1\3\3");
	expect(STORE_CO, 9, 1, "\0", "\1");
	ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(what_was_not_written_leaves_no_change)
{
	uint8_t in[2] = { 1, 1 };
	struct store_step s[] = {
		{ STORE_WRITE, STORE_HR, 1, 1, 0, 0, in, NULL },
		{ STORE_CHECK, STORE_HR, 2, 1, 0, 0, in, NULL },
	};
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 2, NULL), STORE_MISMATCH);
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(store_apply(&fix.store, &who, s, 1, NULL), STORE_OK);
	ck_assert_int_eq(next(), 1);
	in[0] = 9;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 1, NULL), STORE_REPLAYED);
	ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(the_largest_call_leaves_a_whole_change)
{
	static uint8_t in[STORE_STEP_BYTES], none[STORE_STEP_BYTES];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i + 1);
	for (uint32_t at = 1; at < 4; at++) {
		ck_assert_int_eq(
		    fix_write(&fix, STORE_HR, at, STORE_STEP_BYTES / 2, in),
		    STORE_OK);
		ck_assert_int_eq(next(), 1);
		ck_assert_mem_eq(ch.is, in, sizeof(in));
		ck_assert_int_eq(
		    fix_write(&fix, STORE_HR, at, STORE_STEP_BYTES / 2, none),
		    STORE_OK);
		expect(STORE_HR, at, STORE_STEP_BYTES / 2, in, none);
	}
}
END_TEST

static void
put_number(uint8_t *wire, uint32_t n)
{
	wire[0] = (uint8_t)(n >> 24);
	wire[1] = (uint8_t)(n >> 16);
	wire[2] = (uint8_t)(n >> 8);
	wire[3] = (uint8_t)n;
}

static uint32_t
number(const uint8_t *w)
{
	return (uint32_t)w[0] << 24 | (uint32_t)w[1] << 16 |
	    (uint32_t)w[2] << 8 | w[3];
}

START_TEST(a_follower_that_keeps_up_misses_nothing_however_often_it_wraps)
{
	uint8_t wire[400];

	for (uint32_t n = 1; n <= 20000; n++) {
		uint32_t count = 2 + n % 190;

		memset(wire, 0, sizeof(wire));
		put_number(wire, n);
		fix_write(&fix, STORE_HR, 5, count, wire);
		ck_assert_int_eq(next(), 1);
		ck_assert_uint_eq(ch.count, count);
		ck_assert_uint_eq(number(ch.was), n - 1);
		ck_assert_uint_eq(number(ch.is), n);
		ck_assert_uint_eq(ch.seq, n);
	}
	ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(a_follower_that_slept_is_told_and_gets_what_is_left)
{
	uint8_t wire[4];
	uint32_t last, left = 1;

	for (uint32_t n = 1; n <= 50000; n++) {
		put_number(wire, n);
		fix_write(&fix, STORE_HR, 5, 2, wire);
	}
	ck_assert_int_eq(next(), -1);
	ck_assert_int_eq(next(), 1);
	for (last = number(ch.is); next() == 1; last++, left++) {
		ck_assert_uint_eq(number(ch.was), last);
		ck_assert_uint_eq(number(ch.is), last + 1);
	}
	ck_assert_uint_eq(last, 50000);
	/* 56 bytes each, and all of the ring is used */
	ck_assert_uint_ge(left, fix.store.events_size / 56 - 1);
	/* who starts with position 0 gets the same, and no gap */
	pos = 0;
	ck_assert_int_eq(next(), 1);
	ck_assert_uint_eq(number(ch.is), 50000 - left + 1);
}
END_TEST

/* Adds one to a 32-bit value, for ever. */
static void
count_for_ever(void)
{
	uint8_t wire[100];
	uint32_t n = 0;

	fix_become(&fix, 4);
	memset(wire, 0, sizeof(wire));
	for (;;) {
		put_number(wire, ++n);
		if (fix_write(&fix, STORE_HR, 0, 2 + n % 40, wire) != STORE_OK)
			_exit(1);
	}
}

START_TEST(a_follower_beside_a_writer_sees_an_unbroken_chain_between_gaps)
{
	uint32_t last = 0, seen = 0;
	uint64_t seq = 0;
	bool gap = false;
	pid_t pid = fork();
	long clock = 0;

	if (pid == 0)
		count_for_ever();
	while (suite_while(&clock, 2000)) {
		int rc = next();

		if (rc < 0)
			gap = true;
		if (rc <= 0)
			continue;
		ck_assert_uint_eq(SLOT_OF(ch.who), 4);
		ck_assert_uint_eq(number(ch.is), number(ch.was) + 1);
		ck_assert_uint_eq(ch.seq, number(ch.is));
		ck_assert_uint_gt(ch.seq, seq);
		if (!gap)
			ck_assert_uint_eq(number(ch.was), last);
		gap = false;
		seq = ch.seq;
		last = number(ch.is);
		seen++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_uint_gt(seen, 1000);
}
END_TEST

START_TEST(a_writer_killed_before_its_commit_leaves_no_change)
{
	uint64_t dead = slot_next_id(fix.env.control, 4);
	struct shm_device *d = fix.store.dev;

	fix_write(&fix, STORE_HR, 0, 1, "\1\1");
	fix_write(&fix, STORE_HR, 0, 1, "\2\2");
	/* it owned, had opened side 0, written there, and a record, too */
	atomic_store(&d->owner, dead);
	atomic_fetch_add(&d->seq, 1);
	atomic_store(fix.store.data[0], 0x0909);
	for (int i = 0; i < 7; i++) {
		uint64_t at = atomic_load(&d->side[0].events) + (uint64_t)i * 8;

		atomic_store(fix.store.events + at % fix.store.events_size / 8,
		    0x2828282828282828);
	}
	atomic_fetch_add(&d->side[0].events, 56);
	ck_assert_int_eq(next(), 1);
	ck_assert_int_eq(next(), 1);
	ck_assert_int_eq(next(), 0);
	slot_declare_dead(fix.env.control, dead);
	ck_assert(store_reap(&fix.store, dead));
	ck_assert_int_eq(next(), 0);
	fix_write(&fix, STORE_HR, 0, 1, "\3\3");
	expect(STORE_HR, 0, 1, "\2\2", "\3\3");
}
END_TEST

START_TEST(a_writer_killed_after_its_commit_leaves_its_change)
{
	uint64_t dead = slot_next_id(fix.env.control, 4);
	struct shm_device *d = fix.store.dev;
	uint64_t head = atomic_load(&d->side[1].events);

	fix_write(&fix, STORE_HR, 0, 1, "\1\1");
	/* as if it had died before it brought side 1 into line */
	atomic_store(&d->owner, dead);
	atomic_store(&d->side[1].events, head);
	ck_assert_int_eq(next(), 1);
	slot_declare_dead(fix.env.control, dead);
	ck_assert(store_reap(&fix.store, dead));
	ck_assert_uint_eq(
	    atomic_load(&d->side[1].events), atomic_load(&d->side[0].events));
	ck_assert_int_eq(next(), 0);
	fix_write(&fix, STORE_HR, 0, 1, "\3\3");
	expect(STORE_HR, 0, 1, "\1\1", "\3\3");
}
END_TEST

START_TEST(a_record_that_is_none_of_ours_is_passed_over)
{
	_Atomic uint64_t *at = fix.store.events;

	fix_write(&fix, STORE_HR, 0, 1, "\1\1");
	fix_write(&fix, STORE_HR, 0, 1, "\2\2");
	switch (_i) {
	case 0: /* too short for what every change has */
		atomic_store(at, 24);
		break;
	case 1: /* of no table */
		atomic_store(at + 3, (uint64_t)1 << 32 | 77);
		break;
	case 2: /* of more values than it is long */
		atomic_store(at + 3, (uint64_t)9999 << 32 | STORE_HR);
		break;
	case 3: /* of none */
		atomic_store(at + 3, STORE_HR);
		break;
	}
	ck_assert_int_eq(next(), -1);
	if (_i > 0) /* the next one starts where it should */
		expect(STORE_HR, 0, 1, "\1\1", "\2\2");
}
END_TEST

START_TEST(events_scribbled_on_are_a_gap_at_worst)
{
	uint64_t x = 88172645463325252ull;

	for (int round = 0; round < 3000; round++) {
		for (int k = 0; k < 5; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			atomic_store(
			    fix.store.events + x % (fix.store.events_size / 8),
			    x % 3 ? x : x >> 54);
		}
		if (round % 13 == 0) {
			atomic_store(&fix.store.dev->side[x % 2].events, x);
			atomic_store(&fix.store.dev->events_oldest, x >> 9);
		}
		fix_write(&fix, STORE_HR, 0, 1 + x % 90, (uint8_t *)&fix);
		pos = round % 5 ? pos : x;
		for (int k = 0; k < 300 && next() != 0; k++)
			;
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_change");
	TCase *t = tcase_create("change");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_write_that_changes_something_leaves_one_change);
	tcase_add_test(t, a_write_of_the_same_values_leaves_none);
	tcase_add_test(t, a_mask_leaves_the_register_before_and_after);
	tcase_add_test(
	    t, a_transaction_tells_what_it_came_to_and_nothing_twice);
	tcase_add_test(t, what_was_not_written_leaves_no_change);
	tcase_add_test(t, the_largest_call_leaves_a_whole_change);
	tcase_add_test(
	    t, a_follower_that_keeps_up_misses_nothing_however_often_it_wraps);
	tcase_add_test(t, a_follower_that_slept_is_told_and_gets_what_is_left);
	tcase_add_test(
	    t, a_follower_beside_a_writer_sees_an_unbroken_chain_between_gaps);
	tcase_add_test(t, a_writer_killed_before_its_commit_leaves_no_change);
	tcase_add_test(t, a_writer_killed_after_its_commit_leaves_its_change);
	tcase_add_loop_test(
	    t, a_record_that_is_none_of_ours_is_passed_over, 0, 4);
	tcase_add_test(t, events_scribbled_on_are_a_gap_at_worst);
	suite_add_tcase(s, t);
	return fix_run(s);
}
