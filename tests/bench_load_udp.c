/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for Modbus/UDP. Every client has a socket of its own and
 * keeps --depth requests outstanding, FC 3 on registers that it has first
 * filled with a pattern of its own: a reply with another's transaction or
 * another's data is foreign, and an error. What is not answered within LOST_MS
 * is lost and asked again under a new transaction: that is counted apart, for
 * the system drops datagrams when others send too many.
 */

#include "tests/lib/bench_load.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 64,
	/* a transaction is its client's number, then the request's */
	SLOT_BITS = 10,
	SLOTS = 1 << SLOT_BITS,
	DEPTH_MAX = SLOTS / 2,
	BATCH = 64,
	LOST_MS = 1000,
	TRIES = 5, /* of a write before the measurement */
};

struct client {
	int fd;
	unsigned id, sent, out;
	uint64_t due[SLOTS]; /* when it was sent; 0: not outstanding */
	uint8_t expected[LOAD_ADU_MAX];
};

static struct {
	const char *where;
	struct sockaddr_in to;
	unsigned conns, depth, count;
	double seconds, warm;
} opt = { .conns = 1, .depth = 1, .count = 125, .seconds = 1, .warm = 0.1 };

static struct client client[CLIENTS_MAX];
static uint64_t begin_ns, end_ns, looked_ns;
static int ep;

static void
head(uint8_t *adu, unsigned tid, unsigned pdu_len)
{
	load_put16(adu, tid);
	load_put16(adu + 2, 0);
	load_put16(adu + 4, pdu_len + 1);
	adu[6] = 1;
}

static unsigned
first(const struct client *c)
{
	return c->id * 125;
}

/* Writes n registers of a client's pattern, and waits for the answer. */
static void
fill(struct client *c, unsigned from, unsigned n)
{
	uint8_t adu[LOAD_ADU_MAX], got[LOAD_ADU_MAX];
	struct timeval patience = { .tv_sec = LOST_MS / 1000 };
	unsigned tries;

	head(adu, c->id << SLOT_BITS, 6 + 2 * n);
	adu[7] = 16;
	load_put16(adu + 8, first(c) + from);
	load_put16(adu + 10, n);
	adu[12] = (uint8_t)(2 * n);
	memcpy(adu + 13, c->expected + 9 + 2 * from, 2 * n);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (tries = 0; tries < TRIES; tries++) {
		send(c->fd, adu, 13 + 2 * n, 0);
		if (recv(c->fd, got, sizeof(got), 0) == 12 &&
		    memcmp(got + 7, adu + 7, 5) == 0)
			return;
	}
	errx(1, "client %u cannot write", c->id);
}

static void
open_client(struct client *c, unsigned id)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	unsigned i, n = opt.count;

	c->id = id;
	if ((c->fd = socket(AF_INET, SOCK_DGRAM, 0)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&opt.to, sizeof(opt.to)) < 0)
		err(1, "socket");
	head(c->expected, 0, 2 + 2 * n);
	c->expected[7] = 3;
	c->expected[8] = (uint8_t)(2 * n);
	for (i = 0; i < n; i++)
		load_put16(c->expected + 9 + 2 * i, (id + 1) * 1009 + i);
	fill(c, 0, n < 100 ? n : 100);
	if (n > 100)
		fill(c, 100, n - 100);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		err(1, "epoll");
}

/* Sends n requests, which the server finds waiting at once. */
static void
ask(struct client *c, unsigned n, uint64_t t)
{
	static uint8_t adu[BATCH][12];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];
	unsigned i;

	for (i = 0; i < n; i++) {
		while (c->due[c->sent % SLOTS] != 0)
			c->sent++;
		head(adu[i], c->id << SLOT_BITS | c->sent % SLOTS, 5);
		adu[i][7] = 3;
		load_put16(adu[i] + 8, first(c));
		load_put16(adu[i] + 10, opt.count);
		c->due[c->sent++ % SLOTS] = t;
		iov[i] = (struct iovec){ adu[i], 12 };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	c->out += n;
	if (n == 1 ? send(c->fd, adu[0], 12, 0) != 12
		   : sendmmsg(c->fd, msg, n, 0) != (int)n)
		err(1, "send");
}

/* Whether one of the outstanding requests is answered by that; when it was
 * sent. */
