/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_DECODE_H
#define PROTO_DECODE_H

/*
 * Frames taken apart for people and filters: who recorded them need not have
 * understood them. Pure. All that is decoded is bytes from outside; what is cut
 * or odd is told as far as it goes.
 */

#include "workers/proto/frame.h"

/* A frame without its framing. */
struct mb_adu {
	uint8_t unit;
	int tid; /* transaction; -1: the framer has none */
	const uint8_t *pdu; /* into the frame, or into scratch (ASCII) */
	size_t pdu_len; /* 1 or more */
	uint8_t scratch[MB_PDU_MAX + 3];
};

/*
 * Takes the framing off one frame, request or reply: header, CRC or LRC must be
 * right. What an RTU or ASCII frame has before its first byte is stepped over.
 * False if it is none.
 */
bool mb_adu_open(
    const struct framer *, const uint8_t *bytes, size_t len, struct mb_adu *);

enum mb_values { MB_NO_VALUES, MB_BITS, MB_REGS };

/* A PDU's fields. Numbers are -1 where it has none. */
struct mb_decoded {
	uint8_t fc; /* without the bit that makes it an exception */
	bool reply;
	bool whole; /* all that the standard has in it is there, no more */
	int exception; /* its code */
	int sub; /* of FC 8; what FC 43 encapsulates */
	/* of a reply: its own, else those of its request. FC 20, 21: of the
	 * first group, addr being the record. FC 24: the pointer. */
	int addr, count;
	int file; /* FC 20, 21: number of the first group's */
	int write_addr, write_count; /* FC 23 */
	int and_mask, or_mask; /* FC 22 */
	enum mb_values kind;
	const uint8_t *data; /* the values, as the PDU has them */
	unsigned nvalues;
	const uint8_t *rest; /* all behind the function code */
	size_t rest_len;
};

/* A request of 1 to MB_PDU_MAX bytes. */
void mb_decode_request(const uint8_t *pdu, size_t len, struct mb_decoded *);

/* A reply to req, or, if that is NULL, to nobody knows what. */
void mb_decode_reply(const struct mb_decoded *req, const uint8_t *pdu,
    size_t len, struct mb_decoded *);

/* Value i < nvalues. */
unsigned mb_decoded_value(const struct mb_decoded *, unsigned i);

/* One line for a person, cut at size - 1 bytes; what it holds is printable
 * ASCII. Returns buf. */
char *mb_decode_text(const struct mb_decoded *, char *buf, size_t size);

#endif
