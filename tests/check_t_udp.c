/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP transport from inside: what is a frame, who has a record, how long,
 * and how what peers write is numbered over the deaths of workers.
 */
#include <poll.h>

#include "tests/lib/udp_fixture.h"

/* ---- what is no frame ---- */

static struct {
	const char *framer;
	const char *good;
	size_t len;
} frames[] = {
	{ "socket", "\0\1\0\0\0\6\1\3\0\5\0\1", 12 },
	{ "tls", "\0\1\0\0\0\6\1\3\0\5\0\1", 12 },
	{ "rtu", "\1\3\0\5\0\1\x94\x0b", 8 },
	{ "ascii", ":010300050001F6\r\n", 17 },
};

enum { UDP_MAX = 65507 };

START_TEST(a_datagram_is_one_frame_or_nothing)
{
	static uint8_t big[UDP_MAX];
	const size_t len = frames[_i].len;
	const size_t bad[] = { 0, 1, len - 1, len + 1, 2 * len, 260, 261, 513,
		514, 515, 1500, UDP_MAX };
	const unsigned n = sizeof(bad) / sizeof(bad[0]);
	uint8_t p[300];
	int fd;

	uf_again("0.0.0.0:0", frames[_i].framer);
	fd = uf_client("127.0.0.1");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)frames[_i].good[i % len];
	for (unsigned i = 0; i < n; i++) {
		uf_tell(fd, big, bad[i]);
		ck_assert(uf_silent(fd));
		ck_assert_uint_eq(uf_stat_of(&uf_stats()->frames_bad), i + 1);
		uf_tell(fd, big, len);
		uf_turns();
		ck_assert_int_gt(uf_receive(fd, p, sizeof(p)), 0);
	}
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->requests[3]), n);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), 1);
	close(fd);
}
END_TEST

START_TEST(junk_opens_nothing)
{
	static const uint8_t other[] = { 0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 1 };
	struct shm_stats *s = uf_stats();

	for (int i = 0; i < 4 * FX_CONNS; i++) {
		int fd = uf_client("127.0.0.1");

		uf_tell(fd, other, sizeof(other));
		ck_assert(uf_silent(fd));
		close(fd);
	}
	ck_assert_uint_eq(uf_stat_of(&s->conns_opened), 0);
	ck_assert_uint_eq(uf_stat_of(&s->frames_bad), 4 * FX_CONNS);
	ck_assert_uint_eq(
	    uf_stat_of(&s->bytes_in), 4 * FX_CONNS * sizeof(other));
	ck_assert_uint_eq(uf_stat_of(&s->bytes_out), 0);
}
END_TEST

/* Else two servers would answer each other for ever. */
START_TEST(an_exception_reply_is_no_request)
{
	static const uint8_t reply[] = { 0, 1, 0, 0, 0, 3, 1, 0x83, 2 };
	int fd = uf_client("127.0.0.1");

	uf_tell(fd, reply, sizeof(reply));
	ck_assert(uf_silent(fd));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->frames_bad), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_opened), 0);
	uf_serves(fd);
	close(fd);
}
END_TEST

START_TEST(what_seems_to_come_from_itself_is_not_answered)
{
	static const uint8_t echo[] = { 0, 1, 0, 0, 0, 6, 1, 6, 0, 3, 0, 99 };
	static const char *const listen[] = { "0.0.0.0:0", "127.0.0.1:0",
		"[::]:0", "[::1]:0" };

	uf_again(listen[_i], "socket");
	ck_assert_int_eq(uf_send_to(uf.fx.proc.listen_fd,
			     _i < 2 ? "127.0.0.1" : "::1", echo, sizeof(echo)),
	    sizeof(echo));
	uf_turns();
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->frames_bad), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->requests[6]), 0);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->bytes_out), 0);
	ck_assert_uint_eq(uf_value(0, 3), 3);
}
END_TEST

/* ---- peers ---- */

/* Begins anew with room for so many. */
static void
at_most(unsigned n)
{
	uf.fx.transport.max_connections = n;
	uf.fx.worker.ops->stop(&uf.fx.worker);
	uf_begin();
}

