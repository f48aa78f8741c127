/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A device gets other ranges while it is written to: every value that both
 * have stays, no write that was told to be done is missing, and whoever is
 * killed in it leaves the old segment in force or the new one.
 */

#include <errno.h>

#include "shm/seg_next.h"
#include "shm/store_next.h"
#include "shm/store_own.h"
#include "shm/store_picture.h"
#include "shm/store_reap.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/torture_trace.h"

enum {
	MS = 1000000,
	VICTIM = 2,
	WRITERS = 3,
	ENOUGH = 2000, /* writes before and after the change */
	POINTS = 120, /* that it is killed at */
};

static struct fixture fix;
static struct seg next_seg;
static struct store next;

static const uint8_t init[512] = { 0, 7, 0, 8, 0, 9 };

/* Addresses 0..99 of the first one, and coils 0..49. */
static void
open_old(unsigned flags)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 100),
		fix_range(STORE_CO, 0, 50),
		fix_range(STORE_FILE, 1 << 16, 10),
	};

	fix_open(&fix, r, 3, false);
	if (flags == 0)
		return;
	seg_remove_device(fix.name, "plc");
	seg_unmap(&fix.device);
	ck_assert_int_eq(
	    seg_create_device(&fix.device, fix.name, "plc", 0, r, 3, flags), 0);
	ck_assert_int_eq(store_open(&fix.store, fix.device.at, fix.device.size,
			     true, &fix.env),
	    0);
}

/* The next one: 10..19 and 50..149, coils 7..90, the same file, and inputs. */
static void
open_next(unsigned flags)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 50, 100),
		fix_range(STORE_HR, 10, 10),
		fix_range(STORE_CO, 7, 84),
		fix_range(STORE_FILE, 1 << 16, 20),
		fix_range(STORE_IR, 5, 5),
	};

	for (size_t i = 0; i < sizeof(r) / sizeof(r[0]); i++)
		r[i].init = init;
	ck_assert_int_eq(seg_create_next(&next_seg, fix.name, "plc", 0, r,
			     sizeof(r) / sizeof(r[0]), flags),
	    0);
	ck_assert_int_eq(
	    store_open(&next, next_seg.at, next_seg.size, true, &fix.env), 0);
}

static void
setup(void)
{
	open_old(0);
	open_next(0);
}

static void
teardown(void)
{
	seg_unmap(&next_seg);
	fix_close(&fix);
}

static unsigned
value(const struct store *st, enum store_table t, uint32_t addr)
{
	uint8_t v[2] = { 0 };

	ck_assert_int_eq(store_read(st, t, addr, 1, v, NULL), STORE_OK);
	return t == STORE_CO || t == STORE_DI ? v[0]
					      : (unsigned)v[0] << 8 | v[1];
}

static enum store_rc
put(enum store_table t, uint32_t addr, uint16_t v)
{
	uint8_t wire[2] = { (uint8_t)(v >> 8), (uint8_t)v };
	uint8_t bit = v != 0;

	return fix_write(
	    &fix, t, addr, 1, t == STORE_CO || t == STORE_DI ? &bit : wire);
}

static int
supersede(struct store *by)
{
	return store_supersede(&fix.store, by, 1000 * (uint64_t)MS);
}

START_TEST(values_stay_by_their_addresses)
{
	for (uint16_t a = 0; a < 100; a++)
		ck_assert_int_eq(
		    put(STORE_HR, a, (uint16_t)(1000 + a)), STORE_OK);
	for (uint16_t a = 0; a < 50; a++)
		ck_assert_int_eq(put(STORE_CO, a, a % 3 == 0), STORE_OK);
	ck_assert_int_eq(put(STORE_FILE, (1 << 16) + 9, 77), STORE_OK);
	ck_assert_int_eq(supersede(&next), 0);
	for (uint16_t a = 10; a < 20; a++)
		ck_assert_uint_eq(value(&next, STORE_HR, a), 1000u + a);
	for (uint16_t a = 50; a < 100; a++)
		ck_assert_uint_eq(value(&next, STORE_HR, a), 1000u + a);
	for (uint16_t a = 7; a < 50; a++)
		ck_assert_uint_eq(value(&next, STORE_CO, a), a % 3 == 0);
	ck_assert_uint_eq(value(&next, STORE_FILE, (1 << 16) + 9), 77);
	ck_assert_mem_eq((void *)(uintptr_t)next.data[0],
	    (void *)(uintptr_t)next.data[1], next.words * 8);
}
END_TEST

START_TEST(addresses_that_are_new_have_what_they_begin_with)
{
	ck_assert_int_eq(put(STORE_HR, 99, 1), STORE_OK);
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert_uint_eq(value(&next, STORE_IR, 5), 7);
	ck_assert_uint_eq(value(&next, STORE_IR, 6), 8);
	ck_assert_uint_eq(value(&next, STORE_HR, 149), 0);
	ck_assert_uint_eq(value(&next, STORE_HR, 50), 0); /* which was there */
	ck_assert(!store_has(&next, STORE_HR, 20, 1));
}
END_TEST

