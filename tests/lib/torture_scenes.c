/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of torture_resume, and what they do while the worker stands.
 */
#include "tests/lib/torture_scenes.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/lib/torture_peer.h"
#include "tests/lib/torture_trace.h"

enum {
	PEERS = 5,
	PATIENCE_MS = 4000, /* for a reply, or for rest */
	REGS_EACH = 10,
	SMALL = 4608, /* of a socket's buffer */
	LIMIT = 4, /* connections of a peer, of the scene that has so many */
};

struct wire scenes_wire;
unsigned scenes_variant;
static struct peer peers[PEERS];
static uint16_t mark; /* base+3 of all */
static unsigned base_fds; /* without connections */

/* ---- clients of the scenarios ---- */

static void
dial(struct peer *p, bool small)
{
	if (peer_dial(p, &scenes_wire.at, small) < 0)
		trace_broken("connect");
	wire_mine(p->fd);
}

static void
hang_up(struct peer *p, bool hard)
{
	if (p->fd == -1)
		return;
	wire_not_mine(p->fd);
	peer_hang_up(p, hard);
}

static void
flush(struct peer *p)
{
	if (peer_send(p, p->nout) < 0)
		peer_wrong(p, "cannot send");
}

static unsigned
connected(void)
{
	unsigned n = 0;

	for (int i = 0; i < PEERS; i++)
		n += peers[i].fd != -1 && !peers[i].ended;
	return n;
}

/* Until all is answered that is due: `short_of` requests of the last client
 * that asked half of one are not. */
static void
collect(struct peer *p, unsigned short_of, bool end)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;

	while (p->wrong == NULL && !(end && p->ended) &&
	    (end || (uint16_t)(p->sent - p->got) != short_of)) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
		int status;

		if (waitpid(scenes_wire.pid, &status, WNOHANG) ==
		    scenes_wire.pid) {
			fprintf(stderr, "status %#x\n", (unsigned)status);
			trace_broken("a worker died by itself");
		}
		if (p->ended)
			peer_wrong(p, "a connection was closed");
		else if (trace_now_ns() > until)
			peer_wrong(p,
			    end ? "a connection is not closed"
				: "a request is not answered");
		else if (poll(&pfd, 1, 50) > 0)
			peer_take(p, mark);
	}
	if (end && (uint16_t)(p->sent - p->got) != short_of)
		peer_wrong(p, "closed before all was answered");
}

/* ---- scenarios ---- */

static uint8_t rest[32]; /* of the request that was left unfinished */
static size_t nrest;

static void
turn_fire(void)
{
	struct peer *a = &peers[0], *b = &peers[1];
	size_t cut = 1 + (size_t)scenes_variant % 9;

	peer_ask(a, PEER_INC, 0, mark);
	peer_ask(a, PEER_RW, 0, mark);
	peer_ask(a, PEER_READ, 5, mark);
	peer_ask(a, PEER_INC, 3, mark);
	memcpy(b->out, rest, nrest);
	b->nout = nrest;
	peer_ask(b, PEER_INC, 0, mark);
	peer_ask(b, PEER_RW, 0, mark);
	peer_ask(b, PEER_READ, 4, mark);
	peer_ask(b, PEER_INC, 0, mark);
	nrest = cut;
	memcpy(rest, b->out + b->nout - cut, cut);
	b->nout -= cut;
	flush(a);
	flush(b);
}

static void
turn_finish(void)
{
	collect(&peers[0], 0, false);
	collect(&peers[1], 1, false);
}

static void
fin_fire(void)
{
	struct peer *a = &peers[0], *b = &peers[1];

	peer_ask(a, PEER_RW, 0, mark);
	peer_ask(b, PEER_INC, 0, mark);
	peer_ask(b, PEER_RW, 0, mark);
	peer_ask(b, PEER_INC, scenes_variant % 3, mark);
	flush(a);
	flush(b);
	shutdown(b->fd, SHUT_WR);
}

static void
fin_finish(void)
{
	collect(&peers[0], 0, false);
	collect(&peers[1], 0, true);
	hang_up(&peers[1], false);
	dial(&peers[1], false);
}

static void
come_and_go(bool hard)
{
	hang_up(&peers[1], false);
	hang_up(&peers[2], hard);
	dial(&peers[3], false);
	peer_ask(&peers[3], PEER_INC, 0, mark);
	peer_ask(&peers[3], PEER_RW, 0, mark);
	flush(&peers[3]);
	peer_ask(&peers[0], PEER_INC, 0, mark);
	flush(&peers[0]);
}

static void
door_fire(void)
{
	come_and_go(false);
}

static void
reset_fire(void)
{
	come_and_go(true);
}

static void
door_finish(void)
{
	collect(&peers[3], 0, false);
	collect(&peers[0], 0, false);
	hang_up(&peers[3], false);
	dial(&peers[1], false);
	dial(&peers[2], false);
}

static void
limit_fire(void)
{
	dial(&peers[4], false);
	peer_ask(&peers[4], PEER_INC, 0, mark);
	flush(&peers[4]);
}

