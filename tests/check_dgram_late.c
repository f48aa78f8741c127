/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams that are put off: how many may wait, that none overtakes another
 * to its peer, and what becomes of their times when the socket is full. Time is
 * what a test says, the socket has room when a test says so.
 */
#include "workers/dgram_late.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS 1000000ull

enum { PEERS = DGRAM_LATE_MAX / DGRAM_LATE_PEER + 1 };

static struct shm_dgrams shared;
static struct dgrams *dgrams;
static struct dgrams_late *late;
static int sock, peer[PEERS];
static bool full;
static uint64_t bytes, lost;

/* In place of the library's, for the daemon's own code. */
ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (full) {
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, m, flags);
}

static void
setup(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	full = false;
	bytes = lost = 0;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(sock, (struct sockaddr *)&at, len), 0);
	getsockname(sock, (struct sockaddr *)&at, &len);
	for (int i = 0; i < PEERS; i++) {
		peer[i] = socket(AF_INET, SOCK_DGRAM, 0);
		ck_assert_int_eq(
		    connect(peer[i], (struct sockaddr *)&at, len), 0);
	}
	ck_assert_ptr_nonnull(dgrams = dgrams_new(sock, &shared));
	ck_assert_int_eq(dgrams_inherit(dgrams, false, &bytes), 0);
	ck_assert_ptr_nonnull(late = dgrams_late_new(dgrams));
}

static void
teardown(void)
{
	dgrams_late_free(late);
	dgrams_free(dgrams);
	for (int i = 0; i < PEERS; i++)
		close(peer[i]);
	close(sock);
}

/* A peer asks, and its reply is one byte. delay_ms: how late it is; -1: not. */
static enum late_put
put(int who, uint8_t byte, int delay_ms, uint64_t now_ms)
{
	struct late how = { .delay_ms = delay_ms > 0 ? (uint32_t)delay_ms : 0 };
	uint64_t in;

	ck_assert_int_eq(send(peer[who], "?", 1, 0), 1);
	ck_assert_int_eq(dgrams_take(dgrams, &in), 1);
	dgrams->at[0].out[0] = byte;
	return dgrams_late_put(
	    late, 0, 1, delay_ms >= 0 ? &how : NULL, now_ms * MS);
}

/* The byte that a peer gets next, -1 none. */
static int
got(int who)
{
	uint8_t byte;

	return recv(peer[who], &byte, 1, MSG_DONTWAIT) == 1 ? byte : -1;
}

static void
send_due(uint64_t now_ms)
{
	dgrams_late_send(late, now_ms * MS, &bytes, &lost);
}

START_TEST(what_finds_no_room_overtakes_nothing)
{
	for (int i = 0; i < DGRAM_LATE_PEER; i++)
		ck_assert_int_eq(put(0, (uint8_t)i, 50, 1), LATE_WAITS);
	ck_assert_int_eq(put(0, 200, 50, 1), LATE_LOST);
	ck_assert_int_eq(put(0, 201, -1, 1), LATE_LOST);
	/* others have room, and what is not late waits for nobody */
	ck_assert_int_eq(put(1, 1, 50, 1), LATE_WAITS);
	ck_assert_int_eq(put(2, 1, -1, 1), LATE_NOT);
	send_due(51);
	for (int i = 0; i < DGRAM_LATE_PEER; i++)
		ck_assert_int_eq(got(0), i);
	ck_assert_int_eq(got(0), -1);
	ck_assert_int_eq(put(0, 1, -1, 52), LATE_NOT);
	ck_assert_int_eq(put(0, 1, 50, 52), LATE_WAITS);
}
END_TEST

START_TEST(with_no_room_for_anybody_only_those_who_wait_lose)
{
	for (int i = 0; i < DGRAM_LATE_MAX; i++)
		ck_assert_int_eq(
		    put(i / DGRAM_LATE_PEER, 1, 50, 1), LATE_WAITS);
	for (int i = 0; i < PEERS - 1; i++) {
		ck_assert_int_eq(put(i, 2, 50, 1), LATE_LOST);
		ck_assert_int_eq(put(i, 2, -1, 1), LATE_LOST);
	}
	ck_assert_int_eq(put(PEERS - 1, 2, 50, 1), LATE_NOT);
	ck_assert_int_eq(put(PEERS - 1, 2, -1, 1), LATE_NOT);
}
END_TEST

START_TEST(a_full_socket_is_tried_again_and_changes_no_time)
{
	put(0, 1, 5, 0);
	put(1, 2, 8, 0);
	full = true;
	send_due(5);
	ck_assert_uint_gt(dgrams_late_next_ns(late), 8 * MS);
	ck_assert_uint_le(dgrams_late_next_ns(late), 20 * MS);
	put(1, 3, -1, 6); /* behind the other */
	put(2, 4, 1, 6);
	ck_assert_uint_gt(dgrams_late_next_ns(late), 8 * MS);
	full = false;
	send_due(7); /* all that is due by then, and nothing else */
	ck_assert_int_eq(got(0), 1);
	ck_assert_int_eq(got(2), 4);
	ck_assert_int_eq(got(1), -1);
	ck_assert_uint_eq(dgrams_late_next_ns(late), 8 * MS);
	send_due(8);
	ck_assert_int_eq(got(1), 2);
	ck_assert_int_eq(got(1), 3);
	ck_assert_uint_eq(dgrams_late_next_ns(late), 0);
	ck_assert_uint_eq(bytes, 4);
	ck_assert_uint_eq(lost, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dgram_late");
	TCase *t = tcase_create("dgram_late");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_finds_no_room_overtakes_nothing);
	tcase_add_test(t, with_no_room_for_anybody_only_those_who_wait_lose);
	tcase_add_test(t, a_full_socket_is_tried_again_and_changes_no_time);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
