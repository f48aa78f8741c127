/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: who waits for the disk is told once it has what he wrote, or that it
 * will not, and waits no longer than he may. */

#include "shm/durable.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "shm/clock.h"
#include "tests/suite.h"

#define MS UINT64_C(1000000)

enum { WAITERS = 8, WRITES = 2000 };

static struct shm_saved *s;

static void
setup(void)
{
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(s, MAP_FAILED);
}

static void
teardown(void)
{
	munmap(s, sizeof(*s));
}

/* Answers the n-th ticket, and all before it, once it has been taken. */
static void *
answer(void *arg)
{
	const int *error = arg;
	uint64_t end = clock_mono_ns() + 60000 * MS;

	while (durable_asked(s) < 1 && clock_mono_ns() < end)
		durable_sleep(s, 0, 20000 * MS);
	durable_tell(s, durable_asked(s), *error);
	return NULL;
}

START_TEST(who_waits_is_told)
{
	int errors[] = { 0, ENOSPC };
	pthread_t thread;
	uint64_t from = clock_mono_ns();

	pthread_create(&thread, NULL, answer, &errors[_i]);
	if (_i == 0) {
		ck_assert_int_eq(durable_wait(s, 60000 * MS), 0);
		ck_assert(!durable_fails(s));
	} else {
		ck_assert_int_eq(durable_wait(s, 60000 * MS), -1);
		ck_assert_int_eq(errno, EIO);
		ck_assert(durable_fails(s));
		/* what comes later is another matter */
		durable_tell(s, durable_asked(s), 0);
		ck_assert(!durable_fails(s));
	}
	pthread_join(thread, NULL);
	ck_assert_uint_lt(clock_mono_ns() - from, 18000 * MS);
}
END_TEST

START_TEST(nobody_waits_longer_than_he_may)
{
	uint64_t from = clock_mono_ns();

	/* those before him are none of his */
	durable_tell(s, durable_asked(s), 0);
	ck_assert_int_eq(durable_wait(s, 50 * MS), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_uint_ge(clock_mono_ns() - from, 50 * MS);
	/* and what is told too late is for the next one */
	durable_tell(s, durable_asked(s) - 1, 0);
	ck_assert_int_eq(durable_wait(s, MS), -1);
}
END_TEST

/* A disk of numbers: a writer's is on it before its wait is over. */
static _Atomic uint64_t memory[WAITERS], disk[WAITERS];
static _Atomic bool over;
static _Atomic unsigned saves;

static void *
save_for_ever(void *arg)
{
	uint64_t seen = 0, want;

	(void)arg;
	while (!atomic_load(&over)) {
		want = durable_asked(s);
		if (want == seen) {
			durable_sleep(s, want, 10 * MS);
			continue;
		}
		for (int i = 0; i < WAITERS; i++)
			atomic_store(&disk[i], atomic_load(&memory[i]));
		atomic_fetch_add(&saves, 1);
		durable_tell(s, want, 0);
		seen = want;
	}
	return NULL;
}

static void *
write_and_wait(void *arg)
{
	size_t me = (size_t)arg;

	for (uint64_t n = 1; n <= WRITES; n++) {
		atomic_store(&memory[me], n);
		if (durable_wait(s, 100000 * MS) == -1 ||
		    atomic_load(&disk[me]) < n)
			return (void *)1;
	}
	return NULL;
}

START_TEST(what_is_answered_is_on_the_disk_and_many_share_a_save)
{
	pthread_t saver, writer[WAITERS];
	void *wrong;

	pthread_create(&saver, NULL, save_for_ever, NULL);
	for (size_t i = 0; i < WAITERS; i++)
		pthread_create(&writer[i], NULL, write_and_wait, (void *)i);
	for (size_t i = 0; i < WAITERS; i++) {
		pthread_join(writer[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	atomic_store(&over, true);
	pthread_join(saver, NULL);
	printf(
	    "%u saves for %u writes\n", atomic_load(&saves), WAITERS * WRITES);
	ck_assert_uint_eq(durable_asked(s), WAITERS * WRITES);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("durable");
	TCase *tc = tcase_create("durable");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, who_waits_is_told, 0, 2);
	tcase_add_test(tc, nobody_waits_longer_than_he_may);
	tcase_add_test(
	    tc, what_is_answered_is_on_the_disk_and_many_share_a_save);
	return suite_run(suite);
}
