/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_RUNNER_H
#define WORKERS_RUNNER_H

/*
 * The worker's side of actions that are functions of a Python module: calls
 * the process that runs it (holdfast_actions.py) over a socket that is there
 * whether that process is or not.
 *
 * The connection is made when it is first needed and made again when it was
 * lost. The calls of a request may take timeout_ms together, and its waiting
 * for their turns as long, but both no more than PATIENCE_ACTION_MAX_MS;
 * where that was in vain, or nobody has answered a connection yet, those that
 * follow do not wait: they fail at once until somebody answers. Where it was
 * the module that took so long, and not others' calls that came first, nobody
 * is called for a while besides.
 */

#include "workers/action/action.h"
#include "workers/worker.h"

struct runner;

enum runner_kind {
	RUNNER_HELLO = 1, /* from it: it has taken the connection */
	RUNNER_CALL, /* to it: a value that is being read; without values */
	/* from it, during a call: count registers of the table at addr */
	RUNNER_READ,
	RUNNER_WRITE, /* the same, and what they are to be */
	/* the same, twice: what they were and what they are to be if they still
	 * are, else RUNNER_CHANGED; count of both together */
	RUNNER_COMMIT,
	RUNNER_DATA, /* to it: what was asked for, or rc */
	RUNNER_DONE, /* from it: rc */
	RUNNER_BEGUN, /* from it: the call's turn has come */
};

enum {
	RUNNER_VALUES_MAX = 250, /* of a message */
	RUNNER_REGS_MAX = 125, /* of a value; of a longer one the first */
	RUNNER_CHANGED = 254, /* rc: somebody else has written */
	RUNNER_NO_SUCH = 255, /* rc: the module has no action of that name */
};

/* A message: one datagram, no longer than its values. In the order of the
 * host; Python unpacks it by its place. */
struct runner_msg {
	uint32_t kind; /* enum runner_kind */
	uint32_t serial; /* of the call, in all that belongs to it */
	uint32_t table; /* enum hf_table */
	uint32_t addr;
	uint32_t count; /* registers, or bits in one of these each */
	uint32_t rc; /* enum hf_exception, or RUNNER_NO_SUCH */
	char device[SHM_NAME_MAX];
	uint16_t values[RUNNER_VALUES_MAX];
};

/* Prepares it: worker->bind.runner, NULL if the configuration has no module.
 * 0, or -1 (no memory). */
int runner_init(struct worker *);
void runner_fini(struct worker *);

/* A request begins: it may wait anew. */
void runner_begin(struct runner *);

/*
 * Has the value's action run, which reads and writes the value by itself: calls
 * follow each other, so what one has written the next one sees, whichever
 * worker it comes from. An exception, or RUNNER_NO_SUCH if the module is not
 * known to have it.
 */
unsigned runner_run(struct runner *, struct bind_device *,
    struct action_range *, const struct hf_cell *);

#endif
