/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_WALK_H
#define TESTS_LIB_TORTURE_WALK_H

/*
 * Driving a server instruction by instruction: it does not end, but falls
 * asleep, and its path is not always the same. See torture_trace.h.
 */

#include "tests/lib/torture_trace.h"

/* One instruction: TRACE_ASLEEP once it waits in the kernel. */
enum trace_stop walk_step(pid_t p);

/* Runs to the hits-th time (from 0) that it comes to pc; TRACE_ASLEEP if it
 * waits in the kernel before, and runs on then. */
enum trace_stop walk_to(pid_t p, uint64_t pc, int hits);

/* Records the path of a stopped server until it is asleep. */
void walk_learn(struct trace_path *, pid_t p);

/* Brings it behind its k-th instruction. TRACE_ASLEEP if it was asleep before;
 * *strayed, if it now stands where the path does not. */
enum trace_stop walk_go(
    const struct trace_path *, pid_t p, long k, bool *strayed);

/* Instructions that were stepped one by one. */
extern long walk_steps;

#endif
