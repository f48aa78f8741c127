/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device as one array of registers, from what registers.describe says of it.
 * Runs in the http process; asks commands, keeps nothing.
 */

#include "control/http/sim_map.h"

#include <stdlib.h>
#include <string.h>

#include "control/http/sim_form.h"

const char *const sim_type_names[SIM_TYPES] = {
	[SIM_INVALID] = "invalid",
	[SIM_BITS] = "bits",
	[SIM_UINT16] = "uint16",
	[SIM_UINT32] = "uint32",
	[SIM_FLOAT32] = "float32",
	[SIM_STRING] = "string",
	[SIM_NEXT] = "next",
	[SIM_INT16] = "int16",
	[SIM_INT32] = "int32",
	[SIM_UINT64] = "uint64",
	[SIM_INT64] = "int64",
	[SIM_FLOAT64] = "float64",
};

static const struct sim_block blocks[SIM_BLOCKS] = {
	{ .table = "coils", .bits = true },
	{ .table = "discrete_inputs", .bits = true },
	{ .table = "holding_registers" },
	{ .table = "input_registers" },
};

static enum sim_type
type_of(enum typed_type typed)
{
	static const enum sim_type types[TYPED_TYPES] = {
		[TYPED_UINT16] = SIM_UINT16,
		[TYPED_INT16] = SIM_INT16,
		[TYPED_UINT32] = SIM_UINT32,
		[TYPED_INT32] = SIM_INT32,
		[TYPED_UINT64] = SIM_UINT64,
		[TYPED_INT64] = SIM_INT64,
		[TYPED_FLOAT32] = SIM_FLOAT32,
		[TYPED_FLOAT64] = SIM_FLOAT64,
		[TYPED_STRING] = SIM_STRING,
		[TYPED_BITS] = SIM_BITS,
	};

	return types[typed];
}

/* False: it is of a table that has no registers. */
static bool
read_run(const json_t *row, struct sim_run *r)
{
	const char *table = json_string_value(json_object_get(row, "table"));
	const char *type = json_string_value(json_object_get(row, "type"));
	const char *order = json_string_value(json_object_get(row, "order"));
	const char *access = json_string_value(json_object_get(row, "access"));
	json_int_t addr = json_integer_value(json_object_get(row, "addr"));
	json_int_t count = json_integer_value(json_object_get(row, "count"));
	int typed = type != NULL ? typed_type_find(type) : -1;
	int placed = order != NULL ? typed_order_find(order) : -1;
	uint32_t each;

	*r = (struct sim_run){ .row = row };
	while (r->block < SIM_BLOCKS &&
	    (table == NULL || strcmp(blocks[r->block].table, table) != 0))
		r->block++;
	if (r->block == SIM_BLOCKS)
		return false;
	each = blocks[r->block].bits ? SIM_REG_BITS : 1;
	if (addr < 0 || count < 1 ||
	    addr + count > (json_int_t)SIM_BLOCK_REGS * each)
		return false;
	r->addr = (uint32_t)addr;
	r->count = (uint32_t)count;
	r->first = r->addr / each;
	r->n = (r->addr + r->count - 1) / each + 1 - r->first;
	r->typed = each > 1 ? TYPED_BITS
	    : typed == -1   ? TYPED_UINT16
			    : (enum typed_type)typed;
	r->order = placed == -1 ? TYPED_ABCD : (enum typed_order)placed;
	r->type = type_of(r->typed);
	r->span = r->type == SIM_STRING ? r->n : typed_regs(r->typed);
	r->writable = access != NULL && strcmp(access, "rw") == 0;
	return true;
}

/* Where each table begins, and how many registers there are. */
static void
lay_out(struct sim_map *m)
{
	const json_t *said =
	    json_object_get(json_array_get(m->devices, m->index), "blocks");
	uint32_t end;

	memcpy(m->block, blocks, sizeof(m->block));
	for (size_t i = 0; i < m->nruns; i++) {
		struct sim_block *b = &m->block[m->run[i].block];

		end = m->run[i].first + m->run[i].n;
		b->n = end > b->n ? end : b->n;
	}
	for (unsigned i = 0; i < SIM_BLOCKS; i++) {
		struct sim_block *b = &m->block[i];
		json_int_t n =
		    json_integer_value(json_object_get(said, b->table));

		if (n > (json_int_t)b->n && n <= SIM_BLOCK_REGS)
			b->n = (uint32_t)n;
		if (m->shared) {
			m->n = b->n > m->n ? b->n : m->n;
			continue;
		}
		b->first = m->n;
		m->n += b->n;
	}
}

