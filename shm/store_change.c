/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Changes: one record in the device's ring for each step that changed a value,
 * written while owned and published by the commit, so that it exists exactly
 * if the write does. Written by writers, read by everybody.
 */

#include "shm/store_change.h"

#include <string.h>

#include "shm/ring.h"

/* A record is these words, then the old values, then the new ones, each
 * filled up to whole words. */
enum { REC_SEQ, REC_WHO, REC_PLACE, REC_ADDR, REC_WORDS };
enum { PLACE_COUNT_SHIFT = 32, PLACE_TABLE_MASK = 0xff };

_Static_assert(STORE_CHANGE_BYTES >= REC_WORDS * 8 + 2 * STORE_STEP_BYTES,
    "a record fits into its reader's buffer");

static uint32_t
run_words(const struct store_run *run)
{
	return (run->bits + 63) / 64;
}

void
store_change_put(struct store *st, uint64_t *head, uint64_t commit,
    enum store_table table, uint32_t addr, uint32_t count,
    const struct store_run *run)
{
	uint32_t n = run_words(run);
	const uint64_t fixed[REC_WORDS] = {
		[REC_SEQ] = commit,
		[REC_WHO] = st->env->me,
		[REC_PLACE] =
		    (uint64_t)count << PLACE_COUNT_SHIFT | (uint64_t)table,
		[REC_ADDR] = addr,
	};
	_Atomic uint64_t *to;

	to = ring_room(st->events, st->events_size, &st->dev->events_oldest,
	    head, (REC_WORDS + 2 * n) * 8);
	if (!to)
		return; /* cannot be: a step is limited */
	for (int i = 0; i < REC_WORDS; i++)
		atomic_store_explicit(to + i, fixed[i], memory_order_relaxed);
	store_copy_log(st->data[1], run, to + REC_WORDS);
	store_copy_log(st->data[0], run, to + REC_WORDS + n);
}

/* Where the ring ends as of the last commit; false if writers kept moving. */
static bool
committed_end(const struct store *st, uint64_t *head)
{
	const struct shm_device *d = st->dev;

	/* as a read: from the side that readers are sent to */
	for (int tries = 0; tries < STORE_TRIES; tries++) {
		uint64_t q =
		    atomic_load_explicit(&d->seq, memory_order_acquire);

		*head = atomic_load_explicit(
		    &d->side[q & 1].events, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&d->seq, memory_order_relaxed) == q)
			return true;
	}
	return false;
}

uint64_t
store_changes_end(const struct store *st)
{
	uint64_t head;

	committed_end(st, &head);
	return head;
}

int
store_next_change(const struct store *st, uint64_t *pos,
    struct store_change *ch, uint8_t *buf)
{
	uint64_t fixed[REC_WORDS], head;
	size_t bytes, padded;
	int n;

	if (!committed_end(st, &head))
		return 0;
	n = ring_read(st->events, st->events_size, &st->dev->events_oldest,
	    head, pos, buf, STORE_CHANGE_BYTES);
	if (n <= 0)
		return n;
	if ((size_t)n < sizeof(fixed))
		return -1;
	memcpy(fixed, buf, sizeof(fixed));
	ch->seq = fixed[REC_SEQ];
	ch->who = fixed[REC_WHO];
	ch->table = (enum store_table)(fixed[REC_PLACE] & PLACE_TABLE_MASK);
	ch->addr = (uint32_t)fixed[REC_ADDR];
	ch->count = (uint32_t)(fixed[REC_PLACE] >> PLACE_COUNT_SHIFT);
	bytes = (unsigned)ch->table < SHM_TABLES
	    ? store_bytes(ch->table, ch->count)
	    : 0;
	padded = (bytes + 7) & ~(size_t)7;
	if (bytes == 0 || sizeof(fixed) + 2 * padded != (size_t)n)
		return -1; /* not a record of ours */
	ch->was = buf + sizeof(fixed);
	ch->is = ch->was + padded;
	return 1;
}
