/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Typed values in registers: names, byte and word orders, ranges, text. Pure;
 * runs wherever values are shown or taken in, never on the request path.
 */

#include "shm/typed.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a type is held, and between which bounds. */
enum form { UNSIGNED, SIGNED, FLOATING };

static const struct {
	const char *name;
	enum form form;
	unsigned regs;
	int64_t min;
	uint64_t max;
} types[TYPED_TYPES] = {
	[TYPED_UINT16] = { "uint16", UNSIGNED, 1, 0, UINT16_MAX },
	[TYPED_INT16] = { "int16", SIGNED, 1, INT16_MIN, INT16_MAX },
	[TYPED_UINT32] = { "uint32", UNSIGNED, 2, 0, UINT32_MAX },
	[TYPED_INT32] = { "int32", SIGNED, 2, INT32_MIN, INT32_MAX },
	[TYPED_UINT64] = { "uint64", UNSIGNED, 4, 0, UINT64_MAX },
	[TYPED_INT64] = { "int64", SIGNED, 4, INT64_MIN, INT64_MAX },
	[TYPED_FLOAT32] = { "float32", FLOATING, 2, 0, 0 },
	[TYPED_FLOAT64] = { "float64", FLOATING, 4, 0, 0 },
	[TYPED_STRING] = { "string", UNSIGNED, 1, 0, UINT16_MAX },
	[TYPED_BITS] = { "bits", UNSIGNED, 1, 0, UINT16_MAX },
};

static const struct {
	const char *name;
	bool swap_words, swap_bytes;
} orders[TYPED_ORDERS] = {
	[TYPED_ABCD] = { "abcd", false, false },
	[TYPED_BADC] = { "badc", false, true },
	[TYPED_CDAB] = { "cdab", true, false },
	[TYPED_DCBA] = { "dcba", true, true },
};

/* A type or order that came out of shared memory may be anything. */
static unsigned
type_row(enum typed_type t)
{
	return (unsigned)t < TYPED_TYPES ? (unsigned)t : TYPED_UINT16;
}

static unsigned
order_row(enum typed_order o)
{
	return (unsigned)o < TYPED_ORDERS ? (unsigned)o : TYPED_ABCD;
}

int
typed_type_find(const char *name)
{
	for (int i = 0; i < TYPED_TYPES; i++)
		if (strcmp(types[i].name, name) == 0)
			return i;
	return -1;
}

int
typed_order_find(const char *name)
{
	for (int i = 0; i < TYPED_ORDERS; i++)
		if (strcmp(orders[i].name, name) == 0)
			return i;
	return -1;
}

const char *
typed_type_name(enum typed_type t)
{
	return types[type_row(t)].name;
}

const char *
typed_order_name(enum typed_order o)
{
	return orders[order_row(o)].name;
}

unsigned
typed_regs(enum typed_type t)
{
	return types[type_row(t)].regs;
}

/* Where the i-th byte of a value, highest first, stands on the wire. */
static unsigned
wire_at(unsigned i, unsigned regs, unsigned order)
{
	unsigned word = i / 2, byte = i % 2;

	if (orders[order].swap_words)
		word = regs - 1 - word;
	return word * 2 + (orders[order].swap_bytes ? 1 - byte : byte);
}

void
typed_get(enum typed_type type, enum typed_order order, const uint8_t *wire,
    struct typed_value *v)
{
	unsigned regs = typed_regs(type), t = type_row(type);
	uint64_t raw = 0;
	uint32_t raw32;
	float f32;

	for (unsigned i = 0; i < regs * 2; i++)
		raw = raw << 8 | wire[wire_at(i, regs, order_row(order))];
	v->type = (enum typed_type)t;
	switch (types[t].form) {
	case UNSIGNED:
		v->u = raw;
		break;
	case SIGNED:
		/* the sign bit is the highest of the registers taken */
		v->i = (int64_t)(raw << (64 - 16 * regs)) >> (64 - 16 * regs);
		break;
	case FLOATING:
		if (regs == 2) {
			raw32 = (uint32_t)raw;
			memcpy(&f32, &raw32, sizeof(f32));
			v->f = f32;
		} else {
			memcpy(&v->f, &raw, sizeof(v->f));
		}
		break;
	}
}