START_TEST(commits_are_counted_on)
{
	uint64_t was, is;
	uint8_t v[2] = { 0 };
	struct store_who who;
	struct store_step s = { STORE_WRITE, STORE_HR, 10, 1, 0, 0, v, NULL };

	for (uint16_t i = 0; i < 9; i++)
		ck_assert_int_eq(put(STORE_HR, 10, i), STORE_OK);
	store_read(&fix.store, STORE_HR, 10, 1, v, &was);
	ck_assert_int_eq(supersede(&next), 0);
	who = fix_who(&fix);
	ck_assert_int_eq(store_apply(&next, &who, &s, 1, &is), STORE_OK);
	ck_assert_uint_eq(is, was + 1);
	ck_assert_uint_eq(atomic_load(&next.dev->writes), 10);
}
END_TEST

START_TEST(whoever_has_the_old_one_is_told)
{
	struct store_picture p;
	uint8_t v[2];

	ck_assert_int_eq(put(STORE_HR, 10, 5), STORE_OK);
	ck_assert(!store_superseded(&fix.store));
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert(store_superseded(&fix.store));
	ck_assert_int_eq(
	    store_read(&fix.store, STORE_HR, 10, 1, v, NULL), STORE_GONE);
	ck_assert_int_eq(put(STORE_HR, 10, 6), STORE_GONE);
	ck_assert_int_eq(
	    store_picture_take(&fix.store, 1000 * (uint64_t)MS, &p),
	    STORE_GONE);
	ck_assert_uint_eq(value(&next, STORE_HR, 10), 5);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->owner), 0);
	ck_assert_int_eq(supersede(&next), -1);
	ck_assert_int_eq(errno, ESTALE);
}
END_TEST

START_TEST(a_write_that_was_refused_is_not_done)
{
	struct store_who who;
	uint8_t v[2] = { 1, 1 };
	struct store_step s = { STORE_WRITE, STORE_HR, 10, 1, 0, 0, v, NULL };

	ck_assert_int_eq(supersede(&next), 0);
	who = fix_who(&fix);
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, &s, 1, NULL), STORE_GONE);
	/* so it is carried out where it is asked for again, and only once */
	ck_assert_int_eq(store_apply(&next, &who, &s, 1, NULL), STORE_OK);
	ck_assert_int_eq(store_apply(&next, &who, &s, 1, NULL), STORE_REPLAYED);
}
END_TEST

START_TEST(a_device_can_go_without_a_next_one)
{
	struct seg s;
	uint8_t v[2];

	ck_assert_int_eq(supersede(NULL), 0);
	ck_assert_int_eq(
	    store_read(&fix.store, STORE_HR, 10, 1, v, NULL), STORE_GONE);
	seg_remove_next(fix.name, "plc");
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), -1);
	ck_assert_int_eq(errno, ENOENT);
	seg_remove_device(fix.name, "plc");
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(one_of_somebody_else_is_not_taken)
{
	struct seg s;
	uid_t other = geteuid() + 1;

	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", other, false), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_ptr_null(s.at);
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", other, true), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_ptr_null(s.at);
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), 0);
	seg_unmap(&s);
}
END_TEST

START_TEST(a_name_is_that_of_the_one_in_force)
{
	struct seg s;

	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), 0);
	ck_assert_uint_eq(s.inode, fix.device.inode);
	seg_unmap(&s);
	ck_assert_int_eq(supersede(&next), 0);
	/* nobody has given it the name yet: who comes first does */
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), 0);
	ck_assert_uint_eq(s.inode, next_seg.inode);
	ck_assert(!seg_superseded(&s));
	seg_unmap(&s);
	ck_assert_int_eq(seg_install_next(fix.name, "plc"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), false), 0);
	ck_assert_uint_eq(s.inode, next_seg.inode);
	seg_unmap(&s);
}
END_TEST

START_TEST(what_was_left_of_another_try_is_made_anew)
{
	uint64_t inode = next_seg.inode;

	seg_unmap(&next_seg);
	open_next(0);
	ck_assert_uint_ne(next_seg.inode, inode);
	ck_assert_str_eq(next_seg.object, fix.device.object);
}
END_TEST

START_TEST(counts_of_accesses_go_along)
{
	const uint32_t n = 3;

	teardown();
	open_old(SHM_COUNTS);
	open_next(SHM_COUNTS);
	for (uint32_t i = 0; i < n; i++) {
		struct shm_count *c = fix.store.counts;

		/* register 60 of a table that begins at 0 and at a word */
		atomic_fetch_add(
		    &c[60 +
			fix.store.extents[fix.store.extents_at[STORE_HR]].word *
			    4]
			 .reads,
		    1);
	}
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert_uint_eq(
	    atomic_load(
		&next.counts[(60 - 50) +
			 next.extents[next.extents_at[STORE_HR] + 1].word * 4]
		     .reads),
	    n);
}
END_TEST

