/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a successor makes of the connections of a dead worker: what the kernel
 * says of sockets in all their states, and records in the states that deaths
 * leave behind, made by hand. torture_resume kills at all of them.
 */
#include "workers/resume.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/lib/worker_fixture.h"
#include "workers/stream_wait.h"
#include "workers/transport.h"

enum { OTHER_AUTHOR = 1, AT_REG = 10, REG = 10 /* its value, too */ };

static struct fx fx;
static struct sockaddr_in listen_at;
static struct worker next; /* the successor */

static void
start(struct worker *w)
{
	w->proc = &fx.proc;
	w->conf = &fx.transport;
	w->shm = seg_worker(&fx.proc.worker_seg);
	w->now_ns = 1000000000;
	ck_assert_ptr_nonnull(w->base = event_base_new());
	ck_assert_int_eq(bind_init(&w->bind, &fx.proc), 0);
	w->ops = transport_find(w);
	ck_assert_int_eq(w->ops->start(w), 0);
}

static void
setup(void)
{
	socklen_t len = sizeof(listen_at);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	fx_init(&fx);
	listen_at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&listen_at, sizeof(listen_at)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&listen_at, &len);
	fx.proc.listen_fd = fd;
	memset(&next, 0, sizeof(next));
	start(&fx.worker);
}

/* The first worker is dead: what it has open stays, and nothing of its memory
 * but the segment is of any use. */
static void
succeed(void)
{
	fx.proc.kept = true;
	slot_declare_dead(fx.proc.env.control, fx.proc.env.me);
	fx.proc.env.me = slot_next_id(fx.proc.env.control, FX_SLOT);
	start(&next);
}

static void
teardown(void)
{
	if (next.ops != NULL) {
		next.ops->stop(&next);
		bind_fini(&next.bind);
		event_base_free(next.base);
	}
	close(fx.proc.listen_fd);
	fx_fini(&fx);
}

static void
turns(struct worker *w)
{
	for (int i = 0; i < 20; i++) {
		w->turned = false;
		w->turn++;
		event_base_loop(w->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	}
}

/* A client; the first worker has let it in. */
static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    connect(fd, (struct sockaddr *)&listen_at, sizeof(listen_at)), 0);
	return fd;
}

static struct conn *
served(int *fd)
{
	struct stream *st = fx.worker.state;

	*fd = client();
	turns(&fx.worker);
	return &st->conns.pool[st->conns.fresh - 1];
}

