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

#include "tests/lib/bench_bare.h"

#include <errno.h>
#include <unistd.h>

enum {
	IN_BYTES = 65536,
	/* the longest reply to the shortest request, for a full input */
	OUT_BYTES = IN_BYTES / 12 * BARE_ADU_MAX,
};

struct conn {
	int fd;
	unsigned left; /* bytes of an unfinished request */
	uint8_t in[BARE_ADU_MAX];
};

static uint8_t in[BARE_ADU_MAX + IN_BYTES];
static uint8_t out[OUT_BYTES + BARE_ADU_MAX];

static void
readable(void *what)
{
	struct conn *c = what;
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
	struct conn *c;
	int fd = bare_accept(lfd);

	if (fd < 0)
		return;
	if (!(c = calloc(1, sizeof(*c))))
		err(1, "calloc");
	c->fd = fd;
	bare_watch(ep, fd, c);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: bench_bare PORT\n");
		return 64;
	}
	bare_turns(argv[1], accept_one, readable);
	return 0;
}
