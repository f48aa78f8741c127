/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP transport from inside: real sockets on loopback, a loop that is
 * turned by hand, the records of the segment beside it, and a system that says
 * no when it is told to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "supervisor/listen.h"
#include "tests/worker_fixture.h"
#include "workers/batch.h"
#include "workers/dgram.h"
#include "workers/transport.h"

enum { REQUEST = 12, REPLY = 11, MANY = 100 };

static struct fx fx;
static uint16_t port;

/* What the system says to the daemon, and how often. */
static struct {
	int error;
	unsigned left, said;
} no_send, no_recv;

/* Datagrams seem to have been sent to everybody on the link. */
static bool multicast;

static bool
refused(int error, unsigned *left, unsigned *said)
{
	if (*left == 0)
		return false;
	--*left;
	++*said;
	errno = error;
	return true;
}

/* In place of the library's, for the daemon's own code. */
int
sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	if (refused(no_send.error, &no_send.left, &no_send.said))
		return -1;
	return (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

int
recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t)
{
	int got;

	if (refused(no_recv.error, &no_recv.left, &no_recv.said))
		return -1;
	got = (int)syscall(SYS_recvmmsg, fd, m, n, flags, t);
	for (int i = 0; multicast && i < got; i++) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m[i].msg_hdr);
		struct in6_pktinfo pi = { .ipi6_ifindex = 1 };

		ck_assert_int_eq(
		    inet_pton(AF_INET6, "ff02::1", &pi.ipi6_addr), 1);
		memcpy(CMSG_DATA(c), &pi, sizeof(pi));
	}
	return got;
}

static void
begin(void)
{
	fx.worker.state = NULL;
	ck_assert_int_eq(fx.worker.ops->start(&fx.worker), 0);
}

static void
setup_at(const char *where, const char *framer)
{
	static char name[8];
	char real[LISTEN_ADDR_MAX];

	fx_init(&fx);
	snprintf(name, sizeof(name), "%s", framer);
	fx.transport.framer = name;
	fx.transport.type = CONF_UDP;
	fx.proc.listen_fd = listen_open(where, true, real, sizeof(real));
	ck_assert_int_ge(fx.proc.listen_fd, 0);
	port = (uint16_t)atoi(strrchr(real, ':') + 1);
	ck_assert_ptr_nonnull(fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	fx.worker.ops = transport_find(&fx.worker);
	begin();
}

static void
setup(void)
{
	setup_at("0.0.0.0:0", "socket");
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

/* The same with other arguments. */
static void
again(const char *where, const char *framer)
{
	teardown();
	setup_at(where, framer);
}

static void
turn(void)
{
	fx.worker.turned = false;
	event_base_loop(fx.worker.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void
turns(void)
{
	for (int i = 0; i < 20; i++)
		turn();
}

static struct sockaddr_storage
at(const char *host)
{
	struct sockaddr_storage ss = { .ss_family = AF_INET };
	struct sockaddr_in *in = (void *)&ss;
	struct sockaddr_in6 *in6 = (void *)&ss;

	if (strchr(host, ':') == NULL) {
		in->sin_port = htons(port);
		ck_assert_int_eq(inet_pton(AF_INET, host, &in->sin_addr), 1);
		return ss;
	}
	ss.ss_family = AF_INET6;
	in6->sin6_port = htons(port);
	ck_assert_int_eq(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
	return ss;
}

/* A client that asks from that address. */
static int
client(const char *host)
{
	struct sockaddr_storage ss = at(host);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int one = 1;

	((struct sockaddr_in *)&ss)->sin_port = 0;
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, sizeof(ss)), 0);
	return fd;
}

static int
send_to(int fd, const char *host, const void *p, size_t len)
{
	struct sockaddr_storage ss = at(host);

	return (int)sendto(fd, p, len, 0, (struct sockaddr *)&ss, sizeof(ss));
}

static void
tell(int fd, const void *p, size_t len)
{
	ck_assert_int_eq(send_to(fd, "127.0.0.1", p, len), (int)len);
}

/* Asks for register addr, whose value is its address. */
static void
ask_at(int fd, const char *host, unsigned tid, unsigned addr)
{
	const uint8_t adu[REQUEST] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
		0, 6, 1, 3, 0, (uint8_t)addr, 0, 1 };

	ck_assert_int_eq(send_to(fd, host, adu, sizeof(adu)), REQUEST);
}

static void
ask(int fd, unsigned tid, unsigned addr)
{
	ask_at(fd, "127.0.0.1", tid, addr);
}

/* What has come for a client: its length, -1 for nothing. */
static int
receive(int fd, uint8_t *p, size_t room)
{
	return (int)recv(fd, p, room, MSG_DONTWAIT);
}

static bool
silent(int fd)
{
	uint8_t p[16];

	turns();
	return receive(fd, p, sizeof(p)) == -1;
}

/* The reply to ask(), checked. */
static void
answered(int fd, unsigned tid, unsigned addr)
{
	const uint8_t want[REPLY] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
		0, 5, 1, 3, 2, 0, (uint8_t)addr };
	uint8_t p[300];

	ck_assert_int_eq(receive(fd, p, sizeof(p)), REPLY);
	ck_assert_mem_eq(p, want, REPLY);
}

/* A good request goes its way. */
static void
serves(int fd)
{
	static unsigned tid;

	tid++;
	ask(fd, tid, tid % FX_HR);
	turns();
	answered(fd, tid, tid % FX_HR);
}

/* Writes a register; the reply is waited for. Returns the operation number. */
static uint64_t
write_hr(int fd, unsigned unit, unsigned addr, unsigned value)
{
	const uint8_t adu[REQUEST] = { 7, 7, 0, 0, 0, 6, (uint8_t)unit, 6, 0,
		(uint8_t)addr, (uint8_t)(value >> 8), (uint8_t)value };
	uint8_t p[16];

	tell(fd, adu, sizeof(adu));
	turns();
	if (unit != 0) {
		ck_assert_int_eq(receive(fd, p, sizeof(p)), REQUEST);
		ck_assert_mem_eq(p, adu, REQUEST);
	}
	return fx.worker.bind.who.op;
}

static unsigned
value(int device, unsigned addr)
{
	uint8_t p[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[device], STORE_HR, addr, 1, p, NULL),
	    STORE_OK);
	return (unsigned)(p[0] << 8 | p[1]);
}

