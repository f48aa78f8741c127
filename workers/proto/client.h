/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_CLIENT_H
#define PROTO_CLIENT_H

/*
 * The other side of mb_serve(): request PDUs are built and reply PDUs checked
 * against them, over the same table of function codes. For tests, the load
 * generator, and whoever decodes a recording. A reply is bytes from outside:
 * nothing in it is believed that its request and its length do not bear out.
 */

#include "workers/proto/buf.h"
#include "workers/proto/mb.h"

/*
 * Each mb_ask_ function writes one request PDU into pdu, which has room for
 * MB_PDU_MAX bytes, and returns its length, or 0 if the standard does not
 * allow such a request (quantity, function code).
 */

/* FC 1 to 4: count bits or registers from addr on. */
size_t mb_ask_read(uint8_t *pdu, uint8_t fc, uint16_t addr, uint16_t count);

/* FC 5, 6. */
size_t mb_ask_write_coil(uint8_t *pdu, uint16_t addr, bool on);
size_t mb_ask_write_reg(uint8_t *pdu, uint16_t addr, uint16_t value);

/* FC 15: bits packed, lowest address in bit 0 of the first byte. FC 16. */
size_t mb_ask_write_coils(
    uint8_t *pdu, uint16_t addr, uint16_t count, const uint8_t *bits);
size_t mb_ask_write_regs(
    uint8_t *pdu, uint16_t addr, uint16_t count, const uint16_t *values);

/* FC 22, 23, 24. */
size_t mb_ask_mask(
    uint8_t *pdu, uint16_t addr, uint16_t and_mask, uint16_t or_mask);
size_t mb_ask_read_write(uint8_t *pdu, uint16_t read_addr, uint16_t read_count,
    uint16_t addr, uint16_t count, const uint16_t *values);
size_t mb_ask_fifo(uint8_t *pdu, uint16_t pointer);

/* FC 7, 11, 12, 17: the function code is all. */
size_t mb_ask_plain(uint8_t *pdu, uint8_t fc);

/* FC 8 with one data word. */
size_t mb_ask_diag(uint8_t *pdu, uint16_t sub, uint16_t data);

/* Records of a file, AP 6.14. */
struct mb_records {
	uint16_t file, record, count;
	const uint8_t *data; /* two bytes each, high byte first */
};

/* FC 20 (data is not looked at), FC 21: n groups. */
size_t mb_ask_read_file(uint8_t *pdu, const struct mb_records *, unsigned n);
size_t mb_ask_write_file(uint8_t *pdu, const struct mb_records *, unsigned n);

/* FC 43/14. */
size_t mb_ask_identity(uint8_t *pdu, uint8_t code, uint8_t object);

enum mb_reply_rc {
	MB_REPLY_OK,
	MB_REPLY_EXCEPTION, /* reply->ex says which */
	MB_REPLY_BAD, /* no answer to that request: reply->why */
};

struct mb_reply {
	enum mb_ex ex;
	/*
	 * What was asked for, in the reply's own bytes. 1 to 4, 23, 24: the
	 * values; 7: the byte; 8: the data; 11, 12: from the status word on;
	 * 17: id and run status; 20: the groups; 43: from the conformity level
	 * on; the others and codes of one's own: all behind the function code.
	 */
	const uint8_t *data;
	size_t len;
	const char *why;
};

/* Whether rsp answers req, byte for byte; req is a whole request. */
enum mb_reply_rc mb_reply_check(const struct mb_fcs *, const uint8_t *req,
    size_t req_len, const uint8_t *rsp, size_t rsp_len, struct mb_reply *);

/* Register or bit i of what was read; 0 beyond its end. */
uint16_t mb_reply_reg(const struct mb_reply *, unsigned i);
bool mb_reply_bit(const struct mb_reply *, unsigned i);

/* The next group of FC 20's data (file and record stay 0: the reply does not
 * name them), or the next object of FC 43's, from a cursor over reply->data.
 * False when there is none, or it is cut. */
bool mb_reply_next_group(struct rbuf *, struct mb_records *);
bool mb_reply_next_object(struct rbuf *, struct mb_object *);

/* Moves a cursor over FC 43's data to its first object. *next: the object to
 * ask for if more follow, else -1. False if it is cut. */
bool mb_reply_objects(struct rbuf *, int *next);

#endif
