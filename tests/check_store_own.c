/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writers beside each other, writers that die, and readers who must not
 * notice. Deaths at every instruction are the kill harnesses' part; here each
 * kind of death is made on purpose and what follows is looked at closely.
 */

#include <signal.h>
#include <time.h>

#include "shm/store_own.h"
#include "shm/store_reap.h"
#include "tests/lib/store_fixture.h"

enum { REGS = 120, AT = 3, MS = 1000000, DEAD_SLOT = 5, DEAD_AUTHOR = 25 };

static struct fixture fix;

static void
setup(void)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 500),
		fix_range(STORE_CO, 0, 2000),
	};

	fix_open(&fix, r, 2, false);
}

static void
teardown(void)
{
	fix_close(&fix);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void
fill(uint8_t *wire, uint16_t v)
{
	for (int i = 0; i < REGS; i++) {
		wire[2 * i] = (uint8_t)(v >> 8);
		wire[2 * i + 1] = (uint8_t)v;
	}
}

static int
write_all(uint16_t v, uint64_t budget_ns)
{
	uint8_t wire[2 * REGS];
	struct store_who who = fix_who(&fix);
	struct store_step s = { STORE_WRITE, STORE_HR, AT, REGS, 0, 0, wire,
		NULL };

	who.budget_ns = budget_ns;
	fill(wire, v);
	return (int)store_apply(&fix.store, &who, &s, 1, NULL);
}

/* The value of the whole block at the first try; -1 if it is torn. */
static int
read_all(void)
{
	uint8_t wire[2 * REGS];

	ck_assert_int_eq(
	    store_read(&fix.store, STORE_HR, AT, REGS, wire, NULL), STORE_OK);
	for (int i = 1; i < REGS; i++)
		if (memcmp(wire, wire + 2 * i, 2) != 0)
			return -1;
	return wire[0] << 8 | wire[1];
}

static void
sides_agree(void)
{
	struct shm_device *d = fix.store.dev;

	ck_assert_mem_eq((void *)(uintptr_t)fix.store.data[0],
	    (void *)(uintptr_t)fix.store.data[1], fix.store.words * 8);
	ck_assert_uint_eq(d->side[0].tag, d->side[1].tag);
	ck_assert_uint_eq(d->side[0].events, d->side[1].events);
	ck_assert_uint_eq(d->side[0].who, d->side[1].who);
	ck_assert_uint_eq(d->seq % 2, 0);
	ck_assert_uint_eq(d->owner, 0);
}

/* ---- beside each other ---- */

static pid_t
start(unsigned slot, void (*run)(unsigned))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fix_become(&fix, slot);
		/* go on where the slot's former occupant was */
		fix.op = atomic_load(seg_done(fix.env.control, slot));
		run(slot);
		_exit(0);
	}
	return pid;
}

