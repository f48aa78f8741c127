/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second opinion on what a Modbus server answers. Runs in tests; shares
 * nothing with workers/proto, not even how to read a number.
 */
#include "tests/lib/ref_model.h"

#include <string.h>

#define REF16(i) ((unsigned)p[i] * 256 + p[(i) + 1])

static int
refuse(uint8_t *out, const uint8_t *p, int code)
{
	out[0] = p[0] | 0x80;
	out[1] = (uint8_t)code;
	return 2;
}

static int
read_bits(const uint8_t *bit, const uint8_t *p, int len, uint8_t *out)
{
	unsigned i, n;

	if (len != 5 || REF16(3) == 0 || REF16(3) > 2000)
		return refuse(out, p, 3);
	if (REF16(1) + REF16(3) > REF_BITS)
		return refuse(out, p, 2);
	n = (REF16(3) + 7) / 8;
	memset(out, 0, 2 + n);
	out[0] = p[0];
	out[1] = (uint8_t)n;
	for (i = 0; i < REF16(3); i++)
		if (bit[REF16(1) + i])
			out[2 + i / 8] |= (uint8_t)(1 << (i % 8));
	return (int)(2 + n);
}

static int
read_regs(const uint16_t *reg, const uint8_t *p, int len, uint8_t *out)
{
	unsigned i;

	if (len != 5 || REF16(3) == 0 || REF16(3) > 125)
		return refuse(out, p, 3);
	if (REF16(1) + REF16(3) > REF_REGS)
		return refuse(out, p, 2);
	out[0] = p[0];
	out[1] = (uint8_t)(2 * REF16(3));
	for (i = 0; i < REF16(3); i++) {
		out[2 + 2 * i] = (uint8_t)(reg[REF16(1) + i] / 256);
		out[3 + 2 * i] = (uint8_t)(reg[REF16(1) + i] % 256);
	}
	return (int)(2 + 2 * REF16(3));
}

static int
echo(uint8_t *out, const uint8_t *p, int n)
{
	memcpy(out, p, (size_t)n);
	return n;
}

/* 5, 6, 15, 16, 22: what writes and answers with its own first bytes. */
static int
write_some(struct ref *r, const uint8_t *p, int len, uint8_t *out)
{
	unsigned addr = len >= 3 ? REF16(1) : 0, n, i;

	if (p[0] == 22) {
		if (len != 7)
			return refuse(out, p, 3);
		if (addr >= REF_REGS)
			return refuse(out, p, 2);
		r->hr[addr] = (uint16_t)((r->hr[addr] & REF16(3)) |
		    (REF16(5) & ~REF16(3)));
		return echo(out, p, 7);
	}
	if (p[0] == 5 || p[0] == 6) {
		if (len != 5)
			return refuse(out, p, 3);
		if (p[0] == 5 && REF16(3) != 0 && REF16(3) != 0xff00)
			return refuse(out, p, 3);
		if (addr >= (p[0] == 5 ? REF_BITS : REF_REGS))
			return refuse(out, p, 2);
		if (p[0] == 5)
			r->co[addr] = p[3] == 0xff;
		else
			r->hr[addr] = (uint16_t)REF16(3);
		return echo(out, p, 5);
	}
	if (len < 6 || len != 6 + p[5])
		return refuse(out, p, 3);
	n = REF16(3);
	if (n == 0 || n > (p[0] == 15 ? 1968 : 123) ||
	    p[5] != (p[0] == 15 ? (n + 7) / 8 : 2 * n))
		return refuse(out, p, 3);
	if (addr + n > (p[0] == 15 ? REF_BITS : REF_REGS))
		return refuse(out, p, 2);
	for (i = 0; i < n; i++)
		if (p[0] == 15)
			r->co[addr + i] = (p[6 + i / 8] & 1 << i % 8) != 0;
		else
			r->hr[addr + i] = (uint16_t)REF16(6 + 2 * i);
	return echo(out, p, 5);
}

static int
read_write(struct ref *r, const uint8_t *p, int len, uint8_t *out)
{
	uint8_t read[5];
	unsigned i;

	if (len < 10 || len != 10 + p[9] || REF16(3) == 0 || REF16(3) > 125 ||
	    REF16(7) == 0 || REF16(7) > 121 || p[9] != 2 * REF16(7))
		return refuse(out, p, 3);
	if (REF16(1) + REF16(3) > REF_REGS || REF16(5) + REF16(7) > REF_REGS)
		return refuse(out, p, 2);
	for (i = 0; i < REF16(7); i++)
		r->hr[REF16(5) + i] = (uint16_t)REF16(10 + 2 * i);
	memcpy(read, p, 5);
	return read_regs(r->hr, read, 5, out);
}

