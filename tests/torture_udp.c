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
 * that have numbers. What comes again after REPEAT_MS is new: where a finding
 * may be that, since all took so long, it is none, and the scene begins anew.
 * A turn:
 *
 *	many	fourteen datagrams that are taken together, of three peers:
 *		increments, FC 23, reads, what asks nothing, one over again
 *	one	four that are taken one by one
 *	ascii	as many, in frames that have other bytes than their PDU
 *
 * --mode nest: successors are killed, too, at instructions that are drawn, for
 * --seconds. --stride N: only each N-th K.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_deaths.h"
#include "tests/lib/torture_oracle.h"
#include "tests/lib/torture_trace.h"
#include "tests/lib/torture_wire.h"
#include "workers/dgram.h"
#include "workers/proto/frame.h"
#include "workers/repeats.h"

enum {
	PEERS = 3,
	ASKED = 8, /* most that one asks in a turn */
	ADU = FRAME_ADU_MAX,
	PATIENCE_MS = 60000,
	REGS_EACH = 10,
	FINDINGS_MAX = 5,
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
static const char *wrong;
static int64_t wrong_ns;
static const char unanswered[] = "a request is not answered";
static bool learning; /* a path */
static int64_t fired_ns;
static long points, findings, late;
static struct {
	long waiting, begun, partly, unsent, repeats;
} seen;

static void
be_wrong(const char *what)
{
	if (wrong != NULL)
		return;
	wrong = what;
	wrong_ns = trace_now_ns();
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
			be_wrong(unanswered);
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

/* The worker's segment goes. */
static void
unmake(void)
{
	seen.repeats +=
	    (long)atomic_load(&seg_worker(&w.proc.worker_seg)->stats.repeats);
	wire_unmake(&w);
}

static void
start(const struct turn *t)
{
	if (framer != framer_find(t->framer)) {
		if (framer != NULL)
			unmake();
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

/* Where to kill, in what. */
struct stops {
	struct deaths d;
	const struct turn *t;
	bool repeat; /* all is sent again meanwhile */
};

/* Something was sent twice, and so late that it may be carried out twice. */
static bool
was_too_late(const struct stops *at)
{
	return wrong != unanswered && framer == &frame_mbap &&
	    (at->repeat || at->t->together) &&
	    wrong_ns - fired_ns >= REPEAT_MS * 1000000ll;
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
	if (was_too_late(at)) {
		late++;
	} else {
		findings++;
		printf("FAIL %s\n     replay: torture_udp --mode %s --at %ld",
		    wrong, at->d.n > 0 ? "nest" : at->t->name, at->d.k);
		if (at->d.n > 0)
			printf(" --then %ld", at->d.r[0]);
		printf(" (%s: %s)\n", at->t->name,
		    at->repeat ? "sent again" : "sent once");
		fflush(stdout);
	}
	wrong = NULL;
	end();
	start(at->t);
}

static void
launch_traced(void)
{
	wire_launch(&w, true);
}

static void
fire(void *arg)
{
	fired_ns = trace_now_ns();
	((const struct stops *)arg)->t->fire();
}

static const struct deaths_ops ops = {
	.pid = &w.pid,
	.takes_over = (const void *)dgrams_inherit,
	.launch = launch_traced,
	.fire = fire,
	.bury = bury,
};

/* All are dead: what the next one makes of it. */
static void
judge(struct stops *at)
{
	wire_launch(&w, false);
	finish();
	verdict(at);
}

static void
point(struct stops *at)
{
	deaths_point(&at->d, &ops, at);
	/* single steps are slow, and there is a time after which it is new */
	at->repeat &= trace_now_ns() - fired_ns < REPEAT_MS * 1000000ll / 2;
	at->repeat &=
	    framer == &frame_mbap; /* without numbers it is new, too */
	if (at->repeat)
		send_again();
	judge(at);
}

static void
learn(struct stops *at, bool again)
{
	learning = true;
	if (again)
		deaths_learn_again(&at->d, &ops, at);
	else
		deaths_learn(&at->d, &ops, at);
	learning = false;
	judge(at);
}

static void
scan(const struct turn *t)
{
	struct stops at = { .t = t };

	start(t);
	learn(&at, false);
	at.d.k = deaths_from(deaths_opt.at);
	for (; findings < FINDINGS_MAX && at.d.k <= at.d.path.n;
	     at.d.k += deaths_opt.stride) {
		at.repeat = !at.repeat;
		point(&at);
		if (deaths_opt.at >= 0)
			break;
	}
	printf("%-7s of %ld instructions\n", t->name, at.d.path.n);
	end();
	deaths_forget(&at.d);
}

static void
nest(const struct turn *t)
{
	int64_t until = trace_now_ns() + deaths_opt.seconds * 1000000000ll;
	struct stops at = { .t = t };

	start(t);
	learn(&at, false);
	at.d.k = deaths_below(at.d.path.n);
	learn(&at, true);
	while (findings < FINDINGS_MAX && trace_now_ns() < until) {
		at.d.k = deaths_opt.at >= 0 ? deaths_opt.at
					    : deaths_below(at.d.path.n);
		at.d.n = 1 + (int)deaths_below(DEATHS_DEPTH);
		for (int i = 0; i < at.d.n; i++)
			at.d.r[i] = deaths_opt.then >= 0
			    ? deaths_opt.then
			    : deaths_below(at.d.again.n);
		at.repeat = !at.repeat;
		point(&at);
	}
	end();
	deaths_forget(&at.d);
}

/* ---- */

int
main(int argc, char **argv)
{
	deaths_opt.modes = "many,one,ascii,nest";
	deaths_options(argc, argv);
	trace_pin();
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		if (oracle_names(deaths_opt.modes, turns[i].name))
			scan(&turns[i]);
		if (oracle_names(deaths_opt.modes, "nest") && findings == 0)
			nest(&turns[i]);
		fflush(stdout);
	}
	unmake();
	printf("%ld deaths, %ld off the path; found: %ld rounds not begun, %ld "
	       "requests begun, %ld rounds half done, %ld not answered; %ld "
	       "answered as before; %ld took too long to tell\n",
	    w.deaths, deaths_strayed, seen.waiting, seen.begun, seen.partly,
	    seen.unsent, seen.repeats, late);
	printf("%ld passed, %ld failed\n", points - findings, findings);
	return findings != 0;
}
