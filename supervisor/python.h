/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PYTHON_H
#define SUPERVISOR_PYTHON_H

/*
 * The Python process that runs the module of "actions", as its parent has it:
 * a channel of datagrams, what it prints, and a descriptor that tells its end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "supervisor/proc.h"

#define PYTHON_DEFAULT "/usr/bin/python3"

enum {
	PYTHON_LINE = 480, /* bytes of a line that go to the log at once */
	PYTHON_WORDS = 200, /* the longest of its messages */
};

/* What is printed to one descriptor, by lines. */
struct python_text {
	int fd; /* -1: nothing more will come */
	size_t len;
	char line[PYTHON_LINE + 1];
};

struct python {
	pid_t pid; /* 0: there is none */
	int pidfd, chan;
	struct python_text out, err;
};

/*
 * Starts it. script: holdfast_actions.py; conf_fd: a file with the
 * configuration as conf_dump() prints it. It ends when its parent does. 0, or
 * -1 with errno.
 */
int python_start(
    struct python *, const struct proc *, const char *script, int conf_fd);

/* Its next message, cut at PYTHON_WORDS: true if there was one. One that has
 * closed its channel is killed. */
bool python_hear(struct python *, char words[PYTHON_WORDS + 1]);

/* Asks for a sign of life. */
void python_ask(const struct python *);

/* Passes on to the log what it has printed. */
void python_print(struct python *);

/* Waits for its end, which pidfd has announced, and gives everything back. The
 * status as wait(2) has it. */
int python_bury(struct python *);

#endif