static struct shm_stats *
stats(void)
{
	return &fx.worker.shm->stats;
}

static uint64_t
stat_of(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}

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

	again("[::]:0", "socket");
	fd = client("::1");
	multicast = true;
	ask_at(fd, "::1", 1, 9);
	turns();
	answered(fd, 1, 9);
	ck_assert_uint_eq(stat_of(&stats()->replies_lost), 0);
	close(fd);
}
END_TEST

START_TEST(a_reply_leaves_from_the_address_that_was_asked)
{
	struct sockaddr_storage from, want;
	socklen_t len = sizeof(from);
	uint8_t p[300];
	int fd;

	again(ways[_i].listen, "socket");
	fd = client(ways[_i].client);
	want = at(ways[_i].from);
	ask_at(fd, ways[_i].asked, 1, 9);
	turns();
	ck_assert_int_eq(recvfrom(fd, p, sizeof(p), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len),
	    REPLY);
	if (want.ss_family == AF_INET)
		ck_assert_mem_eq(&from, &want, 8);
	else
		ck_assert_mem_eq(&((struct sockaddr_in6 *)&from)->sin6_addr,
		    &((struct sockaddr_in6 *)&want)->sin6_addr, 16);
	ck_assert_uint_eq(stat_of(&stats()->replies_lost), 0);
	close(fd);
}
END_TEST

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

	again("0.0.0.0:0", frames[_i].framer);
	fd = client("127.0.0.1");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)frames[_i].good[i % len];
	for (unsigned i = 0; i < n; i++) {
		tell(fd, big, bad[i]);
		ck_assert(silent(fd));
		ck_assert_uint_eq(stat_of(&stats()->frames_bad), i + 1);
		tell(fd, big, len);
		turns();
		ck_assert_int_gt(receive(fd, p, sizeof(p)), 0);
	}
	ck_assert_uint_eq(stat_of(&stats()->requests[3]), n);
	ck_assert_uint_eq(stat_of(&stats()->conns_open), 1);
	close(fd);
}
END_TEST

