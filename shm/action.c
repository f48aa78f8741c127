/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the built-in actions. Looked at before the first fork, in the
 * workers, the clock and the control process; never changed.
 */
#include "shm/action.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT 9007199254740992. /* 2^53 */
#define END_UINT64 18446744073709551616. /* 2^64, just behind its end */
#define END_INT64 9223372036854775808.
#define BIG 1e300
#define DAYS_S (100. * 366 * 86400)

const struct action_bounds action_bounds[TYPED_TYPES] = {
	[TYPED_UINT16] = { 0, UINT16_MAX, UINT16_MAX },
	[TYPED_INT16] = { INT16_MIN, INT16_MAX, INT16_MAX },
	[TYPED_UINT32] = { 0, UINT32_MAX, UINT32_MAX },
	[TYPED_INT32] = { INT32_MIN, INT32_MAX, INT32_MAX },
	[TYPED_UINT64] = { 0, EXACT, END_UINT64 },
	[TYPED_INT64] = { -EXACT, EXACT, END_INT64 },
	[TYPED_FLOAT32] = { -FLT_MAX, FLT_MAX, 16777216 },
	[TYPED_FLOAT64] = { -DBL_MAX, DBL_MAX, EXACT },
	[TYPED_STRING] = { 0, 0, 0 },
	[TYPED_BITS] = { 0, 1, 1 },
};

static const char *const tables[] = { "as the range", "coils",
	"discrete_inputs", "holding_registers", "input_registers", NULL };
static const char *const types[] = { "as declared", "uint16", "int16", "uint32",
	"int32", "uint64", "int64", "float32", "float64", NULL };
static const char *const orders[] = { "as declared", "abcd", "badc", "cdab",
	"dcba", NULL };
static const char *const ends[] = { "loop", "hold", NULL };
static const char *const interpolations[] = { "none", "linear", NULL };

/* How often it runs; without: when a client reads. */
#define PERIOD                                             \
	{                                                  \
		"period_ms", ACTION_WHOLE, ACTION_NONE,    \
		    .min = 1, .max = 86400000,             \
		    .help = "how often the value is set, " \
			    "instead of on reading"        \
	}
/* The same for those that run on the clock alone. */
#define EVERY                                                            \
	{                                                                \
		"period_ms", ACTION_WHOLE, ACTION_FIXED,                 \
		    .min = 1, .max = 86400000, .def = 1000, .bit = 1000, \
		    .help = "how often the value is set"                 \
	}
#define MIN                                                                  \
	{                                                                    \
		"min", ACTION_VALUE, ACTION_FIXED, .def = 0,                 \
						   .help = "the least value" \
	}
#define MAX                                                            \
	{                                                              \
		"max", ACTION_VALUE, ACTION_FIXED,                     \
		    .def = 100, .bit = 1, .help = "the greatest value" \
	}
#define PERIOD_S                                                       \
	{                                                              \
		"period_s", ACTION_NUMBER, ACTION_FIXED,               \
		    .min = 0.001, .max = DAYS_S, .def = 60, .bit = 60, \
		    .help = "seconds of one round"                     \
	}
#define PHASE                                                      \
	{                                                          \
		"phase", ACTION_NUMBER, ACTION_FIXED,              \
		    .min = 0, .max = 1,                            \
		    .help = "where in its round it begins, 0 to 1" \
	}

