/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker of type tcp at every instruction, and lets a successor go on:
 * every request must be carried out once and answered once, no connection may
 * break, no descriptor and no record may be left over.
 *
 *	torture_resume [--mode M,...] [--stride N] [--seconds N] [--seed N]
 *	               [--at K] [--then R] [--first]
 *
 * A worker that waits is stopped, clients send something, the worker is stepped
 * K instructions and killed; the next one runs, and all replies are looked at.
 * What is sent is of these kinds:
 *
 *	turn	two clients, pipelined increments, FC 23 and reads; one of them
 *		with half a request at the end, the rest of which comes later
 *	fin	the same, and the second client closes its sending side
 *	door	one client comes, one asks, two go
 *	reset	the same, but one of those resets
 *	limit	one client too many comes: another one gives way
 *	reject	two good requests, then bytes that are no request
 *	full	more output than the socket takes, in several rounds
 *
 * --mode again: the successor is killed, too, at each R instructions after it
 * has begun to take over, K being drawn; and nest: both are drawn, and so on
 * to some depth. chaos: kills at full speed under clients that are processes of
 * their own, for --seconds. --stride N: only each N-th K or R.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_deaths.h"
#include "tests/lib/torture_oracle.h"
#include "tests/lib/torture_peer.h"
#include "tests/lib/torture_wire.h"
#include "workers/batch.h"
#include "workers/resume.h"

enum {
	PEERS = 5, /* of the scenarios */
	PATIENCE_MS = 4000, /* for a reply, or for rest */
	REGS_EACH = 10,
	SMALL = 4608, /* of a socket's buffer */
	FINDINGS_MAX = 5,
	LIMIT = 4, /* connections of a peer, of the scenario that has so many */
};

static struct wire w;
static struct peer peers[PEERS];
static uint16_t mark; /* base+3 of all */
static long points, findings;
static unsigned base_fds; /* without connections */
static struct {
	long held, unread, begun, partly, accepting, closing;
} seen; /* by deaths: what was found in the records */

/* ---- clients of the scenarios ---- */

static void
dial(struct peer *p, bool small)
{
	if (peer_dial(p, &w.at, small) < 0)
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

		if (waitpid(w.pid, &status, WNOHANG) == w.pid) {
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

static unsigned variant; /* drawn once for all points of a scan */
static uint8_t rest[32]; /* of the request that was left unfinished */
static size_t nrest;

static void
turn_fire(void)
{
	struct peer *a = &peers[0], *b = &peers[1];
	size_t cut = 1 + (size_t)variant % 9;

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
	peer_ask(b, PEER_INC, variant % 3, mark);
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
	for (int ms = 0; wire_used(&w) != 3 && ms < PATIENCE_MS; ms++)
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

static const struct scenario {
	const char *name;
	unsigned clients;
	bool small; /* buffers */
	void (*fire)(void);
	void (*finish)(void);
} scenarios[] = {
	{ "turn", 2, false, turn_fire, turn_finish },
	{ "fin", 2, false, fin_fire, fin_finish },
	{ "door", 3, false, door_fire, door_finish },
	{ "reset", 3, false, reset_fire, door_finish },
	{ "limit", LIMIT, false, limit_fire, limit_finish },
	{ "reject", 1, false, reject_fire, reject_finish },
	{ "full", 1, true, full_fire, full_finish },
};

/* ---- one point ---- */

/* What the records of the dead one tell. */
static void
look(void)
{
	struct shm_worker *shm = seg_worker(&w.proc.worker_seg);

	for (unsigned i = 0; i < WIRE_BATCHES; i++) {
		struct shm_batch *b = seg_batch(shm, i);
		struct batch_prog p = batch_prog_get(b);

		if (!batch_in_force(shm, b))
			continue;
		seen.held++;
		seen.unread += atomic_load(&b->in_len) == 0;
		seen.begun += p.done == 0 && atomic_load(&b->in_len) != 0;
		seen.partly += p.done != 0;
	}
	for (unsigned i = 0; i < WIRE_CONNS; i++)
		seen.closing +=
		    atomic_load(&seg_conn(shm, i)->used) == CONN_CLOSING;
	seen.accepting += atomic_load(&shm->accepting) != 0;
}

/* The worker is dead: its store is repaired, and something in it changes. */
static void
bury(bool marks)
{
	look();
	wire_bury(&w);
	if (!marks)
		return;
	for (int i = 0; i < PEERS; i++)
		peer_fix(&peers[i], wire_get(&w, peers[i].base + 2), mark);
	mark++;
	for (int i = 0; i < PEERS; i++)
		wire_set(&w, peers[i].base + 3, mark);
}

/* Waits until nothing is left over; words if something is. */
static const char *
at_rest(void)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;
	unsigned n = connected();

	while (wire_used(&w) != n || wire_open(&w) != n ||
	    wire_fds() != base_fds + 2 * n) {
		if (trace_now_ns() > until)
			return wire_used(&w) != n ? "records are left over"
			    : wire_open(&w) != n  ? "miscounted connections"
						  : "descriptors are left over";
		trace_nap_us(100);
	}
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];
		uint16_t due = (uint16_t)(p->count - (nrest != 0 && i == 1));

		if (wire_get(&w, p->base) != due ||
		    wire_get(&w, p->base + 1) != due)
			return "a register tells of more or fewer increments";
	}
	return NULL;
}

