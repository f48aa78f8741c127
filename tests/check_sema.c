/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The semaphore of a view, beside programs that hold it, die with it, give it
 * back twice or remove it. Time is what the test says it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/log.h"
#include "tests/suite.h"
#include "workers/twin/sema.h"

#define MS 1000000ull
#define T0 (1000 * MS)

static char name[32];
static struct mirror_ctl *ctl;
static struct sema sema;
static sem_t *tool; /* as another program has it open */

static void
open_tool(void)
{
	char slashed[40];

	snprintf(slashed, sizeof(slashed), "/%s", name);
	tool = sem_open(slashed, 0);
	ck_assert(tool != SEM_FAILED);
}

static void
set_up(void)
{
	log_set_level(LOG_ERROR);
	ctl = calloc(1, sizeof(*ctl));
	ck_assert_int_eq(sema_open(&sema, ctl, name, 0660, 2, T0), 0);
	open_tool();
}

static void
remove_it(void)
{
	char slashed[40];

	snprintf(slashed, sizeof(slashed), "/%s", name);
	sem_unlink(slashed);
}

static void
tear_down(void)
{
	sema_close(&sema, true);
	sem_close(tool);
	free(ctl);
	remove_it();
}

static int
value(void)
{
	int v;

	sem_getvalue(tool, &v);
	return v;
}

static bool
there(struct stat *st)
{
	char path[60];

	snprintf(path, sizeof(path), "/dev/shm/sem.%s", name);
	return stat(path, st) == 0;
}

START_TEST(it_is_made_with_its_mode_free_and_removed)
{
	struct stat st;

	ck_assert(there(&st));
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_int_eq(value(), 1);
	sema_close(&sema, true);
	ck_assert(!there(&st));
}
END_TEST

START_TEST(one_that_was_there_is_not_removed)
{
	struct sema second;
	struct mirror_ctl *its = calloc(1, sizeof(*its));
	struct stat st;

	ck_assert_int_eq(sema_open(&second, its, name, 0600, 2, T0), 0);
	sema_close(&second, true);
	ck_assert(there(&st));
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	free(its);
}
END_TEST

START_TEST(it_is_taken_and_given_back)
{
	ck_assert_int_eq(sema_take(&sema, T0), SEMA_TAKEN);
	ck_assert_int_eq(value(), 0);
	ck_assert_uint_eq(ctl->sem_held, 1);
	sema_give(&sema);
	ck_assert_int_eq(value(), 1);
	sema_give(&sema);
	ck_assert_int_eq(value(), 1);
}
END_TEST

START_TEST(who_has_it_is_waited_for_100_ms_each_time)
{
	ck_assert_int_eq(sem_trywait(tool), 0);
	for (int turn = 1; turn < 4; turn++) {
		uint64_t now = T0 + (uint64_t)turn * 200 * MS;

		ck_assert_int_eq(sema_take(&sema, now), SEMA_LATER);
		ck_assert_int_eq(sema_take(&sema, now + 99 * MS), SEMA_LATER);
		ck_assert_int_eq(sema_take(&sema, now + 100 * MS), SEMA_MISSED);
		sema_give(&sema); /* which it has not */
		ck_assert_uint_eq(sema.misses, (uint64_t)turn);
		ck_assert_int_eq(value(), 0);
	}
	sem_post(tool);
	ck_assert_int_eq(sema_take(&sema, T0 + 900 * MS), SEMA_TAKEN);
}
END_TEST

START_TEST(who_keeps_it_for_too_long_loses_it)
{
	ck_assert_int_eq(sem_trywait(tool), 0);
	sema_look(&sema, T0);
	sema_look(&sema, T0 + 1999 * MS);
	ck_assert_int_eq(value(), 0);
	sema_look(&sema, T0 + 2000 * MS);
	ck_assert_int_eq(value(), 1);
	ck_assert_uint_eq(sema.given_back, 1);
	/* it was only slow: there are not two of it */
	sem_post(tool);
	ck_assert_int_eq(value(), 2);
	sema_look(&sema, T0 + 2001 * MS);
	ck_assert_int_eq(value(), 1);
}
END_TEST

START_TEST(who_gives_it_back_now_and_then_is_alive)
{
	ck_assert_int_eq(sem_trywait(tool), 0);
	for (uint64_t t = 0; t < 10000; t += 1500) {
		sema_look(&sema, T0 + t * MS);
		ck_assert_int_eq(sem_post(tool), 0);
		sema_look(&sema, T0 + (t + 10) * MS);
		ck_assert_int_eq(sem_trywait(tool), 0);
	}
	ck_assert_uint_eq(sema.given_back, 0);
}
END_TEST

START_TEST(one_that_was_removed_is_made_again)
{
	struct stat st;

	remove_it();
	sema_look(&sema, T0 + 999 * MS);
	ck_assert(!there(&st));
	sema_look(&sema, T0 + 1000 * MS);
	ck_assert(there(&st));
	sem_close(tool);
	open_tool();
	ck_assert_int_eq(sema_take(&sema, T0 + 1001 * MS), SEMA_TAKEN);
	ck_assert_int_eq(value(), 0);
	sema_give(&sema);
}
END_TEST

/* A keeper was killed while it had it, or while it had not. */
START_TEST(what_a_dead_keeper_had_is_given_back_once)
{
	bool held = _i == 0;

	if (held)
		ck_assert_int_eq(sema_take(&sema, T0), SEMA_TAKEN);
	else
		ck_assert_int_eq(sem_trywait(tool), 0);
	sem_close(sema.sem);
	ck_assert_int_eq(sema_open(&sema, ctl, name, 0660, 2, T0), 0);
	ck_assert_int_eq(value(), held ? 1 : 0);
	ck_assert_uint_eq(ctl->sem_held, 0);
	sema_close(&sema, false);
	ck_assert_int_eq(value(), held ? 1 : 0);
	ck_assert_int_eq(sema_open(&sema, ctl, name, 0660, 2, T0), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sema");
	TCase *tc = tcase_create("all");
	int rc;

	snprintf(name, sizeof(name), "check%d_sem", (int)getpid());
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, it_is_made_with_its_mode_free_and_removed);
	tcase_add_test(tc, one_that_was_there_is_not_removed);
	tcase_add_test(tc, it_is_taken_and_given_back);
	tcase_add_test(tc, who_has_it_is_waited_for_100_ms_each_time);
	tcase_add_test(tc, who_keeps_it_for_too_long_loses_it);
	tcase_add_test(tc, who_gives_it_back_now_and_then_is_alive);
	tcase_add_test(tc, one_that_was_removed_is_made_again);
	tcase_add_loop_test(
	    tc, what_a_dead_keeper_had_is_given_back_once, 0, 2);
	suite_add_tcase(s, tc);
	rc = suite_run(s);
	remove_it(); /* a test that failed has not */
	return rc;
}
