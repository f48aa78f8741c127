/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_REFRESH_H
#define SUPERVISOR_RELOAD_REFRESH_H

/*
 * Having the workers of type tls read their files again, and hearing from each
 * what came of it. One that does not answer in time is reported as such: it
 * holds nobody up.
 */

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/ipc.h"

struct super;
struct process;
struct event;

enum {
	/* with RELOAD_MS before it, it ends before control gives up waiting */
	REFRESH_MS = 4000,
};

struct refresh {
	uint32_t round; /* answers of former ones are not heard */
	struct event *timer;
};

/* Tells those workers. reload_refreshed() is called once all have answered,
 * have died, or have taken too long; at once if there are none. */
void refresh_start(struct super *);

/* A worker's answer. */
void refresh_take(struct process *, const struct ipc_msg *);

/* A child has died: it will not answer. */
void refresh_died(struct process *);

/* Forgets one that is under way; nothing is called. */
void refresh_stop(struct super *);

#endif
