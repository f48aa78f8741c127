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
	void *arg; /* the row's */
	bool silent; /* set by the handler: send no reply */
	int event; /* the request's place in the event log, -1 not there */
};

enum {
	FC_WRITE = 1, /* changes registers: refused on read-only units */
	FC_BROADCAST = 2, /* may be broadcast, SL 2.1 */
	FC_QUIET = 4, /* not counted as an event, AP 6.9 */
	FC_LISTEN = 8, /* still served in listen-only mode */
	FC_SERIAL = 16, /* the standard has it on serial lines only */
};

/*
 * Length rule of a PDU, in bytes behind the function code: `fixed` bytes, and
 * when count_at is not 0 as many more as the byte at offset count_at of the
 * PDU says (offset 1 is the first behind the function code). A count below
 * count_min or no multiple of count_step (0: any) is in no such PDU. What no
 * such rule describes has walk(), which is asked in its place and answers as
 * mb_request_len() does.
 */
struct mb_len {
	uint8_t fixed;
	uint8_t count_at;
	uint8_t count_min;
	uint8_t count_step;
	int (*walk)(const uint8_t *pdu, size_t len);
};

/*
 * A 16-bit quantity in a request: at offset `at` (0: none), 1..max; each takes
 * `bits` bits in what the request's count byte counts (0: is not counted).
 * Framers that must guess use it to tell a request from bytes that are none.
 */
struct mb_qty {
	uint8_t at;
	uint8_t bits;
	uint16_t max;
};

/*
 * run() checks all of call->in before it changes anything, then appends the
 * reply to call->out. What it returns other than MB_EX_NONE is sent as an
 * exception in place of anything it wrote.
 */
struct mb_fc {
	const char *name;
	unsigned flags;
	enum mb_ex (*run)(struct mb_call *); /* NULL: only its subs are there */
	void *arg;
	/* Rows that take this one's place where the sub_len bytes behind the
	 * function code say sub, each with its own flags and lengths. */
	const struct mb_fc *subs, *next;
	struct mb_len req, rsp;
	struct mb_qty qty[2];
	uint8_t sub_len;
	uint16_t sub;
};

/*
 * True unless the len bytes that are there of a request, one at least, already
 * show that it would be answered 03 for its quantities or byte count.
 */
bool mb_fc_plausible(const struct mb_fcs *, const uint8_t *pdu, size_t len);

/* Takes out every function code whose row has the flag: answered 01 then. */
void mb_fcs_drop(struct mb_fcs *, unsigned flag);

/* Answers a request with an exception, whatever it asks for, and counts it as
 * mb_serve() would. Returns the reply's length, 0 in listen-only mode. */
size_t mb_refuse(struct mb_unit *, enum mb_ex, const uint8_t *pdu, size_t len,
    uint8_t out[MB_PDU_MAX]);

#endif
