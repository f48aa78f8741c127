/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command does to the store in one step, put together before anything
 * is changed. Runs in the control process.
 */

#include "control/steps.h"

#include <string.h>

#include "control/saves.h"
#include "shm/durable.h"

uint8_t *
steps_room(
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

void
steps_push(struct steps *s, enum store_op op, const struct values *v,
    uint32_t count, const uint8_t *in)
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
		steps_push(s, STORE_WRITE, v, whole, wire);
	if (rest == 0)
		return;
	steps_push(s, STORE_MASK, v, 1, NULL);
	s->step[s->n - 1].addr = v->addr + whole;
	s->step[s->n - 1].and_mask = keep;
	s->step[s->n - 1].or_mask =
	    (uint16_t)(wire[2 * whole] << 8 | wire[2 * whole + 1]);
}

bool
steps_add_values(struct cmd_call *call, struct steps *s, enum store_op op,
    const struct values *v, const json_t *array)
{
	bool loose = v->type == TYPED_BITS && !values_are_bits(v->table) &&
	    v->count % 16 != 0;
	uint8_t *wire = steps_room(call, s, v, false);

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
		steps_push(s, op, v, v->units, wire);
	return true;
}

bool
steps_apply(struct cmd_call *call, const struct values *v,
    const struct steps *s, uint64_t *seq)
{
	bool durable = durable_touched(v->store, s->step, s->n);
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
	if (durable && !saves_may(call, v))
		return false;
	rc = control_apply(call->control, v->store, s->step, s->n, seq);
	if (rc == STORE_OK && durable)
		saves_await(call);
	if (rc == STORE_OK)
		return true;
	values_fail(call, v, rc);
	return false;
}
