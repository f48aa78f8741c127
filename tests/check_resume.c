/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a successor makes of the connections of a dead worker: what the kernel
 * says of sockets in all their states, and records in the states that deaths
 * leave behind, made by hand. torture_resume kills at all of them.
 */
#include <errno.h>
#include <sys/socket.h>

#include "tests/lib/resume_fixture.h"
#include "workers/conns_wait.h"

/* ---- the kernel's counts ---- */

static struct {
	int ours, peer;
	uint64_t in, out;
} k;

static void
kernel_pair(void)
{
	rs_setup();
	k.peer = rs_client();
	k.ours = accept4(rs.fx.proc.listen_fd, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_int_ge(k.ours, 0);
}

static void
counts(uint64_t in, uint64_t out)
{
	ck_assert_int_eq(resume_counts(k.ours, &k.in, &k.out), 0);
	ck_assert_uint_eq(k.in, in);
	ck_assert_uint_eq(k.out, out);
}

static void
take(size_t n)
{
	uint8_t bytes[64];

	ck_assert_int_eq(recv(k.ours, bytes, n, 0), (ssize_t)n);
}

START_TEST(counts_are_of_what_was_read_and_written)
{
	counts(0, 0);
	rs_say(k.peer, "12345", 5);
	counts(0, 0);
	take(2);
	counts(2, 0);
	rs_say(k.ours, "abc", 3);
	counts(2, 3);
	rs_hear(k.peer, "abc", 3);
	counts(2, 3);
	take(3);
	counts(5, 3);
}
END_TEST

START_TEST(a_fin_is_no_byte_that_was_read)
{
	rs_say(k.peer, "12345", 5);
	shutdown(k.peer, SHUT_WR);
	counts(0, 0);
	take(3);
	counts(3, 0);
	take(2);
	counts(5, 0);
	ck_assert_int_eq(recv(k.ours, &k.in, 1, 0), 0);
	counts(5, 0);
	rs_say(k.ours, "abc", 3);
	counts(5, 3);
}
END_TEST

START_TEST(an_urgent_byte_is_a_byte)
{
	ck_assert_int_eq(send(k.peer, "12345", 5, MSG_OOB), 5);
	rs_say(k.peer, "678", 3);
	counts(0, 0);
	take(4);
	counts(4, 0);
	take(4);
	counts(8, 0);
}
END_TEST

START_TEST(what_the_peer_does_not_take_was_written)
{
	static const uint8_t zeros[1 << 16];
	uint64_t n = 0;
	ssize_t gone;

	while ((gone = send(k.ours, zeros, sizeof(zeros),
		    MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		n += (uint64_t)gone;
	counts(0, n);
}
END_TEST

START_TEST(a_reset_connection_is_gone)
{
	struct linger hard = { 1, 0 };

	rs_say(k.peer, "12345", 5);
	setsockopt(k.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(k.peer);
	ck_assert_int_eq(resume_counts(k.ours, &k.in, &k.out), -1);
}
END_TEST

START_TEST(what_is_no_connection_has_no_counts)
{
	ck_assert_int_eq(resume_counts(-1, &k.in, &k.out), -1);
	ck_assert_int_eq(resume_counts(STDIN_FILENO, &k.in, &k.out), -1);
	ck_assert_int_eq(
	    resume_counts(rs.fx.proc.listen_fd, &k.in, &k.out), -1);
}
END_TEST

/* ---- taking over ---- */

START_TEST(a_quiet_connection_goes_on_as_it_was)
{
	struct shm_control *control = rs.fx.proc.env.control;
	uint64_t pos, opened;
	struct notice n;
	struct conn *c;
	struct shm_conn was;
	int fd;

	c = rs_served(&fd);
	rs_say(fd, rs_read_1, sizeof(rs_read_1));
	rs_turns(&rs.fx.worker);
	rs_hear(fd, rs_read_1_reply, sizeof(rs_read_1_reply));
	was = *c->rec.shm;
	pos = notice_end(control, FX_SLOT);
	opened = atomic_load(&rs.fx.worker.shm->stats.conns_opened);
	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), 1);
	ck_assert_uint_eq(
	    atomic_load(&rs.next.shm->stats.conns_opened), opened);
	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 0);
	ck_assert_mem_eq(&was, c->rec.shm, sizeof(was));
	rs_say(fd, rs_read_1, sizeof(rs_read_1));
	rs_turns(&rs.next);
	rs_hear(fd, rs_read_1_reply, sizeof(rs_read_1_reply));
	ck_assert_uint_eq(atomic_load(&c->rec.shm->requests), 2);
	close(fd);
	rs_turns(&rs.next);
	ck_assert_uint_eq(rs_open_now(), 0);
}
END_TEST

START_TEST(half_a_request_is_waited_for)
{
	int fd;

	rs_served(&fd);
	rs_say(fd, rs_both, 7);
	rs_turns(&rs.fx.worker);
	rs_succeed();
	rs_turns(&rs.next);
	rs_say(fd, rs_both + 7, sizeof(rs_both) - 7);
	rs_turns(&rs.next);
	rs_hear(fd, rs_both_reply, sizeof(rs_both_reply));
	close(fd);
}
END_TEST

START_TEST(what_was_read_and_not_noted_is_carried_out)
{
	struct conn *c;
	int fd;

	c = rs_asked(&fd);
	rs_begin(c);
	rs_next_answers(fd);
	rs_next_is_asked(fd);
	close(fd);
}
END_TEST

START_TEST(a_recv_that_took_nothing_leaves_nothing)
{
	struct conn *c;
	int fd;

	c = rs_served(&fd);
	batch_begin(((struct stream *)c->owner)->batch[0], &c->rec);
	rs_succeed();
	rs_next_is_asked(fd);
	close(fd);
}
END_TEST

/* FC 23 has read before somebody else wrote, so that is its reply; and it is
 * not carried out again. */
START_TEST(a_reply_stands_as_it_was_recorded)
{
	int fd;

	rs_unanswered(&fd);
	rs_set_reg(RS_REG + 1, 2000);
	rs_next_answers(fd);
	rs_say(fd, rs_read_1, sizeof(rs_read_1));
	rs_turns(&rs.next);
	rs_hear(fd,
	    (uint8_t[11]){ 0, 5, 0, 0, 0, 5, 1, 3, 2, 1000 >> 8, 1000 & 0xff },
	    11);
	close(fd);
}
END_TEST

START_TEST(what_of_a_reply_has_left_is_not_sent_again)
{
	for (unsigned n = 0; n <= sizeof(rs_both_reply); n++) {
		struct conn *c;
		struct shm_batch *b;
		int fd;

		c = rs_asked(&fd);
		b = rs_carry_out(c, sizeof(rs_both));
		if (n > 0)
			rs_say(c->fd, b->out, n);
		rs_next_answers(fd);
		rs_next_is_asked(fd);
		close(fd);
		rs_turns(&rs.next);
		/* begin anew */
		rs_teardown();
		rs_setup();
	}
}
END_TEST

START_TEST(one_that_was_reset_ends)
{
	struct linger hard = { 1, 0 };
	struct conn *c;
	int fd;

	c = rs_asked(&fd);
	rs_begin(c);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), 0);
	ck_assert_int_eq(atomic_load(&c->rec.shm->used), CONN_FREE);
}
END_TEST

