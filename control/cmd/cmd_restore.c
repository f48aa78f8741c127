/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot back into the store: the configuration may have changed since, so
 * each run of addresses is cut into what there still is and what has no place.
 * Runs in the control process.
 */

#include "control/cmd/cmd_restore.h"

#include <stdio.h>
#include <string.h>

#include "control/jtext.h"
#include "control/state.h"
#include "control/values.h"
#include "shm/table.h"

/* One device, step by step. */
struct restore {
	struct cmd_call *call;
	struct restored *r;
	const char *name;
	struct store *store;
	struct store_step step[STORE_STEPS_MAX];
	unsigned n;
	uint8_t bytes[STORE_STEP_BYTES];
	size_t used;
};

/* ---- what has no place ---- */

static void
add_unfit(struct restored *r, const char *device, const struct snap_block *b,
    uint32_t addr, uint32_t count, const char *why)
{
	json_t *row;

	if (json_array_size(r->unfit) >= RESTORE_UNFIT_MAX) {
		r->more++;
		return;
	}
	row = json_pack("{s:o, s:s}", "device",
	    jtext_bytes(device, strlen(device)), "why", why);
	if (b != NULL) {
		json_object_set_new(
		    row, "table", json_string(table_name(b->table)));
		json_object_set_new(
		    row, "addr", jtext_uint(values_addr(b->table, addr)));
		if (b->table == STORE_FILE)
			json_object_set_new(
			    row, "file", values_file(b->table, addr));
		json_object_set_new(row, "count", jtext_uint(count));
	}
	json_array_append_new(r->unfit, row);
}

/* ---- steps ---- */

static bool
flush(struct restore *s)
{
	enum store_rc rc;

	if (s->n == 0)
		return true;
	rc = control_apply(s->call->control, s->store, s->step, s->n, NULL);
	control_beat(s->call->control);
	if (rc != STORE_OK) {
		cmd_fail(s->call, CMD_REFUSED, "busy",
		    "device %s cannot be had; %u steps before that have been "
		    "carried out",
		    s->name, s->r->steps);
		return false;
	}
	s->r->steps++;
	s->n = 0;
	s->used = 0;
	return true;
}

/* count bits from bit `from` on, to the beginning of out. */
static void
copy_bits(uint8_t *out, const uint8_t *in, uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (in[(from + i) / 8] >> (from + i) % 8 & 1)
			out[i / 8] |= (uint8_t)(1u << i % 8);
}

/* As much of a run as still goes into this step; how much that was. */
static uint32_t
push(struct restore *s, const struct snap_block *b, uint32_t addr,
    uint32_t count)
{
	bool bits = values_are_bits(b->table);
	size_t room = sizeof(s->bytes) - s->used;
	uint32_t fits = (uint32_t)(bits ? room * 8 : room / 2);
	uint32_t from = addr - b->addr;
	uint8_t *at = s->bytes + s->used;

	if (s->n == STORE_STEPS_MAX)
		return 0;
	if (fits > count)
		fits = count;
	if (fits == 0)
		return 0;
	memset(at, 0, store_bytes(b->table, fits));
	if (bits)
		copy_bits(at, b->values, from, fits);
	else
		memcpy(at, b->values + 2 * (size_t)from, 2 * (size_t)fits);
	s->step[s->n++] = (struct store_step){ .op = STORE_WRITE,
		.table = b->table,
		.addr = addr,
		.count = fits,
		.in = at };
	s->used += store_bytes(b->table, fits);
	s->r->written += fits;
	return fits;
}

static bool
write_run(struct restore *s, const struct snap_block *b, uint32_t addr,
    uint32_t count)
{
	uint32_t done;

	while (count > 0) {
		done = push(s, b, addr, count);
		addr += done;
		count -= done;
		if (count > 0 && !flush(s))
			return false;
	}
	return true;
}

/* How far from addr on the device has addresses, or has none: count at most,
 * and which of the two. */
static uint32_t
stretch(const struct store *st, enum store_table table, uint32_t addr,
    uint32_t count, bool *there)
{
	*there = false;
	for (uint32_t i = 0; i < st->nextents[table]; i++) {
		struct shm_extent e = st->extents[st->extents_at[table] + i];

		if (addr >= e.addr && addr - e.addr < e.count) {
			*there = true;
			return e.count - (addr - e.addr) < count
			    ? e.count - (addr - e.addr)
			    : count;
		}
		if (e.addr > addr && e.addr - addr < count)
			count = e.addr - addr;
	}
	return count;
}

static bool
restore_block(struct restore *s, const struct snap_block *b)
{
	uint32_t addr = b->addr, left = b->count, n;
	bool there;

	for (; left > 0; addr += n, left -= n) {
		n = stretch(s->store, b->table, addr, left, &there);
		if (!there)
			add_unfit(s->r, s->name, b, addr, n,
			    "the device has no such addresses");
		else if (!write_run(s, b, addr, n))
			return false;
	}
	return true;
}

bool
restore_all(struct cmd_call *call, const struct snap *snap, struct restored *r)
{
	static struct restore s;
	const struct proc *proc = call->control->proc;
	struct snap_device d;
	struct snap_block b;
	size_t at = 0, i;

	r->unfit = json_array();
	while (snap_next_device(snap, &at, &d)) {
		for (i = 0; i < proc->conf->ndevices; i++)
			if (strcmp(proc->conf->devices[i].name, d.name) == 0)
				break;
		if (i == proc->conf->ndevices) {
			add_unfit(r, d.name, NULL, 0, 0, "no such device");
			continue;
		}
		s = (struct restore){ .call = call,
			.r = r,
			.name = proc->conf->devices[i].name,
			.store = &proc->stores[i] };
		while (snap_next_block(snap, &d, &b))
			if (!restore_block(&s, &b))
				return false;
		if (!flush(&s))
			return false;
		r->devices++;
	}
	return true;
}
