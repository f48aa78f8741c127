/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers as rows of text: types, actions and values as pymodbus's simulator
 * writes them, which is as Python does. Runs in the http process.
 */

#include "control/http/sim_cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/http/sim_python.h"
#include "control/jtext.h"

enum { GAP = 64, VALUE_BYTES = 8 }; /* registers that are read for nothing */

/* What a string's registers hold, up to the NULs that fill it. */
static json_t *
string_value(const struct sim_cell *cell, const uint16_t *word)
{
	bool swapped =
	    cell->run->order == TYPED_BADC || cell->run->order == TYPED_DCBA;
	struct text t = { 0 };
	json_t *json;
	char two[2];

	for (uint32_t i = 0; i < cell->span; i++) {
		two[swapped] = (char)(word[i] >> 8);
		two[!swapped] = (char)(word[i] & 0xff);
		text_add(&t, two, 2);
	}
	while (t.len > 0 && t.at[t.len - 1] == '\0')
		t.len--;
	json = jtext_bytes(t.at != NULL ? t.at : "", t.len);
	text_free(&t);
	return json;
}

static json_t *
number_value(const struct sim_cell *cell, const uint16_t *word)
{
	uint8_t wire[VALUE_BYTES] = { 0 };
	struct typed_value v;
	char text[40];

	for (uint32_t i = 0; i < cell->span && 2 * i < sizeof(wire); i++) {
		wire[2 * i] = (uint8_t)(word[i] >> 8);
		wire[2 * i + 1] = (uint8_t)(word[i] & 0xff);
	}
	typed_get(cell->run->typed, cell->run->order, wire, &v);
	switch (cell->type) {
	case SIM_FLOAT32:
	case SIM_FLOAT64:
		sim_python_float(v.f, text, sizeof(text));
		break;
	case SIM_INT16:
	case SIM_INT32:
	case SIM_INT64:
		snprintf(text, sizeof(text), "%" PRId64, v.i);
		break;
	default:
		snprintf(text, sizeof(text), "%" PRIu64, v.u);
	}
	return json_string(text);
}

static json_t *
cell_value(const struct sim_cell *cell, const uint16_t *word)
{
	char text[16];

	switch (cell->type) {
	case SIM_STRING:
		return string_value(cell, word);
	case SIM_BITS:
		snprintf(text, sizeof(text), "0x%x", *word);
		break;
	case SIM_NEXT:
	case SIM_INVALID:
		snprintf(text, sizeof(text), "%u", *word);
		break;
	default:
		return number_value(cell, word);
	}
	return json_string(text);
}

/* none, increment, random({'minval': 1, 'maxval': 9}) */
static json_t *
cell_action(const struct sim_cell *cell)
{
	const json_t *parameters;
	const char *name = sim_map_action(cell, &parameters);
	struct text t = { 0 };
	json_t *others, *json;

	if (name == NULL)
		return json_string("none");
	text_str(&t, name);
	if (parameters != NULL && json_object_size(parameters) > 1) {
		others = json_copy((json_t *)(uintptr_t)parameters);
		json_object_del(others, "name");
		text_str(&t, "(");
		sim_python_repr(&t, others);
		text_str(&t, ")");
		json_decref(others);
	}
	json = jtext_bytes(t.at, t.len);
	text_free(&t);
	return json;
}

static json_t *
decimal(int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, n);
	return json_string(text);
}

static json_t *
row(const struct sim_map *m, const struct sim_words *w, uint32_t i,
    bool to_show)
{
	struct sim_cell cell = sim_map_cell(m, i);
	uint32_t at = i - w->first;
	char index[32];
	json_t *json;

	if (cell.span > 1)
		snprintf(index, sizeof(index), "%" PRIu32 "-%" PRIu32, i,
		    i + cell.span - 1);
	else
		snprintf(index, sizeof(index), "%" PRIu32, i);
	json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "index", index,
	    "type", sim_type_names[cell.type], "access",
	    cell.run != NULL && cell.run->writable ? "True" : "False", "action",
	    cell_action(&cell), "value", cell_value(&cell, &w->word[at]),
	    "count_read", decimal(w->reads[at]), "count_write",
	    decimal(w->writes[at]));
	if (!to_show || cell.run == NULL)
		return json;
	json_object_set(json, "name", json_object_get(cell.run->row, "name"));
	json_object_set(json, "unit", json_object_get(cell.run->row, "unit"));
	return json;
}

/* How many of n registers are near enough to be read at once; *count is where
 * the last value of them ends. */
static size_t
group(const struct sim_map *m, const uint32_t *index, size_t n, uint32_t *count)
{
	uint32_t end = index[0];
	size_t i;

	for (i = 0; i < n && index[i] <= end + GAP; i++) {
		uint32_t to = index[i] + sim_map_cell(m, index[i]).span;

		end = to > end ? to : end;
	}
	*count = (end < m->n ? end : m->n) - index[0];
	return i;
}

json_t *
sim_cells_rows(struct sim_call *c, const struct sim_map *m,
    const uint32_t *index, size_t n, bool to_show)
{
	json_t *rows = json_array();
	struct sim_words w;
	uint32_t count;
	size_t now;
	bool fine = true;

	for (; n > 0 && fine; index += now, n -= now) {
		now = group(m, index, n, &count);
		fine = sim_words_init(c, m, index[0], count, &w);
		for (size_t i = 0; i < now && fine; i++)
			if (!to_show ||
			    sim_map_cell(m, index[i]).type != SIM_NEXT)
				json_array_append_new(
				    rows, row(m, &w, index[i], to_show));
		sim_words_fini(&w);
	}
	if (fine)
		return rows;
	json_decref(rows);
	return NULL;
}