START_TEST(one_array_for_all_tables_is_laid_over_and_taken_apart)
{
	teardown();
	open_old(0);
	open_next(SHM_SHARED);
	ck_assert_int_eq(put(STORE_HR, 10, 0x8001), STORE_OK);
	ck_assert_int_eq(put(STORE_CO, 49, 1), STORE_OK);
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert_uint_eq(value(&next, STORE_HR, 10), 0x8001);
	ck_assert_uint_eq(value(&next, STORE_CO, 160), 1);
	/* where holding registers were, those hold */
	ck_assert_uint_eq(value(&next, STORE_CO, 49), 0);
	teardown();
	open_old(SHM_SHARED);
	open_next(0);
	ck_assert_int_eq(put(STORE_HR, 10, 0x8001), STORE_OK);
	ck_assert_int_eq(put(STORE_CO, 49, 1), STORE_OK);
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert_uint_eq(value(&next, STORE_HR, 10), 0x8001);
	ck_assert_uint_eq(value(&next, STORE_CO, 49), 1);
}
END_TEST

START_TEST(a_writer_that_died_in_it_is_undone_or_finished_first)
{
	struct shm_device *d = fix.store.dev;
	uint64_t dead = SLOT_ID(VICTIM, 1);

	ck_assert_int_eq(put(STORE_HR, 10, 5), STORE_OK);
	/* half of a write: readers are on side 1 */
	slot_declare_dead(fix.env.control, dead);
	atomic_store(&d->owner, dead);
	atomic_fetch_add(&d->seq, 1);
	memset((void *)(uintptr_t)fix.store.data[0], 0xee, fix.store.words * 8);
	ck_assert_int_eq(supersede(&next), 0);
	ck_assert_uint_eq(value(&next, STORE_HR, 10), 5);
	ck_assert_uint_eq(atomic_load(&next.dev->seq) % 2, 0);
}
END_TEST

START_TEST(one_that_others_hold_is_left_as_it_is)
{
	pid_t pid = fork();

	if (pid == 0) {
		fix_become(&fix, VICTIM);
		store_own_take(&fix.store, 0);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
	ck_assert_int_eq(store_supersede(&fix.store, &next, 20 * MS), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert(!store_superseded(&fix.store));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(supersede(&next), 0);
}
END_TEST

/* ---- beside writers ---- */

struct board {
	_Atomic uint32_t told[WRITERS]; /* writes that were told to be done */
	_Atomic uint32_t gone[WRITERS];
};

/* Adds one to its own register until the segment is gone, then goes on in the
 * next one. */
static void
write_on(struct board *b, unsigned me)
{
	struct store *st = &fix.store;
	struct seg s;
	struct store other;
	uint32_t v = 0;

	fix_become(&fix, VICTIM + me);
	for (;;) {
		uint8_t wire[2] = { (uint8_t)((v + 1) >> 8), (uint8_t)(v + 1) };
		struct store_who who = fix_who(&fix);
		struct store_step step = { STORE_WRITE, STORE_HR, 60 + me, 1, 0,
			0, wire, NULL };
		enum store_rc rc = store_apply(st, &who, &step, 1, NULL);

		if (rc == STORE_OK) {
			v++;
			atomic_store(&b->told[me], v);
		} else if (rc == STORE_GONE && st == &fix.store) {
			if (seg_attach_device(
				&s, fix.name, "plc", geteuid(), true) < 0 ||
			    store_open(&other, s.at, s.size, true, &fix.env) <
				0)
				_exit(1);
			st = &other;
			atomic_store(&b->gone[me], v);
			if (value(st, STORE_HR, 60 + me) != (uint16_t)v)
				_exit(2);
		} else {
			_exit(3);
		}
	}
}

static void
await_told(const struct board *b, uint32_t more)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		uint32_t end = atomic_load(&b->told[i]) + more;

		while (atomic_load(&b->told[i]) < end)
			usleep(100);
	}
}

START_TEST(no_write_that_was_told_is_missing)
{
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[WRITERS];
	struct seg s;
	struct store st;

	for (unsigned i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			write_on(b, i);
	}
	await_told(b, ENOUGH);
	ck_assert_int_eq(supersede(&next), 0);
	await_told(b, ENOUGH);
	for (unsigned i = 0; i < WRITERS; i++) {
		kill(pid[i], SIGKILL);
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
		ck_assert_uint_gt(atomic_load(&b->gone[i]), 0);
	}
	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		unsigned told = atomic_load(&b->told[i]);
		unsigned is;

		slot_declare_dead(fix.env.control, SLOT_ID(VICTIM + i, 1));
		store_reap(&st, SLOT_ID(VICTIM + i, 1));
		is = value(&st, STORE_HR, 60 + i);
		ck_assert(is == (uint16_t)told || is == (uint16_t)(told + 1));
	}
	seg_unmap(&s);
	munmap(b, sizeof(*b));
}
END_TEST