static void
stop(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void
write_for_ever(unsigned slot)
{
	for (uint16_t v = 0;; v++)
		if (write_all((uint16_t)(v << 4 | slot), 2000 * MS) != STORE_OK)
			_exit(1);
}

START_TEST(readers_never_see_half_a_write)
{
	pid_t a = start(3, write_for_ever), b = start(4, write_for_ever);
	int changes = 0, last = 0, v;
	uint64_t q, before = 0;
	long clock = 0;

	while (suite_while(&clock, 2000)) {
		v = read_all();
		ck_assert_int_ge(v, 0);
		changes += v != last;
		last = v;
		q = atomic_load(&fix.store.dev->seq);
		ck_assert_uint_ge(q, before);
		before = q;
	}
	ck_assert_int_eq(waitpid(a, NULL, WNOHANG), 0);
	ck_assert_int_eq(waitpid(b, NULL, WNOHANG), 0);
	stop(a);
	stop(b);
	ck_assert_int_gt(changes, 50);
}
END_TEST

/* Two steps in two tables: the registers hold n, the coils n's bits. */
static void
write_pairs(unsigned slot)
{
	(void)slot;
	for (uint32_t n = 0;; n++) {
		uint8_t regs[4] = { (uint8_t)(n >> 8), (uint8_t)n,
			(uint8_t)(n >> 8), (uint8_t)n };
		uint8_t bits[2] = { (uint8_t)n, (uint8_t)(n >> 8) };
		struct store_step s[] = {
			{ STORE_WRITE, STORE_HR, 3, 2, 0, 0, regs, NULL },
			{ STORE_WRITE, STORE_CO, 57, 16, 0, 0, bits, NULL },
		};
		struct store_who who = fix_who(&fix);

		if (store_apply(&fix.store, &who, s, 2, NULL) != STORE_OK)
			_exit(1);
	}
}

START_TEST(a_transaction_over_two_tables_is_seen_whole)
{
	pid_t pid = start(3, write_pairs);
	uint8_t regs[4], bits[2];
	uint64_t s1, s2;
	long clock = 0;
	int same = 0;

	while (suite_while(&clock, 1000)) {
		store_read(&fix.store, STORE_HR, 3, 2, regs, &s1);
		store_read(&fix.store, STORE_CO, 57, 16, bits, &s2);
		ck_assert_uint_le(s1, s2);
		if (s1 == s2) {
			same++;
			ck_assert_uint_eq(regs[0], bits[1]);
			ck_assert_uint_eq(regs[1], bits[0]);
			ck_assert_uint_eq(regs[2], bits[1]);
		}
	}
	stop(pid);
	ck_assert_int_gt(same, 0);
}
END_TEST

enum { ADDS = 20000 };

/* Adds one to a register by check and write, as often as it takes. */
static void
add_many(unsigned slot)
{
	uint8_t was[2], is[2];
	struct store_step s[] = {
		{ STORE_CHECK, STORE_HR, 7, 1, 0, 0, was, NULL },
		{ STORE_WRITE, STORE_HR, 7, 1, 0, 0, is, NULL },
	};

	(void)slot;
	for (int done = 0; done < ADDS;) {
		struct store_who who = fix_who(&fix);
		enum store_rc rc;

		store_read(&fix.store, STORE_HR, 7, 1, was, NULL);
		is[0] = (uint8_t)(((was[0] << 8 | was[1]) + 1) >> 8);
		is[1] = (uint8_t)(was[1] + 1);
		rc = store_apply(&fix.store, &who, s, 2, NULL);
		if (rc == STORE_OK)
			done++;
		else if (rc != STORE_MISMATCH)
			_exit(1);
	}
}

START_TEST(no_addition_is_lost_among_writers)
{
	pid_t pid[3];
	uint8_t out[2];
	int status;

	for (unsigned i = 0; i < 3; i++)
		pid[i] = start(3 + i, add_many);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	store_read(&fix.store, STORE_HR, 7, 1, out, NULL);
	ck_assert_int_eq(out[0] << 8 | out[1], 3 * ADDS);
	ck_assert_uint_eq(fix.store.dev->writes, 3 * ADDS);
	sides_agree();
}
END_TEST

/* ---- the gate ---- */

START_TEST(at_rest_there_is_a_token_and_no_claim)
{
	int tokens;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(write_all(1, MS), STORE_OK);
	sem_getvalue(fix.store.gate, &tokens);
	ck_assert_int_eq(tokens, 1);
	ck_assert_uint_eq((uint32_t)seg_slot(fix.env.control, 1)->claim, 0);
	sides_agree();
}
END_TEST

START_TEST(a_lost_token_costs_nothing)
{
	int64_t t;
	int tokens;

	while (sem_trywait(fix.store.gate) == 0)
		;
	t = now_ns();
	ck_assert_int_eq(write_all(1, 0), STORE_OK);
	ck_assert_int_lt(now_ns() - t, 50 * MS);
	sem_getvalue(fix.store.gate, &tokens);
	ck_assert_int_eq(tokens, 1); /* and is made good */
}
END_TEST

START_TEST(tokens_too_many_let_nobody_in_beside_an_owner)
{
	uint64_t other = slot_next_id(fix.env.control, 4);
	int tokens;

	for (int i = 0; i < 40; i++)
		sem_post(fix.store.gate);
	atomic_store(&fix.store.dev->owner, other);
	/* alive as far as anybody can prove: its byte is held */
	ck_assert_int_eq(slot_lock_take(slot_lock_open(fix.lock_path), 4), 0);
	ck_assert_int_eq(write_all(1, 20 * MS), STORE_BUSY);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->owner), other);
	sem_getvalue(fix.store.gate, &tokens);
	ck_assert_int_eq(tokens, 0); /* absorbed */
}
END_TEST

static void
own_and_stop(unsigned slot)
{
	(void)slot;
	if (store_own_take(&fix.store, MS) != 0)
		_exit(1);
	raise(SIGSTOP);
	store_own_release(&fix.store);
}