const struct action_row action_rows[ACTION_IDS] = {
	[ACTION_INCREMENT] = { "increment", ACTION_ON_READ | ACTION_ON_CLOCK,
	    "one more, from maxval on to minval",
	    { PERIOD,
		{ "minval", ACTION_VALUE, ACTION_FIXED,
		    .help = "where it goes on" },
		{ "maxval", ACTION_VALUE, ACTION_USUAL,
		    .help = "where it ends" } } },
	[ACTION_RANDOM] = { "random", ACTION_ON_READ | ACTION_ON_CLOCK,
	    "any value from minval to maxval",
	    { PERIOD,
		{ "minval", ACTION_VALUE, ACTION_LEAST,
		    .help = "the least value" },
		{ "maxval", ACTION_VALUE, ACTION_USUAL,
		    .help = "the greatest value" } } },
	[ACTION_UPTIME] = { "uptime", ACTION_ON_READ | ACTION_ON_CLOCK,
	    "the seconds since the daemon was started, and one", { PERIOD } },
	[ACTION_TIMESTAMP] = { "timestamp", ACTION_ON_READ | ACTION_ON_CLOCK,
	    "the local time, in seven registers", { PERIOD } },
	[ACTION_RESET] = { "reset", ACTION_ON_READ,
	    "exception 04, and nothing else", { { NULL } } },
	[ACTION_RAMP] = { "ramp", ACTION_ON_CLOCK,
	    "from min to max, again and again",
	    { EVERY, MIN, MAX, PERIOD_S, PHASE,
		{ "step", ACTION_NUMBER, ACTION_FIXED, .max = BIG,
		    .help = "goes in steps of this size; 0: smoothly" } } },
	[ACTION_SINE] = { "sine", ACTION_ON_CLOCK,
	    "offset and amplitude times the sine",
	    { EVERY,
		{ "offset", ACTION_NUMBER, ACTION_FIXED, .min = -BIG,
		    .max = BIG, .def = 50, .bit = 0.5, .help = "the middle" },
		{ "amplitude", ACTION_NUMBER, ACTION_FIXED, .max = BIG,
		    .def = 50, .bit = 0.5,
		    .help = "how far it goes from there" },
		PERIOD_S, PHASE } },
	[ACTION_SQUARE] = { "square", ACTION_ON_CLOCK,
	    "max, then min, again and again",
	    { EVERY, MIN, MAX, PERIOD_S, PHASE,
		{ "duty", ACTION_NUMBER, ACTION_FIXED, .max = 1, .def = 0.5,
		    .bit = 0.5,
		    .help = "the part of a round that it is max, 0 to 1" } } },
	[ACTION_WALK] = { "walk", ACTION_ON_CLOCK,
	    "goes on from its value at random, from min to max",
	    { EVERY, MIN, MAX,
		{ "step", ACTION_NUMBER, ACTION_FIXED, .max = BIG, .def = 1,
		    .bit = 1, .help = "how far at most, each time" } } },
	[ACTION_REPLAY] = { "replay", ACTION_ON_CLOCK,
	    "what a file of times and values says",
	    { EVERY,
		{ "file", ACTION_FILE, ACTION_NEEDED,
		    .help = "rows of time,value; times in seconds" },
		{ "end", ACTION_WORD, ACTION_FIRST, .words = ends,
		    .help = "what comes after the last row" },
		{ "interpolation", ACTION_WORD, ACTION_FIRST,
		    .words = interpolations, .help = "between two rows" } } },
	[ACTION_COPY] = { "copy", ACTION_ON_CLOCK,
	    "scale times the value at another address, and offset",
	    { EVERY,
		{ "addr", ACTION_WHOLE, ACTION_NEEDED, .max = 65535,
		    .help = "where it is copied from" },
		{ "table", ACTION_WORD, ACTION_FIRST, .words = tables,
		    .help = "of which table" },
		{ "device", ACTION_TEXT, ACTION_NONE,
		    .help = "of which device; the range's own" },
		{ "type", ACTION_WORD, ACTION_FIRST, .words = types,
		    .help = "what lies there" },
		{ "order", ACTION_WORD, ACTION_FIRST, .words = orders,
		    .help = "how its bytes follow each other" },
		{ "scale", ACTION_NUMBER, ACTION_FIXED, .min = -BIG, .max = BIG,
		    .def = 1, .bit = 1, .help = "it is multiplied with" },
		{ "offset", ACTION_NUMBER, ACTION_FIXED, .min = -BIG,
		    .max = BIG, .help = "then added" } } },
	[ACTION_LUA] = { "lua",
	    ACTION_ON_READ | ACTION_ON_CLOCK | ACTION_MORE | ACTION_STRINGS,
	    "what a function of a Lua script returns",
	    { PERIOD,
		{ "script", ACTION_FILE, ACTION_NEEDED, .help = "its file" },
		{ "function", ACTION_TEXT, ACTION_NONE,
		    .help = "its function; \"action\"" },
		{ "instructions", ACTION_WHOLE, ACTION_FIXED, .min = 100,
		    .max = 100000000, .def = 100000, .bit = 100000,
		    .help = "that a call may take" },
		{ "memory_kb", ACTION_WHOLE, ACTION_FIXED, .min = 64,
		    .max = 1048576, .def = 1024, .bit = 1024,
		    .help = "that the script may use" } } },
};

const struct action_row *
action_find(const char *name)
{
	for (size_t i = 0; i < ACTION_IDS; i++)
		if (strcmp(action_rows[i].name, name) == 0)
			return &action_rows[i];
	return NULL;
}

const struct action_param *
action_param(const struct action_row *row, const char *name)
{
	for (const struct action_param *p = row->params; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

bool
action_without(const struct action_param *p, enum typed_type t, double *out)
{
	switch (p->without) {
	case ACTION_FIXED:
		*out = t == TYPED_BITS ? p->bit : p->def;
		return true;
	case ACTION_FIRST:
		*out = 0;
		return true;
	case ACTION_LEAST:
		*out = t == TYPED_BITS ? 0 : 1;
		return true;
	case ACTION_USUAL:
		*out = action_bounds[t].usual;
		return true;
	case ACTION_NONE:
	case ACTION_NEEDED:
		break;
	}
	return false;
}

bool
action_number(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*out);
}

int
action_word(const struct action_param *p, const char *text)
{
	for (int i = 0; p->words[i] != NULL; i++)
		if (strcmp(p->words[i], text) == 0)
			return i;
	return -1;
}
