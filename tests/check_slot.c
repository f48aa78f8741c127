/* SPDX-License-Identifier: Apache-2.0 */

/* Slots: what proves a life, what declares a death. */

#include <errno.h>
#include <signal.h>

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

/* A child that holds the byte of a slot and says so, until it is killed. */
static pid_t
occupant(unsigned slot)
{
	int ready[2];
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fix_become(&fix, slot);
		if (write(ready[1], "x", 1) != 1)
			_exit(98);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void
slay(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(an_identity_is_slot_and_generation)
{
	uint64_t id = SLOT_ID(7, 3);

	ck_assert_uint_eq(SLOT_OF(id), 7);
	ck_assert_uint_eq(SLOT_GEN(id), 3);
	ck_assert_uint_ne(SLOT_ID(0, 1), 0);
	ck_assert_uint_eq(slot_next_id(fix.env.control, 4), SLOT_ID(4, 1));
}
END_TEST

START_TEST(a_death_is_declared_once_and_its_identity_never_comes_back)
{
	uint64_t id = slot_next_id(fix.env.control, 3);

	ck_assert(!slot_declared_dead(fix.env.control, id));
	ck_assert(slot_declare_dead(fix.env.control, id));
	ck_assert(slot_declared_dead(fix.env.control, id));
	ck_assert(!slot_declare_dead(fix.env.control, id));
	ck_assert_uint_eq(slot_next_id(fix.env.control, 3), SLOT_ID(3, 2));
	ck_assert(!slot_declared_dead(
	    fix.env.control, slot_next_id(fix.env.control, 3)));
}
END_TEST

START_TEST(an_identity_of_no_slot_is_dead)
{
	ck_assert(slot_declared_dead(fix.env.control, 0));
	ck_assert(slot_declared_dead(fix.env.control, SLOT_ID(FIX_SLOTS, 1)));
	ck_assert(slot_declared_dead(fix.env.control, UINT64_MAX));
	ck_assert(!slot_declare_dead(fix.env.control, UINT64_MAX));
	ck_assert_str_eq(slot_name(fix.env.control, UINT64_MAX), "?");
}
END_TEST

START_TEST(a_held_byte_cannot_be_taken_twice)
{
	int other = slot_lock_open(fix.lock_path);

	ck_assert_int_eq(slot_lock_take(other, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(slot_lock_held(other, 1));
	ck_assert(!slot_lock_held(other, 2));
	close(other);
	/* closing another description of the file changes nothing */
	other = slot_lock_open(fix.lock_path);
	ck_assert(slot_lock_held(other, 1));
	close(other);
}
END_TEST

START_TEST(the_lock_file_is_private_and_not_inherited_by_exec)
{
	struct stat st;

	ck_assert_int_eq(fstat(fix.env.lock_fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(fcntl(fix.env.lock_fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(a_symbolic_link_is_not_taken_for_the_lock_file)
{
	char link[80];

	snprintf(link, sizeof(link), "%s.link", fix.lock_path);
	ck_assert_int_eq(symlink(fix.lock_path, link), 0);
	ck_assert_int_eq(slot_lock_open(link), -1);
	ck_assert_int_eq(errno, ELOOP);
	unlink(link);
}
END_TEST

START_TEST(a_living_occupant_is_never_declared_dead)
{
	pid_t pid = occupant(5);
	uint64_t id = slot_next_id(fix.env.control, 5);

	ck_assert(!slot_probe(&fix.env, id));
	kill(pid, SIGSTOP); /* neither beating nor dead */
	ck_assert(!slot_probe(&fix.env, id));
	slay(pid);
}
END_TEST

START_TEST(a_killed_occupant_is_found_out_without_a_parent)
{
	pid_t pid = occupant(5);
	uint64_t id = slot_next_id(fix.env.control, 5);

	slay(pid);
	ck_assert(!slot_declared_dead(fix.env.control, id));
	ck_assert(slot_probe(&fix.env, id));
	ck_assert(slot_declared_dead(fix.env.control, id));
}
END_TEST

START_TEST(a_process_does_not_take_itself_for_dead)
{
	ck_assert(!slot_probe(&fix.env, fix.env.me));
	ck_assert(!slot_declared_dead(fix.env.control, fix.env.me));
}
END_TEST

START_TEST(without_a_lock_file_nothing_is_proved)
{
	struct slot_env blind = fix.env;

	blind.lock_fd = -1;
	ck_assert(!slot_probe(&blind, slot_next_id(fix.env.control, 6)));
}
END_TEST

START_TEST(a_slot_is_named_as_long_as_its_occupant_lives)
{
	uint64_t id = slot_next_id(fix.env.control, 2);
	struct shm_slot *slot = seg_slot(fix.env.control, 2);

	snprintf(slot->name, sizeof(slot->name), "tcp1");
	ck_assert_str_eq(slot_name(fix.env.control, id), "tcp1");
	memset(slot->name, 'x', sizeof(slot->name)); /* scribbled on */
	ck_assert_str_eq(slot_name(fix.env.control, id), "?");
	slot_declare_dead(fix.env.control, id);
	ck_assert_str_eq(slot_name(fix.env.control, id), "?");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("slot");
	TCase *t = tcase_create("slot");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_identity_is_slot_and_generation);
	tcase_add_test(
	    t, a_death_is_declared_once_and_its_identity_never_comes_back);
	tcase_add_test(t, an_identity_of_no_slot_is_dead);
	tcase_add_test(t, a_held_byte_cannot_be_taken_twice);
	tcase_add_test(t, the_lock_file_is_private_and_not_inherited_by_exec);
	tcase_add_test(t, a_symbolic_link_is_not_taken_for_the_lock_file);
	tcase_add_test(t, a_living_occupant_is_never_declared_dead);
	tcase_add_test(t, a_killed_occupant_is_found_out_without_a_parent);
	tcase_add_test(t, a_process_does_not_take_itself_for_dead);
	tcase_add_test(t, without_a_lock_file_nothing_is_proved);
	tcase_add_test(t, a_slot_is_named_as_long_as_its_occupant_lives);
	suite_add_tcase(s, t);
	return fix_run(s);
}
