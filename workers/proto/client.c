/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request PDUs as a client builds them. Runs in tests, tools and whatever asks
 * other servers; never on the way of a request that we serve.
 */

#include "workers/proto/client.h"

enum { REF_TYPE = 6, COIL_ON = 0xff00, IDENTIFICATION = 0x0e };

/* Begins a request: its function code. */
static struct wbuf
begin(uint8_t *pdu, uint8_t fc)
{
	struct wbuf b;

	wbuf_init(&b, pdu, MB_PDU_MAX);
	wbuf_u8(&b, fc);
	return b;
}

static size_t
end(const struct wbuf *b)
{
	return b->bad ? 0 : b->len;
}

static void
put_regs(struct wbuf *b, uint16_t count, const uint16_t *values)
{
	unsigned i;

	for (i = 0; i < count; i++)
		wbuf_u16(b, values[i]);
}

size_t
mb_ask_read(uint8_t *pdu, uint8_t fc, uint16_t addr, uint16_t count)
{
	struct wbuf b = begin(pdu, fc);
	unsigned max = fc <= 2 ? MB_READ_BITS_MAX : MB_READ_REGS_MAX;

	if (fc < 1 || fc > 4 || count < 1 || count > max)
		return 0;
	wbuf_u16(&b, addr);
	wbuf_u16(&b, count);
	return end(&b);
}

size_t
mb_ask_write_coil(uint8_t *pdu, uint16_t addr, bool on)
{
	struct wbuf b = begin(pdu, 5);

	wbuf_u16(&b, addr);
	wbuf_u16(&b, on ? COIL_ON : 0);
	return end(&b);
}

size_t
mb_ask_write_reg(uint8_t *pdu, uint16_t addr, uint16_t value)
{
	struct wbuf b = begin(pdu, 6);

	wbuf_u16(&b, addr);
	wbuf_u16(&b, value);
	return end(&b);
}

size_t
mb_ask_write_coils(
    uint8_t *pdu, uint16_t addr, uint16_t count, const uint8_t *bits)
{
	struct wbuf b = begin(pdu, 15);
	uint8_t *last;

	if (count < 1 || count > MB_WRITE_BITS_MAX)
		return 0;
	wbuf_u16(&b, addr);
	wbuf_u16(&b, count);
	wbuf_u8(&b, (uint8_t)((count + 7) / 8));
	wbuf_put(&b, bits, (count + 7u) / 8);
	last = &b.base[b.len - 1];
	if (count % 8 != 0)
		*last &= (uint8_t)((1 << count % 8) - 1);
	return end(&b);
}

size_t
mb_ask_write_regs(
    uint8_t *pdu, uint16_t addr, uint16_t count, const uint16_t *values)
{
	struct wbuf b = begin(pdu, 16);

	if (count < 1 || count > MB_WRITE_REGS_MAX)
		return 0;
	wbuf_u16(&b, addr);
	wbuf_u16(&b, count);
	wbuf_u8(&b, (uint8_t)(2 * count));
	put_regs(&b, count, values);
	return end(&b);
}

size_t
mb_ask_mask(uint8_t *pdu, uint16_t addr, uint16_t and_mask, uint16_t or_mask)
{
	struct wbuf b = begin(pdu, 22);

	wbuf_u16(&b, addr);
	wbuf_u16(&b, and_mask);
	wbuf_u16(&b, or_mask);
	return end(&b);
}

size_t
mb_ask_read_write(uint8_t *pdu, uint16_t read_addr, uint16_t read_count,
    uint16_t addr, uint16_t count, const uint16_t *values)
{
	struct wbuf b = begin(pdu, 23);

	if (read_count < 1 || read_count > MB_READ_REGS_MAX || count < 1 ||
	    count > MB_RW_WRITE_REGS_MAX)
		return 0;
	wbuf_u16(&b, read_addr);
	wbuf_u16(&b, read_count);
	wbuf_u16(&b, addr);
	wbuf_u16(&b, count);
	wbuf_u8(&b, (uint8_t)(2 * count));
	put_regs(&b, count, values);
	return end(&b);
}

size_t
mb_ask_fifo(uint8_t *pdu, uint16_t pointer)
{
	struct wbuf b = begin(pdu, 24);

	wbuf_u16(&b, pointer);
	return end(&b);
}

size_t
mb_ask_plain(uint8_t *pdu, uint8_t fc)
{
	struct wbuf b = begin(pdu, fc);

	return fc == 7 || fc == 11 || fc == 12 || fc == 17 ? end(&b) : 0;
}

size_t
mb_ask_diag(uint8_t *pdu, uint16_t sub, uint16_t data)
{
	struct wbuf b = begin(pdu, 8);

	wbuf_u16(&b, sub);
	wbuf_u16(&b, data);
	return end(&b);
}

static size_t
ask_file(uint8_t *pdu, uint8_t fc, const struct mb_records *r, unsigned n)
{
	struct wbuf b = begin(pdu, fc);
	uint8_t *nbytes = wbuf_room(&b, 1);
	size_t reply = 2;
	unsigned i;

	for (i = 0; i < n; i++) {
		wbuf_u8(&b, REF_TYPE);
		wbuf_u16(&b, r[i].file);
		wbuf_u16(&b, r[i].record);
		wbuf_u16(&b, r[i].count);
		if (fc == 21)
			wbuf_put(&b, r[i].data, 2u * r[i].count);
		reply += 2 + 2u * r[i].count;
		if (r[i].count == 0 || (fc == 20 && reply > MB_PDU_MAX))
			return 0;
	}
	if (n == 0 || b.bad)
		return 0;
	*nbytes = (uint8_t)(b.len - 2);
	return end(&b);
}

size_t
mb_ask_read_file(uint8_t *pdu, const struct mb_records *r, unsigned n)
{
	return ask_file(pdu, 20, r, n);
}

size_t
mb_ask_write_file(uint8_t *pdu, const struct mb_records *r, unsigned n)
{
	return ask_file(pdu, 21, r, n);
}

size_t
mb_ask_identity(uint8_t *pdu, uint8_t code, uint8_t object)
{
	struct wbuf b = begin(pdu, 43);

	if (code < 1 || code > 4)
		return 0;
	wbuf_u8(&b, IDENTIFICATION);
	wbuf_u8(&b, code);
	wbuf_u8(&b, object);
	return end(&b);
}
