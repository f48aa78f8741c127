/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams whose transport is made up: beginnings of several steps, bytes that
 * no descriptor announces, reading that must write first. A socket pair gives
 * the descriptors, a script what the calls answer.
 */
#include "workers/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "shm/fault.h"
#include "tests/lib/worker_fixture.h"
#include "workers/stream_wait.h"

enum { STEPS = 8, REQUEST = 12, REPLY = 11 };
enum { FLOOD = 60, SHARE = 8 };

static struct fx fx;
static struct sockaddr_in listen_at;
static int listen_fd;

/* What the transport answers, and what it was asked. */
static struct {
	enum io open[STEPS]; /* in turn; IO_DONE when they are used up */
	unsigned opened, closed, received;
	const char *why;
	/* requests that recv has and nobody announces, for the first one */
	unsigned hidden;
	bool write_first; /* the next recv must write */
	bool full; /* send must wait */
} script;

static enum io
made_open(struct conn *c)
{
	c->why = script.why;
	return script.open[script.opened++ % STEPS];
}

static enum io
made_recv(struct conn *c, uint8_t *buf, size_t room, size_t *n)
{
	static const uint8_t request[REQUEST] = { 0, 9, 0, 0, 0, 6, 1, 3, 0, 0,
		0, 1 };
	ssize_t got;

	script.received++;
	if (script.write_first) {
		script.write_first = false;
		return IO_WANT_WRITE;
	}
	got = recv(c->fd, buf, room, MSG_DONTWAIT);
	if (got > 0) {
		*n = (size_t)got;
		return IO_DONE;
	}
	if (got == 0)
		return IO_EOF;
	if (script.hidden > 0 && c->rec.index == 0) {
		script.hidden--;
		memcpy(buf, request, *n = REQUEST);
		return IO_DONE;
	}
	return errno == EAGAIN ? IO_WANT_READ : IO_FAIL;
}

static enum io
made_send(struct conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	ssize_t gone;

	if (script.full)
		return IO_WANT_WRITE;
	gone = send(c->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (gone < 0)
		return errno == EAGAIN ? IO_WANT_WRITE : IO_FAIL;
	*n = (size_t)gone;
	return IO_DONE;
}

static bool
made_pending(const struct conn *c)
{
	ck_assert_int_ne(c->fd, -1); /* it is not asked after the end */
	return script.hidden > 0 && c->rec.index == 0;
}

static void
made_close(struct conn *c)
{
	(void)c;
	script.closed++;
}

static const struct stream_ops made = {
	.open = made_open,
	.recv = made_recv,
	.send = made_send,
	.pending = made_pending,
	.close = made_close,
};

static void
setup(void)
{
	socklen_t len = sizeof(listen_at);

	fx_init(&fx);
	memset(&script, 0, sizeof(script));
	listen_at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listen_fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* is inherited by what is accepted */
	setsockopt(
	    listen_fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	ck_assert_int_eq(
	    bind(listen_fd, (struct sockaddr *)&listen_at, len), 0);
	ck_assert_int_eq(listen(listen_fd, 16), 0);
	getsockname(listen_fd, (struct sockaddr *)&listen_at, &len);
	fx.transport.frame_timeout_ms = 60000;
	ck_assert_ptr_nonnull(fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(stream_start(&fx.worker, &made, listen_fd, NULL), 0);
}

static void
teardown(void)
{
	stream_stop(&fx.worker);
	bind_fini(&fx.worker.bind);
	event_base_free(fx.worker.base);
	close(listen_fd);
	fx_fini(&fx);
}

static void
one_turn(void)
{
	fx.worker.turned = false;
	fx.worker.turn++;
	event_base_loop(fx.worker.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void
turns(void)
{
	for (int i = 0; i < 20; i++)
		one_turn();
}

static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(
	    connect(fd, (struct sockaddr *)&listen_at, sizeof(listen_at)), 0);
	turns();
	return fd;
}

static void
ask(int fd)
{
	static const uint8_t request[REQUEST] = { 0, 7, 0, 0, 0, 6, 1, 3, 0, 5,
		0, 1 };

	ck_assert_int_eq(send(fd, request, REQUEST, MSG_NOSIGNAL), REQUEST);
	turns();
}

/* How many replies have come. */
static unsigned
replies(int fd)
{
	uint8_t p[REPLY * 64];
	ssize_t n = recv(fd, p, sizeof(p), MSG_DONTWAIT);

	ck_assert_int_eq(n > 0 ? n % REPLY : 0, 0);
	return n > 0 ? (unsigned)n / REPLY : 0;
}

static bool
ended(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

START_TEST(nothing_is_read_before_the_beginning_is_done)
{
	int fd;

	script.open[0] = script.open[1] = IO_WANT_READ;
	fd = client();
	ck_assert_uint_eq(script.opened, 1);
	ask(fd); /* wakes the second step, then the third */
	ck_assert_uint_ge(script.opened, 3);
	ck_assert_uint_eq(replies(fd), 1);
	close(fd);
}
END_TEST

START_TEST(a_beginning_that_writes_waits_for_room)
{
	int fd;

	script.open[0] = IO_WANT_WRITE;
	script.open[1] = IO_WANT_WRITE;
	fd = client(); /* there is room: it goes on by itself */
	ck_assert_uint_eq(script.opened, 3);
	ask(fd);
	ck_assert_uint_eq(replies(fd), 1);
	close(fd);
}
END_TEST

START_TEST(a_beginning_that_fails_ends_the_connection)
{
	int fd;

	script.open[0] = IO_FAIL;
	script.why = "no handshake";
	fd = client();
	ck_assert(ended(fd));
	ck_assert_uint_eq(script.closed, 1);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.conns_bad), 1);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.conns_open), 0);
	close(fd);
}
END_TEST

START_TEST(a_beginning_that_takes_too_long_ends_the_connection)
{
	struct timeval tv = { .tv_sec = 5 };
	int fd;

	fx.transport.frame_timeout_ms = 20;
	script.open[0] = IO_WANT_READ;
	fd = client();
	ck_assert_uint_eq(script.closed, 0);
	event_base_loopexit(fx.worker.base, &tv);
	while (script.closed == 0 && !event_base_got_exit(fx.worker.base)) {
		fx.worker.turned = false;
		event_base_loop(fx.worker.base, EVLOOP_ONCE);
	}
	ck_assert_uint_eq(script.closed, 1);
	ck_assert(ended(fd));
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.conns_slow), 1);
	close(fd);
}
END_TEST