START_TEST(junk_opens_nothing)
{
	static const uint8_t other[] = { 0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 1 };
	struct shm_stats *s = stats();

	for (int i = 0; i < 4 * FX_CONNS; i++) {
		int fd = client("127.0.0.1");

		tell(fd, other, sizeof(other));
		ck_assert(silent(fd));
		close(fd);
	}
	ck_assert_uint_eq(stat_of(&s->conns_opened), 0);
	ck_assert_uint_eq(stat_of(&s->frames_bad), 4 * FX_CONNS);
	ck_assert_uint_eq(stat_of(&s->bytes_in), 4 * FX_CONNS * sizeof(other));
	ck_assert_uint_eq(stat_of(&s->bytes_out), 0);
}
END_TEST

/* Else two servers would answer each other for ever. */
START_TEST(an_exception_reply_is_no_request)
{
	static const uint8_t reply[] = { 0, 1, 0, 0, 0, 3, 1, 0x83, 2 };
	int fd = client("127.0.0.1");

	tell(fd, reply, sizeof(reply));
	ck_assert(silent(fd));
	ck_assert_uint_eq(stat_of(&stats()->frames_bad), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_opened), 0);
	serves(fd);
	close(fd);
}
END_TEST

START_TEST(what_seems_to_come_from_itself_is_not_answered)
{
	static const uint8_t echo[] = { 0, 1, 0, 0, 0, 6, 1, 6, 0, 3, 0, 99 };
	int fd = client("127.0.0.1");

	again(_i == 0 ? "0.0.0.0:0" : "[::]:0", "socket");
	ck_assert_int_eq(send_to(fx.proc.listen_fd,
			     _i == 0 ? "127.0.0.1" : "::1", echo, sizeof(echo)),
	    sizeof(echo));
	turns();
	ck_assert_uint_eq(stat_of(&stats()->frames_bad), 1);
	ck_assert_uint_eq(stat_of(&stats()->requests[6]), 0);
	ck_assert_uint_eq(stat_of(&stats()->bytes_out), 0);
	ck_assert_uint_eq(value(0, 3), 3);
	close(fd);
}
END_TEST

/* ---- peers ---- */

START_TEST(who_sends_a_frame_has_a_record)
{
	const struct shm_conn *r = seg_conn(fx.worker.shm, 0);
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	int fd = client("127.0.0.1");

	for (int i = 0; i < 5; i++)
		serves(fd);
	getsockname(fd, (struct sockaddr *)&me, &len);
	ck_assert_uint_eq(stat_of(&stats()->conns_open), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_opened), 1);
	ck_assert_int_eq(atomic_load(&r->used), CONN_USED);
	ck_assert_int_eq(r->family, AF_INET);
	ck_assert_int_eq(r->port, ntohs(me.sin_port));
	ck_assert_mem_eq(r->addr, &me.sin_addr, 4);
	ck_assert_uint_eq(atomic_load(&r->requests), 5);
	ck_assert_uint_eq(atomic_load(&r->last_fc), 3);
	ck_assert_uint_eq(
	    batch_half(seg_conn(fx.worker.shm, 0))->rx, 5 * REQUEST);
	ck_assert_uint_eq(
	    batch_half(seg_conn(fx.worker.shm, 0))->tx, 5 * REPLY);
	ck_assert_uint_eq(stat_of(&stats()->bytes_in), 5 * REQUEST);
	ck_assert_uint_eq(stat_of(&stats()->bytes_out), 5 * REPLY);
	close(fd);
}
END_TEST

START_TEST(peers_never_mix)
{
	int fd[FX_CONNS];

	for (int i = 0; i < FX_CONNS; i++)
		fd[i] = client(i % 2 == 0 ? "127.0.0.1" : "127.0.0.2");
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned k = 0; k < 10; k++)
			for (unsigned i = 0; i < FX_CONNS; i++)
				ask(fd[i], i << 8 | k, (10 * i + k) % FX_HR);
		turns();
		for (unsigned i = 0; i < FX_CONNS; i++)
			for (unsigned k = 0; k < 10; k++)
				answered(
				    fd[i], i << 8 | k, (10 * i + k) % FX_HR);
	}
	for (unsigned i = 0; i < FX_CONNS; i++) {
		ck_assert(silent(fd[i]));
		ck_assert_uint_eq(
		    atomic_load(&seg_conn(fx.worker.shm, i)->requests), 200);
		close(fd[i]);
	}
}
END_TEST

