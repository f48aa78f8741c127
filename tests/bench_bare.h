/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

/*
 * What the bare servers have in common: FC 3 and FC 16 on registers in a plain
 * array, and requests under an MBAP header. They keep no counters and nobody
 * else can see their registers.
 */

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	BARE_HEAD = 7, /* MBAP: transaction, protocol, length, unit */
	BARE_ADU_MAX = 260,
	BARE_PDU_MAX = 253,
	BARE_EX_FUNCTION = 1,
	BARE_EX_ADDRESS = 2,
	BARE_EX_VALUE = 3,
	BARE_TURN = 256, /* sockets at once */
};

static uint16_t bare_regs[65536];

static inline unsigned
bare_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline void
bare_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Between host order and the wire's, four registers at a time: a bar that
 * lost time here would be too low. */
static inline void
bare_copy(void *dst, const void *src, unsigned count)
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

static inline unsigned
bare_exception(uint8_t *rsp, unsigned fc, unsigned code)
{
	rsp[0] = (uint8_t)(fc | 0x80);
	rsp[1] = (uint8_t)code;
	return 2;
}

static inline unsigned
bare_read(const uint8_t *req, unsigned len, uint8_t *rsp)
{
	unsigned addr, count;

	if (len != 5 || (count = bare_get16(req + 3)) < 1 || count > 125)
		return bare_exception(rsp, 3, BARE_EX_VALUE);
	if ((addr = bare_get16(req + 1)) + count > 65536)
		return bare_exception(rsp, 3, BARE_EX_ADDRESS);
	rsp[0] = 3;
	rsp[1] = (uint8_t)(2 * count);
	bare_copy(rsp + 2, bare_regs + addr, count);
	return 2 + 2 * count;
}

static inline unsigned
bare_write(const uint8_t *req, unsigned len, uint8_t *rsp)
{
	unsigned addr, count;

	if (len < 6 || (count = bare_get16(req + 3)) < 1 || count > 123 ||
	    req[5] != 2 * count || len != 6 + 2 * count)
		return bare_exception(rsp, 16, BARE_EX_VALUE);
	if ((addr = bare_get16(req + 1)) + count > 65536)
		return bare_exception(rsp, 16, BARE_EX_ADDRESS);
	bare_copy(bare_regs + addr, req + 6, count);
	memcpy(rsp, req, 5);
	return 5;
}

static inline unsigned
bare_serve(const uint8_t *req, unsigned len, uint8_t *rsp)
{
	switch (req[0]) {
	case 3:
		return bare_read(req, len, rsp);
	case 16:
		return bare_write(req, len, rsp);
	default:
		return bare_exception(rsp, req[0], BARE_EX_FUNCTION);
	}
}

/* Serves every whole request of in[0..len). How many bytes those were, or -1
 * for bytes that are no Modbus. out has room for the replies. */
static inline ssize_t
bare_stream(const uint8_t *in, size_t len, uint8_t *out, size_t *outlen)
{
	size_t off = 0, o = 0;
	unsigned n, m;

	while (len - off > BARE_HEAD) {
		n = bare_get16(in + off + 4);
		if (bare_get16(in + off + 2) != 0 || n < 2 ||
		    n > BARE_PDU_MAX + 1)
			return -1;
		if (len - off < n + 6u)
			break;
		m = bare_serve(
		    in + off + BARE_HEAD, n - 1, out + o + BARE_HEAD);
		memcpy(out + o, in + off, 4);
		bare_put16(out + o + 4, m + 1);
		out[o + 6] = in[off + 6];
		o += BARE_HEAD + m;
		off += n + 6;
	}
	*outlen = o;
	return (ssize_t)off;
}

/* A socket on a port of 127.0.0.1, which it prints. type: SOCK_STREAM, which
 * then listens, or SOCK_DGRAM. */
static inline int
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

/* The next client of a socket that listens, or -1. */
static inline int
bare_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Has what is to be read from a socket told with what; NULL for the one that
 * listens. */
static inline void
bare_watch(int ep, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(1, "epoll_ctl");
}

/* Serves whoever comes to a port, for ever. */
static inline void
bare_turns(const char *port, void (*accepted)(int ep, int listener),
    void (*readable)(void *what))
{
	struct epoll_event got[BARE_TURN];
	int ep = epoll_create1(0), fd = bare_socket(SOCK_STREAM, port), i, n;

	if (ep < 0)
		err(1, "epoll");
	bare_watch(ep, fd, NULL);
	for (;;) {
		n = epoll_wait(ep, got, BARE_TURN, -1);
		for (i = 0; i < n; i++)
			if (got[i].data.ptr)
				readable(got[i].data.ptr);
			else
				accepted(ep, fd);
	}
}

#endif
