/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PDUs and frames taken apart, see decode.h; the words are decode_text.c's.
 * Runs in the control process and in tools. Nothing is believed that the bytes
 * do not bear out.
 */

#include "workers/proto/decode.h"

#include "workers/proto/buf.h"

enum { MBAP = 7, RTU_LEAST = 4, JUNK_MAX = 260 };

/* ---- framing ---- */

static bool
open_mbap(const uint8_t *p, size_t len, struct mb_adu *a)
{
	size_t said;

	if (len <= MBAP)
		return false;
	said = (size_t)p[4] << 8 | p[5];
	if ((p[2] | p[3]) != 0 || said != len - 6 || said > MB_PDU_MAX + 1)
		return false;
	a->tid = p[0] << 8 | p[1];
	a->unit = p[6];
	a->pdu = p + MBAP;
	a->pdu_len = len - MBAP;
	return true;
}

static bool
open_rtu(const uint8_t *p, size_t len, struct mb_adu *a)
{
	for (size_t junk = 0; junk < JUNK_MAX; junk++, p++, len--) {
		if (len < RTU_LEAST)
			return false;
		if (len > MB_PDU_MAX + 3 ||
		    frame_crc16(p, len - 2) != (p[len - 2] | p[len - 1] << 8))
			continue;
		a->unit = p[0];
		a->pdu = p + 1;
		a->pdu_len = len - 3;
		return true;
	}
	return false;
}

static int
nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ':', digits, CR and whatever ends a line here. */
static bool
open_ascii(const uint8_t *p, size_t len, struct mb_adu *a)
{
	size_t n = 0, at = len;

	while (at > 0 && p[at - 1] != ':')
		at--;
	if (at == 0 || len - at < 2)
		return false;
	for (len -= 2; at < len; at += 2) {
		int high = nibble(p[at]), low;

		low = at + 1 < len ? nibble(p[at + 1]) : -1;
		if (high == -1 || low == -1 || n == sizeof(a->scratch))
			return false;
		a->scratch[n++] = (uint8_t)(high << 4 | low);
	}
	if (n < 3 || frame_lrc(a->scratch, n - 1) != a->scratch[n - 1])
		return false;
	a->unit = a->scratch[0];
	a->pdu = a->scratch + 1;
	a->pdu_len = n - 2;
	return true;
}

bool
mb_adu_open(
    const struct framer *f, const uint8_t *bytes, size_t len, struct mb_adu *a)
{
	a->tid = -1;
	if (f == &frame_mbap || f == &frame_tls)
		return open_mbap(bytes, len, a);
	if (f == &frame_rtu)
		return open_rtu(bytes, len, a);
	return f == &frame_ascii && open_ascii(bytes, len, a);
}

/* ---- fields ---- */

static void
set_values(
    struct mb_decoded *d, struct rbuf *in, enum mb_values kind, unsigned n)
{
	size_t bytes = kind == MB_BITS ? (n + 7u) / 8 : 2u * n;

	d->data = rbuf_take(in, bytes);
	if (d->data == NULL)
		return;
	d->kind = kind;
	d->nvalues = n;
}

static void
addr_count(struct mb_decoded *d, struct rbuf *in)
{
	d->addr = rbuf_u16(in);
	d->count = rbuf_u16(in);
}

static void
write_one(struct mb_decoded *d, struct rbuf *in)
{
	d->addr = rbuf_u16(in);
	d->count = 1;
	/* a coil's ff00 is on, as its first bit has it */
	set_values(d, in, d->fc == 5 ? MB_BITS : MB_REGS, 1);
	if (d->fc == 5 && rbuf_u8(in) != 0)
		in->bad = true;
}

/* FC 15, 16: also how many bytes. */
static void
write_many(struct mb_decoded *d, struct rbuf *in)
{
	enum mb_values kind = d->fc == 15 ? MB_BITS : MB_REGS;
	unsigned bytes;

	addr_count(d, in);
	bytes = rbuf_u8(in);
	if (bytes ==
	    (kind == MB_BITS ? ((unsigned)d->count + 7) / 8
			     : 2 * (unsigned)d->count))
		set_values(d, in, kind, (unsigned)d->count);
}

static void
mask(struct mb_decoded *d, struct rbuf *in)
{
	d->addr = rbuf_u16(in);
	d->count = 1;
	d->and_mask = rbuf_u16(in);
	d->or_mask = rbuf_u16(in);
}

static void
read_write(struct mb_decoded *d, struct rbuf *in)
{
	unsigned bytes;

	addr_count(d, in);
	d->write_addr = rbuf_u16(in);
	d->write_count = rbuf_u16(in);
	bytes = rbuf_u8(in);
	if (bytes == 2 * (unsigned)d->write_count)
		set_values(d, in, MB_REGS, (unsigned)d->write_count);
}

static void
pointer(struct mb_decoded *d, struct rbuf *in)
{
	d->addr = rbuf_u16(in);
}

/* FC 20 as a request, FC 21 both ways: the first group; others follow. */
static void
groups(struct mb_decoded *d, struct rbuf *in)
{
	unsigned bytes = rbuf_u8(in);

	if (bytes != in->left)
		in->bad = true;
	for (unsigned i = 0; rbuf_ok(in) && in->left > 0; i++) {
		unsigned type = rbuf_u8(in), file = rbuf_u16(in),
			 record = rbuf_u16(in), n = rbuf_u16(in);

		if (type != 6)
			in->bad = true;
		if (i == 0 && rbuf_ok(in)) {
			d->file = (int)file;
			d->addr = (int)record;
			d->count = (int)n;
		}
		if (i == 0 && d->fc == 21)
			set_values(d, in, MB_REGS, n);
		else if (d->fc == 21)
			rbuf_take(in, 2u * n);
	}
}

