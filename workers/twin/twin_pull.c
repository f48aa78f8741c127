/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the store into a view: along the changes of a device, each place read as
 * it is now. Runs in the workers of type shm.
 */
#include "workers/twin/twin_cell.h"
#include "workers/twin/twin_ways.h"

enum {
	CHANGES_A_PASS = 4096,
	REG_BITS = 16,
};

/* Shows count addresses, all of one run, that one step has room for. */
static bool
pull_chunk(
    struct twin *tw, unsigned set, unsigned t, uint32_t addr, uint32_t count)
{
	struct mirror_stage *s = &tw->ctl->stage;
	const struct mirror_set *m = tw->set[set].set;
	enum store_rc rc;
	uint32_t k = 0;

	rc = store_read(tw->set[set].store, (enum store_table)t, addr, count,
	    s->wire, NULL);
	if (rc != STORE_OK)
		return rc != STORE_BUSY;
	while (k < count &&
	    wire_get(s->wire, t, k) == cell_get(m->shadow[t], t, addr + k))
		k++;
	if (k == count)
		return true;
	s->set = set;
	s->n = 1;
	s->step[0] =
	    (struct mirror_step){ .table = t, .addr = addr, .count = count };
	return twin_stage_go(tw, MIRROR_TO_VIEW);
}

/* Shows whatever exists from addr to end. */
static bool
pull(struct twin *tw, unsigned set, unsigned t, uint64_t addr, uint64_t end)
{
	const struct twin_set *ts = &tw->set[set];

	for (unsigned i = 0; i < ts->nruns[t]; i++) {
		const struct twin_run *r = &ts->run[t][i];
		uint64_t from = r->addr > addr ? r->addr : addr;
		uint64_t to = (uint64_t)r->addr + r->count;

		to = to < end ? to : end;
		for (uint64_t n; from < to; from += n) {
			n = to - from < chunk(t) ? to - from : chunk(t);
			if (!pull_chunk(
				tw, set, t, (uint32_t)from, (uint32_t)n))
				return false;
		}
	}
	return true;
}

static bool
pull_all(struct twin *tw, unsigned set)
{
	for (unsigned t = 0; t < MIRROR_TABLES; t++)
		if (!pull(tw, set, t, 0, MIRROR_COUNT_MAX))
			return false;
	return true;
}

/* One array behind all tables: a change in one is a change in each. */
static bool
pull_shared(
    struct twin *tw, unsigned set, unsigned t, uint64_t addr, uint64_t end)
{
	if (is_bits(t)) {
		addr /= REG_BITS;
		end = (end + REG_BITS - 1) / REG_BITS;
	}
	return pull(tw, set, STORE_HR, addr, end) &&
	    pull(tw, set, STORE_IR, addr, end) &&
	    pull(tw, set, STORE_CO, addr * REG_BITS, end * REG_BITS) &&
	    pull(tw, set, STORE_DI, addr * REG_BITS, end * REG_BITS);
}

static bool
pull_change(struct twin *tw, unsigned set, const struct store_change *ch)
{
	uint64_t end = (uint64_t)ch->addr + ch->count;

	if ((unsigned)ch->table >= MIRROR_TABLES)
		return true;
	if (tw->set[set].store->shared)
		return pull_shared(tw, set, ch->table, ch->addr, end);
	return pull(tw, set, ch->table, ch->addr, end);
}

bool
twin_pull(struct twin *tw, unsigned set)
{
	struct mirror_entry *e = tw->set[set].set->entry;
	uint64_t pos = atomic_load(&e->pos);
	struct store_change ch;
	bool all = false;
	int rc;

	for (int i = 0; i < CHANGES_A_PASS; i++) {
		rc = store_next_change(
		    tw->set[set].store, &pos, &ch, tw->change);
		if (rc == 0)
			break;
		all |= rc < 0;
		if (rc > 0 && !all && !pull_change(tw, set, &ch))
			return false;
		if (!all)
			atomic_store(&e->pos, pos);
	}
	if (all && !pull_all(tw, set))
		return false;
	atomic_store(&e->pos, pos);
	return true;
}
