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
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_oracle.h"
#include "tests/lib/torture_peer.h"
#include "tests/lib/torture_walk.h"
#include "tests/lib/torture_wire.h"
#include "workers/batch.h"
#include "workers/resume.h"

enum {
	PEERS = 5, /* of the scenarios */
	PATIENCE_MS = 4000, /* for a reply, or for rest */
	REGS_EACH = 10,
	SMALL = 4608, /* of a socket's buffer */
	DEPTH = 3,
	LIMIT = 4, /* connections of a peer, of the scenario that has so many */
};

static struct wire w;
static struct peer peers[PEERS];
static uint16_t mark; /* base+3 of all */
static uint64_t seed;
static long points, findings, findings_max = 5, strayed;
static unsigned base_fds; /* without connections */
static struct {
	long held, unread, begun, partly, accepting, closing;
} seen; /* by deaths: what was found in the records */

static struct {
	const char *modes;
	long stride, at, then;
	int seconds;
} opt = { .modes = "turn,fin,door,reset,limit,reject,full,again,nest",
	.stride = 1,
	.at = -1,
	.then = -1,
	.seconds = 10 };

static uint64_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

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

static void
stop(pid_t pid)
{
	int st;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
		trace_broken("cannot stop the worker");
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
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
	printf(" --seed %llu\n", (unsigned long long)seed);
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

/* A new worker, stopped where it begins to take over. */
static void
launch_stopped(void)
{
	wire_launch(&w, true);
	trace_await(w.pid);
	if (walk_to(w.pid, (uint64_t)(uintptr_t)resume_connections, 0) !=
	    TRACE_STOPPED)
		trace_broken("a successor did not take over");
}

/* Where to kill, and how to get there. */
struct stops {
	const struct scenario *s;
	const char *mode;
	struct trace_path path; /* of a worker that serves */
	long k;
	struct trace_path again; /* of the successors */
	long r[DEPTH];
	int n; /* of r */
};

static bool
go(const struct trace_path *t, long k)
{
	bool astray;
	enum trace_stop is = walk_go(t, w.pid, k, &astray);

	if (is == TRACE_EXITED)
		trace_broken("a worker ended by itself");
	strayed += astray;
	return !astray;
}

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
	finding(at->s, at->mode, what, at->k, at->n > 0 ? at->r[0] : -1);
	end();
	start(at->s);
}

/* One point: true if the last worker died where it was to. */
static bool
point(struct stops *at)
{
	bool there;

	stop(w.pid);
	at->s->fire();
	there = go(&at->path, at->k);
	trace_slay(w.pid);
	bury(true);
	for (int i = 0; i < at->n; i++) {
		launch_stopped();
		there = go(&at->again, at->r[i]);
		trace_slay(w.pid);
		bury(true);
	}
	wire_launch(&w, false);
	at->s->finish();
	verdict(at, NULL);
	return there;
}

/* Records the path of a turn, or that of a successor after a death at k. */
static void
learn(struct stops *at, bool again)
{
	stop(w.pid);
	at->s->fire();
	if (again)
		go(&at->path, at->k);
	else
		walk_learn(&at->path, w.pid);
	trace_slay(w.pid);
	bury(true);
	if (again) {
		launch_stopped();
		walk_learn(&at->again, w.pid);
		trace_slay(w.pid);
		bury(true);
	}
	wire_launch(&w, false);
	at->s->finish();
	verdict(at, NULL);
}

static bool
enough(int64_t until)
{
	return findings >= findings_max ||
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
	variant = (unsigned)(draw() % 1024);
	start(s);
	learn(at, false);
}

static void
finish(struct stops *at)
{
	end();
	trace_forget(&at->path);
	trace_forget(&at->again);
}

static long
scan(const struct scenario *s)
{
	int64_t until = 0;
	struct stops at;
	long n;

	begin(&at, s, s->name);
	n = at.path.n;
	if (s->small) /* too long a turn for every instruction of it */
		until = trace_now_ns() + opt.seconds * 1000000000ll;
	at.k = opt.at >= 0 ? opt.at : (long)(draw() % (uint64_t)opt.stride);
	for (; !enough(until) && (opt.at >= 0 || at.k <= n);
	     at.k += opt.stride) {
		if (s->small && opt.at < 0)
			at.k = (long)(draw() % (uint64_t)n);
		try_point(&at);
		if (opt.at >= 0)
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
	at->n = 0;
	trace_forget(&at->again);
	learn(at, true);
	at->n = 1;
	at->r[0] =
	    opt.then >= 0 ? opt.then : (long)(draw() % (uint64_t)opt.stride);
	for (; at->r[0] <= at->again.n && !enough(0); at->r[0] += opt.stride) {
		try_point(at);
		if (opt.then >= 0)
			break;
	}
	return at->again.n;
}

static long
scan_again(void)
{
	struct stops at;
	long n, longest = 0;

	for (const struct scenario *s = scenarios; !s->small; s++) {
		begin(&at, s, "again");
		for (int i = 0; i < DEATHS && !enough(0); i++) {
			at.k = opt.at >= 0
			    ? opt.at
			    : (long)(draw() % (uint64_t)at.path.n);
			n = sweep(&at);
			longest = n > longest ? n : longest;
		}
		finish(&at);
	}
	return longest;
}

static void
nest(void)
{
	int64_t until = trace_now_ns() + opt.seconds * 1000000000ll;
	struct stops at;

	while (!enough(until))
		for (const struct scenario *s = scenarios;
		     !s->small && !enough(until); s++) {
			begin(&at, s, "nest");
			at.k = (long)(draw() % (uint64_t)at.path.n);
			learn(&at, true);
			for (int i = 0; i < 20 && !enough(until); i++) {
				at.k = (long)(draw() % (uint64_t)at.path.n);
				at.n = 1 + (int)(draw() % DEPTH);
				for (int d = 0; d < at.n; d++)
					at.r[d] = (long)(draw() %
					    (uint64_t)at.again.n);
				point(&at);
			}
			finish(&at);
		}
}

/* ---- */

static void
options(int argc, char **argv)
{
	static const struct option all[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "stride", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "at", required_argument, NULL, 'a' },
		{ "then", required_argument, NULL, 't' },
		{ "first", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		switch (c) {
		case 'm':
			opt.modes = optarg;
			break;
		case 'n':
			opt.stride = atol(optarg);
			break;
		case 's':
			opt.seconds = atoi(optarg);
			break;
		case 'r':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'a':
			opt.at = atol(optarg);
			break;
		case 't':
			opt.then = atol(optarg);
			break;
		case 'f':
			findings_max = 1;
			break;
		default:
			exit(2);
		}
	if (opt.stride < 1 || optind != argc)
		exit(2);
}

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

	seed = (uint64_t)getpid();
	options(argc, argv);
	seed += seed == 0;
	printf("--seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	trace_pin();
	wire_make(&w, "socket");
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *s = &scenarios[i];
		long length;

		if (!oracle_names(opt.modes, s->name) || enough(0))
			continue;
		before = points;
		from = trace_now_ns();
		length = scan(s);
		told(s->name, s->small ? 0 : length, from, before);
	}
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "again" : "nest";
		long length = 0;

		if (!oracle_names(opt.modes, name) || enough(0))
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
	    w.deaths, strayed, seen.held, seen.unread, seen.begun, seen.partly,
	    seen.accepting, seen.closing);
	printf("%ld passed, %ld failed\n", points - findings, findings);
	wire_unmake(&w);
	return findings != 0;
}
