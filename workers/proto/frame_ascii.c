/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The framer "ascii": ':', the bytes as hex digits, LRC, CR and a delimiter
 * (Serial Line V1.02, 2.5.2). Digits are read in either case and written in
 * upper case. A ':' always begins a frame, whatever came before it. Runs in
 * the workers; no state between two calls.
 */

#include "workers/proto/frame.h"

enum {
	HEAD = 1, /* where seal() finds the PDU: hex grows from its end */
	LINE_FEED = '\n',
	BYTES_MIN = 3, /* unit, function code, LRC */
	BYTES_MAX = MB_PDU_MAX + 2,
	DIGITS_MAX = 2 * BYTES_MAX,
};

static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Decodes n digits into the scratch; true if they are one good frame. */
static bool
decode(const uint8_t *in, size_t n, struct frame *f)
{
	size_t i, len = n / 2;

	if (n % 2 != 0 || len < BYTES_MIN)
		return false;
	for (i = 0; i < len; i++)
		f->scratch[i] =
		    (uint8_t)(digit(in[2 * i]) << 4 | digit(in[2 * i + 1]));
	if (frame_lrc(f->scratch, len) != 0)
		return false;
	f->unit = f->scratch[0];
	f->tid = 0;
	f->pdu = f->scratch + 1;
	f->pdu_len = len - 2;
	return true;
}

enum ended { ENDED, CUT_OFF, BROKEN };

/* Finds the end of the digits at in: their number is in *n. */
static enum ended
digits(const uint8_t *in, size_t len, uint8_t delimiter, size_t *n)
{
	size_t i;

	for (i = 0; i < len && i < DIGITS_MAX && digit(in[i]) >= 0; i++)
		continue;
	*n = i;
	if (i == len || (in[i] == '\r' && i + 1 == len))
		return CUT_OFF;
	if (in[i] == '\r' && in[i + 1] == delimiter)
		return ENDED;
	return BROKEN;
}

static enum frame_rc
ascii_stream(const struct mb_fcs *fcs, uint8_t delimiter, const uint8_t *in,
    size_t len, struct frame *f)
{
	bool noise = false;
	size_t n;

	(void)fcs;
	if (delimiter == 0)
		delimiter = LINE_FEED;
	f->used = 0;
	f->errors = 0;
	f->foreign = 0;
	while (f->used < len) {
		if (in[f->used] != ':') {
			f->errors += !noise;
			noise = true;
			f->used++;
			continue;
		}
		noise = false;
		switch (digits(
		    in + f->used + 1, len - f->used - 1, delimiter, &n)) {
		case CUT_OFF:
			return FRAME_MORE;
		case ENDED:
			if (decode(in + f->used + 1, n, f)) {
				f->adu = f->used;
				f->used += 1 + n + 2;
				return FRAME_OK;
			}
			f->errors++;
			f->used += 1 + n + 2;
			break;
		case BROKEN:
			f->errors++;
			noise = true;
			f->used += 1 + n;
			break;
		}
	}
	return FRAME_MORE;
}

static enum frame_rc
ascii_datagram(const struct mb_fcs *fcs, uint8_t delimiter, const uint8_t *in,
    size_t len, struct frame *f)
{
	enum frame_rc rc = ascii_stream(fcs, delimiter, in, len, f);

	if (rc == FRAME_OK && f->errors == 0 && f->used == len)
		return FRAME_OK;
	f->errors = 1;
	f->why = "not one frame with a good LRC";
	return FRAME_BAD;
}

static size_t
ascii_seal(
    const struct frame *req, uint8_t delimiter, uint8_t *adu, size_t pdu_len)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, len = HEAD + pdu_len;
	uint8_t byte, lrc;

	adu[0] = req->unit;
	lrc = frame_lrc(adu, len);
	adu[1 + 2 * len] = (uint8_t)hex[lrc >> 4];
	adu[2 + 2 * len] = (uint8_t)hex[lrc & 15];
	for (i = len; i-- > 0;) {
		byte = adu[i];
		adu[1 + 2 * i] = (uint8_t)hex[byte >> 4];
		adu[2 + 2 * i] = (uint8_t)hex[byte & 15];
	}
	adu[0] = ':';
	adu[3 + 2 * len] = '\r';
	adu[4 + 2 * len] = delimiter == 0 ? LINE_FEED : delimiter;
	return 5 + 2 * len;
}

const struct framer frame_ascii = {
	.name = "ascii",
	.head = HEAD,
	.adu_max = FRAME_ADU_MAX,
	.stream = ascii_stream,
	.datagram = ascii_datagram,
	.seal = ascii_seal,
};
