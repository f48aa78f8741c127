/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H

/*
 * A worker process: one event loop, one transport. worker.c owns the loop,
 * the beat, the parent's orders and the clock; the transport owns the bytes.
 */

#include <event2/event.h>

#include "supervisor/proc.h"
#include "workers/bind.h"

struct transport_ops;

struct worker {
	struct proc *proc;
	const struct conf_transport *conf;
	const struct transport_ops *ops;
	struct event_base *base;
	struct shm_worker *shm; /* own segment: connections, batches, stats */
	struct bind bind; /* units to devices */
	uint64_t now_ns; /* monotonic; set once a turn of the loop */
	bool draining;
	void *state; /* the transport's own */
	const char *why; /* what went wrong in start */
};

/* The role's main: proc_main_fn of a worker. Returns the exit code. */
int worker_main(struct proc *);

/* The transport has nothing left to do: the loop ends, the exit code is 0. */
void worker_done(struct worker *);

/* Notes a turn of the loop and reads the clock once for it. A transport calls
 * it first in every callback that starts a turn's work. */
void worker_turn(struct worker *);

#endif
