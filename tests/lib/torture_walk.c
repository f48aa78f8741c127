/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that are driven instruction by instruction. Runs in the harness that
 * kills workers of TCP. A timer ends a wait for a child that sleeps.
 */
#include "tests/lib/torture_walk.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { LOOK_US = 5000 };

long walk_steps;

static void
woken(int sig)
{
	(void)sig;
}

static void
timer(bool on)
{
	struct itimerval each = { .it_interval = { 0, on ? LOOK_US : 0 },
		.it_value = { 0, on ? LOOK_US : 0 } };
	struct sigaction sa = { .sa_handler = woken };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

static bool
asleep(pid_t p)
{
	char path[32], line[512], *end;
	bool is = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)p);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) != NULL &&
	    (end = strrchr(line, ')')) != NULL)
		is = end[1] == ' ' && end[2] == 'S';
	fclose(f);
	return is;
}

/* What has become of one that was let go. */
static enum trace_stop
await(pid_t p, int *sig)
{
	int st, naps = 0;

	while (waitpid(p, &st, 0) != p) {
		if (errno != EINTR)
			trace_broken("wait for a step");
		/* not one that is just waking up */
		naps = asleep(p) ? naps + 1 : 0;
		if (naps == 2)
			return TRACE_ASLEEP;
	}
	*sig = WIFSTOPPED(st) ? WSTOPSIG(st) : 0;
	return WIFSTOPPED(st) ? TRACE_STOPPED : TRACE_EXITED;
}

static enum trace_stop
step(pid_t p)
{
	int sig;

	walk_steps++;
	if (ptrace(PTRACE_SINGLESTEP, p, NULL, NULL) != 0)
		trace_broken("single step");
	return await(p, &sig);
}

enum trace_stop
walk_step(pid_t p)
{
	enum trace_stop s;

	timer(true);
	s = step(p);
	timer(false);
	return s;
}

#if defined(__x86_64__)
static enum trace_stop
run_to(pid_t p, uint64_t pc, int hits)
{
	void *rip = (void *)offsetof(struct user, regs.rip);
	void *at = (void *)(uintptr_t)pc;
	uint64_t word = (uint64_t)ptrace(PTRACE_PEEKTEXT, p, at, NULL);
	uint64_t trap = (word & ~(uint64_t)0xff) | 0xcc;
	enum trace_stop s;
	int sig;

	for (int i = 0;; i++) {
		ptrace(PTRACE_POKETEXT, p, at, (void *)(uintptr_t)trap);
		ptrace(PTRACE_CONT, p, NULL, NULL);
		s = await(p, &sig);
		if (s != TRACE_STOPPED)
			return s;
		ptrace(PTRACE_POKETEXT, p, at, (void *)(uintptr_t)word);
		if (sig != SIGTRAP || trace_pc(p) != pc + 1)
			return s;
		ptrace(PTRACE_POKEUSER, p, rip, at);
		if (i == hits)
			return s;
		s = step(p);
		if (s != TRACE_STOPPED)
			return s;
	}
}
#else
static enum trace_stop
run_to(pid_t p, uint64_t pc, int hits)
{
	(void)p, (void)pc, (void)hits;
	return TRACE_STOPPED;
}
#endif

enum trace_stop
walk_to(pid_t p, uint64_t pc, int hits)
{
	enum trace_stop s;

	timer(true);
	s = run_to(p, pc, hits);
	timer(false);
	return s;
}

void
walk_learn(struct trace_path *t, pid_t p)
{
	t->n = 0;
	timer(true);
	do
		trace_note(t, p);
	while (step(p) == TRACE_STOPPED);
	timer(false);
	trace_plan(t);
}

enum trace_stop
walk_go(const struct trace_path *t, pid_t p, long k, bool *strayed)
{
	enum trace_stop s = TRACE_STOPPED;
	bool known = t != NULL && k <= t->n && t->jump != NULL;
	long i = 0;

	timer(true);
	if (known && t->jump[k] >= 0) {
		i = t->jump[k];
		s = run_to(p, t->pc[i], t->hits[i]);
	}
	for (; i < k && s == TRACE_STOPPED; i++)
		s = step(p);
	timer(false);
	*strayed = known && k < t->n &&
	    (s != TRACE_STOPPED || trace_pc(p) != t->pc[k]);
	return s;
}
