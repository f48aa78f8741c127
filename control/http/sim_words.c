/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What some registers hold, and how often they were read and written: read in
 * as few commands as the ranges allow, each one picture. Runs in the http
 * process.
 */

#include <stdlib.h>

#include "control/http/sim_map.h"

/* Addresses of one table that follow each other. */
struct piece {
	const struct sim_block *block;
	uint32_t addr, count;
	uint32_t first; /* register where they begin */
	uint32_t bit; /* and its bit */
};

static json_t *
where(const struct sim_map *m, const struct piece *p)
{
	return json_pack("{s:s, s:s, s:i, s:i}", "device", m->device, "table",
	    p->block->table, "addr", (int)p->addr, "count", (int)p->count);
}

static bool
load_values(struct sim_call *c, const struct sim_map *m, struct sim_words *w,
    const struct piece *p)
{
	json_t *params = where(m, p), *result, *value;
	uint32_t at;
	size_t i;

	if (!p->block->bits) {
		/* as they lie, whatever the ranges declare */
		json_object_set_new(params, "type", json_string("uint16"));
		json_object_set_new(params, "order", json_string("abcd"));
	}
	result = sim_ask(c, "registers.read", params);
	if (result == NULL)
		return false;
	json_array_foreach (json_object_get(result, "values"), i, value) {
		if (i >= p->count)
			break;
		at = p->first - w->first;
		if (!p->block->bits)
			w->word[at + i] = (uint16_t)json_integer_value(value);
		else if (json_integer_value(value) != 0)
			w->word[at + (p->bit + i) / SIM_REG_BITS] |=
			    (uint16_t)(1u << (p->bit + i) % SIM_REG_BITS);
	}
	json_decref(result);
	return true;
}

/* A device that does not count has counted nothing. */
static void
load_counts(struct sim_call *c, const struct sim_map *m, struct sim_words *w,
    const struct piece *p)
{
	json_t *result = sim_try(c, "registers.counts", where(m, p));
	const json_t *reads = json_object_get(result, "reads");
	const json_t *writes = json_object_get(result, "writes");
	uint32_t at, each = p->block->bits ? SIM_REG_BITS : 1;

	for (size_t i = 0; i < json_array_size(reads) && i < p->count; i++) {
		at = p->first - w->first + (uint32_t)((p->bit + i) / each);
		if ((p->bit + i) % each != 0 && i != 0)
			continue; /* all bits of a register count as one */
		w->reads[at] = json_integer_value(json_array_get(reads, i));
		w->writes[at] = json_integer_value(json_array_get(writes, i));
	}
	json_decref(result);
}

static bool
load(struct sim_call *c, const struct sim_map *m, struct sim_words *w,
    const struct piece *p)
{
	if (!load_values(c, m, w, p))
		return false;
	load_counts(c, m, w, p);
	return true;
}

/* Of a table of registers: ranges that touch are read as one. */
static bool
load_registers(struct sim_call *c, const struct sim_map *m, struct sim_words *w)
{
	uint32_t end = w->first + w->n, i = w->first, from;
	const struct sim_run *r;
	struct piece p;

	while (i < end) {
		r = sim_map_cell(m, i).run;
		from = i++;
		if (r == NULL || m->block[r->block].bits)
			continue;
		while (i < end && m->owner[i] != 0 &&
		    m->run[m->owner[i] - 1].block == r->block)
			i++;
		p = (struct piece){
			.block = &m->block[r->block],
			.addr = r->addr + (from - r->first),
			.count = i - from,
			.first = from,
		};
		if (!load(c, m, w, &p))
			return false;
	}
	return true;
}

/* Of a table of bits, where several ranges may be in one register. */
static bool
load_bits(struct sim_call *c, const struct sim_map *m, struct sim_words *w)
{
	uint32_t start, end, from, to;

	for (size_t i = 0; i < m->nruns; i++) {
		const struct sim_run *r = &m->run[i];
		const struct sim_block *b = &m->block[r->block];
		struct piece p = { .block = b };

		if (!b->bits || r->first >= w->first + w->n ||
		    r->first + r->n <= w->first ||
		    (m->shared && m->owner[r->first] != i + 1))
			continue;
		start = w->first > b->first ? w->first - b->first : 0;
		end = w->first + w->n - b->first;
		from = start * SIM_REG_BITS > r->addr ? start * SIM_REG_BITS
						      : r->addr;
		to = end * SIM_REG_BITS < r->addr + r->count
		    ? end * SIM_REG_BITS
		    : r->addr + r->count;
		p.addr = from;
		p.count = to - from;
		p.first = b->first + from / SIM_REG_BITS;
		p.bit = from % SIM_REG_BITS;
		if (!load(c, m, w, &p))
			return false;
	}
	return true;
}

bool
sim_words_init(struct sim_call *c, const struct sim_map *m, uint32_t first,
    uint32_t n, struct sim_words *w)
{
	*w = (struct sim_words){
		.first = first,
		.n = n,
		.word = calloc(n + 1, sizeof(*w->word)),
		.reads = calloc(n + 1, sizeof(*w->reads)),
		.writes = calloc(n + 1, sizeof(*w->writes)),
	};
	if (w->word == NULL || w->reads == NULL || w->writes == NULL)
		sim_fail(c, 500, "out of memory");
	else if (load_registers(c, m, w) && load_bits(c, m, w))
		return true;
	sim_words_fini(w);
	return false;
}

void
sim_words_fini(struct sim_words *w)
{
	free(w->word);
	free(w->reads);
	free(w->writes);
	*w = (struct sim_words){ 0 };
}
