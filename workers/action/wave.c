/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wave forms, walks, replays and copies, for one value at a time. Runs in the
 * clock process. What they keep is nothing: who takes the clock's place goes on
 * where it was.
 */
#include "workers/action/wave.h"

#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

#include "workers/action/number.h"
#include "workers/hooks/bind_hook.h"

/* Places in the rows of shm/action.c. */
enum { RAMP_MIN = 1, RAMP_MAX, RAMP_PERIOD_S, RAMP_PHASE, RAMP_STEP };
enum { SINE_OFFSET = 1, SINE_AMPLITUDE, SINE_PERIOD_S, SINE_PHASE };
enum { SQUARE_MIN = 1, SQUARE_MAX, SQUARE_PERIOD_S, SQUARE_PHASE, SQUARE_DUTY };
enum { WALK_MIN = 1, WALK_MAX, WALK_STEP };
enum { REPLAY_FILE = 1, REPLAY_END, REPLAY_INTERPOLATION };
enum { COPY_SCALE = 6, COPY_OFFSET };

#define TWO_PI 6.283185307179586

uint64_t
wave_bits(void)
{
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint64_t)random() << 62 ^ (uint64_t)random() << 31 ^
		    (uint64_t)random();
	return bits;
}

double
wave_random(void)
{
	return (double)(wave_bits() >> 11) / 9007199254740992.;
}

/* Where it is in its round, from 0 to just below 1. */
static double
round_at(double s, double period_s, double phase)
{
	double p = s / period_s + phase;

	return p - floor(p);
}

enum hf_exception
wave_ramp(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	double p = round_at(call->s, at[RAMP_PERIOD_S], at[RAMP_PHASE]);
	double span = at[RAMP_MAX] - at[RAMP_MIN], step = at[RAMP_STEP];

	/* in steps, the last is as long as the others */
	if (step > 0)
		p = floor(p * (floor(span / step) + 1)) * step;
	else
		p *= span;
	number_near(c, at[RAMP_MIN] + p);
	return HF_EX_NONE;
}

enum hf_exception
wave_sine(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	double p = round_at(call->s, at[SINE_PERIOD_S], at[SINE_PHASE]);

	number_near(c, at[SINE_OFFSET] + at[SINE_AMPLITUDE] * sin(TWO_PI * p));
	return HF_EX_NONE;
}

enum hf_exception
wave_square(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	double p = round_at(call->s, at[SQUARE_PERIOD_S], at[SQUARE_PHASE]);

	number_near(c, p < at[SQUARE_DUTY] ? at[SQUARE_MAX] : at[SQUARE_MIN]);
	return HF_EX_NONE;
}

enum hf_exception
wave_walk(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	double x, by, step = at[WALK_STEP];

	if (!number_get(c, &x))
		return HF_EX_NONE;
	if (number_is_float(c->type))
		by = (2 * wave_random() - 1) * step;
	else
		by = floor(wave_random() * (2 * floor(step) + 1)) - floor(step);
	if (isnan(x))
		x = at[WALK_MIN];
	x += by;
	x = x < at[WALK_MIN]   ? at[WALK_MIN]
	    : x > at[WALK_MAX] ? at[WALK_MAX]
			       : x;
	number_near(c, x);
	return HF_EX_NONE;
}

enum hf_exception
wave_replay(const struct action_call *call, struct hf_cell *c)
{
	const struct action_args *a = &call->range->args;

	if (a->series.n > 0)
		number_near(c,
		    series_at(&a->series, call->s, a->at[REPLAY_END] == 0,
			a->at[REPLAY_INTERPOLATION] == 1));
	return HF_EX_NONE;
}

/* The value that is copied. False if there is none. */
static bool
source(const struct action_call *call, const struct hf_cell *to,
    struct hf_cell *from)
{
	const struct conf_copy *s = &call->range->args.source;
	const struct conf_range *r = call->range->conf;
	uint32_t n = (to->addr - r->addr) / call->range->step;
	struct bind_device d = { 0 };

	from->table = (enum hf_table)s->table;
	from->type = (enum hf_type)s->type;
	from->order = (enum hf_order)s->order;
	from->count = s->type == TYPED_BITS ? 1 : (uint16_t)typed_regs(s->type);
	from->addr = s->addr + n * from->count;
	if (s->device < 0 || call->proc->stores[s->device].dev == NULL)
		return false;
	d.store = &call->proc->stores[s->device];
	return bind_read(&d, (enum mb_table)s->table, from->addr, from->count,
		   from->values) == MB_EX_NONE;
}

enum hf_exception
wave_copy(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	uint16_t values[NUMBER_REGS];
	struct hf_cell from = { .values = values };
	struct typed_value v;
	double x;

	if (!source(call, c, &from))
		return HF_EX_FAILURE;
	/* exactly, where that can be */
	if (at[COPY_SCALE] == 1 && at[COPY_OFFSET] == 0 &&
	    from.type == c->type && number_get_typed(&from, &v) &&
	    number_put_typed(c, &v))
		return HF_EX_NONE;
	if (number_get(&from, &x))
		number_near(c, at[COPY_SCALE] * x + at[COPY_OFFSET]);
	return HF_EX_NONE;
}
