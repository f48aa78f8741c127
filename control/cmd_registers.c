/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registers.read, registers.write, registers.transaction: straight to the
 * store, without the supervisor or a worker. Runs in the control process.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmd.h"
#include "control/cmd_rows.h"
#include "control/jtext.h"
#include "control/values.h"

enum { WIRE_MAX = 65536 * 2 };

/* The device and table of a read or a write. False after it has failed. */
static bool
resolve(struct cmd_call *call, struct values *v)
{
	unsigned device = 0;
	struct store *store;

	store = control_device(call, cmd_string(call, "device"), &device);
	return store != NULL &&
	    values_resolve(call, call->params, store, device, "", v);
}

/* True if the values travel in the second frame. */
static bool
wants_raw(struct cmd_call *call)
{
	const char *encoding = cmd_string(call, "encoding");

	if (encoding == NULL)
		return false;
	if (strcmp(encoding, "json") == 0)
		return false;
	if (strcmp(encoding, "u16le") != 0)
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "encoding must be \"json\" or \"u16le\"");
	else if (call->in_batch)
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "a batch has no second frame for \"u16le\"");
	return true;
}

/* ---- read ---- */

static void
answer_read(struct cmd_call *call, const struct values *v, bool raw,
    const uint8_t *wire, uint64_t seq)
{
	if (!raw) {
		call->result = json_pack("{s:o, s:o}", "values",
		    values_from_wire(v, wire), "seq", jtext_uint(seq));
		return;
	}
	call->reply_raw = malloc((size_t)v->units * 2);
	if (call->reply_raw == NULL)
		return; /* no result: cmd_run() says so */
	values_wire_to_raw(v, wire, call->reply_raw);
	call->reply_raw_len = (size_t)v->units * 2;
	call->result = json_pack("{s:s, s:i, s:o}", "encoding", "u16le",
	    "count", (int)v->units, "seq", jtext_uint(seq));
}

void
cmd_registers_read(struct cmd_call *call)
{
	static uint8_t wire[WIRE_MAX];
	bool raw = wants_raw(call);
	enum store_rc rc;
	struct values v;
	uint64_t seq;

	if (call->error != CMD_OK || !resolve(call, &v) ||
	    !values_set_count(call, &v, cmd_integer(call, "count", 1)))
		return;
	rc = store_read(v.store, v.table, v.addr, v.units, wire, &seq);
	if (rc != STORE_OK)
		values_fail(call, &v, rc);
	else
		answer_read(call, &v, raw, wire, seq);
}

/* ---- steps ---- */

/* Steps and the bytes they work on, as they are put together. */
struct steps {
	struct store_step step[STORE_STEPS_MAX];
	struct values reads[STORE_STEPS_MAX]; /* of the reads, in order */
	unsigned n, nreads;
	uint8_t bytes[2 * STORE_STEP_BYTES]; /* of writes; of reads */
	size_t used, read;
};

/* Room for the wire form of values, zeroed; NULL after the call has failed. */
static uint8_t *
take_room(
    struct cmd_call *call, struct steps *s, const struct values *v, bool read)
{
	size_t len = store_bytes(v->table, v->units);
	size_t *used = read ? &s->read : &s->used;
	uint8_t *at;

	if (s->n + 2 > STORE_STEPS_MAX) {
		cmd_fail(call, CMD_PARAMS, "too_long",
		    "one step does at most %d things", STORE_STEPS_MAX - 1);
		return NULL;
	}
	if (len > STORE_STEP_BYTES - *used) {
		cmd_fail(call, CMD_PARAMS, "too_long",
		    "one step %s at most %d bytes", read ? "reads" : "writes",
		    STORE_STEP_BYTES);
		return NULL;
	}
	at = s->bytes + (read ? STORE_STEP_BYTES : 0) + *used;
	*used += len;
	memset(at, 0, len);
	return at;
}

static void
push(struct steps *s, enum store_op op, const struct values *v, uint32_t count,
    const uint8_t *in)
{
	s->step[s->n++] = (struct store_step){
		.op = op,
		.table = v->table,
		.addr = v->addr,
		.count = count,
		.in = in,
	};
}

/* Bits that end within a register leave its other bits as they are. */
static void
push_bits_in_registers(
    struct steps *s, const struct values *v, const uint8_t *wire)
{
	uint32_t whole = v->count / 16, rest = v->count % 16;
	uint16_t keep = (uint16_t)(0xffff << rest);