static void
diagnostics(struct mb_decoded *d, struct rbuf *in)
{
	d->sub = rbuf_u16(in);
	if (in->left == 2)
		set_values(d, in, MB_REGS, 1);
	else
		rbuf_take(in, in->left);
}

static void
encapsulated(struct mb_decoded *d, struct rbuf *in)
{
	d->sub = rbuf_u8(in);
	rbuf_take(in, in->left);
}

/* Functions that are all of their request. */
static void
nothing(struct mb_decoded *d, struct rbuf *in)
{
	(void)d;
	(void)in;
}

/* What is left is anybody's. */
static void
anything(struct mb_decoded *d, struct rbuf *in)
{
	(void)d;
	rbuf_take(in, in->left);
}

/* How many bytes, and that many of values. */
static void
bits(struct mb_decoded *d, struct rbuf *in)
{
	unsigned n = 8u * rbuf_u8(in);

	if (d->count > 0 && (unsigned)d->count <= n &&
	    (unsigned)d->count + 7 >= n)
		n = (unsigned)d->count;
	set_values(d, in, MB_BITS, n);
}

static void
regs(struct mb_decoded *d, struct rbuf *in)
{
	unsigned bytes = rbuf_u8(in);

	set_values(d, in, MB_REGS, bytes / 2);
	if (bytes % 2 != 0)
		in->bad = true;
}

static void
fifo(struct mb_decoded *d, struct rbuf *in)
{
	unsigned bytes = rbuf_u16(in), n = rbuf_u16(in);

	if (bytes != 2 + 2 * n)
		in->bad = true;
	d->count = (int)n;
	set_values(d, in, MB_REGS, n);
}

/* Fields that are told only if the so many bytes are there that they take. */
static const struct {
	void (*request)(struct mb_decoded *, struct rbuf *);
	void (*reply)(struct mb_decoded *, struct rbuf *);
	uint8_t request_bytes, reply_bytes;
} rows[] = {
	[1] = { addr_count, bits, 4, 0 },
	[2] = { addr_count, bits, 4, 0 },
	[3] = { addr_count, regs, 4, 0 },
	[4] = { addr_count, regs, 4, 0 },
	[5] = { write_one, write_one, 4, 4 },
	[6] = { write_one, write_one, 4, 4 },
	[7] = { nothing, anything, 0, 0 },
	[8] = { diagnostics, diagnostics, 2, 2 },
	[11] = { nothing, anything, 0, 0 },
	[12] = { nothing, anything, 0, 0 },
	[15] = { write_many, addr_count, 4, 4 },
	[16] = { write_many, addr_count, 4, 4 },
	[17] = { nothing, anything, 0, 0 },
	[20] = { groups, anything, 0, 0 },
	[21] = { groups, groups, 0, 0 },
	[22] = { mask, mask, 6, 6 },
	[23] = { read_write, regs, 8, 0 },
	[24] = { pointer, fifo, 2, 4 },
	[43] = { encapsulated, encapsulated, 1, 1 },
};

enum { NROWS = sizeof(rows) / sizeof(rows[0]) };

static void
begin(struct mb_decoded *d, const uint8_t *pdu, size_t len, struct rbuf *in)
{
	*d = (struct mb_decoded){
		.exception = -1,
		.sub = -1,
		.addr = -1,
		.count = -1,
		.file = -1,
		.write_addr = -1,
		.write_count = -1,
		.and_mask = -1,
		.or_mask = -1,
	};
	rbuf_init(in, pdu, len);
	d->fc = rbuf_u8(in);
	d->rest = in->p;
	d->rest_len = in->left;
}

/* A field that is not all there is not told. */
static void
finish(struct mb_decoded *d, const struct rbuf *in)
{
	uint8_t need = 0;

	d->whole = rbuf_done(in);
	if (d->fc < NROWS)
		need = d->reply ? rows[d->fc].reply_bytes
				: rows[d->fc].request_bytes;
	if (d->rest_len >= need)
		return;
	d->addr = d->count = d->write_addr = d->write_count = -1;
	d->and_mask = d->or_mask = d->sub = -1;
}

void
mb_decode_request(const uint8_t *pdu, size_t len, struct mb_decoded *d)
{
	struct rbuf in;

	begin(d, pdu, len, &in);
	if (d->fc < NROWS && rows[d->fc].request != NULL)
		rows[d->fc].request(d, &in);
	else
		anything(d, &in);
	finish(d, &in);
}

void
mb_decode_reply(const struct mb_decoded *req, const uint8_t *pdu, size_t len,
    struct mb_decoded *d)
{
	struct rbuf in;

	begin(d, pdu, len, &in);
	d->reply = true;
	if (req != NULL && req->fc == (d->fc & 0x7f)) {
		d->addr = req->addr;
		d->count = req->count;
		d->file = req->file;
		d->write_addr = req->write_addr;
		d->write_count = req->write_count;
	}
	if ((d->fc & 0x80) != 0) {
		d->fc &= 0x7f;
		d->exception = rbuf_u8(&in);
		d->whole = rbuf_done(&in);
		return;
	}
	if (d->fc < NROWS && rows[d->fc].reply != NULL)
		rows[d->fc].reply(d, &in);
	else
		anything(d, &in);
	finish(d, &in);
}

unsigned
mb_decoded_value(const struct mb_decoded *d, unsigned i)
{
	if (d->kind == MB_BITS)
		return d->data[i / 8] >> i % 8 & 1u;
	return (unsigned)d->data[2 * i] << 8 | d->data[2 * i + 1];
}
