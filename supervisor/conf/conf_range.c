/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges: what one entry of a device's tables, files and fifos says. Runs
 * before the first fork.
 */
#include "supervisor/conf/conf_range.h"

#include <stdlib.h>
#include <string.h>

#include "shm/table.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/mem.h"

enum {
	ADDRESSES = 65536,
	FILE_SHIFT = 16, /* STORE_FILE: where the file's number stands */
	FIFO_SHIFT = 5,
	FIFO_COUNT = 32, /* its count and 31 values */
	FIFO_MAX = 31,
};

/* What the type and the values call for when "count" is left out. */
static uint32_t
natural_count(const struct conf_range_in *in)
{
	size_t n = 1;

	if (in->r.type == TYPED_STRING) {
		if (in->value != NULL && in->value->type == JSONC_STRING)
			n = (strlen(in->value->text) + 1) / 2;
	} else {
		if (in->values != NULL && in->values->type == JSONC_ARRAY)
			n = in->values->in.n;
		n *= conf_range_step(&in->r);
	}
	if (n == 0)
		n = 1;
	return n > ADDRESSES ? ADDRESSES : (uint32_t)n;
}

static void
fill_values(
    struct conf_ctx *ctx, const struct jsonc_node *values, struct conf_range *r)
{
	uint32_t room = conf_range_elements(r), i = 0;

	if (!conf_want(ctx, values, JSONC_ARRAY, "a list"))
		return;
	if (r->type == TYPED_STRING) {
		conf_fault_key(ctx, values,
		    "a range of type string holds one string; say \"value\"");
		return;
	}
	for (const struct jsonc_node *v = values->in.first; v != NULL;
	     v = v->next, i++) {
		if (i == room) {
			conf_fault(ctx, v,
			    "too many values: %zu, and the range has room "
			    "for %u",
			    values->in.n, room);
			return;
		}
		conf_value_put(ctx, v, r, i, r->init);
	}
}

/* "value" for each element: made once, then copied. */
static void
fill_value(
    struct conf_ctx *ctx, const struct jsonc_node *value, struct conf_range *r)
{
	size_t one = 2 * (size_t)conf_range_step(r);
	uint32_t n = conf_range_elements(r);

	if (r->type == TYPED_STRING) {
		conf_string_put(ctx, value, r, r->init);
		return;
	}
	if (!conf_value_put(ctx, value, r, 0, r->init))
		return;
	if (!conf_table_bits(r->table))
		for (uint32_t i = 1; i < n; i++)
			memcpy(r->init + i * one, r->init, one);
	else if (r->init[0] != 0)
		for (uint32_t i = 0; i < n; i++)
			r->init[i / 8] |= (uint8_t)(1u << i % 8);
}

static void
fill(struct conf_ctx *ctx, const struct conf_range_in *in, struct conf_range *r)
{
	if (in->value == NULL && in->values == NULL)
		return;
	r->init = mem_zero(1, store_bytes(r->table, r->count));
	if (in->value != NULL && in->values != NULL)
		conf_fault_key(ctx, in->values,
		    "\"value\" (each) and \"values\" (in turn) exclude each "
		    "other");
	else if (in->value != NULL)
		fill_value(ctx, in->value, r);
	else
		fill_values(ctx, in->values, r);
}

/* True if the type goes with the table. */
static bool
type_fits(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_range *r)
{
	const struct jsonc_node *type = jsonc_get(node, "type");

	if (!conf_table_bits(r->table) || r->type == TYPED_BITS)
		return true;
	conf_fault(ctx, type, "type %s does not go with %s, which hold bits",
	    typed_type_name(r->type), table_name(r->table));
	return false;
}

/* True if addr and count hold together. */
static bool
extent_fits(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_range *r)
{
	const struct jsonc_node *count = jsonc_get(node, "count");
	uint32_t step = conf_range_step(r);

	if (count == NULL)
		count = node;
	if (r->count % step != 0) {
		conf_fault(ctx, count,
		    "count %u is no multiple of %u, the registers of one %s",
		    r->count, step, typed_type_name(r->type));
		return false;
	}
	if (r->addr + r->count > ADDRESSES) {
		conf_fault(ctx, count,
		    "addresses %u to %u: 65535 is the last one there is",
		    r->addr, r->addr + r->count - 1);
		return false;
	}
	return true;
}

void
conf_range_free(struct conf_range *r)
{
	free(r->name);
	free(r->unit);
	free(r->action);
	conf_options_free(&r->parameters);
	free(r->init);
}

bool
conf_range_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    enum store_table table, struct conf_range *out)
{
	struct conf_range_in in = { 0 };
	size_t faults = ctx->nfaults + ctx->dropped;
	bool bits = conf_table_bits(table);
	char what[64];

	snprintf(what, sizeof(what), "a range of %s", table_name(table));
	in.r.table = table;
	in.r.read_only = table == STORE_DI || table == STORE_IR;
	in.r.type = bits ? TYPED_BITS : TYPED_UINT16;
	conf_read_section(
	    ctx, node, &conf_range, what, bits ? CONF_NOT_BITS : 0, &in);
	*out = in.r;
	if (ctx->nfaults + ctx->dropped > faults || !type_fits(ctx, node, out))
		return false;
	if (out->count == 0)
		out->count = natural_count(&in);
	if (!extent_fits(ctx, node, out))
		return false;
	fill(ctx, &in, out);
	return true;
}

bool
conf_file_read(
    struct conf_ctx *ctx, const struct jsonc_node *node, struct conf_range *out)
{
	struct conf_range_in in = { .r = { .table = STORE_FILE, .scale = 1 } };
	size_t faults = ctx->nfaults + ctx->dropped;

	conf_read_section(ctx, node, &conf_file, "a file", 0, &in);
	*out = in.r;
	out->addr = in.number << FILE_SHIFT;
	out->count = in.records;
	if (ctx->nfaults + ctx->dropped > faults)
		return false;
	fill(ctx, &in, out);
	return true;
}

bool
conf_fifo_read(
    struct conf_ctx *ctx, const struct jsonc_node *node, struct conf_range *out)
{
	struct conf_range_in in = { .r = { .table = STORE_FIFO, .scale = 1 } };
	size_t faults = ctx->nfaults + ctx->dropped;
	uint32_t i = 0;

	conf_read_section(ctx, node, &conf_fifo, "a FIFO queue", 0, &in);
	*out = in.r;
	out->addr = in.r.addr << FIFO_SHIFT;
	out->count = FIFO_COUNT;
	if (ctx->nfaults + ctx->dropped > faults)
		return false;
	if (in.values == NULL ||
	    !conf_want(ctx, in.values, JSONC_ARRAY, "a list"))
		return true;
	if (in.values->in.n > FIFO_MAX) {
		conf_fault(ctx, in.values,
		    "%zu values: a FIFO queue holds %u at most",
		    in.values->in.n, FIFO_MAX);
		return true;
	}
	out->init = mem_zero(1, store_bytes(STORE_FIFO, FIFO_COUNT));
	for (const struct jsonc_node *v = in.values->in.first; v != NULL;
	     v = v->next)
		conf_value_put(ctx, v, out, ++i, out->init);
	out->init[1] = (uint8_t)i;
	return true;
}
