/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TWIN_TWIN_H
#define WORKERS_TWIN_TWIN_H

/*
 * Keeps the tables of a view (shm/mirror.h) and the devices of the store
 * alike, both ways:
 *
 *	store -> view	what a device's changes name is read from the store
 *			as it is now, and goes into those cells that nobody
 *			else has changed meanwhile (compare and swap)
 *	view -> store	cells that differ from their shadow have been changed
 *			by somebody else: all of a set go into the store in
 *			one step, consecutive ones as one write
 *
 * So if both sides change a cell at a time, what others have written into the
 * view is written to the store after the other change, and holds. Whatever is
 * under way is noted in the control object first: a successor finishes it,
 * exactly once, wherever its predecessor was killed.
 *
 * Never blocks longer than a write waits for its device; allocates only in
 * twin_init().
 */

#include "shm/mirror.h"

/* Consecutive addresses that exist on both sides. */
struct twin_run {
	uint32_t addr, count;
};

struct twin_set {
	struct mirror_set *set;
	struct store *store;
	struct twin_run *run[MIRROR_TABLES]; /* ascending, with holes between */
	unsigned nruns[MIRROR_TABLES];
};

struct twin {
	struct mirror_ctl *ctl;
	struct twin_set *set;
	unsigned nsets;
	struct store_who who; /* author and number of what goes in */
	bool read_only; /* what others write is taken back */
	bool busy; /* the last write found its device busy */
	bool wrote; /* to the store, since it was cleared */
	uint64_t cells_in, cells_out; /* moved */
	uint64_t refused; /* of others, outside all ranges or read-only */
	uint8_t wire[STORE_STEP_BYTES];
	uint8_t change[STORE_CHANGE_BYTES];
};

/* stores: one for each set of the mirror, in order; both must outlive it.
 * done: the last operation number that the author is known to have used. 0, or
 * -1 with errno ENOMEM. */
int twin_init(struct twin *, struct mirror *, struct store *const *stores,
    unsigned author, uint64_t done);
void twin_fini(struct twin *);

/* Gives every cell what the store holds, and 0 where it holds nothing. False
 * if writers kept disturbing it: to be done again. */
bool twin_fill(struct twin *);

/* True if twin_pass() would have something to do. */
bool twin_differs(const struct twin *);

/* Brings both sides together. False if a device was busy: what is left is done
 * by the next call. */
bool twin_pass(struct twin *);

#endif
