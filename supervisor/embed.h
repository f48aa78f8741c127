/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_EMBED_H
#define SUPERVISOR_EMBED_H

/*
 * The first moments of a process that a program has made to be its server.
 */

#include "supervisor/conf.h"
#include "supervisor/host.h"
#include "supervisor/proc.h"

struct embed {
	struct conf_text text;
	int chan; /* to the program */
	int program; /* a pidfd of it, or -1 */
	int log_fd; /* -1: nowhere */
	enum log_level log_level;
	uint64_t store; /* inode of its control segment */
	const struct hf_hooks *hooks; /* or NULL */
	const struct proc_roles *roles;
};

/*
 * Gives up what the process has of the program, and serves until it is told to
 * end or the program has gone. To be called in a process that has just been
 * forked, with all signals blocked.
 */
void embed_run(struct embed *) __attribute__((__noreturn__));

/* Moves a descriptor out of the way of the standard ones, which a program may
 * have closed; -1 is none and stays. 0, or -1 with errno. */
int embed_lift(int *fd);

/* Ends what must not outlive a fork: signal handlers, what is done at an exit,
 * and every descriptor but those n, which it sorts, and the standard ones. 0,
 * or -1. */
int embed_strip(int *keep, size_t n);

#endif
