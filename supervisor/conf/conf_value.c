/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that ranges start with: from the file's numbers, strings and
 * bits to the bytes that a Modbus frame would carry. Runs before the first
 * fork.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "supervisor/conf/conf_range.h"

/* What fits an integer type, for the check and for the mistake's text. */
static const struct {
	uint64_t most; /* of the positive */
	uint64_t least; /* of the negative, without its sign */
	const char *words;
} limits[TYPED_TYPES] = {
	[TYPED_UINT16] = { UINT16_MAX, 0, "0 to 65535" },
	[TYPED_INT16] = { INT16_MAX, 32768, "-32768 to 32767" },
	[TYPED_UINT32] = { UINT32_MAX, 0, "0 to 4294967295" },
	[TYPED_INT32] = { INT32_MAX, 2147483648, "-2147483648 to 2147483647" },
	[TYPED_UINT64] = { UINT64_MAX, 0, "0 to 18446744073709551615" },
	[TYPED_INT64] = { INT64_MAX, 9223372036854775808u,
	    "-9223372036854775808 to 9223372036854775807" },
	[TYPED_BITS] = { UINT16_MAX, 0, "0 to 65535" },
};

bool
conf_table_bits(enum store_table table)
{
	return table == STORE_CO || table == STORE_DI;
}

uint32_t
conf_range_step(const struct conf_range *r)
{
	return conf_table_bits(r->table) ? 1 : typed_regs(r->type);
}

uint32_t
conf_range_elements(const struct conf_range *r)
{
	return r->type == TYPED_STRING ? 1 : r->count / conf_range_step(r);
}

/* What the file says here, short enough for a mistake's text. */
static const char *
in_words(const struct jsonc_node *node, char *buf, size_t size)
{
	switch (node->type) {
	case JSONC_INTEGER:
		snprintf(buf, size, "%s%" PRIu64, node->negative ? "-" : "",
		    node->magnitude);
		break;
	case JSONC_REAL:
		snprintf(buf, size, "%.15g", node->real);
		break;
	case JSONC_STRING:
		snprintf(buf, size, "\"%.40s\"", node->text);
		break;
	case JSONC_BOOL:
		snprintf(buf, size, "%s", node->yes ? "true" : "false");
		break;
	default:
		snprintf(buf, size, "%s", jsonc_type_words(node->type));
	}
	return buf;
}

static bool
put_bit(struct conf_ctx *ctx, const struct jsonc_node *node, uint32_t i,
    uint8_t *wire)
{
	char value[64];
	bool on;

	if (node->type == JSONC_BOOL) {
		on = node->yes;
	} else if (node->type == JSONC_INTEGER && node->magnitude <= 1 &&
	    !node->negative) {
		on = node->magnitude == 1;
	} else {
		conf_fault(ctx, node, "a bit is 0, 1, true or false, not %s",
		    in_words(node, value, sizeof(value)));
		return false;
	}
	if (on)
		wire[i / 8] |= (uint8_t)(1u << i % 8);
	return true;
}

/* A whole number, even if it is written 5.0 or 1e3. */
static bool
whole(const struct jsonc_node *node, bool *negative, uint64_t *magnitude)
{
	if (node->type == JSONC_INTEGER) {
		*negative = node->negative && node->magnitude > 0;
		*magnitude = node->magnitude;
		return true;
	}
	if (node->type != JSONC_REAL || node->real != floor(node->real) ||
	    fabs(node->real) >= 18446744073709551616.0)
		return false;
	*negative = node->real < 0;
	*magnitude = (uint64_t)fabs(node->real);
	return true;
}

static bool
integer_value(struct conf_ctx *ctx, const struct jsonc_node *node,
    enum typed_type type, struct typed_value *v)
{
	char value[64];
	bool negative = false;
	uint64_t magnitude = 0;

	in_words(node, value, sizeof(value));
	if (node->type != JSONC_INTEGER && node->type != JSONC_REAL) {
		conf_fault(ctx, node, "type %s takes a whole number, not %s",
		    typed_type_name(type), value);
		return false;
	}
	if (!whole(node, &negative, &magnitude) ||
	    magnitude > (negative ? limits[type].least : limits[type].most)) {
		conf_fault(ctx, node,
		    "%s does not fit type %s, whole numbers %s", value,
		    typed_type_name(type), limits[type].words);
		return false;
	}
	/* the signed and the unsigned member share their bits */
	v->u = negative ? 0 - magnitude : magnitude;
	return true;
}

static bool
float_value(struct conf_ctx *ctx, const struct jsonc_node *node,
    enum typed_type type, struct typed_value *v)
{
	/* as typed_text() writes them, and as people do */
	static const struct {
		const char *name;
		double value;
	} named[] = {
		{ "NaN", NAN },
		{ "Infinity", INFINITY },
		{ "-Infinity", -INFINITY },
		{ "inf", INFINITY },
		{ "-inf", -INFINITY },
	};
	char value[64];

	if (node->type == JSONC_INTEGER || node->type == JSONC_REAL) {
		v->f = jsonc_number(node);
		return true;
	}
	if (node->type == JSONC_STRING)
		for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
			if (strcasecmp(node->text, named[i].name) == 0) {
				v->f = named[i].value;
				return true;
			}
	conf_fault(ctx, node,
	    "type %s takes a number, \"NaN\", \"Infinity\" or "
	    "\"-Infinity\", not %s",
	    typed_type_name(type), in_words(node, value, sizeof(value)));
	return false;
}

bool
conf_value_put(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_range *r, uint32_t i, uint8_t *wire)
{
	struct typed_value v = { .type = r->type };
	bool real = r->type == TYPED_FLOAT32 || r->type == TYPED_FLOAT64;
	char value[64];

	if (conf_table_bits(r->table))
		return put_bit(ctx, node, i, wire);
	if (real ? !float_value(ctx, node, r->type, &v)
		 : !integer_value(ctx, node, r->type, &v))
		return false;
	if (v.type == TYPED_BITS)
		v.type = TYPED_UINT16; /* a register's sixteen bits at once */
	if (typed_put(v.type, r->order, &v,
		wire + 2 * (size_t)i * conf_range_step(r)) == 0)
		return true;
	conf_fault(ctx, node, "%s does not fit type %s",
	    in_words(node, value, sizeof(value)), typed_type_name(r->type));
	return false;
}

bool
conf_string_put(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_range *r, uint8_t *wire)
{
	/* the first character is the high byte unless bytes are swapped */
	size_t flip = r->order == TYPED_BADC || r->order == TYPED_DCBA;
	size_t len;

	if (!conf_want(ctx, node, JSONC_STRING, "a string"))
		return false;
	len = strlen(node->text);
	if (len > 2 * (size_t)r->count) {
		conf_fault(ctx, node,
		    "the string is %zu bytes long; %u registers hold %u", len,
		    r->count, 2 * r->count);
		return false;
	}
	for (size_t i = 0; i < len; i++)
		wire[i ^ flip] = (uint8_t)node->text[i];
	return true;
}
