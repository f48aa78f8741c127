/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the built-in actions, one for each row of shm/action.c; see
 * pymodbus' simulator for the meaning of the first five. Run in the workers and
 * in the clock process, for one value at a time, owning nothing.
 */
#include "workers/action/action.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/table.h"
#include "workers/action/number.h"
#include "workers/action/script.h"
#include "workers/action/wave.h"
#include "workers/action/wide.h"
#include "workers/hooks/hooks_own.h"

enum { MINVAL = 1, MAXVAL }; /* places in the rows */

#define NS_PER_S 1e9

/* ---- functions ---- */

/* One more, and round from maxval to minval: what a value that counts without
 * bounds cannot hold any more begins anew. Without minval, and with 0, it may
 * come from below. */
static enum hf_exception
increment(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	double x;

	if (wide_is(c->type))
		return wide_increment(c, at[MINVAL], at[MAXVAL]);
	if (!number_get(c, &x))
		return HF_EX_NONE;
	x += 1;
	if (!(x <= at[MAXVAL]) || (at[MINVAL] != 0 && x < at[MINVAL]))
		x = at[MINVAL];
	return number_put(c, x);
}

static enum hf_exception
at_random(const struct action_call *call, struct hf_cell *c)
{
	const double *at = call->range->args.at;
	double x, min = at[MINVAL], max = at[MAXVAL];

	if (c->type == HF_STRING)
		return HF_EX_NONE;
	if (wide_is(c->type))
		return wide_random(c, min, max);
	x = wave_random();
	if (number_is_float(c->type))
		return number_put(c, min + x * (max - min));
	return number_put(c, min + (double)(uint64_t)(x * (max - min + 1)));
}

/* Seconds since the store was made, and one: the same in every worker. */
static enum hf_exception
uptime(const struct action_call *call, struct hf_cell *c)
{
	uint64_t began = call->proc->env.control->started_ms;
	uint64_t now = clock_unix_ms();
	double s;

	if (c->type == HF_STRING)
		return HF_EX_NONE;
	if (now < began) /* the clock has been set */
		now = began;
	s = (double)((now - began) / 1000 + 1);
	return number_put(c, fmod(s, action_bounds[c->type].usual + 1));
}

/* The value and the six registers behind it: the year, the month from 0, the
 * day, the day of the week with Monday as 1, hour, minute, second, of the
 * local time. */
static enum hf_exception
timestamp(const struct action_call *call, struct hf_cell *c)
{
	time_t now = time(NULL);
	struct tm t;
	uint16_t rest[6], was[6];
	enum hf_exception ex;

	(void)call;
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
	ex = c->read(c, c->table, c->addr + 1, 6, was);
	if (ex != HF_EX_NONE || memcmp(was, rest, sizeof(was)) == 0)
		return ex;
	return c->write(c, c->table, c->addr + 1, 6, rest);
}

/* Says that it cannot be done: nothing here restarts for a client. */
static enum hf_exception
reset(const struct action_call *call, struct hf_cell *c)
{
	(void)call;
	(void)c;
	return HF_EX_FAILURE;
}

static enum hf_exception
lua(const struct action_call *call, struct hf_cell *c)
{
	struct script *s = call->range->args.script;

	return s != NULL ? script_run(s, c, call->s) : HF_EX_NONE;
}

static const struct hook_action table[ACTION_IDS] = {
	[ACTION_INCREMENT] = { .built_in = increment },
	[ACTION_RANDOM] = { .built_in = at_random },
	[ACTION_UPTIME] = { .built_in = uptime },
	[ACTION_TIMESTAMP] = { .built_in = timestamp },
	[ACTION_RESET] = { .built_in = reset },
	[ACTION_RAMP] = { .built_in = wave_ramp },
	[ACTION_SINE] = { .built_in = wave_sine },
	[ACTION_SQUARE] = { .built_in = wave_square },
	[ACTION_WALK] = { .built_in = wave_walk },
	[ACTION_REPLAY] = { .built_in = wave_replay },
	[ACTION_COPY] = { .built_in = wave_copy },
	[ACTION_LUA] = { .built_in = lua },
};

const struct hook_action *
action_builtin(const char *name)
{
	const struct action_row *row = action_find(name);

	return row != NULL ? &table[row - action_rows] : NULL;
}

enum hf_exception
action_run(const struct action_range *a, const struct proc *p, uint64_t now_ns,
    struct hf_cell *c)
{
	struct action_call call = { .proc = p, .range = a };

	if (now_ns > p->began_ns)
		call.s = (double)(now_ns - p->began_ns) / NS_PER_S;
	return a->action->built_in(&call, c);
}

/* ---- parameters ---- */

static void
numbers(const struct action_row *row, struct action_range *a)
{
	const struct conf_range *r = a->conf;

	for (unsigned i = 0; row->params[i].name != NULL; i++) {
		const struct action_param *p = &row->params[i];
		const char *text = conf_action_text(r, p->name);
		double *x = &a->args.at[i];
		int word;

		if (text == NULL) {
			a->args.given[i] =
			    action_without(p, conf_action_type(r), x);
			continue;
		}
		a->args.given[i] = true;
		if (p->kind == ACTION_WORD)
			*x = (word = action_word(p, text)) > 0 ? word : 0;
		else if (p->kind != ACTION_TEXT && p->kind != ACTION_FILE &&
		    !action_number(text, x))
			a->args.given[i] =
			    action_without(p, conf_action_type(r), x);
	}
}

void
action_prepare(struct action_range *a, const struct proc *p, unsigned device)
{
	const struct action_row *row = action_find(a->conf->action);
	struct series *s = &a->args.series;
	const char *file;

	memset(&a->args, 0, sizeof(a->args));
	if (row == NULL)
		return;
	numbers(row, a);
	if (row == &action_rows[ACTION_COPY]) {
		conf_action_source(p->conf, device, a->conf, &a->args.source);
	} else if (row == &action_rows[ACTION_REPLAY]) {
		file = conf_action_text(a->conf, "file");
		if (file != NULL && series_read(s, file) == -1)
			log_warnx(
			    "%s %s %u cannot replay file=%s:%u why=\"%s\"",
			    a->device, table_name(a->conf->table),
			    a->conf->addr, file, s->line, s->why);
	} else if (row == &action_rows[ACTION_LUA]) {
		a->args.script = script_open(a);
	}
}

void
action_release(struct action_range *a)
{
	series_free(&a->args.series);
	if (a->args.script != NULL)
		script_close(a->args.script);
	a->args.script = NULL;
}