START_TEST(bytes_that_are_not_announced_are_served_too)
{
	int fd = client();

	script.hidden = 5;
	ask(fd); /* one that is announced, before them */
	ck_assert_uint_eq(replies(fd), 6);
	ck_assert_uint_eq(script.hidden, 0);
	close(fd);
}
END_TEST

START_TEST(who_sends_without_end_gets_a_share_of_each_turn)
{
	static const uint8_t request[REQUEST] = { 0, 7, 0, 0, 0, 6, 1, 3, 0, 5,
		0, 1 };
	uint8_t all[REPLY * (FLOOD + 1)];
	int flood = client(), other = client();
	unsigned n;

	script.hidden = FLOOD;
	ck_assert_int_eq(send(flood, request, REQUEST, 0), REQUEST);
	one_turn();
	n = FLOOD - script.hidden;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, SHARE);
	/* whoever else has something to say is heard in the next one */
	ck_assert_int_eq(send(other, request, REQUEST, 0), REQUEST);
	one_turn();
	ck_assert_uint_eq(replies(other), 1);
	ck_assert_uint_gt(FLOOD - script.hidden, n);
	ck_assert_uint_le(FLOOD - script.hidden, 2 * SHARE);
	/* the rest comes by itself, although nothing more is announced */
	turns();
	ck_assert_uint_eq(script.hidden, 0);
	ck_assert_int_eq(
	    recv(flood, all, sizeof(all), MSG_WAITALL), sizeof(all));
	/* and then there is rest */
	script.received = 0;
	turns();
	ck_assert_uint_eq(script.received, 0);
	close(flood);
	close(other);
}
END_TEST

START_TEST(reading_that_must_write_first_goes_on_when_it_can)
{
	int fd = client();

	script.write_first = true;
	ask(fd);
	ck_assert_uint_eq(replies(fd), 1);
	ask(fd);
	ck_assert_uint_eq(replies(fd), 1);
	/* and does not look again and again while nothing comes */
	script.received = 0;
	turns();
	ck_assert_uint_eq(script.received, 0);
	close(fd);
}
END_TEST

/* There are fewer records than are left to who does not wait, so a reply that
 * is put off goes on in memory of the worker's own. */
START_TEST(what_waits_in_a_copy_says_so_until_it_is_sent)
{
	struct fault_rule r = { .effects = FAULT_DELAY,
		.delay_ms = 30,
		.count = 1,
		.rate = FAULT_MILLION };
	struct shm_conn *shm = seg_conn(fx.worker.shm, 0);
	int fd = client();

	ask(fd);
	ck_assert_uint_eq(replies(fd), 1);
	ck_assert_uint_ne(fault_add(&fx.proc.env, &r), 0);
	ck_assert_uint_eq(batch_half(shm)->apart, 0);
	ask(fd);
	ck_assert_uint_eq(replies(fd), 0);
	ck_assert_uint_eq(batch_half(shm)->apart, 1);
	for (unsigned i = 0; i < FX_BATCHES; i++)
		ck_assert(!batch_in_force(
		    fx.worker.shm, seg_batch(fx.worker.shm, i)));
	while (batch_half(shm)->apart != 0) {
		fx.worker.turned = false;
		event_base_loop(fx.worker.base, EVLOOP_ONCE);
	}
	ck_assert_uint_eq(replies(fd), 1);
	ask(fd);
	ck_assert_uint_eq(replies(fd), 1);
	close(fd);
}
END_TEST

