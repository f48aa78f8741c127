/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values a command means, and what it is told when there are none such.
 * Runs in the control process.
 */

#include "control/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/table.h"
#include "shm/typed.h"

enum { ADDRESSES = 65536, EXTENTS_SHOWN = 4 };

uint32_t
values_addr(enum store_table table, uint32_t addr)
{
	if (table == STORE_FILE)
		return addr & 0xffff;
	return table == STORE_FIFO ? addr >> VALUES_FIFO_SHIFT : addr;
}

json_t *
values_file(enum store_table table, uint32_t addr)
{
	return table == STORE_FILE ? json_integer(addr >> 16) : NULL;
}

bool
values_are_bits(enum store_table table)
{
	return table == STORE_CO || table == STORE_DI;
}

/* ---- which ---- */

static bool
fail_among(struct cmd_call *call, const char *what, const char *typed,
    const char *const *names, size_t n)
{
	cmd_fail(call, CMD_PARAMS, "bad_value", "unknown %s \"%.40s\"%s", what,
	    typed, cmd_near(typed, names, n));
	return false;
}

static bool
fail_word(struct cmd_call *call, const char *what, const char *typed,
    const char *(*name)(int), int n)
{
	const char *names[TYPED_TYPES + 1];

	for (int i = 0; i < n; i++)
		names[i] = name(i);
	return fail_among(call, what, typed, names, (size_t)n);
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
resolve_type(struct cmd_call *call, const char *type, struct values *v)
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
			return fail_word(
			    call, "type", type, type_name, TYPED_TYPES + 1);
		v->type = (enum typed_type)found;
	}
	if (bits && v->type != TYPED_BITS) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "a table of bits has no %s", type);
		return false;
	}
	/* who names the type that the range declares means its order too */
	if (range != NULL && range->type == v->type &&
	    range->order < TYPED_ORDERS)
		v->order = (enum typed_order)range->order;
	return true;
}

/* The table of a name, if its values are to be had. */
static bool
resolve_table(struct cmd_call *call, const char *name, enum store_table *table)
{
	const char *words[TABLE_WORDS];
	int found = table_find(name);

	if (found == -1)
		return fail_among(call, "table", name, words,
		    table_words(words, TABLE_PLAIN));
	if (found >= TABLE_PLAIN) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "%s are not had here: Modbus reads them with function "
		    "code %d",
		    name, found == STORE_FILE ? 20 : 24);
		return false;
	}
	*table = (enum store_table)found;
	return true;
}

bool
values_resolve(struct cmd_call *call, const json_t *object, struct store *store,
    unsigned device, struct values *v)
{
	const char *table, *order;
	int found;

	*v = (struct values){ .store = store, .device = device };
	table = json_string_value(json_object_get(object, "table"));
	if (!resolve_table(call, table, &v->table))
		return false;
	v->addr = (uint32_t)json_integer_value(json_object_get(object, "addr"));
	if (!resolve_type(
		call, json_string_value(json_object_get(object, "type")), v))
		return false;
	order = json_string_value(json_object_get(object, "order"));
	if (order == NULL)
		return true;
	found = typed_order_find(order);
	if (found == -1)
		return fail_word(
		    call, "order", order, order_name, TYPED_ORDERS);
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
		    "count is %" PRId64 " and there %s %" PRId64 " value%s",
		    asked, n == 1 ? "is" : "are", n, n == 1 ? "" : "s");
		return false;
	}
	return values_set_count(call, v, n);
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
	    table_name(v->table), v->addr, v->units, has);
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
	case STORE_GONE: /* the next one is not there yet */
		call->modbus_exception = 6;
		cmd_fail(call, CMD_MODBUS, "server_device_busy",
		    "the device is busy; ask again");
		break;
	case STORE_UNSAVED:
		call->modbus_exception = 4;
		cmd_fail(call, CMD_MODBUS, "server_device_failure",
		    "durable ranges cannot be saved");
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
