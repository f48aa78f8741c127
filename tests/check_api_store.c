/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores of programs: making, attaching, giving back; what a program that is
 * killed leaves, and what a fork does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/store_own.h"
#include "supervisor/api/api.h"
#include "tests/lib/api_fixture.h"
#include "tests/suite.h"

/* Segments and lock files of this test's store. */
static int
objects(void)
{
	static const char *const kinds[] = { "", ".control", ".device.plc" };
	char path[120];
	int n = 0;

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/dev/shm/holdfast-%s%s", api_name,
		    kinds[i]);
		n += access(path, F_OK) == 0;
	}
	return n;
}

/* A child that carries run() out and then waits to be killed; returns once it
 * has. */
static pid_t
child(void (*run)(int), int arg)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		run(arg);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void
end(pid_t pid, int sig)
{
	kill(pid, sig);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* The result of a child that ends by itself. */
static int
result_of(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- making ---- */

static int
make_again(void)
{
	struct hf_store *s = api_described(api_name);
	char pid[32];

	snprintf(pid, sizeof(pid), "pid %d", (int)getppid());
	return hf_store_open(s) == -1 && errno == EEXIST &&
	    strstr(hf_error(), pid) != NULL;
}

START_TEST(a_name_is_one_programs_at_a_time)
{
	struct hf_store *s = api_made(), *again = api_described(api_name);

	ck_assert_int_eq(result_of(make_again), 1);
	ck_assert_int_eq(hf_store_open(again), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(api_set1(s, 1), 0);
	hf_store_free(s);
	ck_assert_int_eq(objects(), 0);
	ck_assert_int_eq(hf_store_open(again), 0);
	ck_assert_int_eq(objects(), 3);
	hf_store_free(again);
	ck_assert_int_eq(objects(), 0);
}
END_TEST

static int fallocate_fails; /* at this call of those to come; 0: never */

/* In the place of the C library's. */
int
posix_fallocate(int fd, off_t off, off_t len)
{
	if (fallocate_fails > 0 && --fallocate_fails == 0)
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, off, len) < 0 ? errno : 0;
}

START_TEST(making_may_be_tried_again_wherever_it_has_failed)
{
	enum { NAMES = 60 };
	struct hf_store *s = api_described(api_name);
	struct hf_device *a = hf_store_device(s, NULL);
	char name[16];
	int failed = 0;
	double v;

	for (uint32_t i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%u", (unsigned)i);
		ck_assert_int_eq(hf_device_add_range(a,
				     &(struct hf_range){ .table = HF_IR,
					 .addr = i,
					 .count = 1,
					 .name = name }),
		    0);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "more%d", i);
		api_add(hf_store_add_device(s, name, i + 1), HF_HR, 0, 10);
	}
	for (;; failed++) {
		fallocate_fails = failed + 1;
		if (hf_store_open(s) == 0)
			break;
		ck_assert_int_eq(errno, ENOSPC);
		ck_assert_int_eq(objects(), 0);
	}
	fallocate_fails = 0;
	ck_assert_int_ge(failed, 5); /* control, and each device */
	ck_assert_uint_eq(a->nnames, NAMES);
	ck_assert_int_eq(hf_set(a, "n59", 59), 0);
	ck_assert_int_eq(hf_get(a, "n59", &v), 0);
	ck_assert(v == 59);
	hf_store_free(s);
	ck_assert_int_eq(objects(), 0);
}
END_TEST

static void
make_and_set(int v)
{
	struct hf_store *s = api_made();

	if (api_set1(s, (uint16_t)v) != 0)
		_exit(1);
}

START_TEST(what_a_killed_program_leaves_is_replaced)
{
	struct hf_store *s, *old;
	pid_t pid;
	uint16_t v = 0;

	for (int i = 0; i < 3; i++) {
		pid = child(make_and_set, 7);
		old = hf_store_attach(api_name);
		ck_assert_ptr_nonnull(old);
		end(pid, SIGKILL);
		ck_assert_int_eq(objects(), 3);
		s = api_made();
		ck_assert_int_eq(api_get1(s, &v), 0);
		ck_assert_uint_eq(v, 0);
		ck_assert_int_eq(api_get1(old, &v), -1);
		ck_assert_int_eq(errno, ESTALE);
		ck_assert_int_eq(api_set1(old, 1), -1);
		ck_assert_int_eq(errno, ESTALE);
		ck_assert_int_eq(api_set1(s, 1), 0);
		hf_store_free(old);
		ck_assert_int_eq(api_set1(s, 2), 0);
		hf_store_free(s);
		ck_assert_int_eq(objects(), 0);
	}
}
END_TEST

static int
leave_by_exit(void)
{
	api_made();
	exit(objects());
}

START_TEST(a_program_that_ends_takes_its_store_along)
{
	ck_assert_int_eq(result_of(leave_by_exit), 3);
	ck_assert_int_eq(objects(), 0);
}
END_TEST

static void
make_auto(int fd)
{
	struct hf_store *s = api_described(NULL);

	if (hf_store_open(s) != 0 ||
	    write(fd, hf_store_name(s), strlen(hf_store_name(s)) + 1) < 0)
		_exit(1);
}

START_TEST(a_killed_programs_store_without_a_name_is_cleared_by_the_next)
{
	char dead[64], live[64], path[120];
	struct hf_store *s;
	int fd[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fd), 0);
	pid = child(make_auto, fd[1]);
	ck_assert_int_gt((int)read(fd[0], dead, sizeof(dead)), 0);
	end(pid, SIGKILL);
	pid = child(make_auto, fd[1]);
	ck_assert_int_gt((int)read(fd[0], live, sizeof(live)), 0);
	s = api_described(NULL);
	ck_assert_int_eq(hf_store_open(s), 0);
	snprintf(path, sizeof(path), "/dev/shm/holdfast-%s.control", dead);
	ck_assert_int_eq(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "/dev/shm/holdfast-%s.control", live);
	ck_assert_int_eq(access(path, F_OK), 0);
	hf_store_free(s);
	end(pid, SIGKILL);
	s = api_described(NULL);
	ck_assert_int_eq(hf_store_open(s), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	hf_store_free(s);
}
END_TEST

START_TEST(a_store_costs_what_is_used)
{
	struct hf_store *s = api_made();
	uint64_t ids[SHARE_SLOTS];
	struct stat before, after;
	int fd = shm_open(s->control.object, O_RDONLY, 0), lock;

	ck_assert_int_eq(fstat(fd, &before), 0);
	ck_assert_int_lt(before.st_blocks * 512, 128 << 10);
	ck_assert_int_gt(before.st_size, 500 << 10);
	lock = slot_lock_find(s->claim.store_lock, true);
	ck_assert_int_eq(share_take(&s->control, lock, ids), 0);
	fstat(fd, &after);
	ck_assert_int_ge((after.st_blocks - before.st_blocks) * 512,
	    SHARE_CONNS * 8 - 2 * 4096);
	close(lock);
	close(fd);
	hf_store_free(s);
}
END_TEST

/* ---- shares ---- */

START_TEST(a_share_is_free_again_once_all_of_a_server_has_gone)
{
	struct hf_store *s = api_made();
	const char *path = s->claim.store_lock;
	int lock[SHARE_SERVERS], worker, k;
	uint64_t ids[SHARE_SLOTS], was;

	for (int i = 0; i < SHARE_SERVERS; i++) {
		lock[i] = slot_lock_find(path, true);
		ck_assert_int_eq(share_take(&s->control, lock[i], ids), i);
	}
	worker = slot_lock_find(path, true);
	ck_assert_int_eq(share_take(&s->control, worker, ids), -1);
	ck_assert_int_eq(errno, EUSERS);
	was = slot_next_id(s->env.control, share_slot(5));
	ck_assert_int_eq(slot_lock_take(worker, share_slot(5) + 2), 0);
	close(lock[5]);
	/* its supervisor has gone, a worker has not */
	lock[5] = slot_lock_find(path, true);
	ck_assert_int_eq(share_take(&s->control, lock[5], ids), -1);
	ck_assert_int_eq(errno, EUSERS);
	ck_assert(!slot_lock_held(worker, share_slot(5)));
	close(worker);
	k = share_take(&s->control, lock[5], ids);
	ck_assert_int_eq(k, 5);
	ck_assert(ids[0] == was);
	ck_assert(slot_declared_dead(s->env.control, was));
	for (int i = 0; i < SHARE_SERVERS; i++)
		close(lock[i]);
	hf_store_free(s);
}
END_TEST

START_TEST(a_name_goes_with_its_server_however_that_went)
{
	struct hf_store *s = api_made();
	struct shm_control *c = s->env.control;
	int lock[2], other = slot_lock_find(s->claim.store_lock, true);
	uint64_t ids[SHARE_SLOTS];

	for (int i = 0; i < 2; i++) {
		lock[i] = slot_lock_find(s->claim.store_lock, true);
		ck_assert_int_eq(share_take(&s->control, lock[i], ids), i);
		snprintf(seg_transport(c, (unsigned)i)->name, SHM_NAME_MAX,
		    "tcp%d", i);
	}
	ck_assert(share_named(c, other, SHARE_SERVERS, "tcp1"));
	ck_assert(!share_named(c, other, 1, "tcp1"));
	ck_assert(share_named(c, other, 1, "tcp0"));
	ck_assert(!share_named(c, other, SHARE_SERVERS, "tcp"));
	close(lock[1]);
	ck_assert(!share_named(c, other, SHARE_SERVERS, "tcp1"));
	/* the next one has not yet said what it is called */
	lock[1] = slot_lock_find(s->claim.store_lock, true);
	ck_assert_int_eq(share_take(&s->control, lock[1], ids), 1);
	ck_assert(!share_named(c, other, SHARE_SERVERS, "tcp1"));
	ck_assert(share_named(c, other, SHARE_SERVERS, "tcp0"));
	close(lock[0]);
	close(lock[1]);
	close(other);
	hf_store_free(s);
}
END_TEST

START_TEST(shares_lie_behind_each_other_and_before_the_externals)
{
	struct hf_store *s = api_made();
	struct shm_control *c = s->env.control;

	for (unsigned k = 0; k < SHARE_SERVERS; k++) {
		ck_assert_uint_ge(share_slot(k), SHM_WORKER_SLOT);
		ck_assert_uint_le(
		    share_slot(k) + SHARE_SLOTS, share_externals(c));
		ck_assert_uint_ge(share_author(k), seg_slots(c));
		ck_assert_uint_le(
		    share_author(k) + SHARE_CONNS, seg_authors(c));
		if (k > 0) {
			ck_assert_uint_eq(
			    share_slot(k), share_slot(k - 1) + SHARE_SLOTS);
			ck_assert_uint_eq(
			    share_author(k), share_author(k - 1) + SHARE_CONNS);
		}
	}
	ck_assert_uint_eq(share_externals(c) + SHM_EXTERNALS, seg_slots(c));
	hf_store_free(s);
}
END_TEST

/* ---- attaching ---- */

START_TEST(a_store_that_is_not_there_is_told)
{
	struct hf_store *(*const how[])(
	    const char *) = { hf_store_attach, hf_store_attach_readonly };

	ck_assert_ptr_null(how[_i](api_name));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(hf_error(), api_name));
	ck_assert_ptr_null(how[_i]("a b"));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(how[_i](""));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(how[_i](NULL));
	ck_assert_int_eq(errno, EINVAL);
	end(child(make_and_set, 1), SIGKILL);
	ck_assert_ptr_null(how[_i](api_name));
	ck_assert_int_eq(errno, ESTALE);
	hf_store_free(api_made());
	ck_assert_int_eq(objects(), 0);
}
END_TEST

