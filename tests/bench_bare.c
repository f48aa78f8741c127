/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measure that holdfastd is held against: the least that a Modbus/TCP
 * server can do. One process, one epoll, registers in a plain array, FC 3 and
 * FC 16 only, one recv and one send for all requests that have come. It keeps
 * no counters and nobody else can see its registers; a client that does not
 * read its replies is dropped.
 *
 *	bench_bare PORT	prints the port once it listens
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEAD = 7, /* MBAP: transaction, protocol, length, unit */
	ADU_MAX = 260,
	IN_BYTES = 65536,
	/* the longest reply to the shortest request, for a full input */
	OUT_BYTES = IN_BYTES / 12 * ADU_MAX,
	TURN = 256,
	PDU_MAX = 253,
	EX_FUNCTION = 1,
	EX_ADDRESS = 2,
	EX_VALUE = 3,
};

struct conn {
	int fd;
	unsigned left; /* bytes of an unfinished request */
	uint8_t in[ADU_MAX];
};

static uint16_t regs[65536];
static uint8_t in[ADU_MAX + IN_BYTES];
static uint8_t out[OUT_BYTES + ADU_MAX];

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Between host order and the wire's, four registers at a time: a bar that
 * lost time here would be too low. */
static void
copy_swapped(void *dst, const void *src, unsigned count)
{
	const uint64_t low = 0x00ff00ff00ff00ffULL;
	uint8_t *d = dst;
	const uint8_t *s = src;
	uint64_t v;
	uint16_t w;

	for (; count >= 4; count -= 4, d += 8, s += 8) {
		memcpy(&v, s, 8);
		v = (v & low) << 8 | (v >> 8 & low);
		memcpy(d, &v, 8);
	}
	for (; count; count--, d += 2, s += 2) {
		memcpy(&w, s, 2);
		w = htons(w);
		memcpy(d, &w, 2);
	}
}

static unsigned
exception(uint8_t *rsp, unsigned fc, unsigned code)
{
	rsp[0] = (uint8_t)(fc | 0x80);
	rsp[1] = (uint8_t)code;
	return 2;
}

static unsigned
read_regs(const uint8_t *req, unsigned len, uint8_t *rsp)
{
	unsigned addr, count;

	if (len != 5 || (count = get16(req + 3)) < 1 || count > 125)
		return exception(rsp, 3, EX_VALUE);
	if ((addr = get16(req + 1)) + count > 65536)
		return exception(rsp, 3, EX_ADDRESS);
	rsp[0] = 3;
	rsp[1] = (uint8_t)(2 * count);
	copy_swapped(rsp + 2, regs + addr, count);
	return 2 + 2 * count;
}

static unsigned
write_regs(const uint8_t *req, unsigned len, uint8_t *rsp)
{
	unsigned addr, count;

	if (len < 6 || (count = get16(req + 3)) < 1 || count > 123 ||
	    req[5] != 2 * count || len != 6 + 2 * count)
		return exception(rsp, 16, EX_VALUE);
	if ((addr = get16(req + 1)) + count > 65536)
		return exception(rsp, 16, EX_ADDRESS);
	copy_swapped(regs + addr, req + 6, count);
	memcpy(rsp, req, 5);
	return 5;
}

static unsigned
serve(const uint8_t *req, unsigned len, uint8_t *rsp)
{
	switch (req[0]) {
	case 3:
		return read_regs(req, len, rsp);
	case 16:
		return write_regs(req, len, rsp);
	default:
		return exception(rsp, req[0], EX_FUNCTION);
	}
}

/* Serves every whole request of in[0..len). How many bytes those were, or -1
 * for bytes that are no Modbus. */
static ssize_t
serve_all(size_t len, size_t *outlen)
{
	size_t off = 0, o = 0;
	unsigned n, m;

	while (len - off > HEAD) {
		n = get16(in + off + 4);
		if (get16(in + off + 2) != 0 || n < 2 || n > PDU_MAX + 1)
			return -1;
		if (len - off < n + 6u)
			break;
		m = serve(in + off + HEAD, n - 1, out + o + HEAD);
		memcpy(out + o, in + off, 4);
		put16(out + o + 4, m + 1);
		out[o + 6] = in[off + 6];
		o += HEAD + m;
		off += n + 6;
	}
	*outlen = o;
	return (ssize_t)off;
}

static void
readable(struct conn *c)
{
	size_t len, outlen;
	ssize_t n, used;

	memcpy(in, c->in, c->left);
	n = recv(c->fd, in + c->left, IN_BYTES, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		goto close;
	len = c->left + (size_t)n;
	if ((used = serve_all(len, &outlen)) < 0)
		goto close;
	if (outlen && send(c->fd, out, outlen, MSG_NOSIGNAL) != (ssize_t)outlen)
		goto close;
	c->left = (unsigned)(len - (size_t)used);
	memcpy(c->in, in + used, c->left);
	return;
close:
	close(c->fd);
	free(c);
}

static void
accept_one(int ep, int lfd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;
	int fd, on = 1;

	if ((fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK)) < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!(c = calloc(1, sizeof(*c))))
		err(1, "calloc");
	c->fd = fd;
	ev.data.ptr = c;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(1, "epoll_ctl");
}

static int
listen_on(const char *where)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd, on = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)atoi(where));
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		err(1, "port %s", where);
	printf("%u\n", ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN }, got[TURN];
	int ep, lfd, i, n;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_bare PORT\n");
		return 64;
	}
	lfd = listen_on(argv[1]);
	if ((ep = epoll_create1(0)) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev) < 0)
		err(1, "epoll");
	for (;;) {
		n = epoll_wait(ep, got, TURN, -1);
		for (i = 0; i < n; i++)
			if (got[i].data.ptr)
				readable(got[i].data.ptr);
			else
				accept_one(ep, lfd);
	}
}