START_TEST(who_sends_a_frame_has_a_record)
{
	const struct shm_conn *r = seg_conn(uf.fx.worker.shm, 0);
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	int fd = uf_client("127.0.0.1");

	for (int i = 0; i < 5; i++)
		uf_serves(fd);
	getsockname(fd, (struct sockaddr *)&me, &len);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_opened), 1);
	ck_assert_int_eq(atomic_load(&r->used), CONN_USED);
	ck_assert_int_eq(r->family, AF_INET);
	ck_assert_int_eq(r->port, ntohs(me.sin_port));
	ck_assert_mem_eq(r->addr, &me.sin_addr, 4);
	ck_assert_uint_eq(atomic_load(&r->requests), 5);
	ck_assert_uint_eq(atomic_load(&r->last_fc), 3);
	ck_assert_uint_eq(
	    batch_half(seg_conn(uf.fx.worker.shm, 0))->rx, 5 * REQUEST);
	ck_assert_uint_eq(
	    batch_half(seg_conn(uf.fx.worker.shm, 0))->tx, 5 * REPLY);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->bytes_in), 5 * REQUEST);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->bytes_out), 5 * REPLY);
	close(fd);
}
END_TEST

START_TEST(peers_never_mix)
{
	int fd[FX_CONNS];

	for (int i = 0; i < FX_CONNS; i++)
		fd[i] = uf_client(i % 2 == 0 ? "127.0.0.1" : "127.0.0.2");
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned k = 0; k < 10; k++)
			for (unsigned i = 0; i < FX_CONNS; i++)
				uf_ask(fd[i], i << 8 | k, (10 * i + k) % FX_HR);
		uf_turns();
		for (unsigned i = 0; i < FX_CONNS; i++)
			for (unsigned k = 0; k < 10; k++)
				uf_answered(
				    fd[i], i << 8 | k, (10 * i + k) % FX_HR);
	}
	for (unsigned i = 0; i < FX_CONNS; i++) {
		ck_assert(uf_silent(fd[i]));
		ck_assert_uint_eq(
		    atomic_load(&seg_conn(uf.fx.worker.shm, i)->requests), 200);
		close(fd[i]);
	}
}
END_TEST

START_TEST(the_longest_unused_peer_makes_room_and_is_served_all_the_same)
{
	int fd[FX_CONNS + 1];

	for (int i = 0; i < FX_CONNS; i++)
		uf_serves(fd[i] = uf_client("127.0.0.1"));
	uf_serves(fd[0]);
	uf_serves(fd[FX_CONNS] = uf_client("127.0.0.1"));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), FX_CONNS);
	uf_serves(fd[0]);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 1);
	uf_serves(fd[1]);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 2);
	for (int i = 0; i < FX_CONNS + 1; i++)
		close(fd[i]);
}
END_TEST

START_TEST(priority_peers_are_forgotten_last)
{
	struct conf_cidr net = {
		.family = AF_INET, .bits = 32, .addr = { 127, 0, 0, 9 }
	};
	const struct shm_conn *r = seg_conn(uf.fx.worker.shm, 0);
	int high[3], low[3];
	uint64_t first;

	uf.fx.transport.priority.at = &net;
	uf.fx.transport.priority.n = 1;
	at_most(3);
	uf_serves(high[0] = uf_client("127.0.0.9"));
	first = atomic_load(&r->serial);
	for (int i = 0; i < 3; i++)
		uf_serves(low[i] = uf_client("127.0.0.1"));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 1);
	uf_serves(high[1] = uf_client("127.0.0.9"));
	uf_serves(high[2] = uf_client("127.0.0.9"));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 3);
	ck_assert_uint_eq(atomic_load(&r->serial), first);
	/* and then one of them is: nobody is kept out */
	uf_serves(low[0]);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 4);
	ck_assert_uint_ne(atomic_load(&r->serial), first);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), 3);
	for (int i = 0; i < 3; i++) {
		uf_serves(high[i]);
		close(high[i]);
		close(low[i]);
	}
}
END_TEST

START_TEST(a_host_at_its_limit_replaces_its_own_oldest)
{
	int a, b, c, other = uf_client("127.0.0.2");
	const struct shm_conn *r = seg_conn(uf.fx.worker.shm, 1);
	uint64_t serial;

	uf.fx.transport.max_connections_per_peer = 2;
	uf_serves(other);
	uf_serves(a = uf_client("127.0.0.1"));
	serial = atomic_load(&r->serial);
	uf_serves(b = uf_client("127.0.0.1"));
	uf_serves(c = uf_client("127.0.0.1"));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), 3);
	ck_assert_uint_ne(atomic_load(&r->serial), serial);
	close(a);
	close(b);
	close(c);
	close(other);
}
END_TEST

