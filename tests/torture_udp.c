/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker of type udp at every instruction of a turn over several
 * datagrams, and lets a successor go on: every request must be carried out once
 * and answered at least once, always the same, also if its peer sends it again.
 *
 *	torture_udp [--mode M,...] [--stride N] [--seconds N] [--seed N]
 *	            [--at K] [--then R]
 *
 * A worker that waits is stopped, clients send a turn's worth, the worker is
 * stepped K instructions and killed; the next one runs, and all replies are
 * looked at. After every other death all is sent again before that, in frames
 * that have numbers. A turn:
 *
 *	many	fourteen datagrams that are taken together, of three peers:
 *		increments, FC 23, reads, what asks nothing, one over again
 *	one	four that are taken one by one
 *	ascii	as many, in frames that have other bytes than their PDU
 *
 * --mode nest: successors are killed, too, at instructions that are drawn, for
 * --seconds. --stride N: only each N-th K.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_oracle.h"
#include "tests/lib/torture_trace.h"
#include "tests/lib/torture_walk.h"
#include "tests/lib/torture_wire.h"
#include "workers/dgram.h"
#include "workers/proto/frame.h"
#include "workers/repeats.h"

enum {
	PEERS = 3,
	ASKED = 8, /* most that one asks in a turn */
	ADU = FRAME_ADU_MAX,
	PATIENCE_MS = 4000,
	REGS_EACH = 10,
	DEPTH = 3,
};

enum kind { INC, RW, READ, KINDS };

struct asked {
	enum kind kind;
	uint16_t tid;
	uint16_t want; /* the value in the reply */
	uint16_t mark; /* and the one that stood beside it */
	uint8_t adu[ADU];
	size_t len;
	bool got;
};

struct peer {
	int fd;
	unsigned base; /* of its registers */
	uint16_t tid, count, token;
	struct asked last; /* of the turn before: its reply may come again */
	struct asked asked[ASKED];
	unsigned n;
};

static struct wire w;
static const struct framer *framer;
static struct peer peers[PEERS];
static uint16_t mark; /* base + 3 of all */
static uint64_t seed;
static const char *wrong;
static bool learning; /* a path */
static int64_t fired_ns;
static long points, findings, strayed;
static struct {
	long waiting, begun, partly, unsent, repeats;
} seen;

