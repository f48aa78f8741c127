/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_NEXT_H
#define SHM_STORE_NEXT_H

/*
 * How another segment takes the place of a device's, with other ranges and the
 * same values.
 *
 * The next one is made apart (seg_next.h). Then the old one is owned, as for a
 * write: so there is no write half done, and none that anybody has been told of
 * is missing. Its values go to the next one, by table and address. Then it is
 * marked as superseded: that one store, while owned, is what puts the next
 * segment in force, and is never taken back. From then on nobody reads from or
 * writes to the old one: who has it open is told STORE_GONE, a writer after it
 * has waited for the device and before it has changed anything.
 *
 * Killed before that store: the old one serves as ever, and what owned it is
 * dead (layout.h). After it: the next one is in force, under a name that
 * whoever finds the old one knows.
 */

#include "shm/store.h"

/* True once another segment has taken its place, or none: the device has
 * gone. */
static inline bool
store_superseded(const struct store *st)
{
	return atomic_load_explicit(
		   &st->dev->superseded, memory_order_acquire) != 0;
}

/*
 * Puts next in force instead of was; NULL: the device is no more. Both are
 * open for writing, and nobody else has next. Where both have an address its
 * value stays, the others keep what next was made with; commits are counted on.
 * A segment with one array for four tables gets the holding registers' values
 * where several of the old one lie at the same place. Blocks at most budget_ns
 * for the device. 0, or -1 with errno: EBUSY somebody else has it, ESTALE it
 * is superseded.
 */
int store_supersede(struct store *was, struct store *next, uint64_t budget_ns);

/* The values of one that nobody writes to any more, which stays as it is. */
void store_carry(const struct store *was, struct store *next);

#endif