/* All records wait, and none of them for a socket. */
START_TEST(without_a_record_nobody_is_read_from)
{
	struct stream *st = fx.worker.state;
	unsigned n = st->nbatches;
	int fd = client(), other;

	st->nbatches = 0;
	script.received = 0;
	ask(fd);
	ck_assert(!ended(fd));
	ck_assert_uint_eq(script.received, 0);
	/* it comes back, and who has ended meanwhile does not matter */
	other = client();
	ask(other);
	ck_assert(stream_kick(&fx.worker, seg_conn(fx.worker.shm, 1)->serial));
	st->nbatches = n;
	stream_feed(st);
	turns();
	ck_assert_uint_eq(replies(fd), 1);
	ask(fd);
	ck_assert_uint_eq(replies(fd), 1);
	close(other);
	close(fd);
}
END_TEST

START_TEST(what_was_begun_is_ended_once)
{
	int fd[3];

	for (int i = 0; i < 3; i++)
		fd[i] = client();
	close(fd[0]);
	turns();
	ck_assert_uint_eq(script.closed, 1);
	ck_assert(stream_kick(
	    &fx.worker, atomic_load(&seg_conn(fx.worker.shm, 1)->serial)));
	ck_assert_uint_eq(script.closed, 2);
	ck_assert(!stream_kick(&fx.worker, 12345));
	fx.worker.draining = true;
	stream_drain(&fx.worker);
	ck_assert_uint_eq(script.closed, 3);
	ck_assert(fx.worker.done);
	close(fd[1]);
	close(fd[2]);
}
END_TEST

START_TEST(a_drain_does_not_wait_for_a_beginning)
{
	int fd;

	script.open[0] = IO_WANT_READ;
	fd = client();
	fx.worker.draining = true;
	stream_drain(&fx.worker);
	ck_assert_uint_eq(script.closed, 1);
	ck_assert(fx.worker.done);
	ck_assert(ended(fd));
	close(fd);
}
END_TEST

START_TEST(a_drain_serves_what_has_come_in_pieces)
{
	int fd = client();

	script.hidden = 3;
	fx.worker.draining = true;
	stream_drain(&fx.worker);
	ck_assert_uint_eq(replies(fd), 3);
	ck_assert(ended(fd));
	ck_assert(fx.worker.done);
	close(fd);
}
END_TEST

START_TEST(a_drain_serves_what_has_come_in_many_pieces)
{
	uint8_t all[REPLY * FLOOD];
	int fd = client();

	script.hidden = FLOOD;
	fx.worker.draining = true;
	stream_drain(&fx.worker);
	ck_assert_int_eq(recv(fd, all, sizeof(all), MSG_WAITALL), sizeof(all));
	ck_assert(ended(fd));
	ck_assert(fx.worker.done);
	close(fd);
}
END_TEST

START_TEST(hopeless_bytes_behind_output_that_waits_are_counted_once)
{
	static const uint8_t bytes[] = { 0, 7, 0, 0, 0, 6, 1, 3, 0, 5, 0, 1, 0,
		8, 0, 1, 0, 6, 1, 3, 0, 5, 0, 1 };
	struct shm_stats *s = &fx.worker.shm->stats;
	int fd = client();

	script.full = true;
	ck_assert_int_eq(
	    send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	one_turn();
	ck_assert_uint_eq(replies(fd), 0);
	ck_assert_uint_eq(atomic_load(&s->backpressured), 1);
	ck_assert_uint_eq(atomic_load(&s->frames_bad), 1);
	script.full = false;
	turns();
	ck_assert_uint_eq(replies(fd), 1);
	ck_assert(ended(fd));
	ck_assert_uint_eq(atomic_load(&s->frames_bad), 1);
	ck_assert_uint_eq(atomic_load(&s->conns_bad), 1);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("stream");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_read_before_the_beginning_is_done);
	tcase_add_test(tc, a_beginning_that_writes_waits_for_room);
	tcase_add_test(tc, a_beginning_that_fails_ends_the_connection);
	tcase_add_test(tc, a_beginning_that_takes_too_long_ends_the_connection);
	tcase_add_test(tc, bytes_that_are_not_announced_are_served_too);
	tcase_add_test(tc, who_sends_without_end_gets_a_share_of_each_turn);
	tcase_add_test(tc, reading_that_must_write_first_goes_on_when_it_can);
	tcase_add_test(tc, what_waits_in_a_copy_says_so_until_it_is_sent);
	tcase_add_test(tc, without_a_record_nobody_is_read_from);
	tcase_add_test(tc, what_was_begun_is_ended_once);
	tcase_add_test(tc, a_drain_does_not_wait_for_a_beginning);
	tcase_add_test(tc, a_drain_serves_what_has_come_in_pieces);
	tcase_add_test(tc, a_drain_serves_what_has_come_in_many_pieces);
	tcase_add_test(
	    tc, hopeless_bytes_behind_output_that_waits_are_counted_once);
	suite_add_tcase(s, tc);
	return fx_report(s);
}
