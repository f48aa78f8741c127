/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP transport from inside: real sockets with small buffers, a loop that
 * is turned by hand, and the records of the segment beside it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "supervisor/watchdog.h"
#include "tests/lib/worker_fixture.h"
#include "workers/batch.h"
#include "workers/transport.h"

enum {
	SMALL = 4608, /* of a socket's buffers */
	REQUEST = 12,
	REPLY = 259,
	PER_BATCH = 100,
};

static struct fx fx;
static struct sockaddr_in listen_at;

/* What the system says to an accept(), and how often it said so; 0: nothing. */
static struct {
	int error;
	unsigned left, said;
} want;

/* In place of the library's, for the daemon's own code. */
int
accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
	if (want.error != 0 && want.left != 0) {
		want.left--;
		want.said++;
		errno = want.error;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, at, len, flags);
}

static void
setup(void)
{
	socklen_t len = sizeof(listen_at);
	int one = 1, small = SMALL;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	fx_init(&fx);
	listen_at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&listen_at, sizeof(listen_at)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&listen_at, &len);
	fx.proc.listen_fd = fd;
	ck_assert_ptr_nonnull(fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	fx.worker.ops = transport_find(&fx.worker);
	ck_assert_int_eq(fx.worker.ops->start(&fx.worker), 0);
}

static void
teardown(void)
{
	fx.worker.ops->stop(&fx.worker);
	bind_fini(&fx.worker.bind);
	event_base_free(fx.worker.base);
	close(fx.proc.listen_fd);
	fx_fini(&fx);
}

/* Turns the loop until nothing happens any more. */
static void
turns(void)
{
	for (int i = 0; i < 50; i++) {
		fx.worker.turned = false;
		fx.worker.turn++;
		event_base_loop(fx.worker.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	}
}

static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int small = SMALL;

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(
	    connect(fd, (struct sockaddr *)&listen_at, sizeof(listen_at)), 0);
	turns();
	return fd;
}

/* n requests for 125 registers each; transactions from first on. */
static void
ask(int fd, unsigned first, unsigned n)
{
	uint8_t p[PER_BATCH * REQUEST];

	ck_assert_uint_le(n, PER_BATCH);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t adu[REQUEST] = { (uint8_t)((first + i) >> 8),
			(uint8_t)(first + i), 0, 0, 0, 6, 1, 3, 0, 0, 0, 125 };

		memcpy(p + i * REQUEST, adu, REQUEST);
	}
	ck_assert_int_eq(
	    send(fd, p, n * REQUEST, MSG_NOSIGNAL), (ssize_t)(n * REQUEST));
	turns();
}

/* Reads while the worker works; how many whole replies came, checked. */
static unsigned
replies(int fd, unsigned first, unsigned most)
{
	static uint8_t p[PER_BATCH * 4 * REPLY];
	size_t len = 0;

	ck_assert_uint_le(most, PER_BATCH * 4);
	for (int quiet = 0; quiet < 50 && len < most * (size_t)REPLY;) {
		ssize_t n =
		    recv(fd, p + len, most * (size_t)REPLY - len, MSG_DONTWAIT);

		quiet = n > 0 ? 0 : quiet + 1;
		if (n > 0)
			len += (size_t)n;
		turns();
	}
	ck_assert_uint_eq(len % REPLY, 0);
	for (size_t i = 0; i < len / REPLY; i++) {
		const uint8_t *r = p + i * REPLY;

		ck_assert_uint_eq((unsigned)(r[0] << 8 | r[1]), first + i);
		ck_assert_uint_eq(r[8], 250);
	}
	return (unsigned)(len / REPLY);
}

static bool
ended(int fd)
{
	uint8_t byte;
	ssize_t n;

	while ((n = recv(fd, &byte, 1, MSG_DONTWAIT)) == 1)
		;
	return n == 0 || errno == ECONNRESET;
}

static unsigned
in_force(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FX_BATCHES; i++)
		n += batch_in_force(fx.worker.shm, seg_batch(fx.worker.shm, i));
	return n;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Nothing happens for a while: the worker has no reason to read the clock. */
static void
stand_idle(int ms)
{
	poll(NULL, 0, ms);
}

static uint64_t
stat_of(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}