START_TEST(the_denied_are_neither_answered_nor_listed)
{
	struct conf_cidr net = {
		.family = AF_INET, .bits = 32, .addr = { 127, 0, 0, 2 }
	};
	int in = uf_client("127.0.0.1"), out = uf_client("127.0.0.2");

	uf.fx.transport.deny.at = &net;
	uf.fx.transport.deny.n = 1;
	uf_ask(out, 1, 1);
	ck_assert(uf_silent(out));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_denied), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_opened), 0);
	uf_serves(in);
	close(in);
	close(out);
}
END_TEST

START_TEST(a_peer_that_asks_nothing_is_forgotten)
{
	int a = uf_client("127.0.0.1"), b = uf_client("127.0.0.1");

	uf.fx.transport.idle_timeout_s = 1;
	uf_serves(a);
	for (int i = 0; i < 400 && uf_stat_of(&uf_stats()->conns_idle) == 0;
	     i++) {
		poll(NULL, 0, 50);
		uf_serves(b);
	}
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_idle), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), 1);
	uf_serves(a);
	close(a);
	close(b);
}
END_TEST

START_TEST(a_kicked_peer_is_forgotten_and_comes_anew)
{
	struct shm_conn *r = seg_conn(uf.fx.worker.shm, 0);
	int fd = uf_client("127.0.0.1");
	uint64_t serial;

	uf_serves(fd);
	serial = atomic_load(&r->serial);
	ck_assert(!uf.fx.worker.ops->kick(&uf.fx.worker, serial + 1000));
	ck_assert(uf.fx.worker.ops->kick(&uf.fx.worker, serial));
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_kicked), 1);
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_open), 0);
	ck_assert(!uf.fx.worker.ops->kick(&uf.fx.worker, serial));
	uf_serves(fd);
	ck_assert_uint_ne(atomic_load(&r->serial), serial);
	close(fd);
}
END_TEST

START_TEST(max_transactions_counts_what_a_peer_asks_at_once)
{
	int a = uf_client("127.0.0.1"), b = uf_client("127.0.0.1");
	uint8_t p[300];

	uf.fx.transport.max_transactions = 4;
	for (unsigned i = 0; i < 6; i++)
		uf_ask(a, i, i);
	for (unsigned i = 0; i < 4; i++)
		uf_ask(b, i, i);
	uf_turns();
	for (unsigned i = 0; i < 4; i++) {
		uf_answered(a, i, i);
		uf_answered(b, i, i);
	}
	for (unsigned i = 4; i < 6; i++) {
		ck_assert_int_eq(uf_receive(a, p, sizeof(p)), 9);
		ck_assert_uint_eq(p[1], i);
		ck_assert_mem_eq(p + 7, "\x83\6", 2);
	}
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->busy), 2);
	uf_serves(a);
	/* who takes over a record has asked nothing yet */
	at_most(1);
	uf.fx.transport.max_transactions = 1;
	uf_ask(a, 1, 1);
	uf_ask(b, 2, 2);
	uf_turns();
	uf_answered(a, 1, 1);
	uf_answered(b, 2, 2);
	close(a);
	close(b);
}
END_TEST

/* ---- how many are taken together ---- */

/* Asks n times before the worker looks, and returns in how many batches it
 * has taken that. */
static uint64_t
batches_for(int fd, unsigned n)
{
	uint64_t before = uf_stat_of(&uf_stats()->batches);

	for (unsigned i = 0; i < n; i++)
		uf_ask(fd, i, i % 8);
	uf_turns();
	for (unsigned i = 0; i < n; i++)
		uf_answered(fd, i, i % 8);
	return uf_stat_of(&uf_stats()->batches) - before;
}

START_TEST(few_are_answered_one_by_one_and_many_together)
{
	int fd = uf_client("127.0.0.1");
	unsigned n = 0;

	ck_assert_uint_eq(batches_for(fd, 8), 1); /* few, as is now known */
	ck_assert_uint_eq(batches_for(fd, 8), 8);
	/* by and by it looks again, and sees that there are many */
	while (batches_for(fd, 64) > 2)
		ck_assert_uint_lt(++n, 10);
	ck_assert_uint_eq(batches_for(fd, 64), 2);
	close(fd);
}
END_TEST

START_TEST(what_is_limited_is_taken_together)
{
	int fd = uf_client("127.0.0.1");

	uf.fx.transport.max_transactions = 10;
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(batches_for(fd, 8), 1);
	close(fd);
}
END_TEST

/* ---- operation numbers ---- */

/* What workers that died had; nobody frees it, and it is no leak. */
static void *volatile lost[100];
static unsigned nlost;