START_TEST(a_stopped_owner_keeps_writers_out_for_their_budget_only)
{
	pid_t pid = start(4, own_and_stop);
	int64_t t;
	int status;

	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_assert_uint_eq((uint32_t)seg_slot(fix.env.control, 4)->claim, 1);
	t = now_ns();
	ck_assert_int_eq(write_all(1, 20 * MS), STORE_BUSY);
	t = now_ns() - t;
	ck_assert_int_ge(t, 20 * MS);
	ck_assert_int_lt(t, 500 * MS);
	ck_assert_uint_eq((uint32_t)seg_slot(fix.env.control, 1)->claim, 0);
	ck_assert_int_eq(read_all(), 0); /* readers are not kept out */
	kill(pid, SIGCONT);
	ck_assert_int_eq(write_all(1, 2000 * MS), STORE_OK);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sides_agree();
}
END_TEST

/* ---- forgeries ---- */

START_TEST(a_true_owner_is_never_taken_for_a_forgery)
{
	ck_assert(!store_forged(&fix.store, 0));
	ck_assert(!store_forged(&fix.store, fix.env.me));
	ck_assert_int_eq(store_own_take(&fix.store, MS), 0);
	ck_assert(!store_forged(&fix.store, fix.env.me));
	store_own_release(&fix.store);
	ck_assert(!store_forged(&fix.store, fix.env.me));
}
END_TEST

static void
own_again_and_again(unsigned slot)
{
	(void)slot;
	for (;;) {
		if (store_own_take(&fix.store, 1000 * MS) != 0)
			_exit(1);
		store_own_release(&fix.store);
	}
}

START_TEST(an_owner_that_comes_and_goes_is_never_taken_for_a_forgery)
{
	uint64_t id = slot_next_id(fix.env.control, 4);
	pid_t pid = start(4, own_again_and_again);
	int status, seen = 0;

	for (int64_t end = now_ns() + 300 * MS; now_ns() < end;) {
		seen += atomic_load(&fix.store.dev->owner) == id;
		ck_assert(!store_forged(&fix.store, id));
	}
	ck_assert_int_gt(seen, 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

START_TEST(a_name_without_its_bearers_claim_is_a_forgery_and_is_taken_out)
{
	uint64_t other = slot_next_id(fix.env.control, 4);
	struct shm_slot *slot = seg_slot(fix.env.control, 4);
	uint64_t named = _i == 2 ? fix.env.me : other;
	int lock = slot_lock_open(fix.lock_path);

	ck_assert_int_eq(slot_lock_take(lock, 4), 0);
	/* it claims nothing, or something else */
	atomic_store(&slot->claim, (uint64_t)7 << 32 | (_i == 1 ? 2 : 0));
	atomic_store(&fix.store.dev->owner, named);
	ck_assert(store_forged(&fix.store, named));
	ck_assert_int_eq(write_all(1, 5 * MS), STORE_BUSY);
	/* who waits because of it does not look like the owner for that */
	ck_assert(store_forged(&fix.store, named));
	ck_assert(store_reap(&fix.store, named));
	ck_assert(!store_forged(&fix.store, named));
	ck_assert_uint_eq(slot_next_id(fix.env.control, 4), other); /* lives */
	ck_assert_int_eq(write_all(2, 5 * MS), STORE_OK);
	sides_agree();
}
END_TEST

START_TEST(a_name_of_the_dead_is_no_forgery)
{
	uint64_t dead = slot_next_id(fix.env.control, 4);

	slot_declare_dead(fix.env.control, dead);
	atomic_store(&fix.store.dev->owner, dead);
	ck_assert(!store_forged(&fix.store, dead));
	atomic_store(&fix.store.dev->owner, SLOT_ID(FIX_SLOTS, 0));
	ck_assert(!store_forged(&fix.store, SLOT_ID(FIX_SLOTS, 0)));
}
END_TEST

/* ---- deaths ---- */

static void
own_and_die(unsigned slot)
{
	(void)slot;
	store_own_take(&fix.store, MS);
	raise(SIGKILL);
}

START_TEST(a_dead_owner_is_found_out_without_a_supervisor)
{
	uint64_t id = slot_next_id(fix.env.control, 4);
	pid_t pid = start(4, own_and_die);
	int64_t t;

	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->owner), id);
	t = now_ns();
	ck_assert_int_eq(write_all(7, 1000 * MS), STORE_OK);
	ck_assert_int_lt(now_ns() - t, 200 * MS);
	ck_assert(slot_declared_dead(fix.env.control, id));
	ck_assert_uint_eq(fix.store.dev->repairs, 1);
	ck_assert_int_eq(read_all(), 7);
	sides_agree();
}
END_TEST

/* Leaves the device as a writer of `v` would that dies in its odd phase
 * (committed false) or before it brings side 1 into line. */
