/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PERSIST_PERSIST_DURABLE_H
#define SUPERVISOR_PERSIST_PERSIST_DURABLE_H

/*
 * What saves the durable ranges, and nothing but them, as soon as somebody
 * waits for that: a thread with a row of snapshots of its own (snap_pair.h),
 * small ones, in PATH.durable. A start puts them on top of PATH.
 */

#include <pthread.h>

#include "shm/snap_pair.h"
#include "supervisor/proc.h"

struct persist_durable {
	struct proc *proc;
	char *path;
	struct snap_pair pair;
	struct snap snap;
	struct snap_run **runs; /* of each device */
	size_t *nruns;
	int bell_fd; /* that those are woken with who wait; -1 until needed */
	pthread_t thread;
	bool started;
	_Atomic bool quit;
};

/* Begins, if there are durable ranges. 0, or -1 with errno; fini in any
 * case. Zeroed to begin with. */
int persist_durable_init(struct persist_durable *, struct proc *);
void persist_durable_fini(struct persist_durable *);

/* The next place in the row that both kinds of snapshots share; no less than
 * least. */
struct snap_place persist_place(struct proc *, uint64_t least);

#endif
