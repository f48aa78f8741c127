/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed values between JSON and the wire form of the store. Runs in the
 * control process; what comes in was sent by anybody and is checked value by
 * value before anything is changed.
 */

#include "control/values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jtext.h"
#include "shm/typed.h"

enum { ADDRESSES = 65536, EXTENTS_SHOWN = 4 };

static const struct {
	const char *name;
	enum store_table table;
} tables[] = {
	{ "coils", STORE_CO },
	{ "discrete_inputs", STORE_DI },
	{ "holding_registers", STORE_HR },
	{ "input_registers", STORE_IR },
	{ "co", STORE_CO },
	{ "di", STORE_DI },
	{ "hr", STORE_HR },
	{ "ir", STORE_IR },
};

enum { NTABLES = sizeof(tables) / sizeof(tables[0]) };

int
values_find_table(const char *name)
{
	for (size_t i = 0; i < NTABLES; i++) {
		if (strcmp(tables[i].name, name) == 0)
			return (int)tables[i].table;
	}
	return -1;
}

bool
values_are_bits(enum store_table table)
{
	return table == STORE_CO || table == STORE_DI;
}

/* ---- which ---- */

static bool
fail_word(struct cmd_call *call, const char *where, const char *what,
    const char *typed, const char *(*name)(int), int n)
{
	const char *names[NTABLES + TYPED_TYPES];

	for (int i = 0; i < n; i++)
		names[i] = name(i);
	cmd_fail(call, CMD_PARAMS, "bad_value", "%sunknown %s \"%.40s\"%s",
	    where, what, typed, cmd_near(typed, names, (size_t)n));
	return false;
}

static const char *
table_name(int i)
{
	return tables[i].name;
}

static const char *
type_name(int i)
{
	return i < TYPED_TYPES ? typed_type_name((enum typed_type)i)
			       : "declared";
}

static const char *
order_name(int i)
{
	return typed_order_name((enum typed_order)i);
}

static bool
resolve_type(struct cmd_call *call, const char *type, const char *where,
    struct values *v)
{
	const struct shm_range *range =
	    store_range(v->store, v->table, v->addr);
	bool bits = values_are_bits(v->table);
	int found;

	v->type = bits ? TYPED_BITS : TYPED_UINT16;
	v->order = TYPED_ABCD;
	if (type != NULL && strcmp(type, "declared") == 0) {
		if (!bits && range != NULL && range->type < TYPED_TYPES)
			v->type = (enum typed_type)range->type;
	} else if (type != NULL) {
		found = typed_type_find(type);
		if (found == -1)
			return fail_word(call, where, "type", type, type_name,
			    TYPED_TYPES + 1);
		v->type = (enum typed_type)found;
	}
	if (bits && v->type != TYPED_BITS) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "%sa table of bits has no %s", where, type);
		return false;
	}
	/* who names the type that the range declares means its order too */
	if (range != NULL && range->type == v->type &&
	    range->order < TYPED_ORDERS)
		v->order = (enum typed_order)range->order;
	return true;
}

bool
values_resolve(struct cmd_call *call, const json_t *object, struct store *store,
    unsigned device, const char *where, struct values *v)
{
	const char *table, *order;
	int found;

	*v = (struct values){ .store = store, .device = device };
	table = json_string_value(json_object_get(object, "table"));
	found = values_find_table(table);
	if (found == -1)
		return fail_word(
		    call, where, "table", table, table_name, NTABLES);
	v->table = (enum store_table)found;
	v->addr = (uint32_t)json_integer_value(json_object_get(object, "addr"));
	if (!resolve_type(call,
		json_string_value(json_object_get(object, "type")), where, v))
		return false;
	order = json_string_value(json_object_get(object, "order"));
	if (order == NULL)
		return true;
	found = typed_order_find(order);
	if (found == -1)
		return fail_word(
		    call, where, "order", order, order_name, TYPED_ORDERS);
	v->order = (enum typed_order)found;
	return true;
}

bool
values_set_count(struct cmd_call *call, struct values *v, int64_t count)
{
	int64_t units = count;

	if (!values_are_bits(v->table))
		units = v->type == TYPED_BITS ? (count + 15) / 16
					      : count * typed_regs(v->type);
	v->count = (uint32_t)count;
	v->units = (uint32_t)units;
	if (count >= 1 && units <= ADDRESSES)
		return true;
	if (count < 1)
		cmd_fail(call, CMD_PARAMS, "out_of_range", "there is no value");
	else
		values_fail(call, v, STORE_NO_ADDRESS);
	return false;
}

/* Registers for a string: as many as are asked for, else as its range has,
 * else as it needs. */
