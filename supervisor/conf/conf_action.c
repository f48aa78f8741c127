/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a range's action is told, held against the rows of the built-in ones.
 * Runs before the first fork, and in the workers and the clock, which go by the
 * same rules. No I/O.
 */
#include <stdio.h>
#include <string.h>

#include "shm/table.h"
#include "supervisor/conf.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/near.h"

enum typed_type
conf_action_type(const struct conf_range *r)
{
	return r->type == TYPED_BITS && r->table >= STORE_HR ? TYPED_UINT16
							     : r->type;
}

const char *
conf_action_text(const struct conf_range *r, const char *name)
{
	for (size_t i = 0; i < r->parameters.n; i++)
		if (strcmp(r->parameters.at[i].name, name) == 0)
			return r->parameters.at[i].value;
	return NULL;
}

/* ---- checking ---- */

static bool
wrong_name(
    const struct action_row *row, const char *name, char *words, size_t room)
{
	const char *names[ACTION_PARAMS_MAX], *near;
	size_t n = 0;

	if (row->flags & ACTION_MORE || action_param(row, name) != NULL)
		return false;
	for (; row->params[n].name != NULL; n++)
		names[n] = row->params[n].name;
	near = near_name(name, names, n);
	snprintf(words, room, "has no parameter \"%.40s\"%s%s%s", name,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
	return true;
}

static bool
wrong_word(
    const struct action_param *p, const char *text, char *words, size_t room)
{
	const char *near;
	size_t n = 0;

	if (action_word(p, text) >= 0)
		return false;
	while (p->words[n] != NULL)
		n++;
	near = near_name(text, p->words, n);
	snprintf(words, room, "%s is \"%.40s\"%s%s%s", p->name, text,
	    near != NULL ? "; did you mean \"" : ", which it cannot be",
	    near != NULL ? near : "", near != NULL ? "\"?" : "");
	return true;
}

static bool
wrong_number(const struct action_param *p, enum typed_type t,
    const struct conf_option *o, char *words, size_t room)
{
	double x, min = p->min, max = p->max;

	if (!action_number(o->value, &x)) {
		snprintf(words, room, "%s is \"%.40s\", no number", p->name,
		    o->value);
		return true;
	}
	if (p->kind == ACTION_VALUE) {
		min = action_bounds[t].min;
		max = action_bounds[t].max;
	}
	if (p->kind == ACTION_VALUE && t == TYPED_STRING)
		return false;
	if (x >= min && x <= max) {
		if (p->kind != ACTION_WHOLE || x == (double)(long long)x)
			return false;
		snprintf(words, room, "%s is %.40s, no whole number", p->name,
		    o->value);
		return true;
	}
	snprintf(words, room, "%s is %.40s, not %.16g to %.16g", p->name,
	    o->value, min, max);
	return true;
}

static bool
wrong_value(const struct action_row *row, enum typed_type t,
    const struct conf_option *o, char *words, size_t room)
{
	const struct action_param *p = action_param(row, o->name);

	if (p == NULL)
		return wrong_name(row, o->name, words, room);
	switch (p->kind) {
	case ACTION_NUMBER:
	case ACTION_VALUE:
	case ACTION_WHOLE:
		return wrong_number(p, t, o, words, room);
	case ACTION_WORD:
		return wrong_word(p, o->value, words, room);
	case ACTION_TEXT:
	case ACTION_FILE:
		break;
	}
	if (o->value[0] != '\0')
		return false;
	snprintf(words, room, "%s is empty", p->name);
	return true;
}

/* The number of a parameter that may be left out. */
static bool
number_of(const struct action_row *row, const struct conf_range *r,
    const char *name, double *out)
{
	const struct action_param *p = action_param(row, name);
	const char *text;

	if (p == NULL)
		return false;
	text = conf_action_text(r, name);
	return text != NULL ? action_number(text, out)
			    : action_without(p, conf_action_type(r), out);
}

static bool
wrong_order(const struct action_row *row, const struct conf_range *r,
    const char *low, const char *high, char *words, size_t room)
{
	double x, y;

	if (!number_of(row, r, low, &x) || !number_of(row, r, high, &y) ||
	    x <= y)
		return false;
	snprintf(
	    words, room, "%s %.16g is more than %s %.16g", low, x, high, y);
	return true;
}

bool
conf_action_wrong(const struct action_row *row, const struct conf_range *r,
    const struct conf_option **at, char *words, size_t room)
{
	for (size_t i = 0; i < r->parameters.n; i++) {
		*at = &r->parameters.at[i];
		if (wrong_value(row, conf_action_type(r), *at, words, room))
			return true;
	}
	*at = NULL;
	for (const struct action_param *p = row->params; p->name != NULL; p++)
		if (p->without == ACTION_NEEDED &&
		    conf_action_text(r, p->name) == NULL) {
			snprintf(words, room, "\"%s\" is missing", p->name);
			return true;
		}
	if (r->type == TYPED_STRING && !(row->flags & ACTION_STRINGS) &&
	    !(row->flags & ACTION_ON_READ)) {
		snprintf(words, room, "makes no strings");
		return true;
	}
	/* with none of the two they are what the type says */
	return r->parameters.n > 0 &&
	    (wrong_order(row, r, "minval", "maxval", words, room) ||
		wrong_order(row, r, "min", "max", words, room));
}

/* ---- the clock ---- */

bool
conf_action_others(const struct conf *c)
{
	if (c->actions.module != NULL)
		return true;
	for (size_t i = 0; i < c->ntransports; i++)
		if (c->transports[i].plugins.n > 0)
			return true;
	return false;
}

unsigned
conf_action_period_ms(const struct conf *c, const struct conf_range *r)
{
	const struct action_row *row =
	    r->action != NULL ? action_find(r->action) : NULL;
	const char *text;
	double ms = 0;

	if (row == NULL || !(row->flags & ACTION_ON_CLOCK))
		return 0;
	text = conf_action_text(r, row->params[ACTION_PERIOD].name);
	if (text != NULL)
		return action_number(text, &ms) && ms >= 1 && ms <= 86400000
		    ? (unsigned)ms
		    : 0;
	if (conf_action_others(c) ||
	    !action_without(&row->params[ACTION_PERIOD], r->type, &ms))
		return 0;
	return (unsigned)ms;
}

/* ---- copies ---- */

static int
word_of(const struct conf_range *r, const char *name)
{
	const char *text = conf_action_text(r, name);
	int i = text != NULL
	    ? action_word(action_param(&action_rows[ACTION_COPY], name), text)
	    : 0;

	return i < 0 ? 0 : i;
}

static int
device_of(const struct conf *c, unsigned own, const struct conf_range *r)
{
	const char *name = conf_action_text(r, "device");

	if (name == NULL)
		return (int)own;
	for (size_t i = 0; i < c->ndevices; i++)
		if (strcmp(c->devices[i].name, name) == 0)
			return (int)i;
	return CONF_NO_DEVICE;
}

/* What a device declares at an address. */
static void
declared(const struct conf_device *d, struct conf_copy *s)
{
	for (size_t i = 0; i < d->nranges; i++) {
		const struct conf_range *r = &d->ranges[i];

		if (r->table == s->table && s->addr >= r->addr &&
		    s->addr < r->addr + r->count && r->type != TYPED_STRING) {
			s->type = r->type;
			s->order = r->order;
		}
	}
}

void
conf_action_source(const struct conf *c, unsigned own,
    const struct conf_range *r, struct conf_copy *s)
{
	int table = word_of(r, "table"), type = word_of(r, "type"),
	    order = word_of(r, "order");
	double addr = 0;
	const char *text = conf_action_text(r, "addr");
	uint32_t n = r->count / conf_range_step(r);

	if (text != NULL && (!action_number(text, &addr) || addr < 0))
		addr = 0;
	s->device = device_of(c, own, r);
	s->table = table == 0 ? r->table : (enum store_table)(table - 1);
	s->addr = (uint32_t)addr;
	s->type = TYPED_UINT16;
	s->order = TYPED_ABCD;
	if (s->device != CONF_NO_DEVICE)
		declared(&c->devices[s->device], s);
	if (conf_table_bits(s->table))
		s->type = TYPED_BITS;
	else if (type > 0)
		s->type = (enum typed_type)(type - 1);
	if (order > 0)
		s->order = (enum typed_order)(order - 1);
	s->count = n * (conf_table_bits(s->table) ? 1 : typed_regs(s->type));
}
