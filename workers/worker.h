/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H

/*
 * A worker process: one event loop, one transport. worker.c owns the loop,
 * the beat, the parent's orders and the clock; the transport owns the bytes.
 */

#include <event2/event.h>
#include <event2/event_struct.h>

#include "supervisor/proc.h"
#include "workers/bind.h"

struct conns;
struct hooks;
struct plugins;
struct transport_ops;

struct worker {
	struct proc *proc;
	const struct conf_transport *conf;
	const struct transport_ops *ops;
	struct event_base *base;
	struct shm_worker *shm; /* own segment: connections, batches, stats */
	struct bind bind; /* units to devices */
	struct conns *conns; /* the transport's, while it has any */
	struct plugins *plugins; /* NULL without any */
	struct hooks *hooks; /* likewise */
	unsigned traced; /* HOOK_*: what a hook wants to see; 0 without any */
	uint64_t now_ns; /* monotonic; as of the last of the two calls below */
	uint32_t died_within; /* 1 + the plugin whose code its predecessor has
			       * died in, 0: in none's */
	unsigned turn; /* of the loop; goes round */
	bool turned; /* the clock has been read in this turn */
	bool draining;
	bool shedding, shed; /* it is about to give way; it has */
	unsigned room; /* for so many connections */
	bool yields; /* its successor goes on with what there is */
	bool done; /* the loop is to end */
	bool orphan; /* there is no parent */
	void *state; /* the transport's own */
	const char *why; /* what went wrong in start */
	int code; /* the exit code for that; 78: it will not go better a second
		   * time. 70 where nothing else is set */
	uint64_t lines_ns; /* when the lines below began to be counted */
	unsigned lines; /* logged about peers within a second */
	int beat_fd;
	uint64_t drained_ns; /* when a drain ends, whatever is left */
	struct event orders, beat, deadline;
};

/* The role's main: proc_main_fn of a worker. Returns the exit code. */
int worker_main(struct proc *);

/* The transport has nothing left to do: the loop ends, the exit code is 0. */
void worker_done(struct worker *);

/* It has no more connections than there is room for: gives way. */
void worker_yields(struct worker *);

/* False while there have been too many lines about connections and their
 * requests: a flood of the ones must not become a flood of the others. */
bool worker_may_log(struct worker *);

/* Reads the clock and notes a beat. A transport calls it whenever it has read
 * something, before it serves that: a turn of many batches may take long, a
 * request in hand for long looks like a hang, and time-outs count from here. */
void worker_tick(struct worker *);

/* The same, but once a turn of the loop: for callbacks that look at the time
 * and have read nothing. */
static inline void
worker_turn(struct worker *w)
{
	if (!w->turned)
		worker_tick(w);
}

/* Adds to a counter that this worker alone writes: no locked instruction. */
static inline void
worker_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter,
	    atomic_load_explicit(counter, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

#endif
