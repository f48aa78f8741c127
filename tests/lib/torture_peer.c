/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the harness that kills workers of TCP: asks, and judges every
 * byte of what comes. Runs in the harness and in processes that it forks.
 */
#include "tests/lib/torture_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/torture_wire.h"

enum { HEAD = 8 }; /* MBAP and the function code */

void
peer_wrong(struct peer *p, const char *what)
{
	if (p->wrong == NULL)
		p->wrong = what;
}

int
peer_dial(struct peer *p, const struct sockaddr_in *at, bool small)
{
	int one = 1, bytes = 2304;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -1;
	if (small)
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (connect(p->fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
		return -1;
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->nin = p->nout = 0;
	p->got = p->sent;
	p->ended = false;
	return 0;
}

void
peer_hang_up(struct peer *p, bool hard)
{
	struct linger now = { 1, 0 };

	if (hard)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p->fd);
	p->fd = -1;
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

void
peer_ask(struct peer *p, enum peer_kind kind, unsigned n, uint16_t mark)
{
	uint8_t *q = p->out + p->nout;
	uint16_t tid = ++p->sent;
	struct peer_asked *a = &p->asked[tid % PEER_QUEUE];
	unsigned len = kind == PEER_INC ? 10 + 2 * n
	    : kind == PEER_RW           ? 19
					: 12;

	*a = (struct peer_asked){ .kind = (uint8_t)kind,
		.regs = (uint8_t)n,
		.mark_at_least = mark,
		.mark = -1 };
	memset(q, 0, len);
	put16(q, tid);
	put16(q + 4, len - 6);
	q[6] = 1;
	put16(q + HEAD, p->base);
	switch (kind) {
	case PEER_INC:
		q[7] = WIRE_INC;
		p->count++;
		break;
	case PEER_RW:
		q[7] = 23;
		put16(q + 10, PEER_REGS);
		put16(q + 12, p->base + 2);
		put16(q + 14, 1);
		q[16] = 2;
		put16(q + 17, tid);
		p->token = tid;
		break;
	default:
		q[7] = 3;
		put16(q + 10, n);
	}
	a->count = p->count;
	a->token = p->token;
	p->nout += len;
}

ssize_t
peer_send(struct peer *p, size_t len)
{
	ssize_t n;

	if (len > p->nout)
		len = p->nout;
	n = send(p->fd, p->out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0) {
		memmove(p->out, p->out + n, p->nout - (size_t)n);
		p->nout -= (size_t)n;
	}
	return n;
}

static void
judge_regs(
    struct peer *p, const struct peer_asked *a, const uint8_t *r, int mark)
{
	int got = (int)get16(r + 6);

	if (get16(r) != a->count || get16(r + 2) != a->count)
		peer_wrong(p, "a counter in a reply is wrong");
	if (get16(r + 4) != a->token)
		peer_wrong(p, "a token in a reply is wrong");
	if (mark < 0)
		return;
	if (a->kind == PEER_RW && got != (a->mark >= 0 ? a->mark : mark))
		peer_wrong(p, "what FC 23 has read is not what it read");
	if (a->kind == PEER_READ && (got < a->mark_at_least || got > mark))
		peer_wrong(p, "a mark in a reply is wrong");
}

static void
judge(struct peer *p, const uint8_t *r, unsigned len, int mark)
{
	uint16_t tid = ++p->got;
	const struct peer_asked *a = &p->asked[tid % PEER_QUEUE];
	static const uint8_t fc[] = { WIRE_INC, 23, 3 };
	unsigned regs = a->kind == PEER_RW ? PEER_REGS : a->regs;

	p->replies++;
	if ((int16_t)(p->sent - tid) < 0) {
		peer_wrong(p, "a reply to nothing");
	} else if (get16(r) != tid) {
		snprintf(p->words, sizeof(p->words),
		    "a reply is lost, doubled or out of order: %u for %u",
		    get16(r), tid);
		peer_wrong(p, p->words);
	} else if (r[7] != fc[a->kind]) {
		snprintf(p->words, sizeof(p->words),
		    "function code %u is answered %u %u", fc[a->kind], r[7],
		    r[8]);
		peer_wrong(p, p->words);
	} else if (a->kind == PEER_INC) {
		if (len != 10 || get16(r + HEAD) != a->count)
			peer_wrong(p, "an increment is lost or doubled");
	} else if (len != 9 + 2 * regs || r[8] != 2 * regs) {
		peer_wrong(p, "a reply has another length");
	} else if (regs >= PEER_REGS) {
		judge_regs(p, a, r + 9, mark);
	}
}

int
peer_take(struct peer *p, int mark)
{
	ssize_t n =
	    recv(p->fd, p->in + p->nin, sizeof(p->in) - p->nin, MSG_DONTWAIT);
	size_t at = 0;
	int replies = 0;

	if (n < 0) {
		if (errno != EAGAIN)
			peer_wrong(p, "a connection broke");
		return 0;
	}
	p->ended = n == 0;
	p->nin += (size_t)n;
	while (p->nin - at >= HEAD) {
		unsigned len = 6 + get16(p->in + at + 4);

		if (len < HEAD || len > 300) {
			peer_wrong(p, "what came is no reply");
			at = p->nin;
			break;
		}
		if (p->nin - at < len)
			break;
		judge(p, p->in + at, len, mark);
		at += len;
		replies++;
	}
	memmove(p->in, p->in + at, p->nin - at);
	p->nin -= at;
	return replies;
}

void
peer_fix(struct peer *p, uint16_t token, uint16_t mark)
{
	for (uint16_t t = (uint16_t)(p->got + 1); (int16_t)(p->sent - t) >= 0;
	     t++) {
		struct peer_asked *a = &p->asked[t % PEER_QUEUE];

		if (a->kind == PEER_RW && a->mark < 0 &&
		    (int16_t)(token - t) >= 0)
			a->mark = mark;
	}
}