START_TEST(the_longest_unused_peer_makes_room_and_is_served_all_the_same)
{
	int fd[FX_CONNS + 1];

	for (int i = 0; i < FX_CONNS; i++)
		serves(fd[i] = client("127.0.0.1"));
	serves(fd[0]);
	serves(fd[FX_CONNS] = client("127.0.0.1"));
	ck_assert_uint_eq(stat_of(&stats()->conns_evicted), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_open), FX_CONNS);
	serves(fd[0]);
	ck_assert_uint_eq(stat_of(&stats()->conns_evicted), 1);
	serves(fd[1]);
	ck_assert_uint_eq(stat_of(&stats()->conns_evicted), 2);
	for (int i = 0; i < FX_CONNS + 1; i++)
		close(fd[i]);
}
END_TEST

START_TEST(priority_peers_stay_and_keep_others_out)
{
	struct conf_cidr net = {
		.family = AF_INET, .bits = 32, .addr = { 127, 0, 0, 9 }
	};
	int fd[FX_CONNS], other = client("127.0.0.1");

	fx.transport.priority.at = &net;
	fx.transport.priority.n = 1;
	for (int i = 0; i < FX_CONNS; i++)
		serves(fd[i] = client("127.0.0.9"));
	ask(other, 1, 1);
	ck_assert(silent(other));
	ck_assert_uint_eq(stat_of(&stats()->conns_refused), 1);
	for (int i = 0; i < FX_CONNS; i++) {
		serves(fd[i]);
		close(fd[i]);
	}
	close(other);
}
END_TEST

START_TEST(a_host_at_its_limit_replaces_its_own_oldest)
{
	int a, b, c, other = client("127.0.0.2");
	const struct shm_conn *r = seg_conn(fx.worker.shm, 1);
	uint64_t serial;

	fx.transport.max_connections_per_peer = 2;
	serves(other);
	serves(a = client("127.0.0.1"));
	serial = atomic_load(&r->serial);
	serves(b = client("127.0.0.1"));
	serves(c = client("127.0.0.1"));
	ck_assert_uint_eq(stat_of(&stats()->conns_evicted), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_open), 3);
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
	int in = client("127.0.0.1"), out = client("127.0.0.2");

	fx.transport.deny.at = &net;
	fx.transport.deny.n = 1;
	ask(out, 1, 1);
	ck_assert(silent(out));
	ck_assert_uint_eq(stat_of(&stats()->conns_denied), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_opened), 0);
	serves(in);
	close(in);
	close(out);
}
END_TEST

START_TEST(a_peer_that_asks_nothing_is_forgotten)
{
	int a = client("127.0.0.1"), b = client("127.0.0.1");

	fx.transport.idle_timeout_s = 1;
	serves(a);
	for (int i = 0; i < 40 && stat_of(&stats()->conns_idle) == 0; i++) {
		poll(NULL, 0, 50);
		serves(b);
	}
	ck_assert_uint_eq(stat_of(&stats()->conns_idle), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_open), 1);
	serves(a);
	close(a);
	close(b);
}
END_TEST

START_TEST(a_kicked_peer_is_forgotten_and_comes_anew)
{
	struct shm_conn *r = seg_conn(fx.worker.shm, 0);
	int fd = client("127.0.0.1");
	uint64_t serial;

	serves(fd);
	serial = atomic_load(&r->serial);
	ck_assert(!fx.worker.ops->kick(&fx.worker, serial + 1000));
	ck_assert(fx.worker.ops->kick(&fx.worker, serial));
	ck_assert_uint_eq(stat_of(&stats()->conns_kicked), 1);
	ck_assert_uint_eq(stat_of(&stats()->conns_open), 0);
	ck_assert(!fx.worker.ops->kick(&fx.worker, serial));
	serves(fd);
	ck_assert_uint_ne(atomic_load(&r->serial), serial);
	close(fd);
}
END_TEST

START_TEST(max_transactions_counts_what_a_peer_asks_at_once)
{
	int a = client("127.0.0.1"), b = client("127.0.0.1");
	uint8_t p[300];

	fx.transport.max_transactions = 4;
	for (unsigned i = 0; i < 6; i++)
		ask(a, i, i);
	for (unsigned i = 0; i < 4; i++)
		ask(b, i, i);
	turns();
	for (unsigned i = 0; i < 4; i++) {
		answered(a, i, i);
		answered(b, i, i);
	}
	for (unsigned i = 4; i < 6; i++) {
		ck_assert_int_eq(receive(a, p, sizeof(p)), 9);
		ck_assert_uint_eq(p[1], i);
		ck_assert_mem_eq(p + 7, "\x83\6", 2);
	}
	ck_assert_uint_eq(stat_of(&stats()->busy), 2);
	serves(a);
	close(a);
	close(b);
}
END_TEST