/* Holding registers have the last word where tables show the same. */
static bool
own(struct sim_call *c, struct sim_map *m)
{
	static const unsigned order[SIM_BLOCKS] = { 0, 1, 3, 2 };

	m->owner = calloc((size_t)m->n + 1, sizeof(*m->owner));
	if (m->owner == NULL)
		return sim_fail(c, 500, "out of memory");
	for (size_t i = 0; i < m->nruns; i++)
		m->run[i].first += m->block[m->run[i].block].first;
	for (unsigned b = 0; b < SIM_BLOCKS; b++)
		for (size_t i = 0; i < m->nruns; i++)
			for (uint32_t k = 0;
			     m->run[i].block == order[b] && k < m->run[i].n;
			     k++)
				m->owner[m->run[i].first + k] =
				    (uint32_t)(i + 1);
	return true;
}

bool
sim_map_init(struct sim_call *c, struct sim_map *m)
{
	json_t *row;
	size_t i;

	*m = (struct sim_map){ 0 };
	m->devices = sim_ask(c, "devices.list", NULL);
	if (m->devices == NULL)
		return false;
	m->device = sim_choice(c, "device", m->devices, &m->index);
	if (m->device == NULL)
		return false;
	m->ranges = sim_ask(
	    c, "registers.describe", json_pack("{s:s}", "device", m->device));
	if (m->ranges == NULL)
		return false;
	m->shared = json_is_true(json_object_get(
	    json_array_get(m->devices, m->index), "shared_blocks"));
	m->run = calloc(json_array_size(m->ranges) + 1, sizeof(*m->run));
	if (m->run == NULL)
		return sim_fail(c, 500, "out of memory");
	json_array_foreach (m->ranges, i, row)
		m->nruns += read_run(row, &m->run[m->nruns]);
	lay_out(m);
	return own(c, m);
}

void
sim_map_fini(struct sim_map *m)
{
	json_decref(m->devices);
	json_decref(m->ranges);
	free(m->run);
	free(m->owner);
	*m = (struct sim_map){ 0 };
}

struct sim_cell
sim_map_cell(const struct sim_map *m, uint32_t i)
{
	struct sim_cell cell = { .type = SIM_INVALID, .span = 1 };
	uint32_t off;

	if (i >= m->n || m->owner[i] == 0)
		return cell;
	cell.run = &m->run[m->owner[i] - 1];
	off = i - cell.run->first;
	if (off % cell.run->span != 0 || off + cell.run->span > cell.run->n) {
		cell.type = SIM_NEXT;
		return cell;
	}
	cell.type = cell.run->type;
	cell.span = cell.run->span;
	return cell;
}

bool
sim_map_has(struct sim_call *c, const struct sim_map *m, int64_t i)
{
	if (i >= 0 && i < (int64_t)m->n)
		return true;
	if (m->n == 0)
		return sim_fail(
		    c, 404, "device \"%s\" has no registers", m->device);
	return sim_fail(c, 404,
	    "there is no register %lld; device \"%s\" has 0..%u", (long long)i,
	    m->device, m->n - 1);
}

/* ---- actions and types ---- */

static const char *const known_actions[] = { "null", "increment", "random",
	"reset", "timestamp", "uptime" };
enum { NKNOWN = sizeof(known_actions) / sizeof(known_actions[0]) };

const char *
sim_map_action(const struct sim_cell *cell, const json_t **parameters)
{
	const json_t *action;

	*parameters = NULL;
	if (cell->run == NULL || cell->type == SIM_NEXT)
		return NULL;
	action = json_object_get(cell->run->row, "action");
	if (!json_is_object(action))
		return json_string_value(action);
	*parameters = action;
	return json_string_value(json_object_get(action, "name"));
}

json_t *
sim_map_actions(const struct sim_map *m)
{
	json_t *all = json_object();
	const json_t *parameters;
	struct sim_cell cell;
	const char *name;

	for (int i = 0; i < NKNOWN; i++)
		json_object_set_new(all, known_actions[i], json_integer(i));
	for (size_t i = 0; i < m->nruns; i++) {
		cell = (struct sim_cell){ &m->run[i], m->run[i].type, 1 };
		name = sim_map_action(&cell, &parameters);
		if (name != NULL && json_object_get(all, name) == NULL)
			json_object_set_new(all, name,
			    json_integer((json_int_t)json_object_size(all)));
	}
	return all;
}

json_t *
sim_map_types(const struct sim_map *m)
{
	bool used[SIM_TYPES] = { false };
	json_t *all = json_object();

	for (size_t i = 0; i < m->nruns; i++)
		used[m->run[i].type] = true;
	for (int i = SIM_BITS; i <= SIM_NEXT; i++)
		json_object_set_new(all, sim_type_names[i], json_integer(i));
	json_object_set_new(
	    all, sim_type_names[SIM_INVALID], json_integer(SIM_INVALID));
	for (int i = SIM_NEXT + 1; i < SIM_TYPES; i++)
		if (used[i])
			json_object_set_new(
			    all, sim_type_names[i], json_integer(i));
	return all;
}
