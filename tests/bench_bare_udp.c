/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a Modbus/UDP server can do, in two ways: `batch` takes all
 * datagrams that have come with one recvmmsg and answers them with one
 * sendmmsg; `single` takes and answers one datagram for each event. Which is
 * faster depends on how many come at once; the faster one is the measure. A
 * datagram that is not exactly one request is dropped.
 *
 *	bench_bare_udp PORT batch|single	prints the port once it is bound
 */

#include "tests/lib/bench_bare.h"

#include <stdbool.h>
#include <sys/epoll.h>

enum { BATCH = 64, IN_BYTES = 512 };

static struct sockaddr_in from[BATCH];
static uint8_t in[BATCH][IN_BYTES], out[BATCH][BARE_ADU_MAX];
static struct iovec iov_in[BATCH], iov_out[BATCH];
static struct mmsghdr msg_in[BATCH], msg_out[BATCH];

/* The reply's length, 0 for none. */
static size_t
serve_one(const uint8_t *req, size_t len, uint8_t *reply)
{
	size_t n;

	if (bare_stream(req, len < BARE_ADU_MAX ? len : BARE_ADU_MAX, reply,
		&n) != (ssize_t)len)
		return 0;
	return n;
}

static void
prepare(void)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		iov_in[i] = (struct iovec){ in[i], IN_BYTES };
		msg_in[i].msg_hdr.msg_iov = &iov_in[i];
		msg_in[i].msg_hdr.msg_iovlen = 1;
		msg_in[i].msg_hdr.msg_name = &from[i];
		msg_out[i].msg_hdr.msg_iov = &iov_out[i];
		msg_out[i].msg_hdr.msg_iovlen = 1;
		msg_out[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
}

static void
turn_batch(int fd)
{
	int i, n, m = 0;

	for (i = 0; i < BATCH; i++)
		msg_in[i].msg_hdr.msg_namelen = sizeof(from[i]);
	n = recvmmsg(fd, msg_in, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++) {
		iov_out[m].iov_base = out[m];
		iov_out[m].iov_len =
		    serve_one(in[i], msg_in[i].msg_len, out[m]);
		msg_out[m].msg_hdr.msg_name = &from[i];
		m += iov_out[m].iov_len != 0;
	}
	if (m > 0)
		sendmmsg(fd, msg_out, (unsigned)m, MSG_DONTWAIT);
}

static void
turn_single(int fd)
{
	socklen_t len = sizeof(from[0]);
	ssize_t n =
	    recvfrom(fd, in[0], IN_BYTES, 0, (struct sockaddr *)&from[0], &len);
	size_t m = n > 0 ? serve_one(in[0], (size_t)n, out[0]) : 0;

	if (m > 0)
		sendto(fd, out[0], m, 0, (struct sockaddr *)&from[0], len);
}

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN };
	bool batch = argc == 3 && strcmp(argv[2], "batch") == 0;
	int ep, fd, room = 1 << 20;

	if (argc != 3 || (!batch && strcmp(argv[2], "single") != 0)) {
		fprintf(stderr, "usage: bench_bare_udp PORT batch|single\n");
		return 64;
	}
	prepare();
	fd = bare_socket(SOCK_DGRAM, argv[1]);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if ((ep = epoll_create1(0)) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(1, "epoll");
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			continue;
		if (batch)
			turn_batch(fd);
		else
			turn_single(fd);
	}
}