/* ---- operation numbers ---- */

/* A worker dies; its memory is lost, the segments and the socket are not. */
static void
successor(void)
{
	event_base_free(fx.worker.base);
	fx.worker.base = event_base_new();
	begin();
}

/* It died when the last write was done and not yet noted, or afterwards. */
START_TEST(no_operation_number_is_given_out_twice)
{
	struct shm_conn *r = seg_conn(fx.worker.shm, 0);
	int fd = client("127.0.0.1");
	uint64_t last = 0;

	fx.transport.broadcast = true;
	for (unsigned round = 1; round < 30; round++) {
		const unsigned unit = round % 3;

		for (unsigned i = 0; i < round % 4; i++) {
			uint64_t op = write_hr(fd, 1, 50, 1000 + i);

			ck_assert_uint_gt(op, last);
			ck_assert_uint_eq(batch_half(r)->op, op);
			last = op;
		}
		last = write_hr(fd, unit, 7, round);
		ck_assert_uint_eq(value(unit == 2, 7), round);
		ck_assert_uint_eq(batch_half(r)->op, last);
		if (_i == 1)
			atomic_fetch_sub(&r->seq, 1);
		successor();
		ck_assert_uint_gt(write_hr(fd, 1, 9, 3 * round), last);
		ck_assert_uint_eq(value(0, 9), 3 * round);
		last = fx.worker.bind.who.op;
	}
	close(fd);
}
END_TEST

START_TEST(a_record_that_changes_hands_numbers_on)
{
	int a, b;
	uint64_t op;

	fx.transport.max_connections = 1;
	again("0.0.0.0:0", "socket");
	fx.transport.max_connections = 1;
	fx.worker.ops->stop(&fx.worker);
	begin();
	a = client("127.0.0.1");
	b = client("127.0.0.1");
	op = write_hr(a, 1, 1, 11);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t next = write_hr(i % 2 == 0 ? b : a, 1, 1, 100 + i);

		ck_assert_uint_gt(next, op);
		ck_assert_uint_eq(value(0, 1), 100 + i);
		op = next;
	}
	ck_assert_uint_eq(stat_of(&stats()->conns_evicted), 10);
	close(a);
	close(b);
}
END_TEST

START_TEST(what_came_meanwhile_is_answered_by_the_successor)
{
	int fd = client("127.0.0.1");

	serves(fd);
	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, i);
	successor();
	turns();
	for (unsigned i = 0; i < MANY; i++)
		answered(fd, i, i);
	close(fd);
}
END_TEST

/* ---- a system that says no ---- */

START_TEST(replies_that_do_not_fit_wait_and_nothing_more_is_taken)
{
	int fd = client("127.0.0.1");
	uint64_t in;

	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, i);
	no_send.error = EAGAIN;
	no_send.left = UINT_MAX;
	turns();
	in = stat_of(&stats()->bytes_in);
	ck_assert_uint_eq(in, DGRAM_BATCH * REQUEST);
	ck_assert_uint_eq(stat_of(&stats()->backpressured), 1);
	turns();
	ck_assert_uint_eq(stat_of(&stats()->bytes_in), in);
	no_send.left = 0;
	turns();
	for (unsigned i = 0; i < MANY; i++)
		answered(fd, i, i);
	ck_assert_uint_eq(stat_of(&stats()->replies_lost), 0);
	close(fd);
}
END_TEST

START_TEST(a_drain_waits_for_replies_that_wait)
{
	int fd = client("127.0.0.1");

	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, i);
	no_send.error = EAGAIN;
	no_send.left = UINT_MAX;
	turns();
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
	turns();
	ck_assert(!fx.worker.done);
	no_send.left = 0;
	turns();
	ck_assert(fx.worker.done);
	for (unsigned i = 0; i < MANY; i++)
		answered(fd, i, i);
	close(fd);
}
END_TEST

