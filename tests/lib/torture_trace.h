/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_TRACE_H
#define TESTS_LIB_TORTURE_TRACE_H

/*
 * Driving a child instruction by instruction. The kernel reports every single
 * step to the parent, which is slow; so the way to the k-th instruction is
 * shortened by a breakpoint as close before it as the recorded path allows.
 * That the child then stands where the path says is checked each time.
 *
 * A child stops itself (trace_ready) before the parent drives it: nobody races
 * a SIGSTOP against the start of tracing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum trace_stop { TRACE_STOPPED, TRACE_EXITED, TRACE_ASLEEP };

/* Where the instruction pointer was before each step of an undisturbed run. */
struct trace_path {
	uint64_t *pc;
	long n, room;
	long *jump; /* for each step, the one before it to jump to; -1 none */
	int *hits; /* for each step, how often its place was passed before */
};

/* CLOCK_MONOTONIC. */
int64_t trace_now_ns(void);

/* Sleeps. */
void trace_nap_us(long us);

/* Ends the harness: it cannot do its work, which is not a finding. */
void trace_broken(const char *what);

/* Where a harness puts what must be a file: if it is killed nobody minds. */
void trace_scratch(char *out, size_t size, const char *name);

/* Tracer and tracee take turns, so one processor serves both best. */
void trace_pin(void);

/* Any processor again. */
void trace_unpin(void);

/* In the child: hands itself over and stops. */
void trace_ready(void);

/* In the parent, right after fork: waits until the child has stopped. */
void trace_await(pid_t p);

/* Lets a child do one instruction. patience_ns > 0: TRACE_ASLEEP if nothing
 * was heard of it for so long; wait for it with trace_resume then. */
enum trace_stop trace_step(pid_t p, int64_t patience_ns);

/* Waits for a sleeper to have done its instruction. */
enum trace_stop trace_resume(pid_t p);

/* Kills a child and waits for it. */
void trace_slay(pid_t p);

/* Records the path of a stopped child until it ends. */
void trace_learn(struct trace_path *t, pid_t p);

/* Where a stopped child is. 0 on machines of which that is not known. */
uint64_t trace_pc(pid_t p);

/* The same by hand: notes where the child is before a step; and when all are
 * noted, for each step the cheapest way to it: the place of an earlier one, to
 * which a breakpoint leads, and single steps from there. */
void trace_note(struct trace_path *t, pid_t p);
void trace_plan(struct trace_path *t);

/* Frees what has been recorded. */
void trace_forget(struct trace_path *t);

/* Brings a stopped child behind its k-th instruction: TRACE_STOPPED, or
 * TRACE_EXITED if that was its last one (it has been waited for then). If it
 * left the path it is killed and the answer TRACE_ASLEEP: start again, by
 * single steps alone (NULL). */
enum trace_stop trace_go(const struct trace_path *t, pid_t p, long k);

#endif
