/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the registers of a value and numbers. Runs in the workers and in the
 * clock process, for one value at a time, owning nothing.
 */
#include "workers/action/number.h"

#include <math.h>

#include "shm/action.h"

_Static_assert((int)HF_UINT16 == TYPED_UINT16 && (int)HF_INT64 == TYPED_INT64 &&
	(int)HF_FLOAT32 == TYPED_FLOAT32 && (int)HF_FLOAT64 == TYPED_FLOAT64 &&
	(int)HF_STRING == TYPED_STRING && (int)HF_BITS == TYPED_BITS &&
	(int)HF_ABCD == TYPED_ABCD && (int)HF_DCBA == TYPED_DCBA,
    "types and orders are numbered alike");

/* The ends of the types of 64 bits, as near as a double comes to them. */
#define MOST_UINT64 18446744073709549568.
#define MOST_INT64 9223372036854774784.
#define LEAST_INT64 -9223372036854775808.

static double
least(enum hf_type t)
{
	return t == HF_INT64 ? LEAST_INT64 : action_bounds[t].min;
}

static double
most(enum hf_type t)
{
	return t == HF_UINT64 ? MOST_UINT64
	    : t == HF_INT64   ? MOST_INT64
			      : action_bounds[t].max;
}

bool
number_is_float(enum hf_type t)
{
	return t == HF_FLOAT32 || t == HF_FLOAT64;
}

static bool
is_signed(enum hf_type t)
{
	return t == HF_INT16 || t == HF_INT32 || t == HF_INT64;
}

bool
number_get_typed(const struct hf_cell *c, struct typed_value *v)
{
	uint8_t wire[2 * NUMBER_REGS];

	if (c->type == HF_STRING || c->type == HF_BITS ||
	    c->count != typed_regs((enum typed_type)c->type))
		return false;
	for (unsigned i = 0; i < c->count; i++) {
		wire[2 * i] = (uint8_t)(c->values[i] >> 8);
		wire[2 * i + 1] = (uint8_t)c->values[i];
	}
	typed_get(
	    (enum typed_type)c->type, (enum typed_order)c->order, wire, v);
	return true;
}

bool
number_put_typed(struct hf_cell *c, const struct typed_value *v)
{
	uint8_t wire[2 * NUMBER_REGS];

	if (c->type == HF_STRING || c->type == HF_BITS ||
	    c->count != typed_regs((enum typed_type)c->type) ||
	    typed_put((enum typed_type)c->type, (enum typed_order)c->order, v,
		wire) == -1)
		return false;
	for (unsigned i = 0; i < c->count; i++)
		c->values[i] = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
	return true;
}

bool
number_get(const struct hf_cell *c, double *out)
{
	struct typed_value v;

	*out = c->values[0];
	if (c->type == HF_BITS)
		return true;
	if (!number_get_typed(c, &v))
		return false;
	*out = number_is_float(c->type) ? v.f
	    : is_signed(c->type)        ? (double)v.i
					: (double)v.u;
	return true;
}

enum hf_exception
number_put(struct hf_cell *c, double x)
{
	struct typed_value v = { .type = (enum typed_type)c->type };

	if (c->type == HF_BITS) {
		c->values[0] = x != 0;
		return HF_EX_NONE;
	}
	if (!(x >= least(c->type) && x <= most(c->type)))
		return HF_EX_FAILURE;
	if (number_is_float(c->type))
		v.f = x;
	else if (x < 0)
		v.i = (int64_t)x;
	else
		v.u = (uint64_t)x;
	return number_put_typed(c, &v) ? HF_EX_NONE : HF_EX_FAILURE;
}

void
number_near(struct hf_cell *c, double x)
{
	if (isnan(x))
		return;
	if (c->type == HF_BITS) {
		c->values[0] = x >= 0.5;
		return;
	}
	if (!number_is_float(c->type))
		x = floor(x + 0.5);
	x = x < least(c->type) ? least(c->type) : x;
	x = x > most(c->type) ? most(c->type) : x;
	(void)number_put(c, x);
}