static struct {
	const char *modes;
	long stride, at, then;
	int seconds;
} opt = { .modes = "many,one,ascii,nest",
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

static void
be_wrong(const char *what)
{
	if (wrong == NULL)
		wrong = what;
}

/* ---- peers ---- */

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
ask(struct peer *p, enum kind kind)
{
	struct asked *a = &p->asked[p->n++];
	struct frame f = { .unit = 1, .tid = ++p->tid };
	uint8_t *pdu = a->adu + framer->head;
	size_t len = 5;

	memset(a, 0, sizeof(*a));
	a->kind = kind;
	a->tid = p->tid;
	a->mark = mark;
	put16(pdu + 1, p->base);
	switch (kind) {
	case INC:
		pdu[0] = WIRE_INC;
		a->want = ++p->count;
		len = 3;
		break;
	case RW:
		pdu[0] = 23;
		put16(pdu + 1, p->base + 2);
		put16(pdu + 3, 2);
		put16(pdu + 5, p->base + 2);
		put16(pdu + 7, 1);
		pdu[9] = 2;
		put16(pdu + 10, ++p->token);
		a->want = p->token;
		len = 12;
		break;
	default:
		pdu[0] = 3;
		put16(pdu + 1, p->base + 4);
		put16(pdu + 3, 1);
	}
	a->len = framer->seal(&f, '\n', a->adu, len);
	if (send(p->fd, a->adu, a->len, 0) != (ssize_t)a->len)
		trace_broken("send");
}

/* What has to be in the reply to it. */
static bool
is_reply(const struct asked *a, const uint8_t *adu, size_t len)
{
	static const size_t lens[] = { [INC] = 3, [RW] = 6, [READ] = 4 };
	struct frame f = { .unit = 1, .tid = a->tid };
	uint8_t want[ADU];
	uint8_t *pdu = want + framer->head;

	switch (a->kind) {
	case INC:
		pdu[0] = WIRE_INC;
		put16(pdu + 1, a->want);
		break;
	case RW:
		pdu[0] = 23;
		pdu[1] = 4;
		put16(pdu + 2, a->want);
		put16(pdu + 4, a->mark);
		break;
	default:
		pdu[0] = 3;
		pdu[1] = 2;
		put16(pdu + 2, 0);
	}
	return framer->seal(&f, '\n', want, lens[a->kind]) == len &&
	    memcmp(want, adu, len) == 0;
}

/* What a reply is to: best something that has none yet, for not all framers
 * have numbers. */
static struct asked *
asked_by(struct peer *p, const uint8_t *adu, size_t len)
{
	struct asked *found = NULL;

	for (unsigned i = 0; i < p->n; i++)
		if (is_reply(&p->asked[i], adu, len) &&
		    (found == NULL || found->got))
			found = &p->asked[i];
	return found;
}

static void
tell(const struct peer *p, const uint8_t *adu, size_t len)
{
	printf("came at %.2f s:", (double)(trace_now_ns() - fired_ns) / 1e9);
	for (size_t i = 0; i < len; i++)
		printf(" %02x", adu[i]);
	for (unsigned i = 0; i < p->n; i++)
		printf("\nasked: kind %d tid %04x value %04x mark %04x%s",
		    (int)p->asked[i].kind, p->asked[i].tid, p->asked[i].want,
		    p->asked[i].mark, p->asked[i].got ? " got" : "");
	printf("\n");
}

/* Takes what has come: each must be the reply to something. */
static void
take(struct peer *p)
{
	uint8_t adu[ADU + 1];
	struct asked *a;
	ssize_t len;

	while ((len = recv(p->fd, adu, sizeof(adu), MSG_DONTWAIT)) >= 0) {
		a = asked_by(p, adu, (size_t)len);
		if (a == NULL && is_reply(&p->last, adu, (size_t)len))
			continue;
		if (a != NULL) {
			a->got = true;
			continue;
		}
		if (wrong == NULL)
			tell(p, adu, (size_t)len);
		be_wrong("a reply that nothing was to be answered");
	}
}

static bool
all_answered(const struct peer *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!p->asked[i].got)
			return false;
	return true;
}

/* Until all is answered; the last one shows that nothing more will come. */
static void
collect(struct peer *p)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;

	while (wrong == NULL && !all_answered(p)) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
		int status;

		if (waitpid(w.pid, &status, WNOHANG) == w.pid)
			trace_broken("a worker died by itself");
		if (trace_now_ns() > until)
			be_wrong("a request is not answered");
		poll(&pfd, 1, 50);
		take(p);
	}
}

/* From now on the worker knows that a peer counts; and nothing more comes of
 * what was asked before. */
static void
warm_up(struct peer *p)
{
	for (int k = 0; k < REPEAT_RUN; k++) {
		ask(p, READ);
		collect(p);
		p->last = p->asked[p->n - 1];
		p->n = 0;
	}
}

static void
finish(void)
{
	for (int i = 0; i < PEERS; i++)
		collect(&peers[i]);
	for (int i = 0; i < PEERS; i++)
		warm_up(&peers[i]);
}

static void
send_again(void)
{
	for (int i = 0; i < PEERS; i++)
		for (unsigned k = 0; k < peers[i].n; k++)
			if (send(peers[i].fd, peers[i].asked[k].adu,
				peers[i].asked[k].len, 0) < 0)
				trace_broken("send");
}

/* ---- turns ---- */

static void
fire_many(void)
{
	struct peer *a = &peers[0], *b = &peers[1], *c = &peers[2];

	ask(a, INC);
	ask(a, RW);
	ask(b, INC);
	send(c->fd, "", 0, 0);
	ask(c, INC);
	ask(b, RW);
	ask(b, READ);
	send(a->fd, "nonsense", 8, 0);
	if (framer == &frame_mbap) /* else it would be the same again */
		ask(a, INC);
	ask(c, RW);
	if (framer == &frame_mbap)
		ask(c, INC);
	ask(a, READ);
	send(c->fd, "", 0, 0);
	/* it comes twice; not if it is stepped through, which takes seconds */
	if (!learning && framer == &frame_mbap)
		send(c->fd, c->asked[0].adu, c->asked[0].len, 0);
}

