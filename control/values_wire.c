/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed values between JSON and the wire form of the store. Runs in the
 * control process; what comes in was sent by anybody and is checked value by
 * value before anything is changed.
 */

#include "control/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jtext.h"
#include "shm/typed.h"

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

/* The value, and what its type holds. */
static bool
fail_number(
    struct cmd_call *call, const struct values *v, size_t i, const json_t *json)
{
	static const char *const holds[TYPED_TYPES] = {
		[TYPED_UINT16] = "whole numbers 0..65535",
		[TYPED_INT16] = "whole numbers -32768..32767",
		[TYPED_UINT32] = "whole numbers 0..4294967295",
		[TYPED_INT32] = "whole numbers -2147483648..2147483647",
		[TYPED_UINT64] = "whole numbers 0..18446744073709551615",
		[TYPED_INT64] = "whole numbers "
				"-9223372036854775808..9223372036854775807",
		[TYPED_FLOAT32] = "numbers up to 3.4028235e38",
		[TYPED_FLOAT64] = "numbers",
	};
	size_t len = 0;
	char *text = jtext_dump(json, &len);

	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "values[%zu]: %.40s does not fit type %s, %s", i,
	    text != NULL ? text : "it", typed_type_name(v->type),
	    holds[v->type]);
	free(text);
	return false;
}

static bool
put_number(struct cmd_call *call, const struct values *v, size_t i,
    const json_t *json, uint8_t *wire)
{
	struct typed_value value = { .type = v->type };
	bool negative, is_signed, ok;
	uint64_t magnitude;

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
		return fail_number(call, v, i, json);
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
	json_array_foreach (array, i, json)
		if (v->type == TYPED_BITS
			? !put_bit(call, v, i, json, wire)
			: !put_number(call, v, i, json, wire + i * step))
			return false;
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