	if (whole > 0)
		push(s, STORE_WRITE, v, whole, wire);
	if (rest == 0)
		return;
	push(s, STORE_MASK, v, 1, NULL);
	s->step[s->n - 1].addr = v->addr + whole;
	s->step[s->n - 1].and_mask = keep;
	s->step[s->n - 1].or_mask =
	    (uint16_t)(wire[2 * whole] << 8 | wire[2 * whole + 1]);
}

/* Adds what writes, or checks, the values. False after the call failed. */
static bool
add_values(struct cmd_call *call, struct steps *s, enum store_op op,
    const struct values *v, const json_t *array)
{
	bool loose = v->type == TYPED_BITS && !values_are_bits(v->table) &&
	    v->count % 16 != 0;
	uint8_t *wire = take_room(call, s, v, false);

	if (wire == NULL || !values_to_wire(call, v, array, wire))
		return false;
	if (loose && op == STORE_CHECK) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "a check of bits in registers takes 16 for each");
		return false;
	}
	if (loose)
		push_bits_in_registers(s, v, wire);
	else
		push(s, op, v, v->units, wire);
	return true;
}

static bool
apply(struct cmd_call *call, const struct values *v, const struct steps *s,
    uint64_t *seq)
{
	enum store_rc rc;

	for (unsigned i = 0; i < s->n; i++) {
		const struct store_step *step = &s->step[i];

		if (!store_has(
			v->store, step->table, step->addr, step->count)) {
			struct values at = *v;

			at.table = step->table;
			at.addr = step->addr;
			at.units = step->count;
			values_fail(call, &at, STORE_NO_ADDRESS);
			return false;
		}
	}
	rc = control_apply(call->control, v->store, s->step, s->n, seq);
	if (rc == STORE_OK)
		return true;
	values_fail(call, v, rc);
	return false;
}

/* ---- write ---- */

/* The values came in the second frame, as 16-bit words. */
static bool
add_raw(struct cmd_call *call, struct steps *s, struct values *v)
{
	int64_t n = (int64_t)(call->raw_len / 2);
	int64_t asked = cmd_integer(call, "count", n);
	uint8_t *wire;

	v->type = values_are_bits(v->table) ? TYPED_BITS : TYPED_UINT16;
	if (call->raw_len % 2 != 0 || n == 0 || asked != n) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "the second frame has %zu bytes; two for each value",
		    call->raw_len);
		return false;
	}
	if (!values_set_count(call, v, n))
		return false;
	wire = take_room(call, s, v, false);
	if (wire == NULL || !values_raw_to_wire(call, v, call->raw, wire))
		return false;
	push(s, STORE_WRITE, v, v->units, wire);
	return true;
}

void
cmd_registers_write(struct cmd_call *call)
{
	static struct steps s;
	const json_t *array = json_object_get(call->params, "values");
	bool raw = wants_raw(call) || (array == NULL && call->raw != NULL);
	struct values v;
	uint64_t seq;

	s = (struct steps){ 0 };
	if (call->error != CMD_OK || !resolve(call, &v))
		return;
	if (raw ? array != NULL || call->raw == NULL : array == NULL) {
		cmd_fail(call, CMD_PARAMS, "missing_param",
		    "the values stand in values or in a second frame");
		return;
	}
	if (raw) {
		if (!add_raw(call, &s, &v))
			return;
	} else if (!values_count_array(
		       call, &v, array, cmd_integer(call, "count", 0)) ||
	    !add_values(call, &s, STORE_WRITE, &v, array))
		return;
	if (apply(call, &v, &s, &seq))
		call->result = json_pack("{s:o}", "seq", jtext_uint(seq));
}

/* ---- transaction ---- */

#define OP_WHERE                                                               \
	{ "op", ARG_STRING, true, 0, 0 }, { "table", ARG_STRING, true, 0, 0 }, \
	{                                                                      \
		"addr", ARG_INTEGER, true, 0, INT32_MAX                        \
	}
#define OP_AS                                    \
	{ "type", ARG_STRING, false, 0, 0 },     \
	{                                        \
		"order", ARG_STRING, false, 0, 0 \
	}
#define OP_COUNT                                             \
	{                                                    \
		"count", ARG_INTEGER, false, 1, WIRE_MAX * 8 \
	}