START_TEST(output_that_does_not_fit_waits_and_nothing_more_is_read)
{
	struct shm_stats *s = &fx.worker.shm->stats;
	int fd = client();
	uint64_t seq, in;

	ask(fd, 1, 1);
	ck_assert_uint_eq(replies(fd, 1, 1), 1);
	ck_assert_uint_eq(in_force(), 0);
	seq = atomic_load(&seg_conn(fx.worker.shm, 0)->seq);
	ask(fd, 2, PER_BATCH);
	ck_assert_uint_eq(in_force(), 1);
	ck_assert_uint_eq(stat_of(&s->backpressured), 1);
	in = stat_of(&s->bytes_in);
	ask(fd, 2 + PER_BATCH, PER_BATCH);
	ck_assert_uint_eq(stat_of(&s->bytes_in), in);
	ck_assert_uint_eq(atomic_load(&seg_conn(fx.worker.shm, 0)->seq), seq);
	ck_assert_uint_eq(replies(fd, 2, 2 * PER_BATCH), 2 * PER_BATCH);
	ck_assert_uint_eq(in_force(), 0);
	ck_assert_uint_eq(
	    atomic_load(&seg_conn(fx.worker.shm, 0)->seq), seq + 2);
	ask(fd, 500, 3);
	ck_assert_uint_eq(replies(fd, 500, 3), 3);
	close(fd);
}
END_TEST

START_TEST(others_are_served_while_some_do_not_read)
{
	int deaf[FX_BATCHES - 1], fd;

	for (int i = 0; i < FX_BATCHES - 1; i++) {
		deaf[i] = client();
		ask(deaf[i], 1, PER_BATCH);
	}
	ck_assert_uint_eq(in_force(), FX_BATCHES - 1);
	fd = client();
	for (unsigned i = 0; i < 20; i++) {
		ask(fd, i, 3);
		ck_assert_uint_eq(replies(fd, i, 3), 3);
	}
	for (int i = 0; i < FX_BATCHES - 1; i++) {
		ck_assert_uint_eq(replies(deaf[i], 1, PER_BATCH), PER_BATCH);
		close(deaf[i]);
	}
	close(fd);
}
END_TEST

START_TEST(when_every_record_waits_the_slowest_connection_goes)
{
	struct shm_stats *s = &fx.worker.shm->stats;
	int deaf[FX_BATCHES], fd;

	for (int i = 0; i < FX_BATCHES; i++) {
		deaf[i] = client();
		ask(deaf[i], 1, PER_BATCH);
	}
	ck_assert_uint_eq(in_force(), FX_BATCHES);
	/* the first one reads a little, so that it is not the slowest */
	ck_assert_uint_eq(replies(deaf[0], 1, 40), 40);
	fd = client();
	ask(fd, 1, 1);
	ck_assert_uint_eq(replies(fd, 1, 1), 1);
	ck_assert_uint_eq(stat_of(&s->conns_slow), 1);
	ck_assert(ended(deaf[1]));
	ck_assert_uint_eq(replies(deaf[0], 41, PER_BATCH - 40), PER_BATCH - 40);
	ck_assert_uint_eq(replies(deaf[2], 1, PER_BATCH), PER_BATCH);
	close(fd);
	for (int i = 0; i < FX_BATCHES; i++)
		close(deaf[i]);
}
END_TEST

START_TEST(a_record_comes_back_when_its_connection_ends)
{
	struct linger hard = { 1, 0 };

	for (int i = 0; i < 5 * FX_BATCHES; i++) {
		int fd = client();

		ask(fd, 1, PER_BATCH);
		ck_assert_uint_eq(in_force(), 1);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		turns();
		ck_assert_uint_eq(in_force(), 0);
	}
	ck_assert_uint_eq(stat_of(&fx.worker.shm->stats.conns_open), 0);
}
END_TEST

START_TEST(the_counts_of_a_connection_are_those_of_its_bytes)
{
	struct shm_conn *c = seg_conn(fx.worker.shm, 0);
	int fd = client();

	ask(fd, 1, PER_BATCH);
	ck_assert_uint_eq(replies(fd, 1, PER_BATCH), PER_BATCH);
	ask(fd, 7, 2);
	ck_assert_uint_eq(replies(fd, 7, 2), 2);
	ck_assert_uint_eq(batch_half(c)->rx, (PER_BATCH + 2) * REQUEST);
	ck_assert_uint_eq(batch_half(c)->tx, (PER_BATCH + 2) * REPLY);
	ck_assert_uint_eq(atomic_load(&c->requests), PER_BATCH + 2);
	ck_assert_uint_eq(
	    stat_of(&fx.worker.shm->stats.bytes_in), (PER_BATCH + 2) * REQUEST);
	ck_assert_uint_eq(
	    stat_of(&fx.worker.shm->stats.bytes_out), (PER_BATCH + 2) * REPLY);
	close(fd);
}
END_TEST

static struct {
	_Atomic bool stop;
	unsigned seen, guilty;
} judge;

/* The supervisor's part: looks at the slot all the time. */
static void *
judge_it(void *arg)
{
	const struct shm_slot *s = seg_slot(fx.proc.env.control, FX_SLOT);

	(void)arg;
	while (!atomic_load(&judge.stop)) {
		uint64_t busy = atomic_load(&s->busy_ns);

		judge.seen += busy != 0;
		judge.guilty +=
		    watchdog_judge(now_ns(), atomic_load(&s->beat_ns), busy, 0,
			fx.conf.hang_timeout_ms) != WATCHDOG_FINE;
		poll(NULL, 0, 1);
	}
	return NULL;
}

