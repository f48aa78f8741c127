/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TRANSPORT_H
#define WORKERS_TRANSPORT_H

/*
 * What a transport is made of: a row of transport.c's table, found by the
 * configuration's type.
 */

#include "workers/worker.h"

struct transport_ops {
	const char *name;
	/* Whether it could begin with the files that the configuration names:
	 * words, or NULL. Only the worker's proc and conf are there. NULL: it
	 * has none. */
	const char *(*check)(struct worker *);
	/* Begins to serve: events on the worker's base. 0, or -1 after
	 * worker->why was set. */
	int (*start)(struct worker *);
	/* Takes nothing new, finishes what has been asked for, and calls
	 * worker_done() when nothing is left. */
	void (*drain)(struct worker *);
	/* Brings what only this process has to an end or into shared memory, so
	 * that the next worker can go on with it, and drains connections beyond
	 * worker->room. False: that takes time; worker_yields() follows. NULL:
	 * it drains instead. */
	bool (*yield)(struct worker *);
	/* Ends the connection of that serial; false if there is none. */
	bool (*kick)(struct worker *, uint64_t serial);
	/* Files that the configuration names may have changed: reads them
	 * again, and goes on with what it had if they are wrong: words for
	 * that, good until the next call, or NULL. NULL: it has none. */
	const char *(*refresh)(struct worker *);
	/* Gives everything back. */
	void (*stop)(struct worker *);
};

extern const struct transport_ops transport_tcp, transport_udp,
    transport_serial, transport_shm, transport_plugin;

/* The row for the type of a worker's transport; loads the part that it lies in.
 * NULL after worker->why was set. */
const struct transport_ops *transport_find(struct worker *);

#endif