START_TEST(a_store_of_another_version_is_told)
{
	struct hf_store *s = api_made();
	struct shm_head *h = s->control.at;

	h->layout++;
	ck_assert_ptr_null(hf_store_attach(api_name));
	ck_assert_int_eq(errno, EPROTO);
	h->layout--;
	h = api_only(s)->seg.at;
	h->layout++;
	ck_assert_ptr_null(hf_store_attach_readonly(api_name));
	ck_assert_int_eq(errno, EPROTO);
	hf_store_free(s);
}
END_TEST

START_TEST(what_is_mapped_for_reading_cannot_be_written_whatever_is_tried)
{
	struct hf_store *s = api_made(),
			*r = hf_store_attach_readonly(api_name);
	struct hf_device *d = api_only(r);

	ck_assert_int_eq(mprotect(d->seg.at, 4096, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(
	    mprotect(r->control.at, 4096, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(api_set1(r, 1), -1);
	ck_assert_int_eq(errno, EROFS);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			/* a sanitizer would report what is meant to happen */
			signal(SIGSEGV, SIG_DFL);
			if (i == 0)
				atomic_store(d->st.data[0], 1);
			else
				atomic_store(&r->env.control->bells.armed, 1);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
	hf_store_free(r);
	hf_store_free(s);
}
END_TEST

START_TEST(two_hundred_and_fifty_six_can_attach)
{
	struct hf_store *s = api_made(), *a[SHM_EXTERNALS];
	uint16_t v;

	for (int i = 0; i < SHM_EXTERNALS; i++) {
		a[i] = hf_store_attach(api_name);
		ck_assert_ptr_nonnull(a[i]);
		ck_assert_int_eq(api_set1(a[i], (uint16_t)i), 0);
	}
	ck_assert_ptr_null(hf_store_attach(api_name));
	ck_assert_int_eq(errno, EUSERS);
	hf_store_free(a[100]);
	a[100] = hf_store_attach(api_name);
	ck_assert_ptr_nonnull(a[100]);
	ck_assert_int_eq(api_set1(a[100], 1000), 0);
	ck_assert_int_eq(api_get1(s, &v), 0);
	ck_assert_uint_eq(v, 1000);
	for (int i = 0; i < SHM_EXTERNALS; i++)
		hf_store_free(a[i]);
	hf_store_free(s);
}
END_TEST

START_TEST(operation_numbers_of_a_slot_go_on)
{
	struct hf_store *s = api_made(), *a;
	uint16_t v;

	for (uint16_t i = 1; i < 5; i++) {
		a = hf_store_attach(api_name);
		ck_assert_uint_eq(a->op, i - 1u);
		ck_assert_int_eq(api_set1(a, i), 0);
		api_get1(s, &v);
		ck_assert_uint_eq(v, i);
		hf_store_free(a);
	}
	hf_store_free(s);
}
END_TEST

START_TEST(who_occupies_a_slot_says_who_it_is)
{
	struct hf_store *s = api_made(), *a = hf_store_attach(api_name);
	struct shm_slot *slot = seg_slot(s->env.control, SLOT_OF(a->env.me));

	ck_assert_str_eq(slot->name, program_invocation_short_name);
	ck_assert_int_eq((int)slot->pid, getpid());
	ck_assert_uint_eq(slot->role, SHM_EXTERNAL);
	ck_assert_uint_eq(SLOT_OF(a->env.me), share_externals(s->env.control));
	hf_store_free(a);
	ck_assert_uint_eq(slot->role, SHM_FREE);
	hf_store_free(s);
}
END_TEST

/* Attaches, begins a write and is killed in it. */
static void
hold(int arg)
{
	struct hf_store *a = hf_store_attach(api_name);

	(void)arg;
	if (a == NULL || store_own_take(&api_only(a)->st, 1000000) != 0)
		_exit(1);
	atomic_fetch_add(&api_only(a)->st.dev->seq, 1);
	atomic_store(api_only(a)->st.data[0] + 1, 0x5555);
}

START_TEST(a_dead_writers_device_is_repaired_and_its_slot_taken_again)
{
	struct hf_store *s = api_made(), *a;
	uint16_t v = 1;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(api_set1(s, 77), 0);
		pid = child(hold, 0);
		end(pid, SIGKILL);
		if (_i == 0) { /* whoever writes next */
			ck_assert_int_eq(api_set1(s, 78), 0);
			api_get1(s, &v);
			ck_assert_uint_eq(v, 78);
		} else { /* or whoever attaches */
			a = hf_store_attach(api_name);
			ck_assert_uint_eq(api_only(s)->st.dev->owner, 0);
			ck_assert_uint_eq(SLOT_OF(a->env.me),
			    share_externals(s->env.control));
			api_get1(s, &v);
			ck_assert_uint_eq(v, 77);
			hf_store_free(a);
		}
		ck_assert_uint_eq(api_only(s)->st.dev->repairs, i + 1u);
	}
	hf_store_free(s);
}
END_TEST

/* ---- the maker goes ---- */

START_TEST(a_store_that_was_given_back_is_stale_at_once)
{
	struct hf_store *s = api_made(), *a = hf_store_attach(api_name);
	struct hf_store *r = hf_store_attach_readonly(api_name);
	uint16_t v;

	ck_assert_int_eq(api_get1(r, &v), 0);
	hf_store_free(s);
	ck_assert_int_eq(api_get1(a, &v), -1);
	ck_assert_int_eq(errno, ESTALE);
	ck_assert_int_eq(api_set1(a, 1), -1);
	ck_assert_int_eq(errno, ESTALE);
	ck_assert_int_eq(api_get1(r, &v), -1);
	ck_assert_int_eq(errno, ESTALE);
	hf_store_free(a);
	hf_store_free(r);
}
END_TEST

START_TEST(a_store_whose_maker_was_killed_is_stale_within_a_second)
{
	pid_t pid = child(make_and_set, 7);
	struct hf_store *a = _i == 0 ? hf_store_attach(api_name)
				     : hf_store_attach_readonly(api_name);
	struct timespec now, look;
	uint64_t look_ns;
	uint16_t v = 0;

	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(api_get1(a, &v), 0);
	ck_assert_uint_eq(v, 7);
	end(pid, SIGKILL);
	/* it asks for the maker's life now and then; its clock is a coarse one
	 */
	look_ns = atomic_load(&a->look_ns) + 20000000;
	clock_gettime(CLOCK_MONOTONIC, &now);
	look.tv_sec = (time_t)(look_ns / 1000000000);
	look.tv_nsec = (long)(look_ns % 1000000000);
	ck_assert_int_le(look.tv_sec - now.tv_sec, 1);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &look, NULL);
	ck_assert_int_eq(api_get1(a, &v), -1);
	ck_assert_int_eq(errno, ESTALE);
	hf_store_free(a);
	hf_store_free(api_made());
}
END_TEST

/* ---- fork ---- */

static struct hf_store *inherited;

static int
use_inherited(void)
{
	uint16_t v = 0;

	if (api_get1(inherited, &v) != 0 || v != 33)
		return 1;
	if (api_set1(inherited, 44) != -1 || errno != EROFS)
		return 2;
	hf_store_free(inherited);
	return objects() == 3 ? 0 : 3;
}

START_TEST(a_forked_child_may_only_read)
{
	struct hf_store *s = api_made();

	inherited = _i == 0 ? s : hf_store_attach(api_name);
	ck_assert_int_eq(api_set1(s, 33), 0);
	ck_assert_int_eq(result_of(use_inherited), 0);
	ck_assert_int_eq(api_set1(inherited, 34), 0);
	if (_i == 1)
		hf_store_free(inherited);
	hf_store_free(s);
}
END_TEST

/* Makes a store, forks a child that tells its pid and lives on. */
static void
make_and_fork(int fd)
{
	pid_t pid;

	api_made();
	if (fork() != 0)
		return;
	pid = getpid();
	if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		pause();
}

START_TEST(a_forked_child_does_not_keep_its_parents_store_alive)
{
	struct hf_store *s;
	int fd[2];
	pid_t pid, left = 0;

	ck_assert_int_eq(pipe(fd), 0);
	pid = child(make_and_fork, fd[1]);
	ck_assert_int_eq((int)read(fd[0], &left, sizeof(left)), sizeof(left));
	end(pid, SIGKILL);
	s = api_described(api_name);
	ck_assert_int_eq(hf_store_open(s), 0);
	hf_store_free(s);
	kill(left, SIGKILL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("api_store");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, api_names, NULL);
	tcase_set_timeout(tc, 30);
#define N(a) (int)(sizeof(a) / sizeof((a)[0]))
	tcase_add_test(tc, a_name_is_one_programs_at_a_time);
	tcase_add_test(tc, making_may_be_tried_again_wherever_it_has_failed);
	tcase_add_test(tc, what_a_killed_program_leaves_is_replaced);
	tcase_add_test(tc, a_program_that_ends_takes_its_store_along);
	tcase_add_test(
	    tc, a_killed_programs_store_without_a_name_is_cleared_by_the_next);
	tcase_add_test(tc, a_store_costs_what_is_used);
	tcase_add_test(tc, a_share_is_free_again_once_all_of_a_server_has_gone);
	tcase_add_test(tc, a_name_goes_with_its_server_however_that_went);
	tcase_add_test(
	    tc, shares_lie_behind_each_other_and_before_the_externals);
	tcase_add_loop_test(tc, a_store_that_is_not_there_is_told, 0, 2);
	tcase_add_test(tc, a_store_of_another_version_is_told);
	tcase_add_test(
	    tc, what_is_mapped_for_reading_cannot_be_written_whatever_is_tried);
	tcase_add_test(tc, two_hundred_and_fifty_six_can_attach);
	tcase_add_test(tc, operation_numbers_of_a_slot_go_on);
	tcase_add_test(tc, who_occupies_a_slot_says_who_it_is);
	tcase_add_loop_test(tc,
	    a_dead_writers_device_is_repaired_and_its_slot_taken_again, 0, 2);
	tcase_add_test(tc, a_store_that_was_given_back_is_stale_at_once);
	tcase_add_loop_test(
	    tc, a_store_whose_maker_was_killed_is_stale_within_a_second, 0, 2);
	tcase_add_loop_test(tc, a_forked_child_may_only_read, 0, 2);
	tcase_add_test(
	    tc, a_forked_child_does_not_keep_its_parents_store_alive);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