static uint64_t
die_writing(uint16_t v, bool committed)
{
	uint64_t dead = slot_next_id(fix.env.control, DEAD_SLOT);
	struct shm_device *d = fix.store.dev;
	uint64_t keep[200], tag = d->side[1].tag, who = d->side[1].who;
	uint64_t events = d->side[1].events;

	memcpy(keep, (void *)(uintptr_t)fix.store.data[1], fix.store.words * 8);
	fix.op = 1000;
	ck_assert_int_eq(write_all(v, MS), STORE_OK);
	memcpy((void *)(uintptr_t)fix.store.data[1], keep, fix.store.words * 8);
	atomic_store(&d->side[0].tag, (uint64_t)DEAD_AUTHOR << 48 | 7);
	atomic_store(&d->side[0].who, dead);
	atomic_store(&d->side[1].tag, tag);
	atomic_store(&d->side[1].who, who);
	atomic_store(&d->side[1].events, events);
	atomic_store(&d->owner, dead);
	if (!committed)
		atomic_fetch_sub(&d->seq, 1);
	return dead;
}

static _Atomic uint64_t *
done_of(unsigned author)
{
	return seg_done(fix.env.control, author);
}

START_TEST(a_write_not_committed_is_undone)
{
	uint64_t dead;

	write_all(0x1111, MS);
	dead = die_writing(0x2222, false);
	ck_assert_int_eq(read_all(), 0x1111);
	slot_declare_dead(fix.env.control, dead);
	ck_assert(store_reap(&fix.store, dead));
	ck_assert_int_eq(read_all(), 0x1111);
	ck_assert_uint_eq(atomic_load(done_of(DEAD_AUTHOR)), 0);
	sides_agree();
}
END_TEST

START_TEST(a_write_that_was_committed_is_finished_and_credited)
{
	uint8_t wire[2 * REGS];
	struct store_who who = {
		.author = DEAD_AUTHOR, .op = 7, .budget_ns = MS
	};
	struct store_step s = { STORE_WRITE, STORE_HR, AT, REGS, 0, 0, wire,
		NULL };
	uint64_t dead;

	write_all(0x1111, MS);
	dead = die_writing(0x2222, true);
	ck_assert_int_eq(read_all(), 0x2222);
	slot_declare_dead(fix.env.control, dead);
	ck_assert(store_reap(&fix.store, dead));
	ck_assert_int_eq(read_all(), 0x2222);
	ck_assert_uint_eq(atomic_load(done_of(DEAD_AUTHOR)), 7);
	sides_agree();
	/* its successor asks for the same operation again */
	fill(wire, 0x3333);
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, &s, 1, NULL), STORE_REPLAYED);
	ck_assert_int_eq(read_all(), 0x2222);
}
END_TEST

START_TEST(whoever_repairs_credits_the_author_not_the_dead_owner)
{
	uint64_t first, second = slot_next_id(fix.env.control, 6);

	first = die_writing(0x2222, true);
	/* a recoverer had taken the device from it, and died as well */
	atomic_store(&fix.store.dev->owner, second);
	slot_declare_dead(fix.env.control, first);
	slot_declare_dead(fix.env.control, second);
	ck_assert(!store_reap(&fix.store, first));
	ck_assert_uint_eq(atomic_load(done_of(DEAD_AUTHOR)), 0);
	ck_assert(store_reap(&fix.store, second));
	ck_assert_uint_eq(atomic_load(done_of(DEAD_AUTHOR)), 7);
	sides_agree();
}
END_TEST

START_TEST(an_operation_credited_already_is_not_taken_back)
{
	uint64_t dead = die_writing(0x2222, true);

	atomic_store(done_of(DEAD_AUTHOR), 9);
	slot_declare_dead(fix.env.control, dead);
	ck_assert(store_reap(&fix.store, dead));
	ck_assert_uint_eq(atomic_load(done_of(DEAD_AUTHOR)), 9);
}
END_TEST

START_TEST(a_successor_that_writes_first_repairs_first)
{
	uint64_t dead;
	uint8_t one[2] = { 0x44, 0x44 };

	write_all(0x1111, MS);
	dead = die_writing(0x2222, false);
	slot_declare_dead(fix.env.control, dead);
	/* a small write elsewhere: everything else must be whole as well */
	ck_assert_int_eq(fix_write(&fix, STORE_HR, 400, 1, one), STORE_OK);
	ck_assert_int_eq(read_all(), 0x1111);
	sides_agree();
}
END_TEST

START_TEST(reaping_wakes_a_waiter_in_any_case)
{
	uint64_t dead = slot_next_id(fix.env.control, DEAD_SLOT);
	int before, after;

	slot_declare_dead(fix.env.control, dead);
	sem_getvalue(fix.store.gate, &before);
	ck_assert(!store_reap(&fix.store, dead));
	sem_getvalue(fix.store.gate, &after);
	ck_assert_int_eq(after, before + 1);
	ck_assert(!store_reap(&fix.store, 0));
	/* the surplus is eaten */
	write_all(1, MS);
	write_all(1, MS);
	sem_getvalue(fix.store.gate, &after);
	ck_assert_int_le(after, 2);
}
END_TEST

