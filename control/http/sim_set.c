/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets a register, or all registers of the value that begins there, by its
 * type. What does not fit is refused; registers.write says why. Runs in the
 * http process.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/sim_cells.h"
#include "control/http/sim_form.h"
#include "control/http/sim_text.h"
#include "control/jtext.h"

/* A number of any size, or what Python calls nan and inf; a new reference. */
static json_t *
number(struct sim_call *c, const struct sim_cell *cell)
{
	json_t *v = json_object_get(c->in, "value"), *read;
	bool real = cell->type == SIM_FLOAT32 || cell->type == SIM_FLOAT64;
	const char *text = json_string_value(v);
	char why[JTEXT_WHY_MAX], *end;
	int64_t integer;
	double d;

	if (json_is_number(v))
		return json_incref(v);
	if (text != NULL && sim_parse_integer(text, &integer))
		return json_integer(integer);
	if (text != NULL && real) {
		d = strtod(text, &end);
		end += strspn(end, " \t\r\n");
		if (*end == '\0')
			return jtext_float64(d);
	}
	read = text != NULL ? jtext_load(text, strlen(text), why) : NULL;
	if (json_is_number(read) ||
	    jtext_integer(read, &(bool){ false }, &(uint64_t){ 0 }))
		return read;
	json_decref(read);
	sim_fail(c, 400, "value must be %s%s%.40s%s",
	    real ? "a number" : "an integer", text != NULL ? ", not \"" : "",
	    text != NULL ? text : "", text != NULL ? "\"" : "");
	return NULL;
}

/* Filled up with what the string is filled up with now. */
static json_t *
string(struct sim_call *c, const struct sim_map *m, uint32_t i,
    const struct sim_cell *cell)
{
	const json_t *v = json_object_get(c->in, "value");
	size_t len = json_string_length(v), room = 2 * (size_t)cell->span;
	struct text t = { 0 };
	struct sim_words w;
	json_t *json = NULL;
	char filler = '\0';

	if (!json_is_string(v))
		sim_fail(c, 400, "value must be a string");
	else if (len > room)
		sim_fail(c, 400,
		    "value has %zu bytes; registers %u-%u have room for %zu",
		    len, i, i + cell->span - 1, room);
	else if (memchr(json_string_value(v), '\0', len) != NULL)
		sim_fail(c, 400, "value must not hold NUL");
	else if (sim_words_init(c, m, i, cell->span, &w)) {
		if ((w.word[cell->span - 1] & 0xff) != 0)
			filler = ' ';
		text_add(&t, json_string_value(v), len);
		while (t.len < room && !t.failed)
			text_add(&t, &filler, 1);
		json = json_stringn(t.at, t.len);
		text_free(&t);
		sim_words_fini(&w);
	}
	return json;
}

/* The 16 bits of a table of bits, as far as the configuration has them. */
static bool
set_bits(struct sim_call *c, const struct sim_map *m, uint32_t i,
    const struct sim_run *r, uint16_t word)
{
	const struct sim_block *b = &m->block[r->block];
	uint32_t from = (i - b->first) * SIM_REG_BITS, to = from + SIM_REG_BITS;
	json_t *values = json_array(), *result;
	uint32_t left = word;

	from = from > r->addr ? from : r->addr;
	to = to < r->addr + r->count ? to : r->addr + r->count;
	for (uint32_t a = from; a < to; a++) {
		unsigned bit = a % SIM_REG_BITS;

		json_array_append_new(values, json_integer(word >> bit & 1));
		left &= ~(1u << bit);
	}
	if (left != 0) {
		json_decref(values);
		return sim_fail(c, 400,
		    "register %u holds the bits %u..%u, and value has others",
		    i, from % SIM_REG_BITS, (to - 1) % SIM_REG_BITS);
	}
	result = sim_ask(c, "registers.write",
	    json_pack("{s:s, s:s, s:i, s:o}", "device", m->device, "table",
		b->table, "addr", (int)from, "values", values));
	json_decref(result);
	return result != NULL;
}

static bool
set_registers(struct sim_call *c, const struct sim_map *m, uint32_t i,
    const struct sim_cell *cell, json_t *value)
{
	const struct sim_run *r = cell->run;
	bool typed = cell->type != SIM_NEXT && cell->type != SIM_BITS;
	json_t *params, *result;

	params = json_pack("{s:s, s:s, s:i, s:[o], s:s, s:s}", "device",
	    m->device, "table", m->block[r->block].table, "addr",
	    (int)(r->addr + (i - r->first)), "values", value, "type",
	    typed ? typed_type_name(r->typed) : "uint16", "order",
	    typed ? typed_order_name(r->order) : "abcd");
	if (cell->type == SIM_STRING)
		json_object_set_new(
		    params, "count", json_integer((json_int_t)cell->span));
	result = sim_ask(c, "registers.write", params);
	json_decref(result);
	return result != NULL;
}

bool
sim_cells_set(struct sim_call *c, const struct sim_map *m, uint32_t i)
{
	struct sim_cell cell = sim_map_cell(m, i);
	int64_t word;
	json_t *value;

	if (cell.run == NULL)
		return sim_fail(c, 404,
		    "register %u is of the type invalid: it has no value", i);
	if (m->block[cell.run->block].bits) {
		if (sim_integer(c, "value", 0, UINT16_MAX, &word) != SIM_OK)
			return false;
		return set_bits(c, m, i, cell.run, (uint16_t)word);
	}
	value =
	    cell.type == SIM_STRING ? string(c, m, i, &cell) : number(c, &cell);
	if (value == NULL)
		return sim_fail(c, 500, "out of memory");
	return set_registers(c, m, i, &cell, value);
}
