/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The framer "socket": Modbus in TCP and UDP (Messaging on TCP/IP Guide
 * V1.0b, 3.1.3). The header's length alone says where a frame ends, whatever
 * its function code calls for: else a second request could hide in the first.
 * Runs in the workers; no state between two calls.
 */

#include "workers/proto/frame_mbap.h"

enum {
	HEAD = 7, /* tid 2, protocol 2, length 2, unit 1 */
	BEFORE_LENGTH = 6,
	LENGTH_MIN = 2, /* unit and function code */
	LENGTH_MAX = 1 + MB_PDU_MAX,
};

static unsigned
be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static enum frame_rc
bad(struct frame *f, const char *why)
{
	f->why = why;
	return FRAME_BAD;
}

enum frame_rc
frame_mbap_stream(const struct mb_fcs *fcs, uint8_t delimiter,
    const uint8_t *in, size_t len, struct frame *f)
{
	unsigned length;

	(void)fcs;
	(void)delimiter;
	f->used = f->adu = 0;
	f->errors = 0;
	f->foreign = 0;
	if (len < BEFORE_LENGTH)
		return FRAME_MORE;
	if (be16(in + 2) != 0)
		return bad(f, "protocol id is not 0");
	length = be16(in + 4);
	if (length < LENGTH_MIN || length > LENGTH_MAX)
		return bad(f, "length is not 2..254");
	if (len < BEFORE_LENGTH + length)
		return FRAME_MORE;
	f->tid = (uint16_t)be16(in);
	f->unit = in[6];
	f->pdu = in + HEAD;
	f->pdu_len = length - 1;
	f->used = BEFORE_LENGTH + length;
	return FRAME_OK;
}

enum frame_rc
frame_mbap_datagram(const struct mb_fcs *fcs, uint8_t delimiter,
    const uint8_t *in, size_t len, struct frame *f)
{
	enum frame_rc rc = frame_mbap_stream(fcs, delimiter, in, len, f);

	if (rc == FRAME_MORE)
		return bad(f, "shorter than its length says");
	if (rc == FRAME_OK && f->used != len)
		return bad(f, "longer than its length says");
	return rc;
}

size_t
frame_mbap_seal(
    const struct frame *req, uint8_t delimiter, uint8_t *adu, size_t pdu_len)
{
	size_t length = 1 + pdu_len;

	(void)delimiter;
	adu[0] = (uint8_t)(req->tid >> 8);
	adu[1] = (uint8_t)req->tid;
	adu[2] = 0;
	adu[3] = 0;
	adu[4] = (uint8_t)(length >> 8);
	adu[5] = (uint8_t)length;
	adu[6] = req->unit;
	return BEFORE_LENGTH + length;
}

const struct framer frame_mbap = {
	.name = "socket",
	.head = HEAD,
	.adu_max = BEFORE_LENGTH + LENGTH_MAX,
	.stream = frame_mbap_stream,
	.datagram = frame_mbap_datagram,
	.seal = frame_mbap_seal,
};
