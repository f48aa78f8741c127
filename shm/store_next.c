/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From one segment of a device to the next one. Runs in the supervisor. The
 * order of the last stores is what matters; tests/check_store_next.c kills it
 * between any two.
 */

#include "shm/store_next.h"

#include <errno.h>

#include "shm/store_copy.h"
#include "shm/store_find.h"
#include "shm/store_own.h"

enum { PIECE_BYTES = 8192, CELLS_A_WORD = 4, CELL_BITS = 16 };

static bool
is_bits(enum store_table t)
{
	return t == STORE_CO || t == STORE_DI;
}

/* What clients have read and written there goes along. */
static void
carry_counts(const struct store *was, struct store *next,
    const struct store_run *from, const struct store_run *to)
{
	const struct shm_count *f = was->counts;
	struct shm_count *t = next->counts;

	if (f == NULL || t == NULL)
		return;
	f += (size_t)from->word * CELLS_A_WORD + from->shift / CELL_BITS;
	t += (size_t)to->word * CELLS_A_WORD + to->shift / CELL_BITS;
	for (uint32_t i = 0; i < (to->bits + CELL_BITS - 1) / CELL_BITS; i++) {
		atomic_store_explicit(&t[i].reads,
		    atomic_load_explicit(&f[i].reads, memory_order_relaxed),
		    memory_order_relaxed);
		atomic_store_explicit(&t[i].writes,
		    atomic_load_explicit(&f[i].writes, memory_order_relaxed),
		    memory_order_relaxed);
	}
}

/* Addresses that both have, not more than a piece. */
static void
carry_piece(const struct store *was, struct store *next, enum store_table t,
    uint32_t addr, uint32_t count)
{
	uint8_t values[PIECE_BYTES];
	struct store_run from, to;
	unsigned side =
	    atomic_load_explicit(&was->dev->seq, memory_order_acquire) & 1;

	if (!store_find(was, t, addr, count, &from) ||
	    !store_find(next, t, addr, count, &to))
		return; /* it says something else than when it was opened */
	store_copy_out(was->data[side], &from, values);
	for (int k = 0; k < 2; k++)
		store_copy_in(next->data[k], &to, values);
	carry_counts(was, next, &from, &to);
}

static void
carry_run(const struct store *was, struct store *next, enum store_table t,
    uint64_t addr, uint64_t end)
{
	uint32_t most = is_bits(t) ? PIECE_BYTES * 8 : PIECE_BYTES / 2, n;

	for (; addr < end; addr += n) {
		n = end - addr < most ? (uint32_t)(end - addr) : most;
		carry_piece(was, next, t, (uint32_t)addr, n);
	}
}

/* What both have of a table: both lists are in order. */
static void
carry_table(const struct store *was, struct store *next, enum store_table t)
{
	const struct shm_extent *a = was->extents + was->extents_at[t];
	const struct shm_extent *b = next->extents + next->extents_at[t];
	uint32_t i = 0, k = 0;

	while (i < was->nextents[t] && k < next->nextents[t]) {
		uint64_t a_end = (uint64_t)a[i].addr + a[i].count;
		uint64_t b_end = (uint64_t)b[k].addr + b[k].count;
		uint64_t from = a[i].addr > b[k].addr ? a[i].addr : b[k].addr;

		carry_run(was, next, t, from, a_end < b_end ? a_end : b_end);
		if (a_end < b_end)
			i++;
		else
			k++;
	}
}

static void
carry_word(_Atomic uint64_t *to, const _Atomic uint64_t *from, uint64_t mask)
{
	atomic_store_explicit(to,
	    atomic_load_explicit(from, memory_order_relaxed) & mask,
	    memory_order_relaxed);
}

void
store_carry(const struct store *was, struct store *next)
{
	/* the last one holds where tables of the next one are the same words */
	static const enum store_table order[] = { STORE_CO, STORE_DI, STORE_IR,
		STORE_HR, STORE_FILE, STORE_FIFO };
	struct shm_device *d = next->dev;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		carry_table(was, next, order[i]);
	/* even: only who died in a write has left it odd, and that is what
	 * readers saw before the write */
	carry_word(&d->seq, &was->dev->seq, ~(uint64_t)1);
	carry_word(&d->writes, &was->dev->writes, UINT64_MAX);
	carry_word(&d->repairs, &was->dev->repairs, UINT64_MAX);
	for (int k = 0; k < 2; k++)
		carry_word(&d->side[k].who, &was->dev->side[k].who, UINT64_MAX);
}

int
store_supersede(struct store *was, struct store *next, uint64_t budget_ns)
{
	if (store_own_take(was, budget_ns) < 0) {
		errno = EBUSY;
		return -1;
	}
	if (store_superseded(was)) {
		store_own_release(was);
		errno = ESTALE;
		return -1;
	}
	if (next != NULL)
		store_carry(was, next);
	/* all that was carried comes before it */
	atomic_store_explicit(&was->dev->superseded, 1, memory_order_release);
	store_own_release(was);
	return 0;
}
