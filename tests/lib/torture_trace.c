/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that are driven instruction by instruction. Runs in the kill
 * harnesses and, up to trace_ready(), in their children.
 */
#include "tests/lib/torture_trace.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

int64_t
trace_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void
trace_nap_us(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&t, NULL);
}

void
trace_broken(const char *what)
{
	fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
	exit(70);
}

void
trace_scratch(char *out, size_t size, const char *name)
{
	const char *build = getenv("HOLDFAST_BUILD");

	snprintf(out, size, "%s%s/%s", build ? build : "/dev/shm",
	    build ? "/check" : "", name);
}

void
trace_pin(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void
trace_unpin(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

void
trace_ready(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(99);
	raise(SIGSTOP);
}

void
trace_await(pid_t p)
{
	int st;

	if (p < 0 || waitpid(p, &st, 0) != p || !WIFSTOPPED(st))
		trace_broken("child did not stop");
	ptrace(PTRACE_SETOPTIONS, p, NULL, (void *)PTRACE_O_EXITKILL);
}

enum trace_stop
trace_step(pid_t p, int64_t patience_ns)
{
	int64_t end;
	int st;

	if (ptrace(PTRACE_SINGLESTEP, p, NULL, NULL) != 0)
		trace_broken("single step");
	if (patience_ns == 0) {
		if (waitpid(p, &st, 0) != p)
			trace_broken("wait for a step");
		return WIFSTOPPED(st) ? TRACE_STOPPED : TRACE_EXITED;
	}
	end = trace_now_ns() + patience_ns;
	do {
		if (waitpid(p, &st, WNOHANG) == p)
			return WIFSTOPPED(st) ? TRACE_STOPPED : TRACE_EXITED;
		sched_yield();
	} while (trace_now_ns() < end);
	return TRACE_ASLEEP;
}

enum trace_stop
trace_resume(pid_t p)
{
	int st;

	if (waitpid(p, &st, 0) != p)
		trace_broken("wait for a sleeper");
	return WIFSTOPPED(st) ? TRACE_STOPPED : TRACE_EXITED;
}

void
trace_slay(pid_t p)
{
	int st;

	kill(p, SIGKILL);
	if (waitpid(p, &st, 0) != p || !WIFSIGNALED(st))
		trace_broken("child was not to be killed");
}

#if defined(__x86_64__)
uint64_t
trace_pc(pid_t p)
{
	return (uint64_t)ptrace(
	    PTRACE_PEEKUSER, p, (void *)offsetof(struct user, regs.rip), NULL);
}

/* Runs a child to the hits-th time (from 0) that it comes to pc. TRACE_ASLEEP
 * if it stopped elsewhere. */
static enum trace_stop
trace_run_to(pid_t p, uint64_t pc, int hits)
{
	void *rip = (void *)offsetof(struct user, regs.rip);
	void *at = (void *)(uintptr_t)pc;
	uint64_t word = (uint64_t)ptrace(PTRACE_PEEKTEXT, p, at, NULL);
	uint64_t trap = (word & ~(uint64_t)0xff) | 0xcc;
	int st;

	for (int i = 0;; i++) {
		ptrace(PTRACE_POKETEXT, p, at, (void *)(uintptr_t)trap);
		ptrace(PTRACE_CONT, p, NULL, NULL);
		if (waitpid(p, &st, 0) != p || !WIFSTOPPED(st))
			return TRACE_EXITED;
		ptrace(PTRACE_POKETEXT, p, at, (void *)(uintptr_t)word);
		if (WSTOPSIG(st) != SIGTRAP || trace_pc(p) != pc + 1)
			return TRACE_ASLEEP;
		ptrace(PTRACE_POKEUSER, p, rip, at);
		if (i == hits)
			return TRACE_STOPPED;
		if (trace_step(p, 0) != TRACE_STOPPED)
			return TRACE_EXITED;
	}
}
#else
uint64_t
trace_pc(pid_t p)
{
	(void)p;
	return 0;
}

static enum trace_stop
trace_run_to(pid_t p, uint64_t pc, int hits)
{
	(void)p, (void)pc, (void)hits;
	return TRACE_ASLEEP;
}
#endif

void
trace_plan(struct trace_path *t)
{
	enum { WINDOW = 1500 };
	const double hit_cost = 1.5; /* of passing a breakpoint, in steps */

	t->jump = calloc((size_t)t->n + 1, sizeof(*t->jump));
	t->hits = calloc((size_t)t->n + 1, sizeof(*t->hits));
	if (!t->jump || !t->hits)
		trace_broken("memory");
	for (long i = 0; i < t->n; i++) {
		for (long j = i - 1; j >= 0 && t->hits[i] >= 0; j--) {
			if (t->pc[j] != t->pc[i])
				continue;
			/* a repeated instruction traps but once */
			t->hits[i] = j == i - 1 ? -1 : t->hits[j];
			t->hits[i] += t->hits[i] >= 0;
			break;
		}
		if (i + 1 < t->n && t->pc[i + 1] == t->pc[i])
			t->hits[i] = -1;
	}
	for (long k = 0; k <= t->n; k++) {
		double best = (double)k;

		t->jump[k] = -1;
		for (long j = k - 1; j >= 0 && j > k - WINDOW; j--) {
			double cost =
			    (double)(k - j) + hit_cost * (t->hits[j] + 1);

			if (t->hits[j] >= 0 && cost < best) {
				best = cost;
				t->jump[k] = j;
			}
		}
	}
#if !defined(__x86_64__)
	for (long k = 0; k <= t->n; k++)
		t->jump[k] = -1;
#endif
}

void
trace_note(struct trace_path *t, pid_t p)
{
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 4096;
		t->pc = realloc(t->pc, (size_t)t->room * sizeof(*t->pc));
		if (!t->pc)
			trace_broken("memory");
	}
	t->pc[t->n++] = trace_pc(p);
}

void
trace_learn(struct trace_path *t, pid_t p)
{
	t->n = 0;
	do
		trace_note(t, p);
	while (trace_step(p, 0) == TRACE_STOPPED);
	trace_plan(t);
}

void
trace_forget(struct trace_path *t)
{
	free(t->pc);
	free(t->jump);
	free(t->hits);
	memset(t, 0, sizeof(*t));
}

enum trace_stop
trace_go(const struct trace_path *t, pid_t p, long k)
{
	long i = 0;
	enum trace_stop s = TRACE_STOPPED;
	bool jump = t && t->jump[k] >= 0;

	if (jump) {
		i = t->jump[k];
		s = trace_run_to(p, t->pc[i], t->hits[i]);
	}
	for (; i < k && s == TRACE_STOPPED; i++)
		s = trace_step(p, 0);
	if (!jump || (s == TRACE_EXITED && k == t->n) ||
	    (s == TRACE_STOPPED && k < t->n && trace_pc(p) == t->pc[k]))
		return s;
	if (s != TRACE_EXITED)
		trace_slay(p);
	return TRACE_ASLEEP;
}
