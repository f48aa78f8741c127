/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hooks do with the registers of a device. Runs in the workers, on the
 * request path; allocates nothing. No hook runs while a device is owned: what
 * it has made up its mind about is written then.
 */
#include "workers/hooks/bind_hook.h"

#include <string.h>

#include "workers/hooks/hooks.h"
#include "workers/hooks/journal.h"

_Static_assert(2 * HOOK_REGS_MAX <= STORE_STEP_BYTES, "one step each");

static bool
is_bits(enum mb_table t)
{
	return t == MB_CO || t == MB_DI;
}

/* Whether such a step can be asked for at all. */
static bool
sound(enum mb_table t, uint32_t count)
{
	return (unsigned)t <= MB_IR && count > 0 &&
	    count <= (is_bits(t) ? UINT16_MAX : (unsigned)HOOK_REGS_MAX);
}

static void
to_wire(enum mb_table t, const uint16_t *values, uint32_t n, uint8_t *out)
{
	if (is_bits(t))
		memset(out, 0, (n + 7) / 8);
	for (uint32_t i = 0; i < n; i++)
		if (!is_bits(t)) {
			out[2 * i] = (uint8_t)(values[i] >> 8);
			out[2 * i + 1] = (uint8_t)values[i];
		} else if (values[i] != 0) {
			out[i / 8] |= (uint8_t)(1u << i % 8);
		}
}

static void
from_wire(enum mb_table t, const uint8_t *in, uint32_t n, uint16_t *values)
{
	for (uint32_t i = 0; i < n; i++)
		values[i] = is_bits(t)
		    ? in[i / 8] >> i % 8 & 1
		    : (uint16_t)(in[2 * i] << 8 | in[2 * i + 1]);
}

enum mb_ex
bind_read(struct bind_device *d, enum mb_table t, uint32_t addr, uint32_t count,
    uint16_t *values)
{
	uint8_t wire[STORE_STEP_BYTES];
	enum store_rc rc;

	if (!sound(t, count))
		return MB_EX_VALUE;
	rc = store_read(d->store, (enum store_table)t, addr, count, wire, NULL);
	if (rc == STORE_OK)
		from_wire(t, wire, count, values);
	return bind_exception(rc);
}

enum mb_ex
bind_write(struct bind_device *d, enum mb_table t, uint32_t addr,
    uint32_t count, const uint16_t *values)
{
	struct bind *b = d->bind;
	uint8_t wire[STORE_STEP_BYTES];
	struct store_step s = { .op = STORE_WRITE,
		.table = (enum store_table)t,
		.addr = addr,
		.count = count,
		.in = wire };
	struct store_who who;
	enum mb_ex ex;

	if (!sound(t, count))
		return MB_EX_VALUE;
	if (!d->store->writable || b->ops == b->ops_max)
		return MB_EX_FAILURE;
	if (b->ops++ > 0)
		b->who.op++;
	if (journal_recall(b, JOURNAL_WRITE, NULL, 0, &ex)) {
		if (ex == MB_EX_NONE)
			bind_committed(d, &s, 1);
		return ex;
	}
	who = b->who;
	who.heed_read_only = false;
	to_wire(t, values, count, wire);
	ex = bind_exception(bind_commit(d, &who, &s, 1));
	journal_note(b, JOURNAL_WRITE, NULL, 0, ex);
	return ex;
}

enum mb_ex
bind_act(struct bind_device *d, enum mb_table t, uint32_t addr, uint32_t count,
    const uint16_t *was, const uint16_t *values, bool *changed)
{
	struct bind *b = d->bind;
	uint8_t wire[2][STORE_STEP_BYTES];
	struct store_step s[2] = {
		{ .op = STORE_CHECK, .in = wire[0] },
		{ .op = STORE_WRITE, .in = wire[1] },
	};
	unsigned first = was != NULL ? 0 : 1;
	enum store_rc rc;

	if (changed != NULL)
		*changed = false;
	if (!sound(t, count))
		return MB_EX_VALUE;
	if (!d->store->writable)
		return MB_EX_FAILURE;
	for (unsigned i = 0; i < 2; i++) {
		s[i].table = (enum store_table)t;
		s[i].addr = addr;
		s[i].count = count;
	}
	if (was != NULL)
		to_wire(t, was, count, wire[0]);
	to_wire(t, values, count, wire[1]);
	b->self.op++;
	rc = bind_commit(d, &b->self, s + first, 2 - first);
	if (changed != NULL)
		*changed = rc == STORE_MISMATCH;
	return bind_exception(rc);
}