static void
say(int fd, const void *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Exactly these bytes come. */
static void
hear(int fd, const void *bytes, size_t len)
{
	uint8_t got[512];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	ck_assert_int_eq(n, (ssize_t)len);
	ck_assert_mem_eq(got, bytes, len);
}

static bool
ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t byte;

	return poll(&p, 1, 1000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void
set_reg(unsigned addr, uint16_t value)
{
	static uint64_t op;
	uint8_t in[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	struct store_step s = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = addr,
		.count = 1,
		.in = in };
	struct store_who who = {
		.author = OTHER_AUTHOR, .op = ++op, .budget_ns = 1000000000
	};

	ck_assert_int_eq(
	    store_apply(&fx.stores[0], &who, &s, 1, NULL), STORE_OK);
}

/* FC 23: writes 7 to register 11 and reads 10 and 11. */
static const uint8_t both[19] = { 0, 9, 0, 0, 0, 13, 1, 23, 0, AT_REG, 0, 2, 0,
	AT_REG + 1, 0, 1, 2, 0, 7 };
static const uint8_t both_reply[13] = { 0, 9, 0, 0, 0, 7, 1, 23, 4, 0, REG, 0,
	7 };
static const uint8_t read_1[12] = { 0, 5, 0, 0, 0, 6, 1, 3, 0, REG, 0, 1 };
static const uint8_t read_1_reply[11] = { 0, 5, 0, 0, 0, 5, 1, 3, 2, 0, REG };

/* Reads what has come into a record, as the first worker does. */
static struct shm_batch *
begin(struct conn *c)
{
	struct stream *st = c->owner;
	struct shm_batch *b = st->batch[st->nbatches - 1];
	unsigned pre = batch_begin(b, &c->rec);
	ssize_t n = recv(c->fd, b->in + pre, BATCH_IN - pre, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	return b;
}

/* And carries it out, without sending anything: prog says so. */
static struct shm_batch *
carry_out(struct conn *c, size_t len)
{
	struct stream *st = c->owner;
	struct shm_batch *b = begin(c);
	const char *why;

	stream_got(st, c, b, len);
	ck_assert_int_eq(
	    link_run(&st->link, c->rec.shm, c->author, b, &why), LINK_MORE);
	return b;
}

/* As it was before prog was stored: all else has been done. */
static void
not_noted(struct shm_batch *b)
{
	atomic_store(&b->prog, 0);
}

static unsigned
open_now(void)
{
	return (unsigned)atomic_load(&next.shm->stats.conns_open);
}

/* ---- the kernel's counts ---- */

static struct {
	int ours, peer;
	uint64_t in, out;
} k;

static void
kernel_pair(void)
{
	setup();
	k.peer = client();
	k.ours = accept4(fx.proc.listen_fd, NULL, NULL, SOCK_NONBLOCK);
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
	say(k.peer, "12345", 5);
	counts(0, 0);
	take(2);
	counts(2, 0);
	say(k.ours, "abc", 3);
	counts(2, 3);
	hear(k.peer, "abc", 3);
	counts(2, 3);
	take(3);
	counts(5, 3);
}
END_TEST

START_TEST(a_fin_is_no_byte_that_was_read)
{
	say(k.peer, "12345", 5);
	shutdown(k.peer, SHUT_WR);
	counts(0, 0);
	take(3);
	counts(3, 0);
	take(2);
	counts(5, 0);
	ck_assert_int_eq(recv(k.ours, &k.in, 1, 0), 0);
	counts(5, 0);
	say(k.ours, "abc", 3);
	counts(5, 3);
}
END_TEST

START_TEST(an_urgent_byte_is_a_byte)
{
	ck_assert_int_eq(send(k.peer, "12345", 5, MSG_OOB), 5);
	say(k.peer, "678", 3);
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

	say(k.peer, "12345", 5);
	setsockopt(k.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(k.peer);
	ck_assert_int_eq(resume_counts(k.ours, &k.in, &k.out), -1);
}
END_TEST

START_TEST(what_is_no_connection_has_no_counts)
{
	ck_assert_int_eq(resume_counts(-1, &k.in, &k.out), -1);
	ck_assert_int_eq(resume_counts(STDIN_FILENO, &k.in, &k.out), -1);
	ck_assert_int_eq(resume_counts(fx.proc.listen_fd, &k.in, &k.out), -1);
}
END_TEST

/* ---- taking over ---- */

START_TEST(a_quiet_connection_goes_on_as_it_was)
{
	struct shm_control *control = fx.proc.env.control;
	uint64_t pos, opened;
	struct notice n;
	struct conn *c;
	struct shm_conn was;
	int fd;

	c = served(&fd);
	say(fd, read_1, sizeof(read_1));
	turns(&fx.worker);
	hear(fd, read_1_reply, sizeof(read_1_reply));
	was = *c->rec.shm;
	pos = notice_end(control, FX_SLOT);
	opened = atomic_load(&fx.worker.shm->stats.conns_opened);
	succeed();
	ck_assert_uint_eq(open_now(), 1);
	ck_assert_uint_eq(atomic_load(&next.shm->stats.conns_opened), opened);
	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 0);
	ck_assert_mem_eq(&was, c->rec.shm, sizeof(was));
	say(fd, read_1, sizeof(read_1));
	turns(&next);
	hear(fd, read_1_reply, sizeof(read_1_reply));
	ck_assert_uint_eq(atomic_load(&c->rec.shm->requests), 2);
	close(fd);
	turns(&next);
	ck_assert_uint_eq(open_now(), 0);
}
END_TEST

START_TEST(half_a_request_is_waited_for)
{
	int fd;

	served(&fd);
	say(fd, both, 7);
	turns(&fx.worker);
	succeed();
	turns(&next);
	say(fd, both + 7, sizeof(both) - 7);
	turns(&next);
	hear(fd, both_reply, sizeof(both_reply));
	close(fd);
}
END_TEST

START_TEST(what_was_read_and_not_noted_is_carried_out)
{
	struct conn *c;
	int fd;

	c = served(&fd);
	say(fd, both, sizeof(both));
	begin(c);
	succeed();
	turns(&next);
	hear(fd, both_reply, sizeof(both_reply));
	say(fd, both, sizeof(both));
	turns(&next);
	hear(fd, both_reply, sizeof(both_reply));
	close(fd);
}
END_TEST

START_TEST(a_recv_that_took_nothing_leaves_nothing)
{
	struct conn *c;
	int fd;

	c = served(&fd);
	batch_begin(((struct stream *)c->owner)->batch[0], &c->rec);
	succeed();
	say(fd, both, sizeof(both));
	turns(&next);
	hear(fd, both_reply, sizeof(both_reply));
	close(fd);
}
END_TEST

/* FC 23 has read before somebody else wrote, so that is its reply; and it is
 * not carried out again. */
START_TEST(a_reply_stands_as_it_was_recorded)
{
	struct conn *c;
	int fd;

	c = served(&fd);
	say(fd, both, sizeof(both));
	not_noted(carry_out(c, sizeof(both)));
	set_reg(AT_REG, 1000);
	set_reg(AT_REG + 1, 2000);
	succeed();
	turns(&next);
	hear(fd, both_reply, sizeof(both_reply));
	say(fd, read_1, sizeof(read_1));
	turns(&next);
	hear(fd,
	    (uint8_t[11]){ 0, 5, 0, 0, 0, 5, 1, 3, 2, 1000 >> 8, 1000 & 0xff },
	    11);
	close(fd);
}
END_TEST

START_TEST(what_of_a_reply_has_left_is_not_sent_again)
{
	for (unsigned n = 0; n <= sizeof(both_reply); n++) {
		struct conn *c;
		struct shm_batch *b;
		int fd;

		c = served(&fd);
		say(fd, both, sizeof(both));
		b = carry_out(c, sizeof(both));
		if (n > 0)
			say(c->fd, b->out, n);
		succeed();
		turns(&next);
		hear(fd, both_reply, sizeof(both_reply));
		say(fd, both, sizeof(both));
		turns(&next);
		hear(fd, both_reply, sizeof(both_reply));
		close(fd);
		turns(&next);
		/* begin anew */
		teardown();
		setup();
	}
}
END_TEST

START_TEST(one_that_was_reset_ends)
{
	struct linger hard = { 1, 0 };
	struct conn *c;
	int fd;

	c = served(&fd);
	say(fd, both, sizeof(both));
	begin(c);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	succeed();
	ck_assert_uint_eq(open_now(), 0);
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
	atomic_store(&b->in_len, sizeof(both) + 1);
}

static void
more_sent(struct conn *c, struct shm_batch *b)
{
	(void)b;
	say(c->fd, "more than there is, of what is there", 36);
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
	struct shm_control *control = fx.proc.env.control;
	struct conn *c;
	struct notice n;
	uint64_t pos;
	int fd;

	c = served(&fd);
	say(fd, both, sizeof(both));
	contradictions[_i].make(c, carry_out(c, sizeof(both)));
	pos = notice_end(control, FX_SLOT);
	succeed();
	ck_assert_uint_eq(open_now(), 0);
	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_CONN_CLOSE);
	ck_assert_str_eq(n.text, "worker died");
	ck_assert_int_eq(atomic_load(&c->rec.shm->used), CONN_FREE);
	while (recv(fd, &n, 1, MSG_DONTWAIT) == 1)
		; /* what was sent behind its back */
	ck_assert(ended(fd));
	close(fd);
}
END_TEST

START_TEST(a_close_is_finished_and_strangers_stay)
{
	struct shm_conn *rec[3];
	int fd[3], ours[3], other;

	for (int i = 0; i < 3; i++) {
		struct conn *c = served(&fd[i]);

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
	    connect(other, (struct sockaddr *)&listen_at, sizeof(listen_at)),
	    0);
	succeed();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(atomic_load(&rec[i]->used), CONN_FREE);
	ck_assert_int_ne(fcntl(ours[1], F_GETFD), -1);
	ck_assert_int_ne(fcntl(ours[2], F_GETFD), -1);
	for (int i = 0; i < 3; i++) {
		ck_assert(ended(fd[i]));
		close(fd[i]);
	}
	close(ours[1]);
	close(other);
}
END_TEST

static int
accept_by_hand(void)
{
	int fd = accept4(fx.proc.listen_fd, NULL, NULL, SOCK_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(who_was_accepted_without_a_record_comes_in)
{
	int fd = client();

	accept_by_hand();
	atomic_store(&fx.worker.shm->accepting, 1);
	say(fd, both, sizeof(both));
	succeed();
	ck_assert_uint_eq(open_now(), 1);
	ck_assert_uint_eq(atomic_load(&next.shm->accepting), 0);
	turns(&next);
	hear(fd, both_reply, sizeof(both_reply));
	close(fd);
}
END_TEST

START_TEST(who_was_accepted_and_must_not_come_in_does_not)
{
	static struct conf_cidr all = { .family = AF_INET };
	int fd = client();

	accept_by_hand();
	fx.transport.deny = (struct conf_cidrs){ &all, 1 };
	atomic_store(&fx.worker.shm->accepting, 1);
	succeed();
	ck_assert_uint_eq(open_now(), 0);
	ck_assert(ended(fd));
	close(fd);
}
END_TEST

START_TEST(nobody_is_looked_for_unless_somebody_may_be_there)
{
	int fd = client(), ours = accept_by_hand();

	succeed();
	ck_assert_uint_eq(open_now(), 0);
	ck_assert_int_ne(fcntl(ours, F_GETFD), -1);
	close(ours);
	close(fd);
}
END_TEST

START_TEST(without_the_table_nothing_is_taken_over_or_closed)
{
	struct conn *c;
	int fd, ours;

	c = served(&fd);
	say(fd, both, sizeof(both));
	begin(c);
	ours = c->fd;
	start(&next);
	ck_assert_uint_eq(open_now(), 0);
	ck_assert_int_eq(atomic_load(&c->rec.shm->used), CONN_FREE);
	ck_assert_int_ne(fcntl(ours, F_GETFD), -1);
	close(ours);
	close(fd);
}
END_TEST

START_TEST(who_came_first_gives_way_first)
{
	int fd[FX_CONNS], more;

	for (int i = 0; i < FX_CONNS; i++)
		served(&fd[i]);
	/* the first record gets the youngest of them */
	close(fd[0]);
	turns(&fx.worker);
	served(&fd[0]);
	succeed();
	ck_assert_uint_eq(open_now(), FX_CONNS);
	more = client();
	turns(&next);
	ck_assert(ended(fd[1]));
	say(more, read_1, sizeof(read_1));
	say(fd[0], read_1, sizeof(read_1));
	turns(&next);
	hear(more, read_1_reply, sizeof(read_1_reply));
	hear(fd[0], read_1_reply, sizeof(read_1_reply));
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

	c = served(&fd);
	op = batch_half(c->rec.shm)->op;
	succeed();
	ck_assert_uint_eq(batch_half(c->rec.shm)->op, op);
	close(fd);
	turns(&next);
	fd = client();
	turns(&next);
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
	tcase_add_checked_fixture(tc, setup, teardown);
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
	tcase_add_test(tc, who_came_first_gives_way_first);
	tcase_add_test(tc, the_next_one_in_a_record_begins_behind_all_numbers);
	return fx_report(s);
}