static void
is_apart(struct conn *c, struct shm_batch *b)
{
	batch_move_out(b, &c->rec);
}

static void
more_left(struct conn *c, struct shm_batch *b)
{
	(void)c;
	b->pre++;
}

static void
more_read(struct conn *c, struct shm_batch *b)
{
	(void)c;
	atomic_store(&b->in_len, sizeof(rs_both) + 1);
}

static void
more_sent(struct conn *c, struct shm_batch *b)
{
	(void)b;
	rs_say(c->fd, "more than there is, of what is there", 36);
}

static void
twice(struct conn *c, struct shm_batch *b)
{
	struct stream *st = c->owner;

	memcpy(st->batch[0], b, sizeof(*b));
}

static void
another_peer(struct conn *c, struct shm_batch *b)
{
	(void)b;
	c->rec.shm->port++;
}

static const struct {
	const char *what;
	void (*make)(struct conn *, struct shm_batch *);
} contradictions[] = {
	{ "moved out", is_apart },
	{ "more left over", more_left },
	{ "more read than came", more_read },
	{ "more sent than there is", more_sent },
	{ "two records", twice },
	{ "another peer", another_peer },
};

START_TEST(what_contradicts_itself_ends_and_is_told)
{
	struct shm_control *control = rs.fx.proc.env.control;
	struct conn *c;
	struct notice n;
	uint64_t pos;
	int fd;

	c = rs_asked(&fd);
	contradictions[_i].make(c, rs_carry_out(c, sizeof(rs_both)));
	pos = notice_end(control, FX_SLOT);
	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), 0);
	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_CONN_CLOSE);
	ck_assert_str_eq(n.text, "worker died");
	ck_assert_int_eq(atomic_load(&c->rec.shm->used), CONN_FREE);
	while (recv(fd, &n, 1, MSG_DONTWAIT) == 1)
		; /* what was sent behind its back */
	ck_assert(rs_ended(fd));
	close(fd);
}
END_TEST

