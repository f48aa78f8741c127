/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole numbers of 64 bits as what they are. Both types are counted as
 * unsigned ones whose order is the type's: a signed value's highest bit is
 * turned over. Runs in the workers and in the clock process, for one value at
 * a time, owning nothing.
 */
#include "workers/action/wide.h"

#include "workers/action/number.h"
#include "workers/action/wave.h"

#define SIGN ((uint64_t)1 << 63)
#define END_UNSIGNED 18446744073709551616. /* 2^64 */
#define END_SIGNED 9223372036854775808. /* 2^63 */

bool
wide_is(enum hf_type t)
{
	return t == HF_UINT64 || t == HF_INT64;
}

/* Where a bound is in the order of all values. */
static uint64_t
place_of(enum hf_type t, double x)
{
	if (t == HF_UINT64)
		return x >= END_UNSIGNED ? UINT64_MAX : x > 0 ? (uint64_t)x : 0;
	if (x >= END_SIGNED)
		return UINT64_MAX;
	return x <= -END_SIGNED ? 0 : (uint64_t)(int64_t)x ^ SIGN;
}

static enum hf_exception
put(struct hf_cell *c, uint64_t place)
{
	struct typed_value v = { .type = (enum typed_type)c->type };

	v.u = c->type == HF_INT64 ? place ^ SIGN : place;
	return number_put_typed(c, &v) ? HF_EX_NONE : HF_EX_FAILURE;
}

enum hf_exception
wide_increment(struct hf_cell *c, double min, double max)
{
	uint64_t low = place_of(c->type, min), high = place_of(c->type, max);
	struct typed_value v;
	uint64_t at;

	if (!number_get_typed(c, &v))
		return HF_EX_FAILURE;
	at = c->type == HF_INT64 ? v.u ^ SIGN : v.u;
	if (at >= high || (min != 0 && at + 1 < low))
		return put(c, low);
	return put(c, at + 1);
}

enum hf_exception
wide_random(struct hf_cell *c, double min, double max)
{
	uint64_t low = place_of(c->type, min), x;
	uint64_t span = place_of(c->type, max) - low;
	uint64_t mask = UINT64_MAX;

	while (mask >> 1 >= span && mask != 0)
		mask >>= 1;
	do {
		x = wave_bits() & mask;
	} while (x > span);
	return put(c, low + x);
}
