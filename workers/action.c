/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that are built in, a row each; see pymodbus' simulator for their
 * meaning. Run in the workers, for one value at a time, owning nothing.
 */
#include "workers/action.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "shm/clock.h"
#include "shm/typed.h"
#include "workers/hooks_own.h"

_Static_assert((int)HF_UINT16 == TYPED_UINT16 && (int)HF_INT64 == TYPED_INT64 &&
	(int)HF_FLOAT32 == TYPED_FLOAT32 && (int)HF_FLOAT64 == TYPED_FLOAT64 &&
	(int)HF_STRING == TYPED_STRING && (int)HF_BITS == TYPED_BITS &&
	(int)HF_ABCD == TYPED_ABCD && (int)HF_DCBA == TYPED_DCBA,
    "types and orders are numbered alike");

enum { REGS = 4 }; /* of the widest number */

/* ---- numbers ---- */

static bool
is_float(enum hf_type t)
{
	return t == HF_FLOAT32 || t == HF_FLOAT64;
}

/* The value as a number; false for a string. */
static bool
get(const struct hf_cell *c, double *out)
{
	struct typed_value v;
	uint8_t wire[2 * REGS];

	if (c->type == HF_STRING || c->count > REGS)
		return false;
	*out = c->values[0];
	if (c->type == HF_BITS)
		return true;
	for (unsigned i = 0; i < c->count; i++) {
		wire[2 * i] = (uint8_t)(c->values[i] >> 8);
		wire[2 * i + 1] = (uint8_t)c->values[i];
	}
	typed_get(
	    (enum typed_type)c->type, (enum typed_order)c->order, wire, &v);
	*out = is_float(c->type) ? v.f
	    : c->type == HF_INT16 || c->type == HF_INT32 || c->type == HF_INT64
	    ? (double)v.i
	    : (double)v.u;
	return true;
}

/* Sets it; one that does not fit is answered 04. */
static enum hf_exception
put(struct hf_cell *c, double x)
{
	struct typed_value v = { .type = (enum typed_type)c->type };
	uint8_t wire[2 * REGS];

	if (c->type == HF_BITS) {
		c->values[0] = x != 0;
		return HF_EX_NONE;
	}
	if (is_float(c->type))
		v.f = x;
	else if (x < 0)
		v.i = (int64_t)x;
	else
		v.u = (uint64_t)x;
	if (x < 0 &&
	    (c->type == HF_UINT16 || c->type == HF_UINT32 ||
		c->type == HF_UINT64))
		return HF_EX_FAILURE;
	if (typed_put((enum typed_type)c->type, (enum typed_order)c->order, &v,
		wire) == -1)
		return HF_EX_FAILURE;
	for (unsigned i = 0; i < c->count; i++)
		c->values[i] = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
	return HF_EX_NONE;
}

/* The largest number that a value can hold, as far as a double can say it. */
static double
largest(const struct hf_cell *c)
{
	static const double max[] = { [HF_UINT16] = 65535,
		[HF_INT16] = 32767,
		[HF_UINT32] = 4294967295.,
		[HF_INT32] = 2147483647.,
		[HF_UINT64] = 9007199254740992.,
		[HF_INT64] = 9007199254740992.,
		[HF_FLOAT32] = 16777216,
		[HF_FLOAT64] = 9007199254740992.,
		[HF_STRING] = 0,
		[HF_BITS] = 1 };

	return max[c->type];
}

/* ---- actions ---- */

/* One more, and round from maxval to minval: what a value that counts without
 * bounds cannot hold any more begins anew. */
static enum hf_exception
increment(void *arg, struct hf_cell *c)
{
	double min = c->number(c, "minval", 0), max, x;

	(void)arg;
	if (!get(c, &x))
		return HF_EX_NONE;
	max = c->number(c, "maxval", largest(c));
	if (max > largest(c))
		max = largest(c);
	x += 1;
	if (x > max || x < min)
		x = min;
	return put(c, x);
}

static enum hf_exception
at_random(void *arg, struct hf_cell *c)
{
	double min = c->number(c, "minval", c->type == HF_BITS ? 0 : 1);
	double max = c->number(c, "maxval", largest(c)), x;
	uint64_t bits = 0;

	(void)arg;
	if (c->type == HF_STRING)
		return HF_EX_NONE;
	if (max > largest(c))
		max = largest(c);
	if (max < min)
		max = min;
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint64_t)random();
	x = (double)(bits >> 11) / 9007199254740992.; /* 0 to just below 1 */
	if (is_float(c->type))
		return put(c, min + x * (max - min));
	return put(c, min + (double)(uint64_t)(x * (max - min + 1)));
}

/* Seconds since this worker began to serve, and one. */
static enum hf_exception
uptime(void *arg, struct hf_cell *c)
{
	static uint64_t began_ns;
	uint64_t now = clock_mono_ns();

	(void)arg;
	if (c->type == HF_STRING)
		return HF_EX_NONE;
	if (began_ns == 0)
		began_ns = now;
	return put(c,
	    (double)(((now - began_ns) / 1000000000 + 1) %
		((uint64_t)largest(c) + 1)));
}

/* The value and the six registers behind it: the year, the month from 0, the
 * day, the day of the week with Monday as 1, hour, minute, second, of the
 * local time. */
static enum hf_exception
timestamp(void *arg, struct hf_cell *c)
{
	time_t now = time(NULL);
	struct tm t;
	uint16_t rest[6];

	(void)arg;
	if (c->table == HF_CO || c->table == HF_DI || c->count != 1 ||
	    localtime_r(&now, &t) == NULL)
		return HF_EX_FAILURE;
	rest[0] = (uint16_t)t.tm_mon;
	rest[1] = (uint16_t)t.tm_mday;
	rest[2] = (uint16_t)(t.tm_wday == 0 ? 7 : t.tm_wday);
	rest[3] = (uint16_t)t.tm_hour;
	rest[4] = (uint16_t)t.tm_min;
	rest[5] = (uint16_t)t.tm_sec;
	c->values[0] = (uint16_t)(t.tm_year + 1900);
	return c->write(c, c->table, c->addr + 1, 6, rest);
}

/* Says that it cannot be done: nothing here restarts for a client. */
static enum hf_exception
reset(void *arg, struct hf_cell *c)
{
	(void)arg;
	(void)c;
	return HF_EX_FAILURE;
}

#define ROW(name_, run_)                                \
	{                                               \
		.a = {.size = sizeof(struct hf_action), \
			.name = name_,                  \
			.run = run_ }                   \
	}

static const struct hook_action table[] = {
	ROW("increment", increment),
	ROW("random", at_random),
	ROW("uptime", uptime),
	ROW("timestamp", timestamp),
	ROW("reset", reset),
};

enum { NROWS = sizeof(table) / sizeof(table[0]) };

const char *
action_builtin_name(size_t i)
{
	return i < NROWS ? table[i].a.name : NULL;
}

const struct hook_action *
action_builtin(const char *name)
{
	for (size_t i = 0; i < NROWS; i++)
		if (strcmp(table[i].a.name, name) == 0)
			return &table[i];
	return NULL;
}