static int64_t
string_regs(const struct values *v, const json_t *text, int64_t asked)
{
	const struct shm_range *range =
	    store_range(v->store, v->table, v->addr);
	int64_t need = ((int64_t)json_string_length(text) + 1) / 2;

	if (asked > 0)
		return asked;
	if (range != NULL && range->type == TYPED_STRING &&
	    range->addr == v->addr)
		return range->count;
	return need > 0 ? need : 1;
}

bool
values_count_array(
    struct cmd_call *call, struct values *v, const json_t *array, int64_t asked)
{
	int64_t n = (int64_t)json_array_size(array);

	if (v->type == TYPED_STRING) {
		if (n != 1 || !json_is_string(json_array_get(array, 0))) {
			cmd_fail(call, CMD_PARAMS, "bad_type",
			    "values must be one string");
			return false;
		}
		return values_set_count(
		    call, v, string_regs(v, json_array_get(array, 0), asked));
	}
	if (asked > 0 && asked != n) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "count is %" PRId64 " and there are %" PRId64 " values",
		    asked, n);
		return false;
	}
	return values_set_count(call, v, n);
}

/* ---- from JSON ---- */

static bool
fail_value(struct cmd_call *call, size_t i, const char *what)
{
	cmd_fail(
	    call, CMD_PARAMS, "bad_value", "values[%zu] is not %s", i, what);
	return false;
}

static bool
put_bit(struct cmd_call *call, const struct values *v, size_t i,
    const json_t *json, uint8_t *wire)
{
	bool negative = false;
	uint64_t bit = json_is_true(json);
	size_t at = i;

	if (!json_is_boolean(json) &&
	    (!jtext_integer(json, &negative, &bit) || negative || bit > 1))
		return fail_value(call, i, "0, 1, true or false");
	/* in a register bit 0 is the lowest, and in its second byte */
	if (!values_are_bits(v->table))
		at = i ^ 8;
	wire[at / 8] |= (uint8_t)(bit << at % 8);
	return true;
}

static bool
put_string(struct cmd_call *call, const struct values *v, const json_t *json,
    uint8_t *wire)
{
	size_t len = json_string_length(json), room = (size_t)v->units * 2;
	bool swap = v->order == TYPED_BADC || v->order == TYPED_DCBA;
	const char *text = json_string_value(json);

	if (len > room) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "the string has %zu bytes; there is room for %zu", len,
		    room);
		return false;
	}
	for (size_t i = 0; i < len; i++)
		wire[swap ? i ^ 1 : i] = (uint8_t)text[i];
	return true;
}

static bool
put_number(struct cmd_call *call, const struct values *v, size_t i,
    const json_t *json, uint8_t *wire)
{
	struct typed_value value = { .type = v->type };
	bool negative, is_signed, ok;
	uint64_t magnitude;
	char what[48];

	snprintf(what, sizeof(what), "a number that fits %s",
	    typed_type_name(v->type));
	if (v->type == TYPED_FLOAT32 || v->type == TYPED_FLOAT64) {
		ok = jtext_number(json, &value.f);
	} else {
		is_signed = v->type == TYPED_INT16 || v->type == TYPED_INT32 ||
		    v->type == TYPED_INT64;
		ok = jtext_integer(json, &negative, &magnitude);
		if (ok && is_signed) {
			ok = magnitude <= (uint64_t)INT64_MAX + negative;
			value.i =
			    (int64_t)(negative ? 0 - magnitude : magnitude);
		} else if (ok) {
			ok = !negative || magnitude == 0;
			value.u = magnitude;
		}
	}
	if (!ok || typed_put(v->type, v->order, &value, wire) == -1)
		return fail_value(call, i, what);
	return true;
}

bool
values_to_wire(struct cmd_call *call, const struct values *v,
    const json_t *array, uint8_t *wire)
{
	size_t step = 2 * (size_t)typed_regs(v->type), i;
	json_t *json;

	if (v->type == TYPED_STRING)
		return put_string(call, v, json_array_get(array, 0), wire);
	json_array_foreach (array, i, json) {
		if (v->type == TYPED_BITS
			? !put_bit(call, v, i, json, wire)
			: !put_number(call, v, i, json, wire + i * step))
			return false;
	}
	return true;
}

/* ---- to JSON ---- */

static json_t *
get_string(const struct values *v, const uint8_t *wire)
{
	size_t len = (size_t)v->units * 2;
	bool swap = v->order == TYPED_BADC || v->order == TYPED_DCBA;
	char *text = malloc(len + 1);
	json_t *json;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)wire[swap ? i ^ 1 : i];
	while (len > 0 && text[len - 1] == '\0')
		len--;
	json = jtext_bytes(text, len);
	free(text);
	return json;
}

