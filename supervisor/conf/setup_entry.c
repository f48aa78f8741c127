/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry of a section with values: its addresses, value and action, which
 * fill in cells. Runs in the program's own process, under mem_try(); no I/O.
 */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "shm/action.h"
#include "shm/seg.h"
#include "supervisor/mem.h"
#include "supervisor/near.h"
#include "supervisor/conf/setup_own.h"

enum { NAMES_MAX = 64 };

struct entry {
	const struct jsonc_node *entry, *node, *value;
	uint32_t first, last;
	const char *action, *parameters;
};

/* ---- addresses ---- */

static bool
in_array(struct setup_ctx *c, const struct jsonc_node *n, uint32_t *out)
{
	if (n->type != JSONC_INTEGER || (n->negative && n->magnitude > 0) ||
	    n->magnitude >= c->ncells) {
		setup_fault(c, n,
		    "an address must be a whole number below %u, the number of "
		    "registers that \"setup\" gives",
		    c->ncells);
		return false;
	}
	*out = (uint32_t)n->magnitude;
	return true;
}

bool
setup_addresses(struct setup_ctx *c, const struct jsonc_node *n,
    uint32_t *first, uint32_t *last)
{
	if (n->type != JSONC_ARRAY) {
		if (!in_array(c, n, first))
			return false;
		*last = *first;
		return true;
	}
	if (n->in.n != 2) {
		setup_fault(c, n, "a range of addresses is [first, last]");
		return false;
	}
	if (!in_array(c, n->in.first, first) ||
	    !in_array(c, n->in.first->next, last))
		return false;
	if (*last >= *first)
		return true;
	setup_fault(c, n, "the range ends before it begins");
	return false;
}

/* ---- actions ---- */

bool
setup_action(
    struct setup_ctx *c, const struct jsonc_node *n, const char **action)
{
	const struct hf_hooks *h = c->pick->actions;
	const char *names[NAMES_MAX], *near;
	size_t count = 0;

	*action = NULL;
	if (n->type == JSONC_NULL)
		return true;
	for (size_t i = 0; i < ACTION_IDS; i++)
		names[count++] = action_rows[i].name;
	for (size_t i = 0; h != NULL && h->actions != NULL &&
	     h->actions[i] != NULL && count < NAMES_MAX;
	     i++)
		names[count++] = h->actions[i]->name;
	if (n->type != JSONC_STRING) {
		setup_fault(c, n, "an action is a name or null, not %s",
		    jsonc_type_words(n->type));
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], n->text) == 0)
			*action = names[i];
	if (*action != NULL)
		return true;
	if (c->pick->any_action && seg_name_ok(n->text)) {
		*action = n->text;
		return true;
	}
	near = near_name(n->text, names, count);
	setup_fault(c, n, "no action is called \"%.60s\"%s%.60s%s", n->text,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
	return false;
}

