/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cells of a setup file as ranges of tables: neighbours that are of one
 * kind become one. Runs in the program's own process, under mem_try(); no I/O.
 */
#include <string.h>

#include "supervisor/mem.h"
#include "supervisor/conf/setup_own.h"

enum { REG_BITS = 16, ADDRESSES = 65536 };

/* Cells that one table shows from its address 0 on. */
struct span {
	enum hf_table table;
	uint32_t start, end;
};

/* Of them: some that are one range. */
struct run {
	uint32_t at, n;
	enum hf_type type;
	bool writable;
	const char *action, *parameters;
};

/* What a cell of each type begins; a string is as long as it is. */
static const struct {
	enum hf_type type;
	uint32_t cells;
} types[] = {
	[SETUP_BITS] = { HF_BITS, 1 },
	[SETUP_INT16] = { HF_INT16, 1 },
	[SETUP_UINT16] = { HF_UINT16, 1 },
	[SETUP_INT32] = { HF_INT32, 2 },
	[SETUP_UINT32] = { HF_UINT32, 2 },
	[SETUP_INT64] = { HF_INT64, 4 },
	[SETUP_UINT64] = { HF_UINT64, 4 },
	[SETUP_FLOAT32] = { HF_FLOAT32, 2 },
	[SETUP_FLOAT64] = { HF_FLOAT64, 4 },
	[SETUP_STRING] = { HF_STRING, 0 },
	[SETUP_NEXT] = { HF_UINT16, 1 },
};

static bool
is_bits(enum hf_table t)
{
	return t == HF_CO || t == HF_DI;
}

/* How many cells the value takes that begins at i; 0: none does that is whole
 * and ends before `end`. */
static uint32_t
value_at(const struct setup_ctx *c, uint32_t i, uint32_t end)
{
	unsigned type = c->cells[i].type;
	uint32_t n = 1;

	if (type == SETUP_INVALID || type == SETUP_NEXT)
		return 0;
	if (types[type].cells == 1)
		return 1;
	while (i + n < c->ncells && c->cells[i + n].type == SETUP_NEXT)
		n++;
	if (i + n > end || (type != SETUP_STRING && n != types[type].cells))
		return 0;
	return n;
}

/* A value can be written if all of it can. */
static bool
writable(const struct setup_ctx *c, uint32_t i, uint32_t n)
{
	while (n > 0 && c->cells[i + n - 1].writable)
		n--;
	return n == 0;
}

/* What is at i, and behind it if that is of the same kind. A string is a range
 * of its own; what is left of a value has no type. */
static struct run
run_at(const struct setup_ctx *c, uint32_t i, uint32_t end)
{
	const struct setup_cell *first = &c->cells[i];
	uint32_t n = value_at(c, i, end), step = n > 0 ? n : 1;
	struct run r = { .at = i, .n = step };

	r.writable = writable(c, i, step);
	r.type = n > 0 ? types[first->type].type : HF_UINT16;
	r.action = n > 0 ? first->action : NULL;
	r.parameters = n > 0 ? first->parameters : NULL;
	while (r.type != HF_STRING && (i += step) < end) {
		const struct setup_cell *next = &c->cells[i];

		if (next->type == SETUP_INVALID || value_at(c, i, end) != n ||
		    writable(c, i, step) != r.writable)
			break;
		if (n > 0 &&
		    (types[next->type].type != r.type ||
			next->action != r.action ||
			next->parameters != r.parameters))
			break;
		r.n += step;
	}
	return r;
}

static void
emit(struct setup_ctx *c, const struct span *span, const struct run *r)
{
	struct setup *s = c->to;
	bool bits = is_bits(span->table);
	uint32_t each = bits ? REG_BITS : 1, n = r->n * each;
	uint16_t *values = mem_zero(n, sizeof(*values));

	setup_keep(c, (char *)values);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t v = c->cells[r->at + i / each].value;

		values[i] = bits ? v >> i % REG_BITS & 1 : v;
	}
	s->ranges = mem_more(s->ranges, s->nranges, sizeof(*s->ranges));
	s->range_at = mem_more(s->range_at, s->nranges, sizeof(*s->range_at));
	s->range_at[s->nranges] = c->cells[r->at].at;
	s->ranges[s->nranges++] = (struct hf_range){
		.table = span->table,
		.addr = (r->at - span->start) * each,
		.count = n,
		.type = bits ? HF_BITS : r->type,
		.read_only = !r->writable,
		.values = values,
		.nvalues = n,
		.action = r->action,
		.parameters = r->parameters,
	};
}

static void
show(struct setup_ctx *c, const struct span *span)
{
	uint32_t each = is_bits(span->table) ? REG_BITS : 1;
	uint32_t end = span->end, i = span->start;

	if (end - i > ADDRESSES / each)
		end = i + ADDRESSES / each; /* others have no address */
	while (i < end) {
		struct run r;

		if (c->cells[i].type == SETUP_INVALID) {
			i++;
			continue;
		}
		r = run_at(c, i, end);
		emit(c, span, &r);
		i += r.n;
	}
}

void
setup_ranges(struct setup_ctx *c)
{
	if (c->to->shared) {
		show(c, &(struct span){ HF_HR, 0, c->ncells });
		return;
	}
	for (unsigned i = 0; i < SETUP_BLOCKS; i++) {
		const struct setup_block *b = &c->blocks[i];

		show(c,
		    &(struct span){ b->table, b->start, b->start + b->size });
	}
}
