/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_ORDERS_H
#define SUPERVISOR_ORDERS_H

/*
 * What children say, and what control asks for: a table of kinds, and the
 * requests that are answered once they have come true.
 */

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/ipc.h"

struct super;
struct process;
struct service;
struct event;

enum { ORDERS_MAX = 64, ORDERS_TEXT = IPC_TEXT };

/* A request that waits to come true. */
struct order {
	uint32_t kind; /* enum ipc_kind; 0: free */
	uint32_t tag;
	struct process *asker; /* whom the answer is for */
	struct service *service; /* NULL: the whole daemon */
	uint64_t until_ms;
	struct shm_conn *conn; /* IPC_KICK: what is to go */
	uint64_t serial;
};

struct orders {
	struct super *super;
	struct order at[ORDERS_MAX];
	struct event *poll; /* while a kick is under way */
};

/* 0, or -1 (no memory). */
int orders_init(struct orders *, struct super *);
void orders_fini(struct orders *);

/* Carries out a message of a child. False: it may not send that, or not so. */
bool orders_take(struct process *, const struct ipc_msg *);

/* The state of a service has changed; answers what has come true. */
void orders_settle(struct orders *, struct service *);

/* A service leaves: nobody waits for it any more. */
void orders_leave(struct orders *, const struct service *);

/* Time passes; answers what has not come true in time. */
void orders_tick(struct orders *, uint64_t now_ms);

/* The transports have stopped: answers those who asked for the end. */
void orders_ended(struct orders *);

/* A child has died: it waits for no answers any more. */
void orders_forget(struct process *);

/* Tells an aide a line of what a reload found. */
void orders_report(
    struct process *asker, uint32_t tag, bool mistake, const char *line);

/* Answers a request of an aide. */
void orders_answer(struct process *asker, uint32_t tag, int rc, uint64_t arg,
    const char *fmt, ...) __attribute__((__format__(printf, 5, 6)));

#endif