/* ---- killed in it ---- */

static pid_t
start_victim(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fix_become(&fix, VICTIM);
		trace_ready();
		if (store_supersede(&fix.store, &next, 1000 * (uint64_t)MS) < 0)
			_exit(1);
		_exit(seg_install_next(fix.name, "plc") < 0);
	}
	trace_await(pid);
	return pid;
}

/* What is in force has every value, and can be written to. True if it is the
 * next one. */
static bool
look_after(void)
{
	struct seg s;
	struct store st;
	bool done = store_superseded(&fix.store);

	ck_assert_int_eq(
	    seg_attach_device(&s, fix.name, "plc", geteuid(), true), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	ck_assert_uint_eq(s.inode, done ? next_seg.inode : fix.device.inode);
	for (uint16_t a = 50; a < 100; a++)
		ck_assert_uint_eq(value(&st, STORE_HR, a), 1000u + a);
	ck_assert_int_eq(store_has(&st, STORE_HR, 20, 1), !done);
	fix.store = st;
	ck_assert_int_eq(put(STORE_HR, 50, 3), STORE_OK);
	ck_assert_uint_eq(value(&st, STORE_HR, 50), 3);
	seg_unmap(&s);
	return done;
}

static void
fill_and_open(void)
{
	setup();
	for (uint16_t a = 0; a < 100; a++)
		ck_assert_int_eq(
		    put(STORE_HR, a, (uint16_t)(1000 + a)), STORE_OK);
}

/* Killed behind its k-th instruction: 1 the next one is in force, 0 the old
 * one is. */
static int
kill_at(struct trace_path *path, long k)
{
	uint64_t dead = SLOT_ID(VICTIM, 1);
	enum trace_stop stop;
	pid_t pid;
	int done;

	fill_and_open();
	pid = start_victim();
	stop = trace_go(path, pid, k);
	if (stop == TRACE_ASLEEP) {
		pid = start_victim();
		stop = trace_go(NULL, pid, k);
	}
	if (stop != TRACE_EXITED)
		trace_slay(pid);
	slot_declare_dead(fix.env.control, dead);
	store_reap(&fix.store, dead);
	done = look_after();
	teardown();
	return done;
}

START_TEST(killed_anywhere_in_it_one_of_the_two_is_in_force)
{
	struct trace_path path = { .n = 0 };
	int last = 0, is;
	pid_t pid;

	teardown();
	fill_and_open();
	pid = start_victim();
	trace_learn(&path, pid);
	ck_assert_int_eq(look_after(), 1);
	teardown();
	ck_assert_int_gt(path.n, POINTS);
	for (long i = 0; i <= POINTS; i++) {
		is = kill_at(&path, path.n * i / POINTS);
		ck_assert_int_ge(is, last);
		last = is;
	}
	ck_assert_int_eq(last, 1);
	/* where one goes over into the other: every instruction */
	for (long low = 0, high = path.n; high - low > 1;) {
		long mid = low + (high - low) / 2;

		if (kill_at(&path, mid) != 0)
			high = mid;
		else
			low = mid;
	}
	trace_forget(&path);
	setup();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_next");
	TCase *t = tcase_create("next");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, values_stay_by_their_addresses);
	tcase_add_test(t, addresses_that_are_new_have_what_they_begin_with);
	tcase_add_test(t, commits_are_counted_on);
	tcase_add_test(t, whoever_has_the_old_one_is_told);
	tcase_add_test(t, a_write_that_was_refused_is_not_done);
	tcase_add_test(t, a_device_can_go_without_a_next_one);
	tcase_add_test(t, one_of_somebody_else_is_not_taken);
	tcase_add_test(t, a_name_is_that_of_the_one_in_force);
	tcase_add_test(t, what_was_left_of_another_try_is_made_anew);
	tcase_add_test(t, counts_of_accesses_go_along);
	tcase_add_test(
	    t, one_array_for_all_tables_is_laid_over_and_taken_apart);
	tcase_add_test(t, a_writer_that_died_in_it_is_undone_or_finished_first);
	tcase_add_test(t, one_that_others_hold_is_left_as_it_is);
	tcase_add_test(t, no_write_that_was_told_is_missing);
	tcase_add_test(t, killed_anywhere_in_it_one_of_the_two_is_in_force);
	suite_add_tcase(s, t);
	return fix_run(s);
}
