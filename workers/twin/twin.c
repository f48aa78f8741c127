/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view and the store made alike, a pass at a time. Runs in the workers of
 * type shm. Other programs write to the tables whenever they like, so every
 * cell is read once, and written only if it still holds what was expected.
 */
#include "workers/twin/twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "workers/twin/twin_cell.h"
#include "workers/twin/twin_ways.h"

enum { FILL_TRIES = 100 };

static bool
set_differs(const struct twin_set *ts)
{
	if (atomic_load(&ts->set->entry->pos) != store_changes_end(ts->store))
		return true;
	for (unsigned t = 0; t < MIRROR_TABLES; t++) {
		uint32_t n = nwords(ts->set, t);

		if (twin_next_word(ts->set, t, 0, n) < n)
			return true;
	}
	return false;
}

bool
twin_differs(const struct twin *tw)
{
	if (atomic_load(&tw->ctl->stage.way) != MIRROR_IDLE)
		return true;
	for (unsigned i = 0; i < tw->nsets; i++)
		if (set_differs(&tw->set[i]))
			return true;
	return false;
}

bool
twin_pass(struct twin *tw)
{
	if (!twin_stage_finish(tw))
		return false;
	for (unsigned i = 0; i < tw->nsets; i++) {
		/* the changes first, so that a value from here does not take
		 * the place of one that nobody has seen; then our own */
		if (!twin_pull(tw, i) || !twin_push(tw, i) || !twin_pull(tw, i))
			return false;
	}
	return true;
}

static bool
fill_chunk(struct twin *tw, const struct twin_set *ts, unsigned t,
    uint32_t addr, uint32_t count)
{
	int tries = 0;

	while (store_read(ts->store, (enum store_table)t, addr, count, tw->wire,
		   NULL) != STORE_OK)
		if (++tries == FILL_TRIES)
			return false;
	for (uint32_t k = 0; k < count; k++) {
		uint16_t v = wire_get(tw->wire, t, k);

		cell_set(ts->set->table[t], t, addr + k, v);
		cell_set(ts->set->shadow[t], t, addr + k, v);
	}
	return true;
}

static bool
fill_table(struct twin *tw, const struct twin_set *ts, unsigned t)
{
	struct mirror_set *m = ts->set;
	unsigned at = 0;

	for (uint32_t i = 0; i < m->count[t]; i++) {
		if (twin_exists(ts, t, i, &at))
			continue;
		cell_set(m->table[t], t, i, 0);
		cell_set(m->shadow[t], t, i, 0);
	}
	for (unsigned r = 0; r < ts->nruns[t]; r++) {
		uint32_t addr = ts->run[t][r].addr;
		uint32_t left = ts->run[t][r].count, n;

		for (; left > 0; left -= n, addr += n) {
			n = left < chunk(t) ? left : chunk(t);
			if (!fill_chunk(tw, ts, t, addr, n))
				return false;
		}
	}
	return true;
}

bool
twin_fill(struct twin *tw)
{
	for (unsigned i = 0; i < tw->nsets; i++) {
		const struct twin_set *ts = &tw->set[i];

		atomic_store(
		    &ts->set->entry->pos, store_changes_end(ts->store));
		for (unsigned t = 0; t < MIRROR_TABLES; t++)
			if (!fill_table(tw, ts, t))
				return false;
	}
	atomic_store(&tw->ctl->filled, 1);
	return true;
}

/* The extents of a device, as far as the set has cells for them. */
static int
find_runs(struct twin_set *ts)
{
	const struct store *st = ts->store;

	for (unsigned t = 0; t < MIRROR_TABLES; t++) {
		const struct shm_extent *e = st->extents + st->extents_at[t];
		uint32_t most = ts->set->count[t];

		ts->run[t] = calloc(st->nextents[t] + 1, sizeof(*ts->run[t]));
		if (ts->run[t] == NULL)
			return -1;
		for (uint32_t i = 0; i < st->nextents[t]; i++) {
			struct twin_run r = { e[i].addr, e[i].count };

			if (r.addr >= most)
				break;
			if (r.count > most - r.addr)
				r.count = most - r.addr;
			ts->run[t][ts->nruns[t]++] = r;
		}
	}
	return 0;
}

int
twin_init(struct twin *tw, struct mirror *m, struct store *const *stores,
    unsigned author, uint64_t done)
{
	memset(tw, 0, sizeof(*tw));
	tw->ctl = m->ctl;
	tw->who.author = author;
	if (atomic_load(&m->ctl->op) < done)
		atomic_store(&m->ctl->op, done);
	tw->set = calloc(m->nsets + 1, sizeof(*tw->set));
	if (tw->set == NULL)
		return -1;
	for (tw->nsets = 0; tw->nsets < m->nsets; tw->nsets++) {
		struct twin_set *ts = &tw->set[tw->nsets];

		ts->set = &m->set[tw->nsets];
		ts->store = stores[tw->nsets];
		if (find_runs(ts) == -1) {
			tw->nsets++;
			twin_fini(tw);
			errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

void
twin_fini(struct twin *tw)
{
	for (unsigned i = 0; i < tw->nsets; i++)
		for (unsigned t = 0; t < MIRROR_TABLES; t++)
			free(tw->set[i].run[t]);
	free(tw->set);
	tw->set = NULL;
	tw->nsets = 0;
}
