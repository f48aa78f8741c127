/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of datagrams, as a worker uses them: from where replies leave, and
 * what becomes of them when the system says no.
 */
#include "workers/dgram.h"

#include <limits.h>
#include <poll.h>

#include "tests/lib/udp_fixture.h"

/* ---- where replies come from ---- */

static struct {
	const char *listen, *client, *asked, *from;
} ways[] = {
	{ "0.0.0.0:0", "127.0.0.1", "127.0.0.1", "127.0.0.1" },
	{ "0.0.0.0:0", "127.0.0.1", "127.0.0.5", "127.0.0.5" },
	{ "0.0.0.0:0", "127.9.9.9", "127.1.2.3", "127.1.2.3" },
	{ "127.0.0.7:0", "127.0.0.1", "127.0.0.7", "127.0.0.7" },
	{ "[::]:0", "::1", "::1", "::1" },
	{ "[::1]:0", "::1", "::1", "::1" },
	/* everybody's address is nobody's to answer from */
	{ "0.0.0.0:0", "127.0.0.1", "127.255.255.255", "127.0.0.1" },
};

START_TEST(an_answer_to_a_multicast_leaves_from_an_address_of_its_own)
{
	int fd;

	uf_again("[::]:0", "socket");
	fd = uf_client("::1");
	uf.multicast = true;
	uf_ask_at(fd, "::1", 1, 9);
	uf_turns();
	uf_answered(fd, 1, 9);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->replies_lost), 0);
	close(fd);
}
END_TEST

START_TEST(a_reply_leaves_from_the_address_that_was_asked)
{
	struct sockaddr_storage from, want;
	socklen_t len = sizeof(from);
	uint8_t p[300];
	int fd;

	uf_again(ways[_i].listen, "socket");
	fd = uf_client(ways[_i].client);
	want = uf_at(ways[_i].from);
	uf_ask_at(fd, ways[_i].asked, 1, 9);
	uf_turns();
	ck_assert_int_eq(recvfrom(fd, p, sizeof(p), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len),
	    REPLY);
	if (want.ss_family == AF_INET)
		ck_assert_mem_eq(&from, &want, 8);
	else
		ck_assert_mem_eq(&((struct sockaddr_in6 *)&from)->sin6_addr,
		    &((struct sockaddr_in6 *)&want)->sin6_addr, 16);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->replies_lost), 0);
	close(fd);
}
END_TEST

/* ---- a system that says no ---- */

START_TEST(replies_that_do_not_fit_wait_and_nothing_more_is_taken)
{
	int fd = uf_client("127.0.0.1");
	uint64_t in;

	for (unsigned i = 0; i < MANY; i++)
		uf_ask(fd, i, i);
	uf.no_send.error = EAGAIN;
	uf.no_send.left = UINT_MAX;
	uf_turns();
	in = uf_stat_of(&uf_stats()->bytes_in);
	ck_assert_uint_eq(in, DGRAM_BATCH * REQUEST);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->backpressured), 1);
	uf_turns();
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->bytes_in), in);
	uf.no_send.left = 0;
	uf_turns();
	for (unsigned i = 0; i < MANY; i++)
		uf_answered(fd, i, i);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->replies_lost), 0);
	close(fd);
}
END_TEST

START_TEST(a_drain_waits_for_replies_that_wait)
{
	int fd = uf_client("127.0.0.1");

	for (unsigned i = 0; i < MANY; i++)
		uf_ask(fd, i, i);
	uf.no_send.error = EAGAIN;
	uf.no_send.left = UINT_MAX;
	uf_turns();
	uf.fx.worker.draining = true;
	uf.fx.worker.ops->drain(&uf.fx.worker);
	uf_turns();
	ck_assert(!uf.fx.worker.done);
	uf.no_send.left = 0;
	uf_turns();
	ck_assert(uf.fx.worker.done);
	for (unsigned i = 0; i < MANY; i++)
		uf_answered(fd, i, i);
	close(fd);
}
END_TEST

