/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_FC_H
#define PROTO_FC_H

/*
 * What a function code is made of: the row that fc.c's table holds and that a
 * plugin may add, and the call that its handler gets.
 */

#include "workers/proto/buf.h"
#include "workers/proto/mb.h"

/* One request on its way through its handler. */
struct mb_call {
	struct mb_unit *unit;
	uint8_t fc;
	bool broadcast;
	struct rbuf in; /* the PDU behind the function code */
	struct wbuf out; /* the reply PDU; its function code is already there */
	bool silent; /* set by the handler: send no reply */
};

enum {
	FC_WRITE = 1, /* changes registers: refused on read-only units */
	FC_BROADCAST = 2, /* may be broadcast, SL 2.1 */
	FC_QUIET = 4, /* not counted as an event, AP 6.9 */
	FC_LISTEN = 8, /* still served in listen-only mode */
};

/*
 * Length rule of a PDU, in bytes behind the function code: `fixed` bytes, and
 * when count_at is not 0 as many more as the byte at offset count_at of the
 * PDU says (offset 1 is the first behind the function code).
 */
struct mb_len {
	uint8_t fixed;
	uint8_t count_at;
};

/*
 * run() checks all of call->in before it changes anything, then appends the
 * reply to call->out. What it returns other than MB_EX_NONE is sent as an
 * exception in place of anything it wrote.
 */
struct mb_fc {
	const char *name;
	unsigned flags;
	enum mb_ex (*run)(struct mb_call *);
	struct mb_len req, rsp;
};

#endif
