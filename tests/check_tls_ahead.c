/* SPDX-License-Identifier: Apache-2.0 */
/* What is read ahead for TLS sessions comes out again, to whom it belongs. */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/suite.h"
#include "workers/tls/tls_ahead.h"

enum { SESSIONS = 3, MANY = 3 * TLS_AHEAD };

static struct tls_ahead ahead;
static int near[SESSIONS], far[SESSIONS]; /* ends of each one's socket */

static void
setup(void)
{
	int pair[2];

	ck_assert_int_eq(tls_ahead_init(&ahead, SESSIONS), 0);
	for (int i = 0; i < SESSIONS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		near[i] = pair[0];
		far[i] = pair[1];
	}
}

static void
teardown(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		close(near[i]);
		close(far[i]);
	}
	tls_ahead_fini(&ahead);
}

static void
say(int i, const char *text)
{
	ck_assert_int_eq(
	    send(far[i], text, strlen(text), 0), (ssize_t)strlen(text));
}

/* The session is given exactly that when it asks for room bytes. */
static void
hears(unsigned i, size_t room, const char *text)
{
	char got[100] = "";

	ck_assert_int_eq(tls_ahead_recv(&ahead, i, near[i], got, room),
	    (ssize_t)strlen(text));
	ck_assert_str_eq(got, text);
}

static void
hears_nothing(unsigned i)
{
	char got[10];

	errno = 0;
	ck_assert_int_eq(tls_ahead_recv(&ahead, i, near[i], got, 10), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(!tls_ahead_has(&ahead, i));
}

START_TEST(one_read_takes_what_there_is)
{
	say(0, "headbodyhead");
	ck_assert(!tls_ahead_has(&ahead, 0));
	hears(0, 4, "head");
	ck_assert(tls_ahead_has(&ahead, 0));
	/* the descriptor announces nothing any more */
	ck_assert_int_eq(recv(near[0], &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	hears(0, 4, "body");
	hears(0, 10, "head");
	hears_nothing(0);
}
END_TEST

START_TEST(each_session_gets_its_own)
{
	say(0, "aaaabbbb");
	say(1, "ccccdddd");
	say(2, "eeee");
	hears(0, 4, "aaaa");
	hears(1, 4, "cccc");
	hears(2, 2, "ee");
	ck_assert(tls_ahead_has(&ahead, 0));
	ck_assert(tls_ahead_has(&ahead, 1));
	ck_assert(tls_ahead_has(&ahead, 2));
	hears(1, 2, "dd");
	hears(0, 10, "bbbb");
	hears(1, 10, "dd");
	hears(2, 10, "ee");
	for (unsigned i = 0; i < SESSIONS; i++)
		hears_nothing(i);
}
END_TEST

START_TEST(what_comes_later_comes_after)
{
	say(0, "aabb");
	hears(0, 2, "aa");
	say(1, "x");
	hears(1, 10, "x");
	say(0, "cc");
	hears(0, 10, "bb");
	hears(0, 10, "cc");
}
END_TEST

START_TEST(an_ended_session_leaves_nothing)
{
	bool others_between = _i != 0;

	say(0, "old words");
	hears(0, 3, "old");
	if (others_between)
		hears_nothing(1);
	ck_assert(tls_ahead_has(&ahead, 0));
	tls_ahead_drop(&ahead, 0);
	ck_assert(!tls_ahead_has(&ahead, 0));
	say(0, "new");
	hears(0, 10, "new");
	hears_nothing(0);
}
END_TEST

START_TEST(the_end_is_told_behind_the_last_bytes)
{
	char got[10];

	say(0, "last");
	shutdown(far[0], SHUT_WR);
	hears(0, 2, "la");
	hears(0, 10, "st");
	ck_assert_int_eq(tls_ahead_recv(&ahead, 0, near[0], got, 10), 0);
}
END_TEST

/* In pieces of all sizes, below and above what is read ahead, with another
 * session in between each time. */
START_TEST(no_byte_is_lost_or_moved)
{
	static uint8_t out[MANY], in[MANY];
	size_t done = 0, room = 1;
	ssize_t n;

	for (size_t i = 0; i < MANY; i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	ck_assert_int_eq(send(far[0], out, MANY, 0), MANY);
	while (done < MANY) {
		room = (room * 5 + 3) % (2 * TLS_AHEAD) + 1;
		if (room > MANY - done)
			room = MANY - done;
		n = tls_ahead_recv(&ahead, 0, near[0], in + done, room);
		ck_assert_int_gt(n, 0);
		ck_assert_uint_le((size_t)n, room);
		done += (size_t)n;
		hears_nothing(1);
	}
	ck_assert_mem_eq(in, out, MANY);
	hears_nothing(0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("tls_ahead");
	TCase *tc = tcase_create("tls_ahead");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_read_takes_what_there_is);
	tcase_add_test(tc, each_session_gets_its_own);
	tcase_add_test(tc, what_comes_later_comes_after);
	tcase_add_loop_test(tc, an_ended_session_leaves_nothing, 0, 2);
	tcase_add_test(tc, the_end_is_told_behind_the_last_bytes);
	tcase_add_test(tc, no_byte_is_lost_or_moved);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(make_suite());
}
