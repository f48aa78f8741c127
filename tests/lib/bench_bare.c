/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every bare server does for a request and for a client: a bar that lost
 * time here would be too low, so whatever runs for each request is one file.
 * Runs in the bare server; keeps nothing but its registers.
 */
#include "tests/lib/bench_bare.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

enum {
	EX_FUNCTION = 1,
	EX_ADDRESS = 2,
	EX_VALUE = 3,
	TURN = 256, /* sockets at once */
};

static uint16_t regs[65536];

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
copy(void *dst, const void *src, unsigned count)
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
	copy(rsp + 2, regs + addr, count);
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
	copy(regs + addr, req + 6, count);
	memcpy(rsp, req, 5);
	return 5;
}

unsigned
bare_serve(const uint8_t *req, unsigned len, uint8_t *rsp)
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

ssize_t
bare_stream(const uint8_t *in, size_t len, uint8_t *out, size_t *outlen)
{
	size_t off = 0, o = 0;
	unsigned n, m;

	while (len - off > BARE_HEAD) {
		n = get16(in + off + 4);
		if (get16(in + off + 2) != 0 || n < 2 || n > BARE_PDU_MAX + 1)
			return -1;
		if (len - off < n + 6u)
			break;
		m = bare_serve(
		    in + off + BARE_HEAD, n - 1, out + o + BARE_HEAD);
		memcpy(out + o, in + off, 4);
		put16(out + o + 4, m + 1);
		out[o + 6] = in[off + 6];
		o += BARE_HEAD + m;
		off += n + 6;
	}
	*outlen = o;
	return (ssize_t)off;
}

int
bare_socket(int type, const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd, on = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)atoi(port));
	if ((fd = socket(AF_INET, type | SOCK_NONBLOCK, 0)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 4096) < 0) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		err(1, "port %s", port);
	printf("%u\n", ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

int
bare_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

void
bare_watch(int ep, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(1, "epoll_ctl");
}

void
bare_turns(const char *port, void (*accepted)(int ep, int listener),
    void (*readable)(void *what))
{
	struct epoll_event got[TURN];
	int ep = epoll_create1(0), fd = bare_socket(SOCK_STREAM, port), i, n;

	if (ep < 0)
		err(1, "epoll");
	bare_watch(ep, fd, NULL);
	for (;;) {
		n = epoll_wait(ep, got, TURN, -1);
		for (i = 0; i < n; i++)
			if (got[i].data.ptr)
				readable(got[i].data.ptr);
			else
				accepted(ep, fd);
	}
}