/* 20, 21: first everything that is answered 03, then what is answered 02. */
static int
files(struct ref *r, const uint8_t *p, int len, uint8_t *out)
{
	bool wr = p[0] == 21, wrong = false;
	int pass, at, total = 0, data;
	unsigned i, n;

	if (len < 2 || len != 2 + p[1] || p[1] > (wr ? 0xfb : 0xf5) ||
	    p[1] < (wr ? 9 : 7))
		return refuse(out, p, 3);
	for (pass = 0; pass < 2; pass++) {
		total = 2;
		for (at = 2; at < len; at += 7 + data) {
			if (at + 7 > len || REF16(at + 5) == 0)
				return refuse(out, p, 3);
			n = REF16(at + 5);
			data = wr ? (int)(2 * n) : 0;
			if (at + 7 + data > len ||
			    (!wr && total + 2 + 2 * (int)n > 253))
				return refuse(out, p, 3);
			if (p[at] != 6 || REF16(at + 1) == 0 ||
			    REF16(at + 1) > REF_FILES ||
			    REF16(at + 3) + n > REF_RECORDS)
				wrong = true;
			if (pass == 1 && !wr) {
				out[total] = (uint8_t)(1 + 2 * n);
				out[total + 1] = 6;
			}
			for (i = 0; pass == 1 && i < n; i++) {
				uint16_t *v = &r->file[REF16(at + 1) - 1]
						      [REF16(at + 3) + i];
				unsigned o = (unsigned)total + 2 + 2 * i;

				if (wr) {
					*v = (uint16_t)REF16(at + 7 + 2 * i);
				} else {
					out[o] = (uint8_t)(*v / 256);
					out[o + 1] = (uint8_t)(*v % 256);
				}
			}
			total += 2 + (int)(2 * n);
		}
		if (wrong)
			return refuse(out, p, 2);
	}
	if (wr)
		return echo(out, p, len);
	out[0] = 20;
	out[1] = (uint8_t)(total - 2);
	return total;
}

static int
read_fifo(struct ref *r, const uint8_t *p, int len, uint8_t *out)
{
	unsigned i, n;

	if (len != 3)
		return refuse(out, p, 3);
	if (REF16(1) > 1)
		return refuse(out, p, 2);
	n = r->fifo_n[REF16(1)];
	if (n > 31)
		return refuse(out, p, 3);
	out[0] = 24;
	out[1] = 0;
	out[2] = (uint8_t)(2 + 2 * n);
	out[3] = 0;
	out[4] = (uint8_t)n;
	for (i = 0; i < n; i++) {
		out[5 + 2 * i] = (uint8_t)(r->fifo[REF16(1)][i] / 256);
		out[6 + 2 * i] = (uint8_t)(r->fifo[REF16(1)][i] % 256);
	}
	return (int)(5 + 2 * n);
}

static int
carry_out(struct ref *r, const uint8_t *p, int len, uint8_t *out)
{
	switch (p[0]) {
	case 1:
		return read_bits(r->co, p, len, out);
	case 2:
		return read_bits(r->di, p, len, out);
	case 3:
		return read_regs(r->hr, p, len, out);
	case 4:
		return read_regs(r->ir, p, len, out);
	case 5:
	case 6:
	case 15:
	case 16:
	case 22:
		return write_some(r, p, len, out);
	case 20:
	case 21:
		return files(r, p, len, out);
	case 23:
		return read_write(r, p, len, out);
	case 24:
		return read_fifo(r, p, len, out);
	case 7:
	case 8:
	case 11:
	case 12:
	case 17:
	case 43:
		return REF_OTHER;
	default:
		return refuse(out, p, 1);
	}
}

int
ref_serve(
    struct ref *r, bool broadcast, const uint8_t *p, int len, uint8_t *out)
{
	static const uint8_t writing[] = { 5, 6, 15, 16, 21, 22 };
	bool may = memchr(writing, p[0], sizeof(writing)) != NULL;

	/* who may only read does not change the line either */
	if (p[0] == 8 && len == 5 && !broadcast && !r->read_only && p[1] == 0 &&
	    p[4] == 0) {
		if (p[2] == 1 && (p[3] == 0 || p[3] == 0xff)) {
			may = r->listening;
			r->listening = false;
			return may ? 0 : REF_OTHER;
		}
		if (p[2] == 4 && p[3] == 0) {
			r->listening = true;
			return 0;
		}
	}
	if (r->listening || (broadcast && !may))
		return 0;
	if (r->read_only && (may || p[0] == 23))
		return broadcast ? 0 : refuse(out, p, 1);
	len = carry_out(r, p, len, out);
	return broadcast ? 0 : len;
}
