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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/torture_deaths.h"
#include "tests/lib/torture_oracle.h"
#include "tests/lib/torture_scenes.h"
#include "workers/batch.h"
#include "workers/resume.h"

enum { FINDINGS_MAX = 5 };

static long points, findings;
static struct {
	long held, unread, begun, partly, accepting, closing;
} seen; /* by deaths: what was found in the records */

/* ---- one point ---- */

/* What the records of the dead one tell. */
static void
look(void)
{
	struct shm_worker *shm = seg_worker(&scenes_wire.proc.worker_seg);

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
bury(void)
{
	look();
	wire_bury(&scenes_wire);
	scenes_change();
}

static void
end(void)
{
	trace_slay(scenes_wire.pid);
	scenes_leave();
	look();
	wire_bury(&scenes_wire);
}

static void
finding(
    const struct scene *s, const char *mode, const char *what, long k, long r)
{
	findings++;
	printf("FAIL %s\n     replay: torture_resume --mode %s --at %ld", what,
	    s != NULL && r < 0 ? s->name : mode, k);
	if (r >= 0)
		printf(" --then %ld", r);
	printf(" --seed %llu\n", (unsigned long long)deaths_seed);
	fflush(stdout);
}

/* Where to kill, in what. */
struct stops {
	struct deaths d;
	const struct scene *s;
	const char *mode;
};

static void
verdict(struct stops *at, const char *what)
{
	points++;
	if (what == NULL)
		what = scenes_wrong();
	if (what == NULL)
		return;
	finding(at->s, at->mode, what, at->d.k, at->d.n > 0 ? at->d.r[0] : -1);
	end();
	scenes_begin(at->s);
}

static void
launch_traced(void)
{
	wire_launch(&scenes_wire, true);
}

static void
fire(void *arg)
{
	((const struct stops *)arg)->s->fire();
}

static const struct deaths_ops ops = {
	.pid = &scenes_wire.pid,
	.takes_over = (const void *)resume_connections,
	.launch = launch_traced,
	.fire = fire,
	.bury = bury,
};

/* All are dead: what the next one makes of it. */
static void
judge(struct stops *at)
{
	wire_launch(&scenes_wire, false);
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
begin(struct stops *at, const struct scene *s, const char *mode)
{
	memset(at, 0, sizeof(*at));
	at->s = s;
	at->mode = mode;
	scenes_variant = (unsigned)deaths_below(1024);
	scenes_begin(s);
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
scan(const struct scene *s)
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

	for (const struct scene *s = scenes; !s->small; s++) {
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
		for (const struct scene *s = scenes;
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
	wire_make(&scenes_wire, "socket");
	for (const struct scene *s = scenes; s->name != NULL; s++) {
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
	    scenes_wire.deaths, deaths_strayed, seen.held, seen.unread,
	    seen.begun, seen.partly, seen.accepting, seen.closing);
	printf("%ld passed, %ld failed\n", points - findings, findings);
	wire_unmake(&scenes_wire);
	return findings != 0;
}
