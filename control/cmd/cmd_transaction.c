/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registers.transaction: several operations on a device as one step. Runs in
 * the control process.
 */

#include <stdio.h>
#include <string.h>

#include "control/cmd/cmd.h"
#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/steps.h"

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
#define OP_COUNT                                           \
	{                                                  \
		"count", ARG_INTEGER, false, 1, 65536 * 16 \
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
find_op(struct cmd_call *call, const json_t *json)
{
	const char *name = json_string_value(json_object_get(json, "op"));
	const char *names[NOPS];

	if (name == NULL) {
		cmd_fail(call, CMD_PARAMS, "missing_param",
		    "an object with op is wanted");
		return -1;
	}
	for (int i = 0; i < NOPS; i++) {
		names[i] = ops[i].name;
		if (strcmp(ops[i].name, name) == 0)
			return cmd_check_args(
				   call, json, ops[i].args, ops[i].nargs)
			    ? i
			    : -1;
	}
	cmd_fail(call, CMD_PARAMS, "bad_value", "unknown op \"%.40s\"%s", name,
	    cmd_near(name, names, NOPS));
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
	room = steps_room(call, s, v, true);
	if (room == NULL)
		return false;
	steps_push(s, STORE_READ, v, v->units, NULL);
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
	    steps_room(call, s, v, false) == NULL)
		return false;
	steps_push(s, STORE_MASK, v, 1, NULL);
	s->step[s->n - 1].and_mask =
	    (uint16_t)json_integer_value(json_object_get(json, "and"));
	s->step[s->n - 1].or_mask =
	    (uint16_t)json_integer_value(json_object_get(json, "or"));
	return true;
}

static bool
add_op(struct cmd_call *call, struct steps *s, struct values *base,
    const json_t *json)
{
	int row = find_op(call, json);
	const json_t *array = json_object_get(json, "values");
	struct values v;

	if (row == -1 ||
	    !values_resolve(call, json, base->store, base->device, &v))
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
		    steps_add_values(call, s, ops[row].op, &v, array);
	}
}

/* Says which operation it is that is wrong. */
static void
prefix_message(struct cmd_call *call, size_t i)
{
	char message[sizeof(call->message)];

	memcpy(message, call->message, sizeof(message));
	snprintf(call->message, sizeof(call->message), "ops[%zu]: %.200s", i,
	    message);
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
		if (!add_op(call, &s, &base, json)) {
			prefix_message(call, i);
			return;
		}
	}
	if (steps_apply(call, &base, &s, &seq))
		call->result = json_pack("{s:o, s:o}", "seq", jtext_uint(seq),
		    "values", read_results(&s));
}