static uint64_t
check(struct client *c, const uint8_t *adu, size_t len)
{
	unsigned tid, slot;
	uint64_t due;

	if (len == 12 && adu[7] == 16)
		return 0; /* to a write that was sent twice */
	if (len < 9 || len != 9 + 2 * opt.count) {
		load_wrong("a reply of the wrong length");
		return 0;
	}
	tid = load_get16(adu);
	slot = tid % SLOTS;
	if (tid >> SLOT_BITS != c->id ||
	    memcmp(adu + 2, c->expected + 2, len - 2) != 0) {
		load_sum.foreign++;
		load_wrong("a reply to somebody else");
		return 0;
	}
	due = c->due[slot];
	if (due == 0 && load_sum.lost == 0) /* it may come late after all */
		load_wrong("a second reply");
	c->due[slot] = 0;
	return due;
}

static void
readable(struct client *c)
{
	static uint8_t in[BATCH][LOAD_ADU_MAX + 1];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];
	unsigned fresh = 0;
	uint64_t due, t;
	int i, n;

	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(c->fd, msg, opt.depth < BATCH ? opt.depth : BATCH,
	    MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN)
		err(1, "recv");
	t = load_now();
	for (i = 0; i < n; i++) {
		if ((due = check(c, in[i], msg[i].msg_len)) == 0)
			continue;
		load_sum.served++;
		fresh++;
		if (due >= begin_ns && due < end_ns)
			load_took(t - due);
	}
	c->out -= fresh;
	if (fresh > 0 && t < end_ns)
		ask(c, fresh, t);
}

/* Gives up what has waited too long, and asks anew. */
static void
give_up(struct client *c, uint64_t t)
{
	unsigned i, n = 0;

	for (i = 0; i < SLOTS; i++)
		if (c->due[i] != 0 && t > c->due[i] + LOST_MS * 1000000ull) {
			c->due[i] = 0;
			load_sum.lost++;
			n++;
		}
	c->out -= n;
	for (; n > 0 && t < end_ns; n--)
		ask(c, 1, t);
}

static void
turn(void)
{
	struct epoll_event got[CLIENTS_MAX];
	int i, n = epoll_wait(ep, got, CLIENTS_MAX, 20);
	uint64_t t;

	for (i = 0; i < n; i++)
		readable(got[i].data.ptr);
	if ((t = load_now()) - looked_ns < LOST_MS * 1000000ull / 4)
		return;
	looked_ns = t;
	for (i = 0; i < (int)opt.conns; i++)
		give_up(&client[i], t);
}

static bool
outstanding(void)
{
	unsigned i;

	for (i = 0; i < opt.conns; i++)
		if (client[i].out != 0)
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	const struct load_option options[] = {
		{ "connect", .text = &opt.where },
		{ "conns", .number = &opt.conns },
		{ "depth", .number = &opt.depth },
		{ "count", .number = &opt.count },
		{ "seconds", .real = &opt.seconds },
		{ "warm", .real = &opt.warm },
		{ 0 },
	};
	unsigned i, n;
	uint64_t t;

	(void)argc;
	load_options(argv, options);
	opt.to = load_address(opt.where);
	if (opt.conns - 1 >= CLIENTS_MAX || opt.depth - 1 >= DEPTH_MAX ||
	    opt.count - 1 >= 125)
		errx(64, "at most %d clients, %d requests, 125 registers",
		    CLIENTS_MAX, DEPTH_MAX);
	if ((ep = epoll_create1(0)) < 0)
		err(1, "epoll");
	signal(SIGTERM, load_end_early);
	for (i = 0; i < opt.conns; i++)
		open_client(&client[i], i);
	begin_ns = load_now() + (uint64_t)(opt.warm * (double)LOAD_SECOND);
	end_ns = begin_ns + (uint64_t)(opt.seconds * (double)LOAD_SECOND);
	for (i = 0; i < opt.conns; i++)
		for (n = opt.depth; n > 0; n -= n < BATCH ? n : BATCH)
			ask(&client[i], n < BATCH ? n : BATCH, load_now());
	while ((t = load_now()) < end_ns && !load_told_to_end)
		turn();
	if (load_told_to_end)
		end_ns = t > begin_ns ? t : begin_ns + 1;
	while (outstanding())
		turn();
	return load_report((double)(end_ns - begin_ns) / (double)LOAD_SECOND);
}
