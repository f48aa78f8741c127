/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_ACTION_H
#define SHM_ACTION_H

/*
 * The built-in actions: what makes the value of a range by itself. A row each:
 * its name, when it can run, its parameters with their limits and defaults.
 * The configuration, setup files, the workers, the clock process and the list
 * of what there is all go by these rows; workers/action has their functions.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shm/typed.h"

enum action_id {
	ACTION_INCREMENT,
	ACTION_RANDOM,
	ACTION_UPTIME,
	ACTION_TIMESTAMP,
	ACTION_RESET,
	ACTION_RAMP,
	ACTION_SINE,
	ACTION_SQUARE,
	ACTION_WALK,
	ACTION_REPLAY,
	ACTION_COPY,
	ACTION_LUA,
	ACTION_IDS
};

enum {
	ACTION_ON_READ = 1, /* may run when a client reads */
	ACTION_ON_CLOCK = 2, /* may run every period_ms */
	ACTION_MORE = 4, /* takes parameters that it does not know, too */
	ACTION_STRINGS = 8, /* makes strings, too */
};

enum action_kind {
	ACTION_NUMBER, /* from min to max */
	ACTION_VALUE, /* a number that the range's type holds */
	ACTION_WHOLE, /* a whole number from min to max */
	ACTION_WORD, /* one of words */
	ACTION_TEXT,
	ACTION_FILE, /* a path, relative to the file that names it */
};

enum action_default {
	ACTION_NONE, /* it may be left out */
	ACTION_NEEDED, /* it must not be left out */
	ACTION_FIXED, /* def; bit for a type of bits */
	ACTION_FIRST, /* word 0 */
	ACTION_LEAST, /* 1, but 0 for bits */
	ACTION_USUAL, /* the most that the type holds */
};

struct action_param {
	const char *name;
	enum action_kind kind;
	enum action_default without;
	double min, max, def, bit;
	const char *const *words; /* ends with NULL */
	const char *help;
};

enum { ACTION_PARAMS_MAX = 8 };

struct action_row {
	const char *name;
	unsigned flags;
	const char *help;
	struct action_param params[ACTION_PARAMS_MAX + 1]; /* ends with a name
							    * of NULL */
};

extern const struct action_row action_rows[ACTION_IDS];

/* Which of these a parameter is; the place in the row's params. */
enum { ACTION_PERIOD = 0 }; /* period_ms, in every row that has it */

/* The row of a name, or NULL. */
const struct action_row *action_find(const char *name);

/* The parameter of a row, or NULL. */
const struct action_param *action_param(
    const struct action_row *, const char *name);

/* What a parameter may say that a value of a type be: what the type can hold,
 * as far as a double can say it exactly; and where it counts to without an end
 * of its own, which for 64 bits is where the type ends. */
struct action_bounds {
	double min, max, usual;
};
extern const struct action_bounds action_bounds[TYPED_TYPES];

/* What a parameter that was left out is for a type: false if it is nothing. Not
 * for texts. */
bool action_without(const struct action_param *, enum typed_type, double *out);

/* A number as text: true if all of it is one, and finite. */
bool action_number(const char *text, double *out);

/* The place of a word of a parameter, -1. */
int action_word(const struct action_param *, const char *text);

#endif