START_TEST(a_forged_owner_that_names_no_slot_is_no_owner)
{
	atomic_store(&fix.store.dev->owner, UINT64_MAX);
	ck_assert_int_eq(write_all(5, MS), STORE_OK);
	ck_assert_int_eq(read_all(), 5);
	sides_agree();
}
END_TEST

START_TEST(a_tag_that_names_no_author_credits_nobody)
{
	uint64_t dead = die_writing(0x2222, true);

	atomic_store(&fix.store.dev->side[0].tag, UINT64_MAX);
	slot_declare_dead(fix.env.control, dead);
	ck_assert(store_reap(&fix.store, dead));
	for (unsigned i = 2; i < FIX_AUTHORS; i++)
		ck_assert_uint_eq(atomic_load(done_of(i)), 0);
}
END_TEST

START_TEST(an_odd_sequence_left_by_a_scribbler_is_put_right)
{
	write_all(0x1111, MS);
	atomic_fetch_add(&fix.store.dev->seq, 1);
	ck_assert_int_eq(write_all(0x2222, MS), STORE_OK);
	ck_assert_int_eq(read_all(), 0x2222);
	sides_agree();
}
END_TEST

/* ---- at random, at full speed ---- */

static void
read_for_ever(unsigned slot)
{
	(void)slot;
	if (seg_make_readonly(&fix.device) != 0)
		_exit(2);
	for (;;)
		if (read_all() < 0)
			_exit(3);
}

START_TEST(writers_killed_at_random_are_not_noticed_by_anybody)
{
	pid_t reader = start(9, read_for_ever), pid;
	struct timespec nap = { 0, 0 };
	uint64_t id;
	int status;

	for (int i = 0; i < 400; i++) {
		id = slot_next_id(fix.env.control, 4);
		pid = start(4, write_for_ever);
		nap.tv_nsec = 100000 + i % 40 * 23456;
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status)); /* it had not given up */
		slot_declare_dead(fix.env.control, id);
		store_reap(&fix.store, id);
		ck_assert_int_eq(write_all((uint16_t)i, 50 * MS), STORE_OK);
		ck_assert_int_eq(read_all(), i);
		sides_agree();
	}
	ck_assert_int_eq(waitpid(reader, &status, WNOHANG), 0);
	stop(reader);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_own");
	TCase *t = tcase_create("own");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, readers_never_see_half_a_write);
	tcase_add_test(t, a_transaction_over_two_tables_is_seen_whole);
	tcase_add_test(t, no_addition_is_lost_among_writers);
	tcase_add_test(t, at_rest_there_is_a_token_and_no_claim);
	tcase_add_test(t, a_true_owner_is_never_taken_for_a_forgery);
	tcase_add_test(
	    t, an_owner_that_comes_and_goes_is_never_taken_for_a_forgery);
	tcase_add_loop_test(t,
	    a_name_without_its_bearers_claim_is_a_forgery_and_is_taken_out, 0,
	    3);
	tcase_add_test(t, a_name_of_the_dead_is_no_forgery);
	tcase_add_test(t, a_lost_token_costs_nothing);
	tcase_add_test(t, tokens_too_many_let_nobody_in_beside_an_owner);
	tcase_add_test(
	    t, a_stopped_owner_keeps_writers_out_for_their_budget_only);
	tcase_add_test(t, a_dead_owner_is_found_out_without_a_supervisor);
	tcase_add_test(t, a_write_not_committed_is_undone);
	tcase_add_test(t, a_write_that_was_committed_is_finished_and_credited);
	tcase_add_test(
	    t, whoever_repairs_credits_the_author_not_the_dead_owner);
	tcase_add_test(t, an_operation_credited_already_is_not_taken_back);
	tcase_add_test(t, a_successor_that_writes_first_repairs_first);
	tcase_add_test(t, reaping_wakes_a_waiter_in_any_case);
	tcase_add_test(t, a_forged_owner_that_names_no_slot_is_no_owner);
	tcase_add_test(t, a_tag_that_names_no_author_credits_nobody);
	tcase_add_test(t, an_odd_sequence_left_by_a_scribbler_is_put_right);
	tcase_add_test(t, writers_killed_at_random_are_not_noticed_by_anybody);
	suite_add_tcase(s, t);
	return fix_run(s);
}
