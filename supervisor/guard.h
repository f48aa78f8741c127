/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_GUARD_H
#define SUPERVISOR_GUARD_H

/*
 * holdfastd --guard: a small parent of the supervisor, where no service manager
 * is one. It starts the next supervisor when one dies or hangs, which takes
 * over what is there (adopt.h), and waits for whatever that has lost.
 *
 * The supervisor is a copy of it, or the program anew if that has been replaced
 * since, and says over a pipe that it lives. It may be told of its guard by
 *
 *	HOLDFAST_GUARD=PID:FD	its own pid, and the end of the pipe
 *
 * so that it stays guarded when it executes itself. Should the guard die, the
 * supervisor goes on without.
 */

#include <stdint.h>

struct opts;

enum { GUARD_SERVE = -1 };

/* Watches over supervisors until there is to be none any more: the exit code;
 * or GUARD_SERVE, in each of them, which is to serve. */
int guard(const struct opts *, char **argv);

/* In a supervisor. The pipe to its guard; -1: it has none. */
int guard_fd(void);

/* Tells it, now and then, that the loop turns; and once that all serves. */
void guard_beat(uint64_t now_ms);
void guard_ready(void);

#endif
