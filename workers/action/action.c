/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that are built in, a row each; see pymodbus' simulator for their
 * meaning. Run in the workers, for one value at a time, owning nothing.
 */
#include "workers/action/action.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "shm/clock.h"
#include "shm/typed.h"
#include "supervisor/near.h"
#include "workers/hooks/hooks_own.h"

_Static_assert((int)HF_UINT16 == TYPED_UINT16 && (int)HF_INT64 == TYPED_INT64 &&
	(int)HF_FLOAT32 == TYPED_FLOAT32 && (int)HF_FLOAT64 == TYPED_FLOAT64 &&
	(int)HF_STRING == TYPED_STRING && (int)HF_BITS == TYPED_BITS &&
	(int)HF_ABCD == TYPED_ABCD && (int)HF_DCBA == TYPED_DCBA,
    "types and orders are numbered alike");

enum { REGS = 4 }; /* of the widest number */

#define EXACT 9007199254740992. /* 2^53 */

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

/* What a value can hold, as far as a double can say it exactly, and where it
 * counts to without a maxval. */
static const struct {
	double min, max, usual;
} bounds[] = {
	[HF_UINT16] = { 0, UINT16_MAX, UINT16_MAX },
	[HF_INT16] = { INT16_MIN, INT16_MAX, INT16_MAX },
	[HF_UINT32] = { 0, UINT32_MAX, UINT32_MAX },
	[HF_INT32] = { INT32_MIN, INT32_MAX, INT32_MAX },
	[HF_UINT64] = { 0, EXACT, EXACT },
	[HF_INT64] = { -EXACT, EXACT, EXACT },
	[HF_FLOAT32] = { -FLT_MAX, FLT_MAX, 16777216 },
	[HF_FLOAT64] = { -DBL_MAX, DBL_MAX, EXACT },
	[HF_STRING] = { 0, 0, 0 },
	[HF_BITS] = { 0, 1, 1 },
};

static double
usual(const struct hf_cell *c)
{
	return bounds[c->type].usual;
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
	if (!(x >= bounds[c->type].min && x <= bounds[c->type].max))
		return HF_EX_FAILURE;
	if (is_float(c->type))
		v.f = x;
	else if (x < 0)
		v.i = (int64_t)x;
	else
		v.u = (uint64_t)x;
	if (typed_put((enum typed_type)c->type, (enum typed_order)c->order, &v,
		wire) == -1)
		return HF_EX_FAILURE;
	for (unsigned i = 0; i < c->count; i++)
		c->values[i] = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
	return HF_EX_NONE;
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
	max = c->number(c, "maxval", usual(c));
	x += 1;
	if (x > max || x < min)
		x = min;
	return put(c, x);
}

static double
least(enum hf_type t)
{
	return t == HF_BITS ? 0 : 1;
}

static enum hf_exception
at_random(void *arg, struct hf_cell *c)
{
	double min = c->number(c, "minval", least(c->type));
	double max = c->number(c, "maxval", usual(c)), x;
	uint64_t bits = 0;

	(void)arg;
	if (c->type == HF_STRING)
		return HF_EX_NONE;
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint64_t)random();
	x = (double)(bits >> 11) / 9007199254740992.; /* 0 to just below 1 */
	if (is_float(c->type))
		return put(c, min + x * (max - min));
	return put(c, min + (double)(uint64_t)(x * (max - min + 1)));
}

/* Seconds since the store was made, and one: the same in every worker. */
static enum hf_exception
uptime(void *arg, struct hf_cell *c)
{
	const struct proc *p = arg;
	uint64_t began = p->env.control->started_ms, now = clock_unix_ms();

	if (c->type == HF_STRING)
		return HF_EX_NONE;
	if (now < began) /* the clock has been set */
		now = began;
	return put(
	    c, (double)(((now - began) / 1000 + 1) % ((uint64_t)usual(c) + 1)));
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

static const char *const of_bounds[] = { "minval", "maxval" };

enum { NROWS = sizeof(table) / sizeof(table[0]) };

/* How many parameters it has, the first of those there are. */
static size_t
nparameters(const struct hook_action *a)
{
	return a->a.run == increment || a->a.run == at_random ? 2 : 0;
}

static bool
wrong_name(const struct conf_options *p, size_t n, char *words, size_t room)
{
	const char *near;

	for (size_t i = 0; i < p->n; i++) {
		const char *name = p->at[i].name;
		size_t k = 0;

		while (k < n && strcmp(name, of_bounds[k]) != 0)
			k++;
		if (k < n)
			continue;
		near = near_name(name, of_bounds, n);
		snprintf(words, room, "has no parameter \"%.40s\"%s%s%s", name,
		    near != NULL ? "; did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
		return true;
	}
	return false;
}

bool
action_parameters_wrong(const struct hook_action *a, enum hf_type t,
    const struct conf_options *p, char *words, size_t room)
{
	double x[2] = { a->a.run == increment ? 0 : least(t), bounds[t].usual };
	char *end;

	if (wrong_name(p, nparameters(a), words, room))
		return true;
	for (size_t i = 0; i < p->n; i++) {
		unsigned which = strcmp(p->at[i].name, of_bounds[1]) == 0;
		const char *text = p->at[i].value;

		x[which] = strtod(text, &end);
		if (end == text || *end != '\0') {
			snprintf(words, room, "%s is \"%.40s\", no number",
			    p->at[i].name, text);
			return true;
		}
		if (t != HF_STRING &&
		    !(x[which] >= bounds[t].min && x[which] <= bounds[t].max)) {
			snprintf(words, room, "%s is %.40s, not %.16g to %.16g",
			    p->at[i].name, text, bounds[t].min, bounds[t].max);
			return true;
		}
	}
	if (p->n == 0 || x[0] <= x[1])
		return false;
	snprintf(
	    words, room, "minval %.16g is more than maxval %.16g", x[0], x[1]);
	return true;
}

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
