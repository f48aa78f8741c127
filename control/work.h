/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_WORK_H
#define CONTROL_WORK_H

/*
 * Work that takes longer than a turn of the loop may: done in a thread, one
 * after the other, while everybody else is served. The call is answered later,
 * by done(), which may also go on for some turns in pieces of its own.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "control/state.h"

enum { WORKS_MAX = 16 }; /* that wait or are done */

/* To begin with whatever holds it all. */
struct work {
	/* in the thread; touches nothing that the loop changes */
	void (*run)(struct work *);
	/* gives it back; the last that is heard of it */
	void (*drop)(struct work *);
	/* another configuration is in force, and no thread reads registers;
	 * or NULL */
	void (*follow)(struct work *, const struct proc *);
	bool more; /* done() sets it to be called once more, next turn */
	bool failed; /* there was no thread to run it */
	/* the loop's own */
	struct work *next;
	uint32_t tag;
	bool begun;
	/* the thread's: it has been run, and who is told so */
	_Atomic bool over;
	int fd;
	pthread_mutex_t *reading;
};

/*
 * Takes work over. The call becomes one that is answered later, by done(), when
 * the work is control->works; or after wait_ms, as `late` says; or it has
 * failed.
 */
void work_begin(struct cmd_call *, struct work *, uint64_t wait_ms,
    const char *late, void (*done)(struct cmd_call *, const struct ipc_msg *));

/* A thread reads registers between the two: nothing changes meanwhile of what
 * follow() is told. */
void work_read(struct work *);
void work_has_read(struct work *);

/* The loop has those who would read wait from then on; false while one is at
 * it, and c->work_fd tells when to try again. And lets them go on. */
bool work_hold(struct control *);
void work_go_on(struct control *);

/* Once a turn of the loop, which also wakes as c->work_fd can be read. */
void work_turn(struct control *);

/* Gives all back but what a thread still has. */
void work_fini(struct control *);

#endif
