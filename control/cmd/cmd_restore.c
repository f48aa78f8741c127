/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot back into the store: the configuration may have changed since, so
 * each run of addresses is cut into what there still is and what has no place.
 * Runs in the control process.
 */

#include "control/cmd/cmd_restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jtext.h"
#include "control/state.h"
#include "control/values.h"
#include "shm/clock.h"
#include "shm/table.h"

enum { TURN_NS = 2000000 }; /* that others wait in a turn of the loop */

/* A device at a time, step by step. */
struct restore {
	struct cmd_call *call;
	struct restored told, *r;
	const struct snap *snap;
	size_t at; /* of the next device */
	struct snap_device d;
	struct snap_block b;
	bool in_device;
	uint32_t addr, left; /* of the block */
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

static void
next_device(struct restore *s)
{
	const struct proc *proc = s->call->control->proc;
	const struct conf *conf = proc->conf;

	for (size_t i = 0; i < conf->ndevices; i++) {
		if (strcmp(conf->devices[i].name, s->d.name) != 0)
			continue;
		s->name = conf->devices[i].name;
		s->store = &proc->stores[i];
		s->in_device = true;
		return;
	}
	add_unfit(s->r, s->d.name, NULL, 0, 0, "no such device");
}

/* The next thing to be done, never more than a step of the store. */
static enum restore_rc
go_on(struct restore *s)
{
	uint32_t n;
	bool there;

	if (s->left > 0) {
		n = stretch(s->store, s->b.table, s->addr, s->left, &there);
		if (!there)
			add_unfit(s->r, s->name, &s->b, s->addr, n,
			    "the device has no such addresses");
		else
			n = push(s, &s->b, s->addr, n);
		s->addr += n;
		s->left -= n;
		if (n == 0 && !flush(s))
			return RESTORE_FAILED;
	} else if (s->in_device && snap_next_block(s->snap, &s->d, &s->b)) {
		s->addr = s->b.addr;
		s->left = s->b.count;
	} else if (s->in_device) {
		if (!flush(s))
			return RESTORE_FAILED;
		s->in_device = false;
		s->r->devices++;
	} else if (snap_next_device(s->snap, &s->at, &s->d)) {
		next_device(s);
	} else {
		return RESTORE_DONE;
	}
	return RESTORE_MORE;
}

struct restore *
restore_begin(const struct snap *snap)
{
	struct restore *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->snap = snap;
	s->r = &s->told;
	s->told.unfit = json_array();
	return s;
}

enum restore_rc
restore_some(struct cmd_call *call, struct restore *s)
{
	uint64_t until = clock_mono_ns() + TURN_NS;
	enum restore_rc rc;

	s->call = call;
	do
		rc = go_on(s);
	while (rc == RESTORE_MORE && clock_mono_ns() < until);
	return rc;
}

struct restored *
restore_told(struct restore *s)
{
	return &s->told;
}

void
restore_end(struct restore *s)
{
	if (s != NULL)
		json_decref(s->told.unfit);
	free(s);
}