START_TEST(a_drain_answers_what_has_come_and_ends)
{
	int fd = client("127.0.0.1");

	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, i);
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
	ck_assert(fx.worker.done);
	for (unsigned i = 0; i < MANY; i++)
		answered(fd, i, i);
	ask(fd, 1, 1);
	ck_assert(silent(fd));
	close(fd);
}
END_TEST

START_TEST(an_error_of_an_earlier_datagram_costs_no_reply)
{
	int fd = client("127.0.0.1");

	no_send.error = ECONNREFUSED;
	no_recv.error = ECONNREFUSED;
	for (unsigned i = 0; i < 10; i++) {
		no_send.left = no_recv.left = 1;
		serves(fd);
		ck_assert_uint_eq(no_send.said, i + 1);
		ck_assert_uint_eq(no_recv.said, i + 1);
	}
	ck_assert_uint_eq(stat_of(&stats()->replies_lost), 0);
	close(fd);
}
END_TEST

START_TEST(a_reply_that_cannot_be_sent_is_counted_and_holds_up_no_other)
{
	int fd = client("127.0.0.1");

	for (unsigned i = 0; i < 3; i++)
		ask(fd, i, i);
	no_send.error = EPERM;
	no_send.left = 4;
	turns();
	answered(fd, 2, 2);
	ck_assert(silent(fd));
	ck_assert_uint_eq(stat_of(&stats()->replies_lost), 2);
	ck_assert_uint_eq(stat_of(&stats()->bytes_out), REPLY);
	serves(fd);
	close(fd);
}
END_TEST

START_TEST(a_socket_with_nothing_but_errors_is_no_busy_loop)
{
	int fd = client("127.0.0.1");

	ask(fd, 1, 1);
	no_recv.error = ENOMEM;
	no_recv.left = UINT_MAX;
	for (int i = 0; i < 1000; i++)
		turn();
	ck_assert_uint_le(no_recv.said, 50);
	no_recv.left = 0;
	for (int i = 0; i < 100 && stat_of(&stats()->bytes_out) == 0; i++) {
		poll(NULL, 0, 10);
		turn();
	}
	answered(fd, 1, 1);
	close(fd);
}
END_TEST

START_TEST(a_turn_is_bounded)
{
	int fd = client("127.0.0.1");

	for (unsigned i = 0; i < 500; i++)
		ask(fd, i, 1);
	turn();
	ck_assert_uint_gt(stat_of(&stats()->bytes_in), 0);
	ck_assert_uint_le(stat_of(&stats()->bytes_in), 256 * REQUEST);
	turns();
	ck_assert_uint_eq(stat_of(&stats()->bytes_in), 500 * REQUEST);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_udp");
	TCase *tc = tcase_create("t_udp");
	const int nframes = sizeof(frames) / sizeof(frames[0]);
	const int nways = sizeof(ways) / sizeof(ways[0]);

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
	    tc, a_reply_leaves_from_the_address_that_was_asked, 0, nways);
	tcase_add_test(
	    tc, an_answer_to_a_multicast_leaves_from_an_address_of_its_own);
	tcase_add_loop_test(tc, a_datagram_is_one_frame_or_nothing, 0, nframes);
	tcase_add_test(tc, junk_opens_nothing);
	tcase_add_test(tc, an_exception_reply_is_no_request);
	tcase_add_loop_test(
	    tc, what_seems_to_come_from_itself_is_not_answered, 0, 2);
	tcase_add_test(tc, who_sends_a_frame_has_a_record);
	tcase_add_test(tc, peers_never_mix);
	tcase_add_test(
	    tc, the_longest_unused_peer_makes_room_and_is_served_all_the_same);
	tcase_add_test(tc, priority_peers_stay_and_keep_others_out);
	tcase_add_test(tc, a_host_at_its_limit_replaces_its_own_oldest);
	tcase_add_test(tc, the_denied_are_neither_answered_nor_listed);
	tcase_add_test(tc, a_peer_that_asks_nothing_is_forgotten);
	tcase_add_test(tc, a_kicked_peer_is_forgotten_and_comes_anew);
	tcase_add_test(tc, max_transactions_counts_what_a_peer_asks_at_once);
	tcase_add_loop_test(tc, no_operation_number_is_given_out_twice, 0, 2);
	tcase_add_test(tc, a_record_that_changes_hands_numbers_on);
	tcase_add_test(tc, what_came_meanwhile_is_answered_by_the_successor);
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
