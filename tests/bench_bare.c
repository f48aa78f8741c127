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

#include "tests/bench_bare.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	IN_BYTES = 65536,
	/* the longest reply to the shortest request, for a full input */
	OUT_BYTES = IN_BYTES / 12 * BARE_ADU_MAX,
	TURN = 256,
};

struct conn {
	int fd;
	unsigned left; /* bytes of an unfinished request */
	uint8_t in[BARE_ADU_MAX];
};

static uint8_t in[BARE_ADU_MAX + IN_BYTES];
static uint8_t out[OUT_BYTES + BARE_ADU_MAX];

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
	if ((used = bare_stream(in, len, out, &outlen)) < 0)
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

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN }, got[TURN];
	int ep, lfd, i, n;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_bare PORT\n");
		return 64;
	}
	lfd = bare_socket(SOCK_STREAM, argv[1]);
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