static json_t *
get_number(const struct values *v, const uint8_t *wire)
{
	struct typed_value value;

	typed_get(v->type, v->order, wire, &value);
	switch (v->type) {
	case TYPED_FLOAT32:
		return jtext_float32(value.f);
	case TYPED_FLOAT64:
		return jtext_float64(value.f);
	case TYPED_INT16:
	case TYPED_INT32:
	case TYPED_INT64:
		return json_integer(value.i);
	default:
		return jtext_uint(value.u);
	}
}

json_t *
values_from_wire(const struct values *v, const uint8_t *wire)
{
	size_t step = 2 * (size_t)typed_regs(v->type), at;
	json_t *array = json_array(), *json;

	if (v->type == TYPED_STRING) {
		json_array_append_new(array, get_string(v, wire));
		return array;
	}
	for (size_t i = 0; i < v->count; i++) {
		if (v->type == TYPED_BITS) {
			at = values_are_bits(v->table) ? i : i ^ 8;
			json = json_integer(wire[at / 8] >> at % 8 & 1);
		} else
			json = get_number(v, wire + i * step);
		if (json_array_append_new(array, json) == -1) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *
values_plain(enum store_table table, uint32_t count, const uint8_t *wire)
{
	const struct values v = {
		.table = table,
		.type = values_are_bits(table) ? TYPED_BITS : TYPED_UINT16,
		.count = count,
		.units = count,
	};

	return values_from_wire(&v, wire);
}

/* ---- the raw frame ---- */

void
values_wire_to_raw(const struct values *v, const uint8_t *wire, uint8_t *raw)
{
	for (size_t i = 0; i < v->units; i++) {
		if (values_are_bits(v->table)) {
			raw[2 * i] = wire[i / 8] >> i % 8 & 1;
			raw[2 * i + 1] = 0;
		} else {
			raw[2 * i] = wire[2 * i + 1];
			raw[2 * i + 1] = wire[2 * i];
		}
	}
}

bool
values_raw_to_wire(struct cmd_call *call, const struct values *v,
    const uint8_t *raw, uint8_t *wire)
{
	for (size_t i = 0; i < v->units; i++) {
		if (!values_are_bits(v->table)) {
			wire[2 * i] = raw[2 * i + 1];
			wire[2 * i + 1] = raw[2 * i];
			continue;
		}
		if (raw[2 * i] > 1 || raw[2 * i + 1] != 0)
			return fail_value(call, i, "0 or 1");
		wire[i / 8] |= (uint8_t)(raw[2 * i] << i % 8);
	}
	return true;
}

/* ---- refusals ---- */

/* "0..999, 1100..1101": what a table has. */
static void
format_extents(const struct values *v, char *text, size_t size)
{
	const struct shm_extent *e =
	    v->store->extents + v->store->extents_at[v->table];
	uint32_t n = v->store->nextents[v->table];
	size_t used = 0;

	snprintf(text, size, "nothing");
	for (uint32_t i = 0; i < n && used < size; i++) {
		if (i == EXTENTS_SHOWN) {
			snprintf(text + used, size - used, " ...");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%u..%u",
		    i > 0 ? ", " : "", e[i].addr, e[i].addr + e[i].count - 1);
	}
}

static void
fail_address(struct cmd_call *call, const struct values *v)
{
	char has[100];

	format_extents(v, has, sizeof(has));
	call->modbus_exception = 2;
	cmd_fail(call, CMD_MODBUS, "illegal_data_address",
	    "%s/%s:%u+%u is not wholly inside the table, which has %s",
	    call->control->proc->conf->devices[v->device].name,
	    conf_table_name(v->table), v->addr, v->units, has);
}

void
values_fail(struct cmd_call *call, const struct values *v, enum store_rc rc)
{
	switch (rc) {
	case STORE_NO_ADDRESS:
		fail_address(call, v);
		break;
	case STORE_DENIED:
		call->modbus_exception = 2;
		cmd_fail(
		    call, CMD_MODBUS, "read_only", "the range is read-only");
		break;
	case STORE_BUSY:
		call->modbus_exception = 6;
		cmd_fail(call, CMD_MODBUS, "server_device_busy",
		    "the device is busy; ask again");
		break;
	case STORE_TOO_LONG:
		cmd_fail(call, CMD_PARAMS, "too_long",
		    "one step writes at most %d bytes", STORE_STEP_BYTES);
		break;
	case STORE_MISMATCH:
		cmd_fail(call, CMD_REFUSED, "check_failed",
		    "a check did not hold; nothing was written");
		break;
	default:
		call->modbus_exception = 4;
		cmd_fail(call, CMD_INTERNAL, "internal",
		    "the store answered %d", (int)rc);
		break;
	}
}
