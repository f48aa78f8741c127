/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_KEEPER_H
#define SUPERVISOR_KEEPER_KEEPER_H

/*
 * What keeps the connections of a worker while it is being replaced.
 *
 * A keeper is a small process that the supervisor forks for each worker, and
 * which makes that worker, and every successor of it, as a copy of itself that
 * shares its table of descriptors (clone with CLONE_FILES). What a worker has
 * open, down to what it has just accepted, is therefore still open when it has
 * died, whatever it died of. The workers are the supervisor's own children
 * nonetheless (CLONE_PARENT), which waits for them, ends them and judges them
 * as it does with all others.
 *
 *	supervisor                keeper                worker
 *	    | IPC_SPAWN, the worker's  |                     |
 *	    |    end of its channel -> | closes what the     |
 *	    |                          | dead one left, but  |
 *	    |                          | for its connections |
 *	    |                          |        clone -----> |
 *	    | <- IPC_BORN, pid, over   |                     |
 *	    |    the worker's channel, |                     |
 *	    |    from both: either may die before it says so |
 *
 * The end of the channel (EOF) before IPC_BORN is the proof that there is no
 * worker: neither the keeper nor a worker has the other end.
 *
 * A keeper has the image that the supervisor had when it was made, and hears
 * nothing from outside. Once the configuration or the program is another one it
 * is stale: with the next worker comes another keeper, to which it hands over
 * (handing.h). One that dies is replaced at once (widow.h). Without a
 * supervisor it brings its worker back by itself (keeping.c), until the next
 * one adopts both (adopt.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/ipc.h"
#include "supervisor/watchdog.h"

struct caller;
struct proc;
struct process;
struct super;

struct keeper {
	pid_t pid; /* 0: none */
	int chan; /* to it; -1 */
	/* of a former supervisor: its worker's channel, until it is passed on;
	 * -1; and its call */
	int pending;
	struct caller *caller;
	bool awaited; /* a former supervisor's is to call */
	unsigned round; /* of the listener that it has */
	uint64_t since_ns; /* when it was made, or has called */
	struct watchdog_mark mark;
	bool hangs; /* and is being ended */
	bool stale; /* its configuration or program is not the one in force */
	pid_t former; /* a child of ours that hands over to this one; 0 */
};

void keeper_init(struct keeper *);

/* Has the keeper of a process, which is made if there is none, make the
 * worker, whose end of its channel is chan. 0, or -1 with errno. */
int keeper_spawn(struct process *, int chan);

/* One of a former supervisor's has called: gives it the worker's channel, with
 * IPC_SPAWN to make one with it or with IPC_ADOPT. And it has ended. */
void keeper_pass(struct process *, enum ipc_kind);
void keeper_lost(struct process *);

/* The worker itself has called: gives it its channel. */
void keeper_introduce(struct process *, int call);

/* Gives a worker that serves and has lost its keeper another one (widow.h).
 * Now and then, until that has been done. */
void keeper_mend(struct process *);

/* It hangs: ends it. Its death is heard of later. */
void keeper_hung(struct process *, unsigned silent_ms);

/* The worker that it was asked for is there. */
void keeper_serves(struct keeper *);

/* Ends it, and with it all connections that no worker has. */
void keeper_end(struct keeper *);

/* What becomes of one: proc_main_fn. */
int keeper_main(struct proc *);

/* True if it was a keeper that has been waited for. */
bool keeper_died(struct super *, pid_t, int wait_status);

#endif