static void
put_quoted(FILE *f, const char *text)
{
	putc('"', f);
	for (; *text != '\0'; text++)
		if (*text == '"' || *text == '\\')
			fprintf(f, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(f, "\\u%04x", (unsigned char)*text);
		else
			putc(*text, f);
	putc('"', f);
}

/* A member of "parameters" as JSON. */
static void
put_parameter(struct setup_ctx *c, FILE *f, const struct jsonc_node *n)
{
	put_quoted(f, n->key);
	putc(':', f);
	if (n->type == JSONC_STRING)
		put_quoted(f, n->text);
	else if (n->type == JSONC_BOOL)
		fputs(n->yes ? "true" : "false", f);
	else if (n->type == JSONC_INTEGER)
		fprintf(f, "%s%llu", n->negative ? "-" : "",
		    (unsigned long long)n->magnitude);
	else if (n->type == JSONC_REAL)
		fprintf(f, "%.17e", n->real);
	else
		setup_fault(
		    c, n, "a parameter is a string, a number, true or false");
}

static const char *
parameters_of(struct setup_ctx *c, const struct jsonc_node *n)
{
	const struct jsonc_node *m;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (n == NULL || n->type == JSONC_NULL)
		return NULL;
	if (n->type != JSONC_OBJECT) {
		setup_fault(c, n, "\"%s\" must be an object", n->key);
		return NULL;
	}
	f = open_memstream(&text, &len);
	if (f == NULL)
		return setup_keep(c, mem_text("{}"));
	putc('{', f);
	for (m = n->in.first; m != NULL; m = m->next) {
		if (m->type == JSONC_NULL)
			continue; /* None is no bound */
		fputs(len > 1 ? "," : "", f);
		put_parameter(c, f, m);
		fflush(f); /* len is up to date */
	}
	putc('}', f);
	fclose(f);
	return setup_keep(c, text);
}

/* ---- values ---- */

/* A whole number of so many bits, signed as two's complement; 0 after a
 * mistake. */
static uint64_t
whole_value(
    struct setup_ctx *c, const struct jsonc_node *n, unsigned bits, bool sign)
{
	uint64_t most = UINT64_MAX >> (64 - bits + sign), v = 0;

	if (!sign) {
		setup_number(c, n, most, &v);
		return v;
	}
	if (n->type == JSONC_INTEGER && n->magnitude <= most + n->negative)
		return n->negative ? 0 - n->magnitude : n->magnitude;
	setup_fault(c, n, "must be a whole number from -%llu to %llu",
	    (unsigned long long)most + 1, (unsigned long long)most);
	return 0;
}

/* The bits of a float in so many registers. */
static uint64_t
real_value(struct setup_ctx *c, const struct jsonc_node *n, uint32_t cells)
{
	uint64_t wide;
	uint32_t bits;
	double d;
	float f;

	if (n->type != JSONC_INTEGER && n->type != JSONC_REAL) {
		setup_fault(c, n, "must be a number");
		return 0;
	}
	d = jsonc_number(n);
	f = (float)d;
	if (cells == 2 && !(f >= -FLT_MAX && f <= FLT_MAX))
		setup_fault(c, n, "is too large for a float32");
	if (cells == 4 && !(d >= -DBL_MAX && d <= DBL_MAX))
		setup_fault(c, n, "is too large for a float64");
	memcpy(&wide, &d, sizeof(wide));
	memcpy(&bits, &f, sizeof(bits));
	return cells == 4 ? wide : bits;
}

/* A value in the low bits, the first register highest. */
static uint64_t
value_of(
    struct setup_ctx *c, const struct setup_kind *k, const struct jsonc_node *n)
{
	if (n == NULL)
		return 0;
	switch (k->type) {
	case SETUP_FLOAT32:
	case SETUP_FLOAT64:
		return real_value(c, n, k->cells);
	case SETUP_INT16:
	case SETUP_INT32:
	case SETUP_INT64:
		return whole_value(c, n, 16 * k->cells, true);
	case SETUP_BITS:
	case SETUP_UINT16:
		if (n->type == JSONC_BOOL)
			return n->yes;
		break;
	default:
		break;
	}
	return whole_value(c, n, 16 * k->cells, false);
}

/* The next character, which has a byte; -1 behind the last, -2 it has none. */
static int
next_char(const char **at)
{
	const unsigned char *p = (const unsigned char *)*at;

	if (p[0] == '\0')
		return -1;
	if (p[0] < 0x80) {
		*at += 1;
		return p[0];
	}
	if (p[0] != 0xc2 && p[0] != 0xc3)
		return -2;
	*at += 2;
	return (p[0] & 3) << 6 | (p[1] & 0x3f);
}

/* Two characters a register, the rest spaces. */
static void
put_string(struct setup_ctx *c, const struct entry *e)
{
	const char *at = e->value->text;
	int ch = 0;

	for (uint32_t i = e->first; i <= e->last; i++) {
		uint16_t two = 0;

		for (int k = 0; k < 2; k++) {
			ch = ch < 0 ? ch : next_char(&at);
			two = (uint16_t)(two << 8 | (ch < 0 ? ' ' : ch));
		}
		c->cells[i].value = two;
	}
	if (ch >= 0)
		ch = next_char(&at);
	if (ch == -2)
		setup_fault(c, e->value,
		    "a string can hold the characters up to U+00FF only");
	else if (ch >= 0)
		setup_fault(c, e->value,
		    "the string is too long for %u registers",
		    e->last - e->first + 1);
}

/* ---- entries ---- */

/* What is defined twice is told once for an entry; the rest of it is defined,
 * so that nothing else is said to be missing. */
static void
define(struct setup_ctx *c, const struct setup_kind *k, const struct entry *e)
{
	uint32_t step = k->cells;
	bool told = false;

	for (uint32_t i = e->first; i <= e->last; i++) {
		struct setup_cell *cell = &c->cells[i];
		uint32_t at = step == 0 ? i - e->first : (i - e->first) % step;

		if (cell->type != SETUP_INVALID) {
			if (!told)
				setup_fault(c, e->node,
				    "register %u is defined twice", i);
			told = true;
			continue;
		}
		cell->type = (uint8_t)(at == 0 ? k->type : SETUP_NEXT);
		cell->action = at == 0 ? e->action : NULL;
		cell->parameters = cell->action != NULL ? e->parameters : NULL;
		cell->at = e->entry;
	}
}

/* The value, which is looked at even if nobody knows where it is to be. */
static void
fill(struct setup_ctx *c, const struct setup_kind *k, const struct entry *e,
    bool placed)
{
	uint64_t v;

	if (k->type == SETUP_STRING) {
		if (e->value == NULL)
			return; /* that it is missing has been told */
		if (e->value->type != JSONC_STRING)
			setup_fault(c, e->value, "must be a string");
		else if (placed)
			put_string(c, e);
		return;
	}
	v = value_of(c, k, e->value);
	for (uint32_t i = e->first; placed && i <= e->last; i++)
		c->cells[i].value = (uint16_t)(v >>
		    16 * (k->cells - 1 - (i - e->first) % k->cells));
}

/* How an entry that is an object says it; false after a mistake without which
 * nothing else can be said. */
static bool
take_keys(struct setup_ctx *c, const struct setup_kind *k, struct entry *e)
{
	/* the parameters were "kwargs" before pymodbus 3.7; "args" it has never
	 * taken, but its own examples have them */
	static const char *const keys[] = { "addr", "value", "action",
		"parameters", "kwargs", "args" };
	const struct jsonc_node *n = e->entry, *m;
	const struct jsonc_node *older = jsonc_get(n, "kwargs");
	unsigned faults;
	char what[40];

	snprintf(what, sizeof(what), "an entry of \"%s\"", k->name);
	setup_known(c, n, what, keys, sizeof(keys) / sizeof(keys[0]));
	m = jsonc_get(n, "args");
	if (m != NULL)
		setup_note(c, m,
		    "\"args\" does nothing, as in pymodbus; what an action "
		    "takes stands in \"parameters\"");
	m = jsonc_get(n, "value");
	if (m != NULL)
		e->value = m;
	m = jsonc_get(n, "action");
	if (m != NULL)
		setup_action(c, m, &e->action);
	m = jsonc_get(n, "parameters");
	if (m != NULL && older != NULL)
		setup_fault_key(c, older,
		    "\"kwargs\" is what \"parameters\" was called; one of "
		    "the two must do");
	faults = c->faults;
	e->parameters = parameters_of(c, m != NULL ? m : older);
	if (c->faults > faults)
		e->action = NULL; /* nothing more is to be said of it */
	e->node = jsonc_get(n, "addr");
	if (e->node == NULL)
		setup_fault(c, n, "\"addr\" is missing");
	return e->node != NULL;
}

/* The registers of an entry are so many values; one address is that of one
 * value. False after a mistake. */
static bool
take_addresses(struct setup_ctx *c, const struct setup_kind *k, struct entry *e)
{
	uint32_t n;

	if (!setup_addresses(c, e->node, &e->first, &e->last))
		return false;
	n = e->last - e->first + 1;
	if (k->cells > 1 && e->node->type != JSONC_ARRAY)
		e->last = e->first + k->cells - 1;
	else if (k->cells > 1 && n % k->cells != 0) {
		setup_fault(c, e->node,
		    "a %s takes %u registers, and %u to %u are %u: a range "
		    "must hold whole values",
		    k->name, k->cells, e->first, e->last, n);
		return false;
	}
	if (e->last < c->ncells)
		return true;
	setup_fault(c, e->node,
	    "the value ends behind register %u, the last one", c->ncells - 1);
	return false;
}

void
setup_entry(
    struct setup_ctx *c, struct setup_kind *k, const struct jsonc_node *n)
{
	struct entry e = {
		.entry = n, .node = n, .value = k->value, .action = k->action
	};
	unsigned faults;
	bool placed;

	placed = (n->type != JSONC_OBJECT || take_keys(c, k, &e)) &&
	    take_addresses(c, k, &e);
	if (placed)
		define(c, k, &e);
	else
		c->holes = true;
	faults = c->faults;
	fill(c, k, &e, placed);
	if (c->faults > faults && e.value == k->value)
		k->value = NULL; /* a default that is wrong is told once */
}