static void
fire_one(void)
{
	ask(&peers[0], INC);
	ask(&peers[1], RW);
	ask(&peers[0], RW);
	ask(&peers[1], INC);
}

static const struct turn {
	const char *name, *framer;
	bool together;
	void (*fire)(void);
} turns[] = {
	{ "many", "socket", true, fire_many },
	{ "one", "socket", false, fire_one },
	{ "ascii", "ascii", true, fire_many },
};

/* ---- one point ---- */

static void
look(void)
{
	const struct shm_dgrams *d = seg_dgrams(seg_worker(&w.proc.worker_seg));
	uint64_t p = atomic_load(&d->prog);
	unsigned n = 0, done = p & 0xff;

	for (unsigned i = 0; i < SHM_DGRAMS; i++)
		if (d->msg[i].msg_len != 0)
			n = i + 1;
	seen.waiting += n != 0 && done == 0;
	seen.begun += (p >> 8 & 1) != 0;
	seen.partly += done != 0 && done < n;
	seen.unsent += n != 0 && done >= n && (p >> 16) == 0;
}

/* The worker is dead: its store is repaired, and something in it changes. What
 * has not been carried out yet will see that. */
static void
bury(void)
{
	look();
	wire_bury(&w);
	mark++;
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];
		uint16_t token = wire_get(&w, p->base + 2);

		for (unsigned k = 0; k < p->n; k++)
			if (p->asked[k].kind == RW && token != p->asked[k].want)
				p->asked[k].mark = mark;
		wire_set(&w, p->base + 3, mark);
	}
}

static void
stop(void)
{
	int st;

	if (ptrace(PTRACE_ATTACH, w.pid, NULL, NULL) != 0 ||
	    waitpid(w.pid, &st, 0) != w.pid || !WIFSTOPPED(st))
		trace_broken("cannot stop the worker");
	ptrace(PTRACE_SETOPTIONS, w.pid, NULL, (void *)PTRACE_O_EXITKILL);
}

static void
start(const struct turn *t)
{
	if (framer != framer_find(t->framer)) {
		if (framer != NULL)
			wire_unmake(&w);
		framer = framer_find(t->framer);
		wire_make_udp(&w, t->framer);
	}
	/* with a limit all is taken at once, always */
	w.transport.max_transactions = t->together ? 1000 : 0;
	wire_launch(&w, false);
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];
		struct sockaddr_in me = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		memset(p, 0, sizeof(*p));
		p->base = (unsigned)i * REGS_EACH;
		p->count = wire_get(&w, p->base);
		wire_set(&w, p->base + 1, p->count);
		p->token = wire_get(&w, p->base + 2);
		mark = wire_get(&w, p->base + 3);
		p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (bind(p->fd, (struct sockaddr *)&me, sizeof(me)) < 0 ||
		    connect(p->fd, (struct sockaddr *)&w.at, sizeof(w.at)) < 0)
			trace_broken("connect");
		wire_mine(p->fd);
		warm_up(p);
	}
}

static void
end(void)
{
	trace_slay(w.pid);
	for (int i = 0; i < PEERS; i++) {
		wire_not_mine(peers[i].fd);
		close(peers[i].fd);
		peers[i].n = 0;
	}
	bury();
}

/* Where to kill. */
struct stops {
	const struct turn *t;
	struct trace_path path, again;
	long k, r[DEPTH];
	int n; /* of r */
	bool repeat; /* all is sent again meanwhile */
};

static void
go(const struct trace_path *path, long k)
{
	bool astray;

	if (walk_go(path, w.pid, k, &astray) == TRACE_EXITED)
		trace_broken("a worker ended by itself");
	strayed += astray;
}

static void
launch_stopped(void)
{
	wire_launch(&w, true);
	trace_await(w.pid);
	if (walk_to(w.pid, (uint64_t)(uintptr_t)dgrams_inherit, 0) !=
	    TRACE_STOPPED)
		trace_broken("a successor did not take over");
}