/* One of the others has gone, and only one. */
static void
limit_finish(void)
{
	unsigned gone = 0;

	collect(&peers[4], 0, false);
	for (int i = 0; i < 4; i++) {
		struct pollfd pfd = { .fd = peers[i].fd, .events = POLLIN };

		if (poll(&pfd, 1, i == 3 && gone == 0 ? PATIENCE_MS : 0) > 0)
			peer_take(&peers[i], mark);
		gone += peers[i].ended;
	}
	if (gone != 1)
		peer_wrong(&peers[4], "not one connection has given way");
	hang_up(&peers[4], false);
	for (int ms = 0; wire_used(&scenes_wire) != 3 && ms < PATIENCE_MS; ms++)
		trace_nap_us(1000);
	for (int i = 0; i < 4; i++)
		if (peers[i].ended) {
			hang_up(&peers[i], false);
			dial(&peers[i], false);
		}
}

static void
reject_fire(void)
{
	struct peer *a = &peers[0];

	peer_ask(a, PEER_INC, 0, mark);
	peer_ask(a, PEER_RW, 0, mark);
	memset(a->out + a->nout, 0xff, 600);
	a->nout += 600;
	flush(a);
}

static void
reject_finish(void)
{
	collect(&peers[0], 0, true);
	hang_up(&peers[0], false);
	dial(&peers[0], false);
}

static void
full_fire(void)
{
	struct peer *a = &peers[0];

	peer_ask(a, PEER_INC, 0, mark);
	for (int i = 0; i < 100; i++)
		peer_ask(a, PEER_READ, 125, mark);
	peer_ask(a, PEER_RW, 0, mark);
	peer_ask(a, PEER_INC, 0, mark);
	flush(a);
}

static void
full_finish(void)
{
	collect(&peers[0], 0, false);
}

const struct scene scenes[] = {
	{ "turn", 2, false, turn_fire, turn_finish },
	{ "fin", 2, false, fin_fire, fin_finish },
	{ "door", 3, false, door_fire, door_finish },
	{ "reset", 3, false, reset_fire, door_finish },
	{ "limit", LIMIT, false, limit_fire, limit_finish },
	{ "reject", 1, false, reject_fire, reject_finish },
	{ "full", 1, true, full_fire, full_finish },
	{ .name = NULL },
};

/* ---- beginning and end ---- */

/* Waits until nothing is left over; words if something is. */
static const char *
at_rest(void)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;
	unsigned n = connected();

	while (wire_used(&scenes_wire) != n || wire_open(&scenes_wire) != n ||
	    wire_fds() != base_fds + 2 * n) {
		if (trace_now_ns() > until)
			return wire_used(&scenes_wire) != n
			    ? "records are left over"
			    : wire_open(&scenes_wire) != n
			    ? "miscounted connections"
			    : "descriptors are left over";
		trace_nap_us(100);
	}
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];
		uint16_t due = (uint16_t)(p->count - (nrest != 0 && i == 1));

		if (wire_get(&scenes_wire, p->base) != due ||
		    wire_get(&scenes_wire, p->base + 1) != due)
			return "a register tells of more or fewer increments";
	}
	return NULL;
}

void
scenes_begin(const struct scene *s)
{
	int small = SMALL;

	scenes_wire.transport.max_connections_per_peer =
	    s->clients == LIMIT ? LIMIT : 0;
	wire_launch(&scenes_wire, false);
	base_fds = 0;
	if (s->small)
		setsockopt(scenes_wire.proc.listen_fd, SOL_SOCKET, SO_SNDBUF,
		    &small, sizeof(small));
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];

		memset(p, 0, sizeof(*p));
		p->fd = -1;
		p->base = (unsigned)i * REGS_EACH;
		p->count = wire_get(&scenes_wire, p->base);
		if (p->count != wire_get(&scenes_wire, p->base + 1))
			wire_set(&scenes_wire, p->base + 1, p->count);
		p->sent = p->got = p->token =
		    wire_get(&scenes_wire, p->base + 2);
		mark = wire_get(&scenes_wire, p->base + 3);
	}
	nrest = 0;
	for (unsigned i = 0; i < s->clients; i++) {
		dial(&peers[i], s->small);
		peer_ask(&peers[i], PEER_INC, 0, mark);
		flush(&peers[i]);
		collect(&peers[i], 0, false);
	}
	base_fds = wire_fds() - 2 * connected();
}

const char *
scenes_wrong(void)
{
	for (int i = 0; i < PEERS; i++)
		if (peers[i].wrong != NULL)
			return peers[i].wrong;
	return at_rest();
}

void
scenes_change(void)
{
	for (int i = 0; i < PEERS; i++)
		peer_fix(
		    &peers[i], wire_get(&scenes_wire, peers[i].base + 2), mark);
	mark++;
	for (int i = 0; i < PEERS; i++)
		wire_set(&scenes_wire, peers[i].base + 3, mark);
}

void
scenes_leave(void)
{
	for (int i = 0; i < PEERS; i++)
		hang_up(&peers[i], false);
}
