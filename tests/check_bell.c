/* SPDX-License-Identifier: Apache-2.0 */

/* Bells: who sleeps is woken, once; who does not costs nothing. */

#include "shm/bell.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/store_fixture.h"
#include "tests/suite.h"

static struct fixture sf;
static struct bell bell[SHM_BELLS + 1];
static int ring_fd;

static void
setup(void)
{
	struct seg_range range = fix_range(STORE_HR, 0, 4);

	fix_open(&sf, &range, 1, false);
	ring_fd = -1;
	for (unsigned i = 0; i <= SHM_BELLS; i++)
		bell[i].fd = -1;
	ck_assert_int_eq(bell_open(&bell[0], &sf.env), 0);
}

static void
teardown(void)
{
	for (unsigned i = 0; i <= SHM_BELLS; i++)
		bell_close(&bell[i]);
	if (ring_fd != -1)
		close(ring_fd);
	fix_close(&sf);
}

/* Datagrams that have come; takes them in. */
static int
rung(const struct bell *b)
{
	char byte;
	int n = 0;

	while (recv(b->fd, &byte, 1, 0) == 1)
		n++;
	return n;
}

START_TEST(nothing_is_sent_while_nobody_has_armed)
{
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(ring_fd, -1);
	ck_assert_int_eq(rung(&bell[0]), 0);
}
END_TEST

START_TEST(an_armed_bell_rings_once_however_often_is_written)
{
	struct pollfd p = { .fd = bell[0].fd, .events = POLLIN };

	bell_arm(&bell[0]);
	for (int i = 0; i < 5; i++)
		bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert_int_eq(rung(&bell[0]), 1);
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(rung(&bell[0]), 0);
}
END_TEST

START_TEST(a_disarmed_bell_is_silent_and_empty)
{
	bell_arm(&bell[0]);
	bell_ring(sf.env.control, &ring_fd);
	bell_arm(&bell[0]);
	bell_disarm(&bell[0]);
	ck_assert_int_eq(rung(&bell[0]), 0);
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(rung(&bell[0]), 0);
}
END_TEST

START_TEST(only_those_that_have_armed_are_woken)
{
	ck_assert_int_eq(bell_open(&bell[1], &sf.env), 0);
	ck_assert_int_eq(bell_open(&bell[2], &sf.env), 0);
	bell_arm(&bell[0]);
	bell_arm(&bell[2]);
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(rung(&bell[0]), 1);
	ck_assert_int_eq(rung(&bell[1]), 0);
	ck_assert_int_eq(rung(&bell[2]), 1);
}
END_TEST

START_TEST(there_are_only_so_many_and_one_given_back_is_free_again)
{
	for (unsigned i = 1; i < SHM_BELLS; i++)
		ck_assert_int_eq(bell_open(&bell[i], &sf.env), 0);
	ck_assert_int_eq(bell_open(&bell[SHM_BELLS], &sf.env), -1);
	ck_assert_int_eq(errno, EUSERS);
	ck_assert_int_eq(bell[SHM_BELLS].fd, -1);
	bell_arm(&bell[SHM_BELLS]); /* does nothing, and no harm */
	bell_disarm(&bell[SHM_BELLS]);
	bell_close(&bell[7]);
	ck_assert_int_eq(bell_open(&bell[SHM_BELLS], &sf.env), 0);
	bell_arm(&bell[SHM_BELLS]);
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(rung(&bell[SHM_BELLS]), 1);
}
END_TEST

START_TEST(the_bell_of_a_dead_process_is_free_again)
{
	for (unsigned i = 1; i < SHM_BELLS; i++)
		ck_assert_int_eq(bell_open(&bell[i], &sf.env), 0);
	/* as if slot 3 had had it, and its occupant had been waited for */
	atomic_store(&bell[5].shm->owner, slot_next_id(sf.env.control, 3));
	slot_declare_dead(sf.env.control, atomic_load(&bell[5].shm->owner));
	ck_assert_int_eq(bell_open(&bell[SHM_BELLS], &sf.env), 0);
	close(bell[5].fd);
	bell[5].fd = -1;
}
END_TEST

START_TEST(a_row_that_was_scribbled_on_does_no_harm)
{
	bell_arm(&bell[0]);
	atomic_store(&bell[0].shm->name, UINT64_MAX);
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(rung(&bell[0]), 0);
	atomic_store(&bell[0].shm->name, 0);
	bell_arm(&bell[0]);
	bell_ring(sf.env.control, &ring_fd);
	ck_assert_int_eq(rung(&bell[0]), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bell");
	TCase *tc = tcase_create("bell");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_sent_while_nobody_has_armed);
	tcase_add_test(tc, an_armed_bell_rings_once_however_often_is_written);
	tcase_add_test(tc, a_disarmed_bell_is_silent_and_empty);
	tcase_add_test(tc, only_those_that_have_armed_are_woken);
	tcase_add_test(
	    tc, there_are_only_so_many_and_one_given_back_is_free_again);
	tcase_add_test(tc, the_bell_of_a_dead_process_is_free_again);
	tcase_add_test(tc, a_row_that_was_scribbled_on_does_no_harm);
	suite_add_tcase(s, tc);
	return fix_run(s);
}