/* A worker dies; its memory is lost, the segments and the socket are not. */
static void
successor(void)
{
	ck_assert_uint_lt(nlost, sizeof(lost) / sizeof(lost[0]));
	lost[nlost++] = uf.fx.worker.state;
	event_base_free(uf.fx.worker.base);
	uf.fx.worker.base = event_base_new();
	uf_begin();
}

/* A worker dies after a write, or before it has noted and been credited with
 * one, which whoever repairs the device makes up for, as late as can be. */
START_TEST(no_operation_number_is_given_out_twice)
{
	struct shm_conn *r = seg_conn(uf.fx.worker.shm, 0);
	_Atomic uint64_t *done = seg_done(uf.fx.proc.env.control, FX_AUTHOR);
	int fd = uf_client("127.0.0.1");
	uint64_t last = 0, before;

	uf.fx.transport.broadcast = true;
	for (unsigned round = 1; round < 30; round++) {
		const unsigned unit = round % 3;

		for (unsigned i = 0; i < round % 4; i++) {
			uint64_t op = uf_write_hr(fd, 1, 50, 1000 + i);

			ck_assert_uint_gt(op, last);
			ck_assert_uint_eq(batch_half(r)->op, op);
			last = op;
		}
		before = atomic_load(done);
		last = uf_write_hr(fd, unit, 7, round);
		ck_assert_uint_eq(uf_value(unit == 2, 7), round);
		ck_assert_uint_eq(batch_half(r)->op, last);
		if (_i == 1) {
			atomic_fetch_sub(&r->seq, 1);
			atomic_store(done, before);
		}
		successor();
		uf_serves(fd);
		atomic_store(done, last);
		ck_assert_uint_gt(uf_write_hr(fd, 1, 9, 3 * round), last);
		ck_assert_uint_eq(uf_value(0, 9), 3 * round);
		last = uf.fx.worker.bind.who.op;
	}
	close(fd);
}
END_TEST

START_TEST(a_record_that_changes_hands_numbers_on)
{
	int a, b;
	uint64_t op;

	at_most(1);
	a = uf_client("127.0.0.1");
	b = uf_client("127.0.0.1");
	op = uf_write_hr(a, 1, 1, 11);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t next = uf_write_hr(i % 2 == 0 ? b : a, 1, 1, 100 + i);

		ck_assert_uint_gt(next, op);
		ck_assert_uint_eq(uf_value(0, 1), 100 + i);
		op = next;
	}
	ck_assert_uint_eq(uf_stat_of(&uf_stats()->conns_evicted), 10);
	close(a);
	close(b);
}
END_TEST

START_TEST(what_came_meanwhile_is_answered_by_the_successor)
{
	int fd = uf_client("127.0.0.1");

	uf_serves(fd);
	for (unsigned i = 0; i < MANY; i++)
		uf_ask(fd, i, i);
	successor();
	uf_turns();
	for (unsigned i = 0; i < MANY; i++)
		uf_answered(fd, i, i);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_udp");
	TCase *tc = tcase_create("t_udp");
	const int nframes = sizeof(frames) / sizeof(frames[0]);

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, uf_setup, uf_teardown);
	tcase_add_loop_test(tc, a_datagram_is_one_frame_or_nothing, 0, nframes);
	tcase_add_test(tc, junk_opens_nothing);
	tcase_add_test(tc, an_exception_reply_is_no_request);
	tcase_add_loop_test(
	    tc, what_seems_to_come_from_itself_is_not_answered, 0, 4);
	tcase_add_test(tc, who_sends_a_frame_has_a_record);
	tcase_add_test(tc, peers_never_mix);
	tcase_add_test(
	    tc, the_longest_unused_peer_makes_room_and_is_served_all_the_same);
	tcase_add_test(tc, priority_peers_are_forgotten_last);
	tcase_add_test(tc, a_host_at_its_limit_replaces_its_own_oldest);
	tcase_add_test(tc, the_denied_are_neither_answered_nor_listed);
	tcase_add_test(tc, a_peer_that_asks_nothing_is_forgotten);
	tcase_add_test(tc, a_kicked_peer_is_forgotten_and_comes_anew);
	tcase_add_test(tc, max_transactions_counts_what_a_peer_asks_at_once);
	tcase_add_test(tc, few_are_answered_one_by_one_and_many_together);
	tcase_add_test(tc, what_is_limited_is_taken_together);
	tcase_add_loop_test(tc, no_operation_number_is_given_out_twice, 0, 2);
	tcase_add_test(tc, a_record_that_changes_hands_numbers_on);
	tcase_add_test(tc, what_came_meanwhile_is_answered_by_the_successor);
	return fx_report(s);
}
