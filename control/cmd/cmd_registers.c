/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registers.read, .write and .counts: straight to the store, without the
 * supervisor or a worker. Runs in the control process.
 */

#include <stdlib.h>
#include <string.h>

#include "control/cmd/cmd.h"
#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/steps.h"
#include "shm/store_client.h"

enum { WIRE_MAX = 65536 * 2, COUNTS_MAX = 65536 };

/* The device and table of a read or a write. False after it has failed. */
static bool
resolve(struct cmd_call *call, struct values *v)
{
	unsigned device = 0;
	struct store *store;

	store = control_device(call, cmd_string(call, "device"), &device);
	return store != NULL &&
	    values_resolve(call, call->params, store, device, v);
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
		    "there is no second frame here for \"u16le\"");
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

/* ---- counts ---- */

static json_t *
numbers(const uint32_t *n, uint32_t count)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_integer(n[i]));
	return array;
}

void
cmd_registers_counts(struct cmd_call *call)
{
	static uint32_t reads[COUNTS_MAX], writes[COUNTS_MAX];
	int64_t count = cmd_integer(call, "count", 1);
	enum store_rc rc;
	struct values v;

	if (!resolve(call, &v))
		return;
	if (count > COUNTS_MAX) {
		cmd_fail(call, CMD_PARAMS, "out_of_range",
		    "count is %lld; %d is the most", (long long)count,
		    COUNTS_MAX);
		return;
	}
	v.units = (uint32_t)count;
	rc = store_counts(v.store, v.table, v.addr, v.units, reads, writes);
	if (rc != STORE_OK)
		values_fail(call, &v, rc);
	else
		call->result =
		    json_pack("{s:o, s:o}", "reads", numbers(reads, v.units),
			"writes", numbers(writes, v.units));
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
	wire = steps_room(call, s, v, false);
	if (wire == NULL || !values_raw_to_wire(call, v, call->raw, wire))
		return false;
	steps_push(s, STORE_WRITE, v, v->units, wire);
	return true;
}

void
cmd_registers_write(struct cmd_call *call)
{
	static struct steps s;
	const json_t *array = json_object_get(call->params, "values");
	bool raw = wants_raw(call);
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
	    !steps_add_values(call, &s, STORE_WRITE, &v, array))
		return;
	if (steps_apply(call, &v, &s, &seq))
		call->result = json_pack("{s:o}", "seq", jtext_uint(seq));
}
