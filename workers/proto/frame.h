/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

/*
 * Framers: from bytes to frames and back. Each framer is one row and can be
 * used on any transport, as a stream (bytes arrive in any pieces) or as
 * datagrams (one frame or nothing).
 *
 *	socket	MBAP header (Messaging on TCP/IP Guide V1.0b, 3.1.3)
 *	tls	the same header inside TLS (MODBUS/TCP Security v3.6, 5)
 *	rtu	unit, PDU, CRC-16 (Serial Line V1.02, 2.5.1)
 *	ascii	':', hex, LRC, CR LF (Serial Line V1.02, 2.5.2)
 */

#include "workers/proto/mb.h"

enum frame_rc {
	FRAME_OK, /* one frame found */
	FRAME_MORE, /* no whole frame yet */
	FRAME_BAD, /* hopeless: a stream must be closed, a datagram dropped */
};

enum {
	FRAME_ADU_MAX = 513, /* the longest ADU of any framer (ASCII) */
	FRAME_LEFT_MAX = 512, /* most that FRAME_MORE leaves unused */
	FRAME_HEAD_MAX = 7, /* most bytes before the PDU in a reply buffer */
};

/* One frame, as parse found it. */
struct frame {
	uint8_t unit;
	uint16_t tid; /* transaction id; 0 where the framer has none */
	const uint8_t *pdu; /* into the input, or into scratch (ASCII) */
	size_t pdu_len; /* 1..MB_PDU_MAX */
	size_t used; /* bytes done with, junk before the frame included */
	size_t adu; /* of them that junk: where the frame begins */
	unsigned errors; /* bad frames skipped on the way (CRC, LRC, noise) */
	unsigned foreign; /* other stations' replies skipped on the way (RTU) */
	const char *why; /* FRAME_BAD: a few words for the log */
	const void *arg; /* of the framer; set before it is asked */
	uint8_t scratch[MB_PDU_MAX + 3];
};

struct framer {
	const char *name;
	const void *arg; /* for framers of plugins: in each frame they see */
	size_t head; /* seal() wants the PDU at adu + head */
	size_t adu_max; /* longest ADU, request or reply */
	/*
	 * Looks for the first request in len bytes. FRAME_OK: f is filled in.
	 * FRAME_MORE: f->used and f->errors are (junk that may be dropped).
	 * Never looks beyond len and keeps no state: what is not used is given
	 * again, with more behind it. delimiter: last character of an ASCII
	 * frame (LF unless FC 8/3 changed it); others ignore it.
	 */
	enum frame_rc (*stream)(const struct mb_fcs *, uint8_t delimiter,
	    const uint8_t *in, size_t len, struct frame *f);
	/* The same for a datagram: FRAME_OK only if it is exactly one frame. */
	enum frame_rc (*datagram)(const struct mb_fcs *, uint8_t delimiter,
	    const uint8_t *in, size_t len, struct frame *f);
	/*
	 * Makes the reply to req around the pdu_len bytes at adu + head, in
	 * place; adu has room for adu_max bytes. Returns the ADU's length.
	 */
	size_t (*seal)(const struct frame *req, uint8_t delimiter, uint8_t *adu,
	    size_t pdu_len);
};

extern const struct framer frame_mbap, frame_tls, frame_rtu, frame_ascii;

/* The framer of that name (socket, tls, rtu, ascii), or NULL. */
const struct framer *framer_find(const char *name);

/* CRC-16 of the serial line (SL 6.2.2), low byte first on the wire. */
uint16_t frame_crc16(const uint8_t *p, size_t len);

/* LRC of the serial line (SL 6.2.1). */
uint8_t frame_lrc(const uint8_t *p, size_t len);

#endif