START_TEST(a_close_is_finished_and_strangers_stay)
{
	struct shm_conn *rec[3];
	int fd[3], ours[3], other;

	for (int i = 0; i < 3; i++) {
		struct conn *c = rs_served(&fd[i]);

		rec[i] = c->rec.shm;
		ours[i] = c->fd;
		atomic_store(&rec[i]->used, CONN_CLOSING);
	}
	close(ours[1]); /* its number is somebody else's now */
	ck_assert_int_eq(dup2(STDIN_FILENO, ours[1]), ours[1]);
	close(ours[2]); /* or another connection of ours */
	other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(other, ours[2]);
	ck_assert_int_eq(
	    connect(other, (struct sockaddr *)&rs.at, sizeof(rs.at)), 0);
	rs_succeed();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(atomic_load(&rec[i]->used), CONN_FREE);
	ck_assert_int_ne(fcntl(ours[1], F_GETFD), -1);
	ck_assert_int_ne(fcntl(ours[2], F_GETFD), -1);
	for (int i = 0; i < 3; i++) {
		ck_assert(rs_ended(fd[i]));
		close(fd[i]);
	}
	close(ours[1]);
	close(other);
}
END_TEST

static int
accept_by_hand(void)
{
	int fd = accept4(rs.fx.proc.listen_fd, NULL, NULL, SOCK_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(who_was_accepted_without_a_record_comes_in)
{
	int fd = rs_client();

	accept_by_hand();
	atomic_store(&rs.fx.worker.shm->accepting, 1);
	rs_say(fd, rs_both, sizeof(rs_both));
	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), 1);
	ck_assert_uint_eq(atomic_load(&rs.next.shm->accepting), 0);
	rs_turns(&rs.next);
	rs_hear(fd, rs_both_reply, sizeof(rs_both_reply));
	close(fd);
}
END_TEST

START_TEST(who_was_accepted_and_must_not_come_in_does_not)
{
	static struct conf_cidr all = { .family = AF_INET };
	int fd = rs_client();

	accept_by_hand();
	rs.fx.transport.deny = (struct conf_cidrs){ &all, 1 };
	atomic_store(&rs.fx.worker.shm->accepting, 1);
	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), 0);
	ck_assert(rs_ended(fd));
	close(fd);
}
END_TEST

START_TEST(nobody_is_looked_for_unless_somebody_may_be_there)
{
	int fd = rs_client(), ours = accept_by_hand();

	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), 0);
	ck_assert_int_ne(fcntl(ours, F_GETFD), -1);
	close(ours);
	close(fd);
}
END_TEST

START_TEST(without_the_table_nothing_is_taken_over_or_closed)
{
	struct conn *c;
	int fd, ours;

	c = rs_asked(&fd);
	rs_begin(c);
	ours = c->fd;
	rs_start(&rs.next);
	ck_assert_uint_eq(rs_open_now(), 0);
	ck_assert_int_eq(atomic_load(&c->rec.shm->used), CONN_FREE);
	ck_assert_int_ne(fcntl(ours, F_GETFD), -1);
	close(ours);
	close(fd);
}
END_TEST