static const struct {
	const char *name;
	enum store_op op;
	struct cmd_arg args[CMD_ARGS_MAX];
	size_t nargs;
} ops[] = {
	{ "read", STORE_READ, { OP_WHERE, OP_COUNT, OP_AS }, 6 },
	{ "write", STORE_WRITE,
	    { OP_WHERE, { "values", ARG_ARRAY, true, 0, 0 }, OP_COUNT, OP_AS },
	    7 },
	{ "check", STORE_CHECK,
	    { OP_WHERE, { "values", ARG_ARRAY, true, 0, 0 }, OP_COUNT, OP_AS },
	    7 },
	{ "mask", STORE_MASK,
	    { OP_WHERE, { "and", ARG_INTEGER, true, 0, 0xffff },
		{ "or", ARG_INTEGER, true, 0, 0xffff } },
	    5 },
};

enum { NOPS = sizeof(ops) / sizeof(ops[0]) };

/* The row of an operation, after its parameters have been checked; -1 after
 * the call has failed. */
static int
find_op(struct cmd_call *call, const json_t *json, const char *where)
{
	const char *name = json_string_value(json_object_get(json, "op"));
	const char *names[NOPS];

	if (name == NULL) {
		cmd_fail(call, CMD_PARAMS, "missing_param",
		    "%san object with op is wanted", where);
		return -1;
	}
	for (int i = 0; i < NOPS; i++) {
		names[i] = ops[i].name;
		if (strcmp(ops[i].name, name) == 0)
			return cmd_check_args(
				   call, json, ops[i].args, ops[i].nargs, where)
			    ? i
			    : -1;
	}
	cmd_fail(call, CMD_PARAMS, "bad_value", "%sunknown op \"%.40s\"%s",
	    where, name, cmd_near(name, names, NOPS));
	return -1;
}

static bool
add_read(struct cmd_call *call, struct steps *s, struct values *v,
    const json_t *json)
{
	const json_t *count = json_object_get(json, "count");
	uint8_t *room;

	if (!values_set_count(
		call, v, count != NULL ? json_integer_value(count) : 1))
		return false;
	room = take_room(call, s, v, true);
	if (room == NULL)
		return false;
	push(s, STORE_READ, v, v->units, NULL);
	s->step[s->n - 1].out = room;
	s->reads[s->nreads++] = *v;
	return true;
}

static bool
add_mask(struct cmd_call *call, struct steps *s, struct values *v,
    const json_t *json)
{
	if (values_are_bits(v->table)) {
		cmd_fail(
		    call, CMD_PARAMS, "bad_value", "mask works on registers");
		return false;
	}
	if (!values_set_count(call, v, 1) ||
	    take_room(call, s, v, false) == NULL)
		return false;
	push(s, STORE_MASK, v, 1, NULL);
	s->step[s->n - 1].and_mask =
	    (uint16_t)json_integer_value(json_object_get(json, "and"));
	s->step[s->n - 1].or_mask =
	    (uint16_t)json_integer_value(json_object_get(json, "or"));
	return true;
}

static bool
add_op(struct cmd_call *call, struct steps *s, struct values *base,
    const json_t *json, const char *where)
{
	int row = find_op(call, json, where);
	const json_t *array = json_object_get(json, "values");
	struct values v;

	if (row == -1 ||
	    !values_resolve(call, json, base->store, base->device, where, &v))
		return false;
	switch (ops[row].op) {
	case STORE_READ:
		return add_read(call, s, &v, json);
	case STORE_MASK:
		return add_mask(call, s, &v, json);
	default:
		return values_count_array(call, &v, array,
			   json_integer_value(
			       json_object_get(json, "count"))) &&
		    add_values(call, s, ops[row].op, &v, array);
	}
}

/* One array for each read, in order. */
static json_t *
read_results(const struct steps *s)
{
	json_t *all = json_array();
	unsigned read = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (s->step[i].op != STORE_READ)
			continue;
		json_array_append_new(
		    all, values_from_wire(&s->reads[read++], s->step[i].out));
	}
	return all;
}

void
cmd_registers_transaction(struct cmd_call *call)
{
	static struct steps s;
	const json_t *list = json_object_get(call->params, "ops"), *json;
	struct values base = { 0 };
	char where[32];
	uint64_t seq;
	size_t i;

	s = (struct steps){ 0 };
	base.store =
	    control_device(call, cmd_string(call, "device"), &base.device);
	if (base.store == NULL)
		return;
	if (json_array_size(list) == 0) {
		cmd_fail(call, CMD_PARAMS, "bad_value", "ops is empty");
		return;
	}
	json_array_foreach (list, i, json) {
		snprintf(where, sizeof(where), "ops[%zu]: ", i);
		if (!add_op(call, &s, &base, json, where))
			return;
	}
	if (apply(call, &base, &s, &seq))
		call->result = json_pack("{s:o, s:o}", "seq", jtext_uint(seq),
		    "values", read_results(&s));
}
