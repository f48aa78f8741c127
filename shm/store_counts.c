/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Counts of accesses: one pair for each register, or for sixteen bits, beside
 * the registers. Workers add to them without owning anything; whoever has the
 * device mapped may look. Never waits; nothing depends on what stands there.
 */

#include "shm/store_client.h"
#include "shm/store_find.h"

enum { CELL_BITS = 16, WORD_CELLS = 4 };

/* The first cell of a run. */
static size_t
cell_of(const struct store_run *run)
{
	return (size_t)run->word * WORD_CELLS + run->shift / CELL_BITS;
}

static void
add(_Atomic uint32_t *to, uint32_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

void
store_count(const struct store *st, enum store_table t, uint32_t addr,
    uint32_t count, bool written)
{
	struct store_run run;
	struct shm_count *c;
	uint32_t left, here;
	bool bits = t == STORE_CO || t == STORE_DI;

	if (st->counts == NULL || !st->writable ||
	    !store_find(st, t, addr, count, &run))
		return;
	c = st->counts + cell_of(&run);
	here = CELL_BITS - run.shift % CELL_BITS; /* bits of the first cell */
	for (left = run.bits; left > 0; left -= here, here = CELL_BITS, c++) {
		if (here > left)
			here = left;
		if (written)
			add(&c->writes, bits ? here : 1);
		else
			add(&c->reads, 1);
	}
}

enum store_rc
store_counts(const struct store *st, enum store_table t, uint32_t addr,
    uint32_t count, uint32_t *reads, uint32_t *writes)
{
	uint32_t each = t == STORE_CO || t == STORE_DI ? 1 : CELL_BITS;
	struct store_run run;

	if (!store_find(st, t, addr, count, &run))
		return STORE_NO_ADDRESS;
	for (uint32_t i = 0; i < count; i++) {
		struct shm_count *c = st->counts;

		reads[i] = writes[i] = 0;
		if (c == NULL)
			continue;
		c += (size_t)run.word * WORD_CELLS +
		    (run.shift + (size_t)i * each) / CELL_BITS;
		reads[i] =
		    atomic_load_explicit(&c->reads, memory_order_relaxed);
		writes[i] =
		    atomic_load_explicit(&c->writes, memory_order_relaxed);
	}
	return STORE_OK;
}