START_TEST(a_drain_answers_what_has_come_and_ends)
{
	int fd = uf_client("127.0.0.1");

	for (unsigned i = 0; i < MANY; i++)
		uf_ask(fd, i, i);
	uf.fx.worker.draining = true;
	uf.fx.worker.ops->drain(&uf.fx.worker);
	ck_assert(uf.fx.worker.done);
	for (unsigned i = 0; i < MANY; i++)
		uf_answered(fd, i, i);
	uf_ask(fd, 1, 1);
	ck_assert(uf_silent(fd));
	close(fd);
}
END_TEST

START_TEST(an_error_of_an_earlier_datagram_costs_no_reply)
{
	int fd = uf_client("127.0.0.1");

	uf.no_send.error = ECONNREFUSED;
	uf.no_recv.error = ECONNREFUSED;
	for (unsigned i = 0; i < 10; i++) {
		uf.no_send.left = uf.no_recv.left = 1;
		uf_serves(fd);
		ck_assert_uint_eq(uf.no_send.said, i + 1);
		ck_assert_uint_eq(uf.no_recv.said, i + 1);
	}
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->replies_lost), 0);
	close(fd);
}
END_TEST

START_TEST(a_reply_that_cannot_be_sent_is_counted_and_holds_up_no_other)
{
	int fd = uf_client("127.0.0.1");

	for (unsigned i = 0; i < 3; i++)
		uf_ask(fd, i, i);
	uf.no_send.error = EPERM;
	uf.no_send.left = 4;
	uf_turns();
	uf_answered(fd, 2, 2);
	ck_assert(uf_silent(fd));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->replies_lost), 2);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->bytes_out), REPLY);
	uf_serves(fd);
	close(fd);
}
END_TEST

START_TEST(a_socket_with_nothing_but_errors_is_no_busy_loop)
{
	int fd = uf_client("127.0.0.1");

	uf_ask(fd, 1, 1);
	uf.no_recv.error = ENOMEM;
	uf.no_recv.left = UINT_MAX;
	for (int i = 0; i < 1000; i++)
		uf_turn();
	ck_assert_uint_le(uf.no_recv.said, 50);
	uf.no_recv.left = 0;
	for (int i = 0; i < 1000 && uf_stat_of(&uf_stats()->bytes_out) == 0;
	     i++) {
		poll(NULL, 0, 10);
		uf_turn();
	}
	uf_answered(fd, 1, 1);
	close(fd);
}
END_TEST

START_TEST(a_turn_is_bounded)
{
	int fd = uf_client("127.0.0.1");

	for (unsigned i = 0; i < 500; i++)
		uf_ask(fd, i, 1);
	uf_turn();
	ck_assert_uint_gt(uf_stat_of(&uf_stats()->bytes_in), 0);
	ck_assert_uint_le(uf_stat_of(&uf_stats()->bytes_in), 256 * REQUEST);
	uf_turns();
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->bytes_in), 500 * REQUEST);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dgram");
	TCase *tc = tcase_create("dgram");
	const int nways = sizeof(ways) / sizeof(ways[0]);

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, uf_setup, uf_teardown);
	tcase_add_loop_test(
	    tc, a_reply_leaves_from_the_address_that_was_asked, 0, nways);
	tcase_add_test(
	    tc, an_answer_to_a_multicast_leaves_from_an_address_of_its_own);
	tcase_add_test(
	    tc, replies_that_do_not_fit_wait_and_nothing_more_is_taken);
	tcase_add_test(tc, a_drain_waits_for_replies_that_wait);
	tcase_add_test(tc, a_drain_answers_what_has_come_and_ends);
	tcase_add_test(tc, an_error_of_an_earlier_datagram_costs_no_reply);
	tcase_add_test(
	    tc, a_reply_that_cannot_be_sent_is_counted_and_holds_up_no_other);
	tcase_add_test(tc, a_socket_with_nothing_but_errors_is_no_busy_loop);
	tcase_add_test(tc, a_turn_is_bounded);
	return fx_report(s);
}