START_TEST(a_wait_for_a_device_after_a_quiet_time_is_no_hang)
{
	static const uint8_t write_1[] = { 0, 1, 0, 0, 0, 6, 1, 6, 0, 0, 0, 7 };
	struct shm_device *dev = fx.device_seg[0].at;
	uint8_t reply[16];
	pthread_t thread;
	int fd = client();

	/* in the name of one that lives: ourselves */
	atomic_store(&dev->owner, fx.proc.env.me);
	stand_idle(450);
	ck_assert_int_eq(send(fd, write_1, sizeof(write_1), 0), 12);
	ck_assert_int_eq(pthread_create(&thread, NULL, judge_it, NULL), 0);
	turns();
	atomic_store(&judge.stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(judge.seen, 0);
	ck_assert_uint_eq(judge.guilty, 0);
	ck_assert_int_eq(recv(fd, reply, sizeof(reply), 0), 9);
	ck_assert_mem_eq(reply + 7, "\x86\6", 2);
	close(fd);
}
END_TEST

START_TEST(a_slow_client_has_its_whole_time_after_a_quiet_one)
{
	static const uint8_t start[5] = { 0, 1, 0, 0, 0 };
	struct shm_stats *s = &fx.worker.shm->stats;
	int a = client(), b = client();
	uint64_t from;

	fx.transport.frame_timeout_ms = 300;
	ck_assert_int_eq(send(a, start, sizeof(start), 0), 5);
	turns();
	stand_idle(200);
	from = now_ns();
	ck_assert_int_eq(send(b, start, sizeof(start), 0), 5);
	while (!ended(b) && now_ns() < from + 30000000000) {
		turns();
		stand_idle(1);
	}
	ck_assert_uint_ge(now_ns() - from, 300000000);
	ck_assert_uint_lt(now_ns() - from, 30000000000);
	ck_assert(ended(a));
	ck_assert_uint_eq(stat_of(&s->conns_slow), 2);
	close(a);
	close(b);
}
END_TEST

START_TEST(of_a_peers_connections_the_one_that_asked_first_is_replaced)
{
	enum { FIRST = 3 };
	int fd[FX_CONNS], more;

	fx.transport.max_connections_per_peer = FX_CONNS;
	for (int i = 0; i < FX_CONNS; i++)
		fd[i] = client();
	for (int i = 0; i < FX_CONNS; i++) {
		ask(fd[(FIRST + i) % FX_CONNS], 1, 1);
		stand_idle(1);
	}
	more = client();
	for (int i = 0; i < FX_CONNS; i++) {
		ck_assert_uint_eq(replies(fd[i], 1, 1), 1);
		ck_assert_int_eq(ended(fd[i]), i == FIRST);
		close(fd[i]);
	}
	close(more);
}
END_TEST

START_TEST(a_drain_ends_when_the_last_waiting_reply_has_gone)
{
	int fd = client(), idle = client();

	ask(fd, 1, PER_BATCH);
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
	ck_assert(ended(idle));
	ck_assert(!fx.worker.done);
	ck_assert_uint_eq(replies(fd, 1, PER_BATCH), PER_BATCH);
	ck_assert(ended(fd));
	ck_assert(fx.worker.done);
	close(fd);
	close(idle);
}
END_TEST

/* Turns for at most that long while the client reads at ease; how long. */
static uint64_t
turns_till_done_ms(int reader, int most)
{
	uint64_t from = now_ns();
	uint8_t some[2 * REPLY];

	while (!fx.worker.done && now_ns() < from + most * 1000000ull) {
		turns();
		stand_idle(5);
		if (reader != -1)
			recv(reader, some, sizeof(some), MSG_DONTWAIT);
	}
	return (now_ns() - from) / 1000000;
}

START_TEST(a_drain_waits_a_second_for_one_that_does_not_read)
{
	struct shm_stats *s = &fx.worker.shm->stats;
	int deaf = client();
	uint64_t took;

	ask(deaf, 1, PER_BATCH);
	stand_idle(200);
	fx.worker.turned = false;
	worker_turn(&fx.worker);
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
	took = turns_till_done_ms(-1, 60000);
	ck_assert(fx.worker.done);
	ck_assert_uint_ge(took, 950);
	ck_assert_uint_lt(took, 30000);
	ck_assert_uint_eq(stat_of(&s->conns_slow), 1);
	ck_assert(ended(deaf));
	close(deaf);
}
END_TEST

START_TEST(a_drain_goes_on_for_one_that_reads_slowly)
{
	struct shm_stats *s = &fx.worker.shm->stats;
	int deaf = client(), slow = client();

	ask(deaf, 1, PER_BATCH);
	for (int i = 0; i < 20; i++)
		ask(slow, 1, PER_BATCH);
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
	turns_till_done_ms(slow, 1600);
	ck_assert(ended(deaf));
	ck_assert(!fx.worker.done);
	ck_assert_uint_eq(stat_of(&s->conns_slow), 1);
	close(deaf);
	close(slow);
}
END_TEST

static const int machine_lacks[] = { ENFILE, ENOBUFS, ENOMEM };

START_TEST(what_the_machine_lacks_ends_no_connection)
{
	int old[FX_CONNS - 1], more;

	for (int i = 0; i < FX_CONNS - 1; i++)
		old[i] = client();
	want.error = machine_lacks[_i];
	want.left = UINT32_MAX;
	more = client();
	for (int i = 0; i < 30; i++) {
		turns();
		stand_idle(10);
	}
	ck_assert_uint_ge(want.said, 3);
	ck_assert_msg(want.said <= 10, "it tried %u times", want.said);
	want.left = 0;
	for (int i = 0; i < 10; i++) {
		stand_idle(10);
		turns();
	}
	ask(more, 1, 1);
	ck_assert_uint_eq(replies(more, 1, 1), 1);
	for (int i = 0; i < FX_CONNS - 1; i++) {
		ck_assert(!ended(old[i]));
		close(old[i]);
	}
	close(more);
}
END_TEST

START_TEST(no_more_are_evicted_when_that_has_not_helped)
{
	int old[FX_CONNS - 1], more, gone = 0;

	for (int i = 0; i < FX_CONNS - 1; i++)
		old[i] = client();
	want.error = EMFILE;
	want.left = UINT32_MAX;
	more = client();
	for (int i = 0; i < 30; i++) {
		turns();
		stand_idle(10);
	}
	for (int i = 0; i < FX_CONNS - 1; i++)
		gone += ended(old[i]);
	ck_assert_int_eq(gone, 1);
	want.left = 0;
	for (int i = 0; i < 10; i++) {
		stand_idle(10);
		turns();
	}
	ask(more, 1, 1);
	ck_assert_uint_eq(replies(more, 1, 1), 1);
	/* once one has come in, room may be made again */
	want.left = 1;
	close(more);
	more = client();
	ask(more, 1, 1);
	ck_assert_uint_eq(replies(more, 1, 1), 1);
	ck_assert_uint_eq(stat_of(&fx.worker.shm->stats.conns_evicted), 2);
	for (int i = 0; i < FX_CONNS - 1; i++)
		close(old[i]);
	close(more);
}
END_TEST

START_TEST(a_drain_without_connections_is_over_at_once)
{
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
	ck_assert(fx.worker.done);
}
END_TEST

START_TEST(only_the_connection_of_that_serial_is_kicked)
{
	int a = client(), b = client();
	uint64_t serial = atomic_load(&seg_conn(fx.worker.shm, 0)->serial);

	ck_assert(!fx.worker.ops->kick(&fx.worker, serial + 1000));
	ck_assert(fx.worker.ops->kick(&fx.worker, serial));
	ck_assert(ended(a));
	ck_assert(!ended(b));
	ck_assert(!fx.worker.ops->kick(&fx.worker, serial));
	close(a);
	close(b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_tcp");
	TCase *tc = tcase_create("t_tcp");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(
	    tc, output_that_does_not_fit_waits_and_nothing_more_is_read);
	tcase_add_test(tc, others_are_served_while_some_do_not_read);
	tcase_add_test(tc, when_every_record_waits_the_slowest_connection_goes);
	tcase_add_test(tc, a_record_comes_back_when_its_connection_ends);
	tcase_add_test(tc, the_counts_of_a_connection_are_those_of_its_bytes);
	tcase_add_test(tc, a_wait_for_a_device_after_a_quiet_time_is_no_hang);
	tcase_add_test(tc, a_slow_client_has_its_whole_time_after_a_quiet_one);
	tcase_add_test(
	    tc, of_a_peers_connections_the_one_that_asked_first_is_replaced);
	tcase_add_test(tc, a_drain_ends_when_the_last_waiting_reply_has_gone);
	tcase_add_test(tc, a_drain_waits_a_second_for_one_that_does_not_read);
	tcase_add_test(tc, a_drain_goes_on_for_one_that_reads_slowly);
	tcase_add_loop_test(tc, what_the_machine_lacks_ends_no_connection, 0,
	    sizeof(machine_lacks) / sizeof(machine_lacks[0]));
	tcase_add_test(tc, no_more_are_evicted_when_that_has_not_helped);
	tcase_add_test(tc, a_drain_without_connections_is_over_at_once);
	tcase_add_test(tc, only_the_connection_of_that_serial_is_kicked);
	return fx_report(s);
}
