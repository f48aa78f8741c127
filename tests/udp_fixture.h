/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UDP_FIXTURE_H
#define TESTS_UDP_FIXTURE_H

/*
 * A worker of type udp on a real socket of loopback, in a loop that is turned
 * by hand, and clients of it. What the system says to the daemon's sendmmsg()
 * and recvmmsg() can be prescribed.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "supervisor/listen.h"
#include "tests/lib/worker_fixture.h"
#include "workers/batch.h"
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

static inline bool
refused(int error, unsigned *left, unsigned *said)
{
	if (*left == 0)
		return false;
	--*left;
	++*said;
	errno = error;
	return true;
}

int sendmmsg(int, struct mmsghdr *, unsigned, int);
int recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);

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

static inline void
begin(void)
{
	fx.worker.state = NULL;
	ck_assert_int_eq(fx.worker.ops->start(&fx.worker), 0);
}

static inline void
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

static inline void
setup(void)
{
	setup_at("0.0.0.0:0", "socket");
}

static inline void
teardown(void)
{
	fx.worker.ops->stop(&fx.worker);
	bind_fini(&fx.worker.bind);
	event_base_free(fx.worker.base);
	close(fx.proc.listen_fd);
	fx_fini(&fx);
}

/* The same with other arguments. */
static inline void
again(const char *where, const char *framer)
{
	teardown();
	setup_at(where, framer);
}

static inline void
turn(void)
{
	fx.worker.turned = false;
	event_base_loop(fx.worker.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static inline void
turns(void)
{
	for (int i = 0; i < 20; i++)
		turn();
}

static inline struct sockaddr_storage
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
static inline int
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

static inline int
send_to(int fd, const char *host, const void *p, size_t len)
{
	struct sockaddr_storage ss = at(host);

	return (int)sendto(fd, p, len, 0, (struct sockaddr *)&ss, sizeof(ss));
}

static inline void
tell(int fd, const void *p, size_t len)
{
	ck_assert_int_eq(send_to(fd, "127.0.0.1", p, len), (int)len);
}

/* Asks for register addr, whose value is its address. */
static inline void
ask_at(int fd, const char *host, unsigned tid, unsigned addr)
{
	const uint8_t adu[REQUEST] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
		0, 6, 1, 3, 0, (uint8_t)addr, 0, 1 };

	ck_assert_int_eq(send_to(fd, host, adu, sizeof(adu)), REQUEST);
}

static inline void
ask(int fd, unsigned tid, unsigned addr)
{
	ask_at(fd, "127.0.0.1", tid, addr);
}

/* What has come for a client: its length, -1 for nothing. */
static inline int
receive(int fd, uint8_t *p, size_t room)
{
	return (int)recv(fd, p, room, MSG_DONTWAIT);
}

static inline bool
silent(int fd)
{
	uint8_t p[16];

	turns();
	return receive(fd, p, sizeof(p)) == -1;
}

/* The reply to ask(), checked. */
static inline void
answered(int fd, unsigned tid, unsigned addr)
{
	const uint8_t want[REPLY] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
		0, 5, 1, 3, 2, 0, (uint8_t)addr };
	uint8_t p[300];

	ck_assert_int_eq(receive(fd, p, sizeof(p)), REPLY);
	ck_assert_mem_eq(p, want, REPLY);
}

/* A good request, to a register that nobody writes, goes its way. */
static inline void
serves(int fd)
{
	static unsigned tid;

	tid++;
	ask(fd, tid, 100 + tid % 100);
	turns();
	answered(fd, tid, 100 + tid % 100);
}

/* Writes a register; the reply is waited for. Returns the operation number. */
static inline uint64_t
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

static inline unsigned
value(int device, unsigned addr)
{
	uint8_t p[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[device], STORE_HR, addr, 1, p, NULL),
	    STORE_OK);
	return (unsigned)(p[0] << 8 | p[1]);
}

static inline struct shm_stats *
stats(void)
{
	return &fx.worker.shm->stats;
}

static inline uint64_t
stat_of(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}

#endif
