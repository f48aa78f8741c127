/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole device as one commit left it, taken beside its writers. The copy is
 * made in slices, each of some commit since the beginning; each change that
 * has been committed since then is in the event ring, and is carried out on
 * the copy in the same order. Where nothing changed a slice is right as it is,
 * and where something did the last change is; so with the changes up to a
 * commit the copy is what that commit left. Too slow for the ring: once more.
 */

#include "shm/store_picture.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "shm/store_copy.h"
#include "shm/store_find.h"
#include "shm/store_next.h"

enum { SLICE = 512 }; /* words: done in less than a write takes */

struct taking {
	const struct store *st;
	struct store_picture *p;
	uint64_t pos; /* in the event ring: what is before it is in the copy */
	uint64_t end_ns;
	uint8_t change[STORE_CHANGE_BYTES];
};

enum took { TOOK_ALL, TOOK_LOST, TOOK_LATE };

static bool
is_late(const struct taking *t)
{
	return clock_mono_ns() > t->end_ns;
}

/* A commit, and where the ring ends with it; false if there was no time. */
static bool
last_commit(const struct taking *t, uint64_t *seq, uint64_t *head)
{
	const struct shm_device *d = t->st->dev;
	uint64_t q;

	do {
		for (int tries = 0; tries < STORE_TRIES; tries++) {
			q = atomic_load_explicit(&d->seq, memory_order_acquire);
			*head = atomic_load_explicit(
			    &d->side[q & 1].events, memory_order_relaxed);
			atomic_thread_fence(memory_order_acquire);
			*seq = q / 2;
			if (atomic_load_explicit(
				&d->seq, memory_order_relaxed) == q)
				return true;
		}
	} while (!is_late(t));
	return false;
}

/* Some words as a commit left them; false if there was no time. */
static bool
copy_slice(const struct taking *t, uint32_t from, uint32_t n)
{
	const struct shm_device *d = t->st->dev;
	uint64_t q;

	do {
		for (int tries = 0; tries < STORE_TRIES; tries++) {
			q = atomic_load_explicit(&d->seq, memory_order_acquire);
			for (uint32_t i = from; i < from + n; i++)
				atomic_store_explicit(&t->p->side[i],
				    atomic_load_explicit(&t->st->data[q & 1][i],
					memory_order_relaxed),
				    memory_order_relaxed);
			atomic_thread_fence(memory_order_acquire);
			if (atomic_load_explicit(
				&d->seq, memory_order_relaxed) == q)
				return true;
		}
	} while (!is_late(t));
	return false;
}

/* Carries out what has been committed up to a place in the ring. */
static enum took
follow(struct taking *t, uint64_t head)
{
	struct store_change ch;
	struct store_run run;

	while (t->pos != head) {
		if (t->pos > head ||
		    store_next_change(t->st, &t->pos, &ch, t->change) != 1 ||
		    !store_find(t->st, ch.table, ch.addr, ch.count, &run))
			return TOOK_LOST;
		store_copy_in(t->p->side, &run, ch.is);
	}
	return TOOK_ALL;
}

static enum took
take_once(struct taking *t)
{
	uint32_t words = t->st->words, n;
	enum took took;
	uint64_t head;

	if (!last_commit(t, &t->p->seq, &t->pos))
		return TOOK_LATE;
	for (uint32_t i = 0; i < words; i += n) {
		n = words - i < SLICE ? words - i : SLICE;
		if (!copy_slice(t, i, n) || !last_commit(t, &t->p->seq, &head))
			return TOOK_LATE;
		/* at once: the ring keeps no change for ever */
		took = follow(t, head);
		if (took != TOOK_ALL)
			return took;
	}
	return TOOK_ALL;
}

enum store_rc
store_picture_take(
    const struct store *st, uint64_t budget_ns, struct store_picture *p)
{
	struct taking t = {
		.st = st, .p = p, .end_ns = clock_mono_ns() + budget_ns
	};
	enum took took;

	*p = (struct store_picture){ .store = st };
	p->side = calloc((size_t)st->words + 1, sizeof(p->side[0]));
	if (p->side == NULL)
		return STORE_DENIED;
	do
		took = take_once(&t);
	while (took == TOOK_LOST && !is_late(&t));
	/* asked last: what was committed to its successor is not in it */
	if (took == TOOK_ALL && !store_superseded(st))
		return STORE_OK;
	store_picture_free(p);
	return took == TOOK_ALL ? STORE_GONE : STORE_BUSY;
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
