/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on its way between a view and the store: noted whole, carried out,
 * and finished by a successor if need be. Runs in the workers of type shm.
 */
#include "shm/patience.h"
#include "workers/twin/twin_cell.h"
#include "workers/twin/twin_ways.h"

/* The store has v now. Who has written another value into the view since we
 * looked keeps it, and it differs from the shadow then. */
static void
show(struct twin *tw, struct mirror_set *m, unsigned t, uint32_t i, uint16_t v)
{
	uint16_t was = cell_get(m->shadow[t], t, i);
	uint16_t have = cell_get(m->table[t], t, i);

	if (was != v) {
		if (meaning(t, have) == was)
			cell_swap(m->table[t], t, i, have, v);
		tw->cells_out++;
	}
	cell_set(m->shadow[t], t, i, v);
}

static bool
stage_sound(const struct twin *tw, const struct mirror_stage *s)
{
	if (s->set >= tw->nsets || s->n == 0 || s->n > MIRROR_STEPS)
		return false;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct mirror_step *st = &s->step[i];
		uint64_t end = (uint64_t)st->addr + st->count;

		if (st->table >= MIRROR_TABLES || st->count == 0 ||
		    end > tw->set[s->set].set->count[st->table] ||
		    st->off > sizeof(s->wire) ||
		    store_bytes((enum store_table)st->table, st->count) >
			sizeof(s->wire) - st->off)
			return false;
	}
	return true;
}

static enum store_rc
write_store(struct twin *tw, const struct mirror_stage *s)
{
	struct store_step step[MIRROR_STEPS];

	for (uint32_t i = 0; i < s->n; i++)
		step[i] = (struct store_step){ .op = STORE_WRITE,
			.table = (enum store_table)s->step[i].table,
			.addr = s->step[i].addr,
			.count = s->step[i].count,
			.in = s->wire + s->step[i].off };
	tw->who.op = s->op;
	tw->who.budget_ns =
	    (tw->busy ? PATIENCE_WRITE_AGAIN_MS : PATIENCE_WRITE_MS) *
	    1000000ull;
	return store_apply(tw->set[s->set].store, &tw->who, step, s->n, NULL);
}

bool
twin_stage_finish(struct twin *tw)
{
	struct mirror_stage *s = &tw->ctl->stage;
	uint32_t way = atomic_load_explicit(&s->way, memory_order_acquire);
	struct mirror_set *m;

	if (way == MIRROR_IDLE)
		return true;
	if (!stage_sound(tw, s))
		goto out;
	if (way == MIRROR_TO_STORE) {
		tw->busy = write_store(tw, s) == STORE_BUSY;
		if (tw->busy)
			return false;
		tw->wrote = true;
	}
	m = tw->set[s->set].set;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct mirror_step *st = &s->step[i];

		for (uint32_t k = 0; k < st->count; k++) {
			uint16_t v = wire_get(s->wire + st->off, st->table, k);

			if (way == MIRROR_TO_VIEW)
				show(tw, m, st->table, st->addr + k, v);
			else
				cell_set(m->shadow[st->table], st->table,
				    st->addr + k, v);
		}
		if (way == MIRROR_TO_STORE)
			tw->cells_in += st->count;
	}
out:
	atomic_store_explicit(&s->way, MIRROR_IDLE, memory_order_release);
	return true;
}

bool
twin_stage_go(struct twin *tw, enum mirror_way way)
{
	struct mirror_stage *s = &tw->ctl->stage;

	if (s->n == 0)
		return true;
	if (way == MIRROR_TO_STORE) {
		s->op = atomic_load(&tw->ctl->op) + 1;
		atomic_store(&tw->ctl->op, s->op);
	}
	atomic_store_explicit(&s->way, way, memory_order_release);
	return twin_stage_finish(tw);
}