static void
start(const struct scenario *s)
{
	int small = SMALL;

	w.transport.max_connections_per_peer = s->clients == LIMIT ? LIMIT : 0;
	wire_launch(&w, false);
	base_fds = 0;
	if (s->small)
		setsockopt(w.proc.listen_fd, SOL_SOCKET, SO_SNDBUF, &small,
		    sizeof(small));
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];

		memset(p, 0, sizeof(*p));
		p->fd = -1;
		p->base = (unsigned)i * REGS_EACH;
		p->count = wire_get(&w, p->base);
		if (p->count != wire_get(&w, p->base + 1))
			wire_set(&w, p->base + 1, p->count);
		p->sent = p->got = p->token = wire_get(&w, p->base + 2);
		mark = wire_get(&w, p->base + 3);
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

static void
end(void)
{
	trace_slay(w.pid);
	for (int i = 0; i < PEERS; i++)
		hang_up(&peers[i], false);
	bury(false);
}

static void
finding(const struct scenario *s, const char *mode, const char *what, long k,
    long r)
{
	findings++;
	printf("FAIL %s\n     replay: torture_resume --mode %s --at %ld", what,
	    s != NULL && r < 0 ? s->name : mode, k);
	if (r >= 0)
		printf(" --then %ld", r);
	printf(" --seed %llu\n", (unsigned long long)deaths_seed);
	fflush(stdout);
}

static const char *
wrong(void)
{
	for (int i = 0; i < PEERS; i++)
		if (peers[i].wrong != NULL)
			return peers[i].wrong;
	return NULL;
}

/* Where to kill, in what. */
struct stops {
	struct deaths d;
	const struct scenario *s;
	const char *mode;
};

static void
verdict(struct stops *at, const char *what)
{
	points++;
	if (what == NULL)
		what = wrong();
	if (what == NULL)
		what = at_rest();
	if (what == NULL)
		return;
	finding(at->s, at->mode, what, at->d.k, at->d.n > 0 ? at->d.r[0] : -1);
	end();
	start(at->s);
}

static void
launch_traced(void)
{
	wire_launch(&w, true);
}

static void
fire(void *arg)
{
	((const struct stops *)arg)->s->fire();
}

static void
bury_marked(void)
{
	bury(true);
}

static const struct deaths_ops ops = {
	.pid = &w.pid,
	.takes_over = (const void *)resume_connections,
	.launch = launch_traced,
	.fire = fire,
	.bury = bury_marked,
};

/* All are dead: what the next one makes of it. */
static void
judge(struct stops *at)
{
	wire_launch(&w, false);
	at->s->finish();
	verdict(at, NULL);
}

/* One point: true if the last worker died where it was to. */
static bool
point(struct stops *at)
{
	bool there = deaths_point(&at->d, &ops, at);

	judge(at);
	return there;
}

static void
learn_again(struct stops *at)
{
	deaths_learn_again(&at->d, &ops, at);
	judge(at);
}

static bool
enough(int64_t until)
{
	return findings >= (deaths_opt.first ? 1 : FINDINGS_MAX) ||
	    (until != 0 && trace_now_ns() > until);
}

/* A point that was not come to is tried again, but not for ever. */
static void
try_point(struct stops *at)
{
	for (int i = 0; i < 3 && !enough(0) && !point(at); i++)
		;
}

