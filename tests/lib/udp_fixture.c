/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker of type udp that check_t_udp.c and check_dgram.c ask, the clients
 * that ask it, and what stands in for the system's sendmmsg() and recvmmsg()
 * so that they can be told to fail. The loop turns only when a test turns it.
 */
#include "tests/lib/udp_fixture.h"

#include <sys/syscall.h>

#include "supervisor/listen.h"

struct udp_fixture uf;

static bool
refused(struct uf_refusal *r)
{
	if (r->left == 0)
		return false;
	--r->left;
	++r->said;
	errno = r->error;
	return true;
}

int sendmmsg(int, struct mmsghdr *, unsigned, int);
int recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);

/* In place of the library's, for the daemon's own code. */
int
sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	if (refused(&uf.no_send))
		return -1;
	return (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

int
recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t)
{
	int got;

	if (refused(&uf.no_recv))
		return -1;
	got = (int)syscall(SYS_recvmmsg, fd, m, n, flags, t);
	for (int i = 0; uf.multicast && i < got; i++) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m[i].msg_hdr);
		struct in6_pktinfo pi = { .ipi6_ifindex = 1 };

		ck_assert_int_eq(
		    inet_pton(AF_INET6, "ff02::1", &pi.ipi6_addr), 1);
		memcpy(CMSG_DATA(c), &pi, sizeof(pi));
	}
	return got;
}

void
uf_begin(void)
{
	uf.fx.worker.state = NULL;
	ck_assert_int_eq(uf.fx.worker.ops->start(&uf.fx.worker), 0);
}

void
uf_setup_at(const char *where, const char *framer)
{
	static char name[8];
	char real[LISTEN_ADDR_MAX];

	fx_init(&uf.fx);
	snprintf(name, sizeof(name), "%s", framer);
	uf.fx.transport.framer = name;
	uf.fx.transport.type = CONF_UDP;
	uf.fx.proc.listen_fd = listen_open(where, true, real, sizeof(real));
	ck_assert_int_ge(uf.fx.proc.listen_fd, 0);
	uf.port = (uint16_t)atoi(strrchr(real, ':') + 1);
	ck_assert_ptr_nonnull(uf.fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&uf.fx.worker.bind, &uf.fx.proc), 0);
	uf.fx.worker.ops = transport_find(&uf.fx.worker);
	uf_begin();
}

void
uf_setup(void)
{
	uf_setup_at("0.0.0.0:0", "socket");
}

void
uf_teardown(void)
{
	uf.fx.worker.ops->stop(&uf.fx.worker);
	bind_fini(&uf.fx.worker.bind);
	event_base_free(uf.fx.worker.base);
	close(uf.fx.proc.listen_fd);
	fx_fini(&uf.fx);
}

void
uf_again(const char *where, const char *framer)
{
	uf_teardown();
	uf_setup_at(where, framer);
}

void
uf_turn(void)
{
	uf.fx.worker.turned = false;
	event_base_loop(uf.fx.worker.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

void
uf_turns(void)
{
	for (int i = 0; i < 20; i++)
		uf_turn();
}

struct sockaddr_storage
uf_at(const char *host)
{
	struct sockaddr_storage ss = { .ss_family = AF_INET };
	struct sockaddr_in *in = (void *)&ss;
	struct sockaddr_in6 *in6 = (void *)&ss;

	if (strchr(host, ':') == NULL) {
		in->sin_port = htons(uf.port);
		ck_assert_int_eq(inet_pton(AF_INET, host, &in->sin_addr), 1);
		return ss;
	}
	ss.ss_family = AF_INET6;
	in6->sin6_port = htons(uf.port);
	ck_assert_int_eq(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
	return ss;
}

int
uf_client(const char *host)
{
	struct sockaddr_storage ss = uf_at(host);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int one = 1;

	((struct sockaddr_in *)&ss)->sin_port = 0;
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, sizeof(ss)), 0);
	return fd;
}

int
uf_send_to(int fd, const char *host, const void *p, size_t len)
{
	struct sockaddr_storage ss = uf_at(host);

	return (int)sendto(fd, p, len, 0, (struct sockaddr *)&ss, sizeof(ss));
}

void
uf_tell(int fd, const void *p, size_t len)
{
	ck_assert_int_eq(uf_send_to(fd, "127.0.0.1", p, len), (int)len);
}

void
uf_ask_at(int fd, const char *host, unsigned tid, unsigned addr)
{
	const uint8_t adu[REQUEST] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
		0, 6, 1, 3, 0, (uint8_t)addr, 0, 1 };

	ck_assert_int_eq(uf_send_to(fd, host, adu, sizeof(adu)), REQUEST);
}

void
uf_ask(int fd, unsigned tid, unsigned addr)
{
	uf_ask_at(fd, "127.0.0.1", tid, addr);
}

int
uf_receive(int fd, uint8_t *p, size_t room)
{
	return (int)recv(fd, p, room, MSG_DONTWAIT);
}

bool
uf_silent(int fd)
{
	uint8_t p[16];

	uf_turns();
	return uf_receive(fd, p, sizeof(p)) == -1;
}

void
uf_answered(int fd, unsigned tid, unsigned addr)
{
	const uint8_t want[REPLY] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
		0, 5, 1, 3, 2, 0, (uint8_t)addr };
	uint8_t p[300];

	ck_assert_int_eq(uf_receive(fd, p, sizeof(p)), REPLY);
	ck_assert_mem_eq(p, want, REPLY);
}

void
uf_serves(int fd)
{
	static unsigned tid;

	tid++;
	uf_ask(fd, tid, 100 + tid % 100);
	uf_turns();
	uf_answered(fd, tid, 100 + tid % 100);
}

uint64_t
uf_write_hr(int fd, unsigned unit, unsigned addr, unsigned value)
{
	const uint8_t adu[REQUEST] = { 7, 7, 0, 0, 0, 6, (uint8_t)unit, 6, 0,
		(uint8_t)addr, (uint8_t)(value >> 8), (uint8_t)value };
	uint8_t p[16];

	uf_tell(fd, adu, sizeof(adu));
	uf_turns();
	if (unit != 0) {
		ck_assert_int_eq(uf_receive(fd, p, sizeof(p)), REQUEST);
		ck_assert_mem_eq(p, adu, REQUEST);
	}
	return uf.fx.worker.bind.who.op;
}

unsigned
uf_value(int device, unsigned addr)
{
	uint8_t p[2];

	ck_assert_int_eq(
	    store_read(&uf.fx.stores[device], STORE_HR, addr, 1, p, NULL),
	    STORE_OK);
	return (unsigned)(p[0] << 8 | p[1]);
}

struct shm_stats *
uf_stats(void)
{
	return &uf.fx.worker.shm->stats;
}

uint64_t
uf_stat_of(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}
