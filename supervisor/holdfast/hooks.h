/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_HOOKS_H
#define HOLDFAST_HOOKS_H

/*
 * What a program or a plugin adds to a worker: part of holdfast.h. One table
 * for both: struct hf_server_opts and struct hf_plugin point to a struct
 * hf_hooks.
 *
 * All of it is called in the worker, by its one thread. No call may wait: while
 * it does, no client of that transport is served, and a worker that has been in
 * one request for half a second is killed and replaced. One that crashes takes
 * its worker with it and nothing else; the next may be shown the same.
 *
 * Every struct that is given says its size; what it has not filled in is NULL.
 * A newer one that fills in what this Holdfast does not know is refused.
 */

#include <stddef.h>
#include <stdint.h>

#include "exception.h"
#include "store.h"

enum { HF_PDU_MAX = 253, HF_ADU_MAX = 513 };

/* Whose bytes a trace hook sees. */
struct hf_traced {
	const struct hf_host *host;
	uint64_t connection; /* its id; 0: a datagram of who knows whom */
	const char *peer; /* "10.0.0.7:4021" */
	int sending; /* not 0: on the way out */
	uint8_t unit; /* trace_pdu: the address */
	/* trace_pdu, sending: not 0 if Holdfast has refused the request, with
	 * this exception: for the role of who sent it, as busy, or since a
	 * fault says so. Who puts data in its place undoes that. */
	uint8_t refused;
	uint16_t transaction; /* trace_pdu: of MBAP; else 0 */
	uint8_t broadcast; /* refuse: not 0 if nobody will see the reply */
};

/* A length that a function code's PDUs have, counted behind the function code
 * and the sub-function code: `fixed` bytes, and as many more as one of those,
 * the byte at offset count_at of the PDU, says (0: there is none). RTU, whose
 * frames do not say how long they are, goes by it. */
struct hf_length {
	uint8_t fixed, count_at;
};

/* A request to a function code of one's own. */
struct hf_call {
	const struct hf_host *host;
	uint8_t unit, fc;
	int broadcast; /* nobody will see the reply */
	const uint8_t *request; /* the PDU, its function code first */
	size_t request_len;
	uint8_t *reply; /* room for HF_PDU_MAX; the function code (and the
			 * sub-function code) are there already */
	size_t reply_len; /* those; run() adds its own; 0: no reply at all */
	/* The registers of the unit, in one step each, "ro" ones too; up to
	 * 4096, or 65535 bits. What they return may be what run() returns.
	 * There may be 32 writes, fewer if broadcasts go to many devices. */
	enum hf_exception (*read)(const struct hf_call *, enum hf_table,
	    uint32_t addr, uint16_t count, uint16_t *values);
	enum hf_exception (*write)(const struct hf_call *, enum hf_table,
	    uint32_t addr, uint16_t count, const uint16_t *values);
	void *self; /* the host's own */
};

enum { HF_WRITES = 1, HF_BROADCAST = 2 }; /* flags of a function */

/* A function code that is added, or that takes a standard one's place. */
struct hf_function {
	size_t size;
	const char *name; /* "read_energy" */
	uint8_t fc; /* 1..127 */
	uint8_t sub_len; /* bytes of a sub-function code behind it: 0 none, 1,
			  * 2; other sub-functions stay as they are */
	uint16_t sub;
	unsigned flags; /* HF_WRITES: refused where nothing may be written.
			 * HF_BROADCAST: may be sent to unit 0 */
	struct hf_length request, reply;
	/* Checks everything, then changes something, then replies. What it
	 * returns but HF_EX_NONE is sent in place of its reply. */
	enum hf_exception (*run)(void *arg, struct hf_call *);
};

/* A value whose range names the action, and that a client is about to read. */
struct hf_cell {
	const struct hf_host *host;
	const char *device;
	enum hf_table table;
	uint32_t addr;
	enum hf_type type;
	enum hf_order order;
	uint16_t count; /* registers, or 1 for a bit */
	uint16_t *values; /* those; changed values are written and read */
	/* What "parameters" of the action says of a name, as text; NULL. */
	const char *(*parameter)(const struct hf_cell *, const char *name);
	/* The same as a number, `otherwise` if there is none. */
	double (*number)(
	    const struct hf_cell *, const char *name, double otherwise);
	/* Other registers of the device, each in a step of its own. */
	enum hf_exception (*read)(const struct hf_cell *, enum hf_table,
	    uint32_t addr, uint16_t count, uint16_t *values);
	enum hf_exception (*write)(const struct hf_cell *, enum hf_table,
	    uint32_t addr, uint16_t count, const uint16_t *values);
	void *self; /* the host's own */
};

/* What happens to a value when it is read: once for each value of a request, in
 * the order of addresses. It may be called again for the same read if somebody
 * else writes at that moment. What it returns but HF_EX_NONE is the answer. */
struct hf_action {
	size_t size;
	const char *name; /* as a range's "action" names it */
	enum hf_exception (*run)(void *arg, struct hf_cell *);
};

/* The table. Lists end with NULL. */
struct hf_hooks {
	size_t size;
	void *arg; /* what every call gets */
	/* Bytes that have come, or a reply that is about to leave: may be
	 * changed in place, up to room of them. Returns how many there are
	 * then; 0 suppresses them. */
	size_t (*trace_packet)(void *arg, const struct hf_traced *,
	    uint8_t *bytes, size_t len, size_t room);
	/* The same for a request's PDU, or a reply's; 1 to HF_PDU_MAX. */
	size_t (*trace_pdu)(void *arg, const struct hf_traced *, uint8_t *pdu,
	    size_t len, size_t room);
	/* Somebody has connected, or gone; or was connected to a worker that
	 * has died, whose successor this is. */
	void (*trace_connect)(
	    void *arg, const struct hf_traced *, int connected);
	const struct hf_function *const *functions;
	const struct hf_action *const *actions;
	const struct hf_framer *const *framers;
	const struct hf_transport *const *transports;
	/* Asked of a request that its device would carry out now, behind roles,
	 * max_transactions and faults: HF_EX_NONE lets it. Else that is the
	 * reply, nothing is carried out, and trace_pdu may make of the reply
	 * what it likes. Asked of a broadcast once for all of its devices;
	 * that has no reply. */
	enum hf_exception (*refuse)(void *arg, const struct hf_traced *,
	    const uint8_t *pdu, size_t len);
};

#endif