/* The value as an integer of the type's form, in two's complement. */
static int
to_integer(unsigned t, const struct typed_value *v, uint64_t *raw)
{
	bool to_signed = types[t].form == SIGNED;
	bool fits = false;

	switch (types[type_row(v->type)].form) {
	case UNSIGNED:
		fits = v->u <= types[t].max;
		*raw = v->u;
		break;
	case SIGNED:
		fits = v->i < 0 ? to_signed && v->i >= types[t].min
				: (uint64_t)v->i <= types[t].max;
		*raw = (uint64_t)v->i;
		break;
	case FLOATING:
		/* 2^64 and 2^63 are exact as doubles, their predecessors are
		 * not; NaN fails every comparison */
		if (v->f == floor(v->f) && v->f < 0x1p64 && v->f >= -0x1p63) {
			struct typed_value whole = { .type = TYPED_INT64 };

			if (v->f < 0) {
				whole.i = (int64_t)v->f;
			} else {
				whole.type = TYPED_UINT64;
				whole.u = (uint64_t)v->f;
			}
			return to_integer(t, &whole, raw);
		}
		break;
	}
	if (!fits) {
		errno = ERANGE;
		return -1;
	}
	return 0;
}

static int
to_floating(unsigned t, const struct typed_value *v, uint64_t *raw)
{
	double f = v->f;
	uint32_t raw32;
	float f32;

	switch (types[type_row(v->type)].form) {
	case UNSIGNED:
		f = (double)v->u;
		break;
	case SIGNED:
		f = (double)v->i;
		break;
	case FLOATING:
		break;
	}
	if (t == TYPED_FLOAT64) {
		memcpy(raw, &f, sizeof(*raw));
		return 0;
	}
	f32 = (float)f;
	if (isinf(f32) && !isinf(f)) {
		errno = ERANGE;
		return -1;
	}
	memcpy(&raw32, &f32, sizeof(raw32));
	*raw = raw32;
	return 0;
}

int
typed_put(enum typed_type type, enum typed_order order,
    const struct typed_value *v, uint8_t *wire)
{
	unsigned t = type_row(type), regs = types[t].regs;
	uint64_t raw = 0;

	if ((types[t].form == FLOATING ? to_floating(t, v, &raw)
				       : to_integer(t, v, &raw)) < 0)
		return -1;
	for (unsigned i = regs * 2; i-- > 0; raw >>= 8)
		wire[wire_at(i, regs, order_row(order))] = (uint8_t)raw;
	return 0;
}

/* The fewest digits that read back as the same number: six and fifteen always
 * survive, nine and seventeen always suffice. */
static int
float_text(double f, bool wide, char *buf, size_t size)
{
	int digits = wide ? 15 : 6, most = wide ? 17 : 9;
	char text[40];

	if (isnan(f))
		return snprintf(buf, size, "NaN");
	if (isinf(f))
		return snprintf(buf, size, f < 0 ? "-Infinity" : "Infinity");
	for (;; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, f);
		if (digits == most ||
		    (wide ? strtod(text, NULL) == f
			  : strtof(text, NULL) == (float)f))
			return snprintf(buf, size, "%s", text);
	}
}

int
typed_text(const struct typed_value *v, char *buf, size_t size)
{
	unsigned t = type_row(v->type);

	switch (types[t].form) {
	case SIGNED:
		return snprintf(buf, size, "%" PRId64, v->i);
	case FLOATING:
		return float_text(v->f, t == TYPED_FLOAT64, buf, size);
	default:
		return snprintf(buf, size, "%" PRIu64, v->u);
	}
}
