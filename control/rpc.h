/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_RPC_H
#define CONTROL_RPC_H

/*
 * JSON-RPC 2.0 over whatever carries messages: one message in, at most one
 * answer out, at once or when the parent has answered. Batches, notifications
 * and ids as the specification has them; the calls of a batch begin in order.
 */

#include <stddef.h>

#include "control/state.h"

enum {
	RPC_BATCH_MAX = 1024, /* calls in one message */
	RPC_JOBS_MAX = 256, /* messages that wait for the parent */
	/* Of a batch, once its answers hold this many values or it has run for
	 * so long, the calls that are left are refused. */
	RPC_VALUES_MAX = 262144,
	RPC_BATCH_MS = 1000,
	/* values in the answers of messages that wait */
	RPC_HELD_MAX = 4 * RPC_VALUES_MAX,
};

/*
 * Serves one message: text, and what followed it as raw bytes or NULL; both
 * borrowed. The answer goes to c->reply(to); c->drop(to) is called once, after
 * it or in its stead.
 */
void rpc_serve(struct control *, enum cmd_role, void *to, const char *text,
    size_t len, const void *raw, size_t raw_len);

/*
 * Runs one call without a message around it: control, role and params (owned,
 * or NULL) are set. Afterwards result, error or later is. cmd_call_fini() is
 * the caller's.
 */
void rpc_call(struct cmd_call *, const char *method);

/* The same for those that may be answered later: fn is called once, now or
 * later, with the call, which is given back after it. Takes params over. */
typedef void rpc_fn(void *arg, struct cmd_call *);
void rpc_ask(struct control *, enum cmd_role, const char *method,
    json_t *params, rpc_fn *fn, void *arg);

/* The parent's IPC_DONE, for whoever waits for its tag. */
void rpc_done(struct control *, const struct ipc_msg *);

/* Takes what the parent says, answers to those who wait included. False when it
 * is time to go: it has said so, or it is gone. */
bool rpc_orders(struct control *);

/* Answers what has got to the disk, or cannot; see saves.h. */
void rpc_saved(struct control *);

/* Answers what has waited too long; returns when to look again, in
 * nanoseconds of c->now_ns's clock, or UINT64_MAX. */
uint64_t rpc_expire(struct control *);

/* Gives up what waits: messages unanswered, calls of rpc_ask() as failed. */
void rpc_drop_all(struct control *);

#endif