static void
begin(struct stops *at, const struct scenario *s, const char *mode)
{
	memset(at, 0, sizeof(*at));
	at->s = s;
	at->mode = mode;
	variant = (unsigned)deaths_below(1024);
	start(s);
	deaths_learn(&at->d, &ops, at);
	judge(at);
}

static void
finish(struct stops *at)
{
	end();
	deaths_forget(&at->d);
}

static long
scan(const struct scenario *s)
{
	int64_t until = 0;
	struct stops at;
	long n;

	begin(&at, s, s->name);
	n = at.d.path.n;
	if (s->small) /* too long a turn for every instruction of it */
		until = trace_now_ns() + deaths_opt.seconds * 1000000000ll;
	at.d.k = deaths_from(deaths_opt.at);
	for (; !enough(until) && (deaths_opt.at >= 0 || at.d.k <= n);
	     at.d.k += deaths_opt.stride) {
		if (s->small && deaths_opt.at < 0)
			at.d.k = deaths_below(n);
		try_point(&at);
		if (deaths_opt.at >= 0)
			break;
	}
	finish(&at);
	return n;
}

/* ---- successors that are killed, too ---- */

enum { DEATHS = 4 }; /* that successors are looked at after, of a scenario */

/* Every instruction of a successor after a death at k. */
static long
sweep(struct stops *at)
{
	struct deaths *d = &at->d;

	d->n = 0;
	trace_forget(&d->again);
	learn_again(at);
	d->n = 1;
	d->r[0] = deaths_from(deaths_opt.then);
	for (; d->r[0] <= d->again.n && !enough(0);
	     d->r[0] += deaths_opt.stride) {
		try_point(at);
		if (deaths_opt.then >= 0)
			break;
	}
	return d->again.n;
}

static long
scan_again(void)
{
	struct stops at;
	long n, longest = 0;

	for (const struct scenario *s = scenarios; !s->small; s++) {
		begin(&at, s, "again");
		for (int i = 0; i < DEATHS && !enough(0); i++) {
			at.d.k = deaths_opt.at >= 0 ? deaths_opt.at
						    : deaths_below(at.d.path.n);
			n = sweep(&at);
			longest = n > longest ? n : longest;
		}
		finish(&at);
	}
	return longest;
}

static void
nest_draw(struct deaths *d)
{
	d->k = deaths_below(d->path.n);
	d->n = 1 + (int)deaths_below(DEATHS_DEPTH);
	for (int i = 0; i < d->n; i++)
		d->r[i] = deaths_below(d->again.n);
}

static void
nest(void)
{
	int64_t until = trace_now_ns() + deaths_opt.seconds * 1000000000ll;
	struct stops at;

	while (!enough(until))
		for (const struct scenario *s = scenarios;
		     !s->small && !enough(until); s++) {
			begin(&at, s, "nest");
			at.d.k = deaths_below(at.d.path.n);
			learn_again(&at);
			for (int i = 0; i < 20 && !enough(until); i++) {
				nest_draw(&at.d);
				point(&at);
			}
			finish(&at);
		}
}

/* ---- */

static void
told(const char *name, long length, int64_t from, long before)
{
	printf("%-7s %ld kill points", name, points - before);
	if (length > 0)
		printf(" of %ld instructions", length);
	printf(", %.1f s\n", (double)(trace_now_ns() - from) / 1e9);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	long before;
	int64_t from;

	deaths_opt.modes = "turn,fin,door,reset,limit,reject,full,again,nest";
	deaths_options(argc, argv);
	trace_pin();
	wire_make(&w, "socket");
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *s = &scenarios[i];
		long length;

		if (!oracle_names(deaths_opt.modes, s->name) || enough(0))
			continue;
		before = points;
		from = trace_now_ns();
		length = scan(s);
		told(s->name, s->small ? 0 : length, from, before);
	}
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "again" : "nest";
		long length = 0;

		if (!oracle_names(deaths_opt.modes, name) || enough(0))
			continue;
		before = points;
		from = trace_now_ns();
		if (i == 0)
			length = scan_again();
		else
			nest();
		told(name, length, from, before);
	}
	printf(
	    "%ld deaths, %ld of them off the path: batches in force %ld (not noted as read %ld, none "
	    "answered %ld, some %ld), being accepted %ld, closed %ld\n",
	    w.deaths, deaths_strayed, seen.held, seen.unread, seen.begun,
	    seen.partly, seen.accepting, seen.closing);
	printf("%ld passed, %ld failed\n", points - findings, findings);
	wire_unmake(&w);
	return findings != 0;
}
