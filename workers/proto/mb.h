/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_MB_H
#define PROTO_MB_H

/*
 * Modbus as such: numbers, limits, and the one function that turns a request
 * PDU into a reply PDU. Pure: no I/O, no clock, no allocation, no globals that
 * change, no logging. Clauses are of the Modbus Application Protocol
 * Specification V1.1b3 ("AP") and of Modbus over Serial Line V1.02 ("SL").
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workers/proto/diag.h"

enum {
	MB_PDU_MAX = 253, /* AP 4.1 */
	MB_READ_BITS_MAX = 2000, /* AP 6.1, 6.2 */
	MB_WRITE_BITS_MAX = 1968,
	MB_READ_REGS_MAX = 125,
	MB_WRITE_REGS_MAX = 123,
	MB_RW_WRITE_REGS_MAX = 121, /* AP 6.17 */
	MB_FIFO_MAX = 31, /* AP 6.18 */
	MB_FILE_RECORDS = 10000, /* records of one file, AP 6.14 */
	MB_ADDRESSES = 65536, /* of each table, AP 4.4 */
	MB_STEPS_MAX = 35, /* most steps that one PDU can ask for */
};

/* Exception codes, AP 7. 0 is "fine" and never goes on the wire. */
enum mb_ex {
	MB_EX_NONE = 0x00,
	MB_EX_FUNCTION = 0x01,
	MB_EX_ADDRESS = 0x02,
	MB_EX_VALUE = 0x03,
	MB_EX_FAILURE = 0x04,
	MB_EX_ACKNOWLEDGE = 0x05,
	MB_EX_BUSY = 0x06,
	MB_EX_NAK = 0x07,
	MB_EX_PARITY = 0x08,
	MB_EX_NO_PATH = 0x0a,
	MB_EX_NO_REPLY = 0x0b,
};

/* The data model, AP 4.3, and what files and queues add to it. */
enum mb_table {
	MB_CO, /* coils: addr 0..65535, count in bits */
	MB_DI, /* discrete inputs */
	MB_HR, /* holding registers: count in registers */
	MB_IR, /* input registers */
	MB_FILE, /* addr = file number << 16 | record, count in records */
	MB_FIFO, /* addr = FIFO pointer; out: 2-byte count, then values */
	MB_TABLES
};

enum mb_op {
	MB_READ, /* out gets the values */
	MB_WRITE, /* in holds the values */
	MB_MASK, /* register = (register & and) | (or & ~and), AP 6.16 */
};

/*
 * One access to the model. Registers travel as the wire has them, two bytes,
 * high byte first; bits packed, lowest address in bit 0 of the first byte,
 * unused bits of the last byte 0.
 */
struct mb_step {
	enum mb_op op;
	enum mb_table table;
	uint32_t addr;
	uint16_t count; /* MB_READ of MB_FIFO: the model sets it */
	uint16_t and_mask, or_mask;
	const uint8_t *in; /* MB_WRITE; FC 5, 6: out is what is answered */
	uint8_t *out; /* MB_READ; MB_FIFO: room for 2 + 2 * MB_FIFO_MAX */
};

/* One object of the device identification, AP 6.21. Text is UTF-8 or bytes. */
struct mb_object {
	uint8_t id;
	uint8_t len;
	const char *text; /* lives as long as the unit */
};

struct mb_identity {
	const struct mb_object *obj; /* ascending by id; 0..2 always present */
	unsigned n;
};

/*
 * A unit: one device as one transport shows it. step() carries out n steps as
 * one, wholly or not at all, and leaves nothing behind it when it fails: it
 * answers MB_EX_NONE, MB_EX_ADDRESS (outside every range, or not writable),
 * MB_EX_BUSY or MB_EX_FAILURE. It must not block longer than its own bound.
 */
struct mb_unit {
	enum mb_ex (*step)(void *arg, struct mb_step *steps, unsigned n);
	void *arg;
	const struct mb_identity *identity;
	struct mb_diag *diag; /* never NULL; all zero is its first state */
	bool alone; /* no other process serves it with this diag */
	bool no_silence; /* 8/4 (listen only) is answered 01 */
	bool read_only; /* function codes that write are answered 01 */
};

struct mb_fc;

/* The function codes a server knows. Rows are borrowed. */
struct mb_fcs {
	const struct mb_fc *row[128];
};

/* Fills in every standard function code. */
void mb_fcs_init(struct mb_fcs *);

/*
 * Adds or replaces one function code (1..127). -1 with errno EINVAL if the
 * number is not one.
 */
int mb_fcs_set(struct mb_fcs *, uint8_t fc, const struct mb_fc *row);

/*
 * Serves one request PDU of len bytes for a unit and writes the reply PDU into
 * out, which has room for MB_PDU_MAX bytes and does not overlap the request.
 * Returns the reply's length, 0 when none is sent (broadcast, listen-only).
 * Order of checks: function code (01), length, quantity and byte count (03),
 * address (02), execution (04, 06), each as AP's diagram of the function has
 * it. len 0 or above MB_PDU_MAX is answered 03 with function code 0x80|pdu[0].
 */
size_t mb_serve(const struct mb_fcs *, struct mb_unit *, bool broadcast,
    const uint8_t *pdu, size_t len, uint8_t out[MB_PDU_MAX]);

/*
 * The whole request's length that the PDU so far calls for, in bytes: > 0 the
 * length, 0 more bytes are needed to tell, -1 the function code has no rule
 * (unknown). For framers that carry no length of their own (RTU).
 */
int mb_request_len(const struct mb_fcs *, const uint8_t *pdu, size_t len);

/* The same for a reply PDU: what another station on the line answers. */
int mb_reply_len(const struct mb_fcs *, const uint8_t *pdu, size_t len);

/* A short name for a function code, "read_holding_registers"; "fc99" never:
 * NULL when it has no row. */
const char *mb_fc_name(const struct mb_fcs *, uint8_t fc);

/* The words of AP 7 for an exception code, "illegal data address". */
const char *mb_ex_name(enum mb_ex);

#endif
