/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kills what the clock process does for a turn at every instruction: values of
 * several tables that are made from what is there, and set together. Whoever
 * looks must see all of them as they were or all of them made, the repair must
 * not change that, and the successor goes on from there, each value once.
 *
 *	torture_clock [--stride N] [--seed N] [--at K]
 *
 * --stride takes every N-th instruction, beginning with --seed mod N; --at one.
 */
#include "workers/action/set.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_finding.h"
#include "tests/lib/torture_seed.h"
#include "tests/lib/torture_trace.h"
#include "tests/lib/torture_world.h"
#include "workers/hooks/bind_hook.h"
#include "workers/hooks/hooks_own.h"

enum { UNEQUAL = -1 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { APART = 997 };
#else
enum { APART = 1 };
#endif

/* What is set: registers count up, bits change. */
static const struct piece {
	enum store_table table;
	uint32_t addr, count;
} pieces[] = {
	{ STORE_HR, 0, 3 },
	{ STORE_HR, 3, 5 },
	{ STORE_HR, 9, 2 },
	{ STORE_HR, HIGH_AT, HIGH_N },
	{ STORE_CO, 0, 9 },
	{ STORE_CO, 9, 5 },
};
enum { PIECES = sizeof(pieces) / sizeof(pieces[0]) };

static struct world w;
static struct proc proc;
static struct bind binding;
static struct bind_device device;
static struct set set;
static struct set_range range[PIECES];
static struct conf_range conf[PIECES];
static uint16_t base[PIECES][LOW_N]; /* what there was */
static struct trace_path path;
static struct findings found;
static struct point point = { .program = "torture_clock" };
static long stride = 1, seed, only = -1, undone, committed;

static void
bad(const char *what)
{
	finding_add(&found, &point, what);
}

/* ---- the clock ---- */

static bool
is_bits(enum store_table t)
{
	return t == STORE_CO || t == STORE_DI;
}

static enum hf_exception
one_more(const struct action_call *call, struct hf_cell *c)
{
	(void)call;
	c->values[0] = c->type == HF_BITS ? !c->values[0] : c->values[0] + 1;
	return HF_EX_NONE;
}

static const struct hook_action action = { .built_in = one_more };

/* The values of a piece as they are. */
static void
look(const struct piece *p, uint16_t *out)
{
	_Alignas(8) uint8_t bytes[2 * LOW_N];

	if (store_read_host(&w.reader, p->table, p->addr, p->count, bytes,
		NULL) != STORE_OK)
		trace_broken("reading");
	for (uint32_t i = 0; i < p->count; i++)
		if (is_bits(p->table))
			out[i] = bytes[i / 8] >> i % 8 & 1;
		else
			memcpy(&out[i], bytes + 2 * i, sizeof(out[i]));
}

static void
prepare(void)
{
	world_map(&w, "clock");
	world_prepare(&w, &oracle_requests[0]);
	proc.stores = &w.store;
	proc.bell_fd = -1;
	binding.proc = &proc;
	binding.device = &device;
	device = (struct bind_device){ .bind = &binding, .store = &w.store };
	set.proc = &proc;
	for (int i = 0; i < PIECES; i++) {
		const struct piece *p = &pieces[i];

		look(p, base[i]);
		conf[i] = (struct conf_range){ .table = p->table,
			.addr = p->addr,
			.count = p->count,
			.type = is_bits(p->table) ? TYPED_BITS : TYPED_UINT16,
			.action = (char *)(uintptr_t) "mine" };
		range[i] = (struct set_range){ .a.conf = &conf[i],
			.a.action = &action,
			.a.device = "d",
			.a.step = 1,
			.d = &device,
			.goes_on = true };
	}
}

/* In a child: a process of its own, whose death can be told. */
static void
become_clock(void)
{
	world_join(&w, VICTIM);
	proc.env = w.env;
	bind_self(&binding);
}

static void
turn(void)
{
	for (int i = 0; i < PIECES; i++)
		set_range(&set, &range[i], 1);
	set_flush(&set);
}

static pid_t
spawn_victim(void)
{
	pid_t p = fork();

	if (p != 0) {
		trace_await(p);
		return p;
	}
	become_clock();
	trace_ready();
	turn();
	_exit(0);
}

/* ---- what must hold ---- */

/* How often the values have been made; UNEQUAL: not all as often. */
static int
times(void)
{
	uint16_t now[LOW_N];
	int n = UNEQUAL;

	for (int i = 0; i < PIECES; i++) {
		look(&pieces[i], now);
		for (uint32_t j = 0; j < pieces[i].count; j++) {
			int is = now[j] - base[i][j];

			if (is_bits(pieces[i].table))
				is = now[j] == base[i][j] ? n & ~1 : n | 1;
			if (n == UNEQUAL)
				n = is;
			if (is != n)
				return UNEQUAL;
		}
	}
	return n;
}

static void
check_successor(int before)
{
	pid_t p = fork();
	int st;

	if (p == 0) {
		become_clock();
		turn();
		_exit(0);
	}
	if (p < 0 || waitpid(p, &st, 0) != p)
		trace_broken("a successor");
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 0)
		bad("the successor fails");
	else if (times() != before + 1)
		bad("the successor does not go on from what is there");
}

/* The clock that dies after k instructions. */
static void
kill_at(long k)
{
	enum trace_stop s;
	uint64_t victim;
	pid_t p;
	int n;

	point.at = k;
	world_reset(&w);
	victim = slot_next_id(w.env.control, VICTIM);
	p = spawn_victim();
	s = trace_go(&path, p, k);
	if (s == TRACE_ASLEEP) { /* left the path: slowly, then */
		world_reset(&w);
		p = spawn_victim();
		s = trace_go(NULL, p, k);
	}
	if (s != TRACE_EXITED)
		trace_slay(p);
	n = times();
	if (n != 0 && n != 1)
		bad("values that are set together are seen apart");
	if (s == TRACE_EXITED && n != 1)
		bad("a turn that was done is not there");
	*(n == 1 ? &committed : &undone) += 1;
	world_reap(&w, victim);
	if (times() != n)
		bad("the repair changes what was seen");
	if (!found.bad)
		check_successor(n);
	finding_next(&found);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stride", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "at", required_argument, NULL, 'a' },
		{ 0 },
	};
	int c;

	seed = (long)torture_seed();
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 't':
			stride = atol(optarg);
			break;
		case 's':
			seed = atol(optarg);
			break;
		case 'a':
			only = atol(optarg);
			break;
		default:
			return 64;
		}
	if (stride < 1 || seed < 0)
		return 64;
	stride *= APART;
	setvbuf(stdout, NULL, _IOLBF, 0);
	trace_pin();
	if (stride > 1 && only < 0)
		printf("every %ld-th instruction, --seed %ld\n", stride, seed);
	prepare();
	world_reset(&w);
	trace_learn(&path, spawn_victim());
	for (long k = 0; k <= path.n; k++)
		if (only >= 0 ? k == only
			      : k == path.n || k % stride == seed % stride)
			kill_at(k);
	printf(
	    "%ld instructions: %ld old, %ld new\n", path.n, undone, committed);
	finding_sum(&found);
	world_unmake(&w);
	return found.bad_points > 0 || found.points == 0 ||
	    (only < 0 && (undone == 0 || committed == 0));
}
