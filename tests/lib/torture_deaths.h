/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_DEATHS_H
#define TESTS_LIB_TORTURE_DEATHS_H

/*
 * What harnesses that kill workers over and over have in common: which
 * instructions to kill at, and how a worker, and its successors after it, are
 * brought there.
 */

#include <sys/types.h>

#include "tests/lib/torture_walk.h"

enum { DEATHS_DEPTH = 3 };

/* What the command line says. */
extern struct deaths_opt {
	const char *modes;
	long stride, at, then; /* -1: all of them */
	int seconds;
	bool first; /* stop with the first finding */
} deaths_opt;

/* Takes --mode --stride --seconds --seed --at --then --first; says the seed. */
void deaths_options(int argc, char **argv);

/* The next random number, and one below n. */
extern uint64_t deaths_seed;
uint64_t deaths_draw(void);
long deaths_below(long n);

/* Where to begin with steps of a stride, unless the command line says. */
long deaths_from(long said);

/* Where to kill. */
struct deaths {
	struct trace_path path; /* of a worker that serves */
	long k;
	struct trace_path again; /* of its successors */
	long r[DEATHS_DEPTH];
	int n; /* of r */
};

/* What a harness does meanwhile. */
struct deaths_ops {
	const pid_t *pid; /* of the worker */
	const void *takes_over; /* where successors do */
	void (*launch)(void); /* a successor, for trace_await() */
	void (*fire)(void *arg); /* the clients send, while it stands */
	void (*bury)(void); /* it is dead */
};

/* Kills a worker that waits at k, and successors at each of r; the next one is
 * the caller's to start. True if the last of them died where it was to. */
bool deaths_point(const struct deaths *, const struct deaths_ops *, void *arg);

/* Records the path of a turn; or, if there is one, that of a successor after a
 * death at k. */
void deaths_learn(struct deaths *, const struct deaths_ops *, void *arg);
void deaths_learn_again(struct deaths *, const struct deaths_ops *, void *arg);
void deaths_forget(struct deaths *);

/* Stops a worker that runs, for trace_slay() or walk_go(). */
void deaths_stop(pid_t);

/* Deaths at another instruction than that which they were meant for. */
extern long deaths_strayed;

#endif
