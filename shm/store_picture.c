/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole device at one moment. A reader would have to find the device
 * undisturbed for as long as the copy takes, which a busy one never is; an
 * owner only looks, so a death in the middle leaves nothing to repair.
 */

#include "shm/store_picture.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "shm/store_copy.h"
#include "shm/store_find.h"
#include "shm/store_own.h"

enum store_rc
store_picture_take(
    struct store *st, uint64_t budget_ns, struct store_picture *p)
{
	uint64_t seq;

	*p = (struct store_picture){ .store = st };
	if (!st->writable || !st->env || st->env->me == 0)
		return STORE_DENIED;
	/* before it is owned: nothing under a lock asks the system */
	p->side = calloc((size_t)st->words + 1, sizeof(p->side[0]));
	if (p->side == NULL)
		return STORE_DENIED;
	if (store_own_take(st, budget_ns) < 0) {
		store_picture_free(p);
		return STORE_BUSY;
	}
	seq = atomic_load_explicit(&st->dev->seq, memory_order_acquire);
	for (uint32_t i = 0; i < st->words; i++)
		atomic_store_explicit(&p->side[i],
		    atomic_load_explicit(
			&st->data[seq & 1][i], memory_order_relaxed),
		    memory_order_relaxed);
	store_own_release(st);
	p->seq = seq / 2;
	return STORE_OK;
}

bool
store_picture_read(const struct store_picture *p, enum store_table table,
    uint32_t addr, uint32_t count, uint8_t *out)
{
	struct store_run run;

	if (!store_find(p->store, table, addr, count, &run))
		return false;
	store_copy_out(p->side, &run, out);
	return true;
}

void
store_picture_free(struct store_picture *p)
{
	free(p->side);
	p->side = NULL;
}