START_TEST(who_had_its_worker_die_of_what_it_asked_ends_alone)
{
	struct shm_worker *shm = seg_worker(&rs.fx.proc.worker_seg);
	struct conn *c;
	int fd[2];

	rs_served(&fd[0]);
	c = rs_served(&fd[1]);
	rs_say(fd[1], rs_both, sizeof(rs_both));
	rs_begin(c);
	conns_hand(&((struct stream *)c->owner)->conns, c);
	atomic_store(&shm->suspect, _i);
	rs_succeed();
	rs_turns(&rs.next);
	ck_assert_uint_eq(rs_open_now(), _i == 0 ? 2 : 1);
	if (_i == 0)
		rs_hear(fd[1], rs_both_reply, sizeof(rs_both_reply));
	else
		ck_assert(rs_ended(fd[1]));
	rs_say(fd[0], rs_read_1, sizeof(rs_read_1));
	rs_turns(&rs.next);
	rs_hear(fd[0], rs_read_1_reply, sizeof(rs_read_1_reply));
	ck_assert_uint_eq(atomic_load(&shm->hand), 0);
	ck_assert_uint_eq(atomic_load(&shm->suspect), 0);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(who_came_first_gives_way_first)
{
	int fd[FX_CONNS], more;

	for (int i = 0; i < FX_CONNS; i++)
		rs_served(&fd[i]);
	/* the first record gets the youngest of them */
	close(fd[0]);
	rs_turns(&rs.fx.worker);
	rs_served(&fd[0]);
	rs_succeed();
	ck_assert_uint_eq(rs_open_now(), FX_CONNS);
	more = rs_client();
	rs_turns(&rs.next);
	ck_assert(rs_ended(fd[1]));
	rs_say(more, rs_read_1, sizeof(rs_read_1));
	rs_say(fd[0], rs_read_1, sizeof(rs_read_1));
	rs_turns(&rs.next);
	rs_hear(more, rs_read_1_reply, sizeof(rs_read_1_reply));
	rs_hear(fd[0], rs_read_1_reply, sizeof(rs_read_1_reply));
	for (int i = 0; i < FX_CONNS; i++)
		close(fd[i]);
	close(more);
}
END_TEST

START_TEST(the_next_one_in_a_record_begins_behind_all_numbers)
{
	struct conn *c;
	uint64_t op;
	int fd;

	c = rs_served(&fd);
	op = batch_half(c->rec.shm)->op;
	rs_succeed();
	ck_assert_uint_eq(batch_half(c->rec.shm)->op, op);
	close(fd);
	rs_turns(&rs.next);
	fd = rs_client();
	rs_turns(&rs.next);
	ck_assert_uint_ge(batch_half(c->rec.shm)->op, op + BATCH_OPS_MAX);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("resume");
	TCase *tc = tcase_create("kernel");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, kernel_pair, NULL);
	tcase_add_test(tc, counts_are_of_what_was_read_and_written);
	tcase_add_test(tc, a_fin_is_no_byte_that_was_read);
	tcase_add_test(tc, an_urgent_byte_is_a_byte);
	tcase_add_test(tc, what_the_peer_does_not_take_was_written);
	tcase_add_test(tc, a_reset_connection_is_gone);
	tcase_add_test(tc, what_is_no_connection_has_no_counts);
	tc = tcase_create("records");
	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, rs_setup, rs_teardown);
	tcase_add_test(tc, a_quiet_connection_goes_on_as_it_was);
	tcase_add_test(tc, half_a_request_is_waited_for);
	tcase_add_test(tc, what_was_read_and_not_noted_is_carried_out);
	tcase_add_test(tc, a_recv_that_took_nothing_leaves_nothing);
	tcase_add_test(tc, a_reply_stands_as_it_was_recorded);
	tcase_add_test(tc, what_of_a_reply_has_left_is_not_sent_again);
	tcase_add_test(tc, one_that_was_reset_ends);
	tcase_add_loop_test(tc, what_contradicts_itself_ends_and_is_told, 0,
	    sizeof(contradictions) / sizeof(contradictions[0]));
	tcase_add_test(tc, a_close_is_finished_and_strangers_stay);
	tcase_add_test(tc, who_was_accepted_without_a_record_comes_in);
	tcase_add_test(tc, who_was_accepted_and_must_not_come_in_does_not);
	tcase_add_test(tc, nobody_is_looked_for_unless_somebody_may_be_there);
	tcase_add_test(tc, without_the_table_nothing_is_taken_over_or_closed);
	tcase_add_loop_test(
	    tc, who_had_its_worker_die_of_what_it_asked_ends_alone, 0, 2);
	tcase_add_test(tc, who_came_first_gives_way_first);
	tcase_add_test(tc, the_next_one_in_a_record_begins_behind_all_numbers);
	return fx_report(s);
}