static void
verdict(struct stops *at)
{
	points++;
	for (int i = 0; wrong == NULL && i < PEERS; i++)
		if (wire_get(&w, peers[i].base) != peers[i].count ||
		    wire_get(&w, peers[i].base + 1) != peers[i].count)
			be_wrong(
			    "a register tells of more or fewer increments");
	if (wrong == NULL)
		return;
	findings++;
	printf("FAIL %s\n     replay: torture_udp --mode %s --at %ld", wrong,
	    at->n > 0 ? "nest" : at->t->name, at->k);
	if (at->n > 0)
		printf(" --then %ld", at->r[0]);
	printf(" (%s)\n", at->repeat ? "sent again" : "sent once");
	fflush(stdout);
	wrong = NULL;
	end();
	start(at->t);
}

static void
point(struct stops *at)
{
	fired_ns = trace_now_ns();
	stop();
	at->t->fire();
	go(&at->path, at->k);
	trace_slay(w.pid);
	bury();
	for (int i = 0; i < at->n; i++) {
		launch_stopped();
		go(&at->again, at->r[i]);
		trace_slay(w.pid);
		bury();
	}
	/* single steps are slow, and there is a time after which it is new */
	at->repeat &= trace_now_ns() - fired_ns < REPEAT_MS * 1000000ll / 2;
	at->repeat &=
	    framer == &frame_mbap; /* without numbers it is new, too */
	if (at->repeat)
		send_again();
	wire_launch(&w, false);
	finish();
	verdict(at);
}

/* Records the path of a turn, or that of a successor after a death at k. */
static void
learn(struct stops *at, bool again)
{
	learning = true;
	fired_ns = trace_now_ns();
	stop();
	at->t->fire();
	learning = false;
	if (again)
		go(&at->path, at->k);
	else
		walk_learn(&at->path, w.pid);
	trace_slay(w.pid);
	bury();
	if (again) {
		launch_stopped();
		walk_learn(&at->again, w.pid);
		trace_slay(w.pid);
		bury();
	}
	wire_launch(&w, false);
	finish();
	verdict(at);
}

static void
scan(const struct turn *t)
{
	struct stops at = { .t = t };

	start(t);
	learn(&at, false);
	at.k = opt.at >= 0 ? opt.at : (long)(draw() % (uint64_t)opt.stride);
	for (; findings < 5 && at.k <= at.path.n; at.k += opt.stride) {
		at.repeat = !at.repeat;
		point(&at);
		if (opt.at >= 0)
			break;
	}
	printf("%-7s of %ld instructions\n", t->name, at.path.n);
	end();
	trace_forget(&at.path);
}

static void
nest(const struct turn *t)
{
	int64_t until = trace_now_ns() + opt.seconds * 1000000000ll;
	struct stops at = { .t = t };

	start(t);
	learn(&at, false);
	at.k = (long)(draw() % (uint64_t)at.path.n);
	learn(&at, true);
	while (findings < 5 && trace_now_ns() < until) {
		at.k =
		    opt.at >= 0 ? opt.at : (long)(draw() % (uint64_t)at.path.n);
		at.n = 1 + (int)(draw() % DEPTH);
		for (int i = 0; i < at.n; i++)
			at.r[i] = opt.then >= 0
			    ? opt.then
			    : (long)(draw() % (uint64_t)at.again.n);
		at.repeat = !at.repeat;
		point(&at);
	}
	end();
	trace_forget(&at.path);
	trace_forget(&at.again);
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
		default:
			exit(2);
		}
	if (opt.stride < 1 || optind != argc)
		exit(2);
}

int
main(int argc, char **argv)
{
	struct shm_stats *s;

	seed = (uint64_t)getpid();
	options(argc, argv);
	seed += seed == 0;
	printf("--seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	trace_pin();
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		if (oracle_names(opt.modes, turns[i].name))
			scan(&turns[i]);
		if (oracle_names(opt.modes, "nest") && findings == 0)
			nest(&turns[i]);
		fflush(stdout);
	}
	s = &seg_worker(&w.proc.worker_seg)->stats;
	seen.repeats = (long)atomic_load(&s->repeats);
	printf("%ld deaths, %ld off the path; found: %ld rounds not begun, %ld "
	       "requests begun, %ld rounds half done, %ld not answered; %ld "
	       "answered as before\n",
	    w.deaths, strayed, seen.waiting, seen.begun, seen.partly,
	    seen.unsent, seen.repeats);
	printf("%ld passed, %ld failed\n", points - findings, findings);
	wire_unmake(&w);
	return findings != 0;
}
