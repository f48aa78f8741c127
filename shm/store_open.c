/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening a device: everything that its segment says of itself is checked, and
 * what indexes memory is kept in the handle, out of reach of other processes.
 * Runs in every process, before it serves.
 */

#include <errno.h>
#include <string.h>

#include "shm/store.h"

enum { EVENTS_MIN = 1 << 16, COUNTS_A_WORD = 4 };

/* True if n things of `each` bytes at off lie inside, aligned. */
static bool
inside(uint64_t off, uint64_t n, uint64_t each, uint64_t size)
{
	return off % SHM_LINE == 0 && off >= sizeof(struct shm_device) &&
	    off <= size && n <= (size - off) / each;
}

static bool
extents_ok(const struct store *st, unsigned t)
{
	const struct shm_extent *e = st->extents + st->extents_at[t];
	unsigned per = t == STORE_CO || t == STORE_DI ? 64 : 4;

	for (uint32_t i = 0; i < st->nextents[t]; i++) {
		uint64_t words = ((uint64_t)e[i].count + per - 1) / per;

		if (e[i].count == 0 || e[i].word + words > st->words)
			return false;
		/* in order, and with a hole between any two */
		if (i > 0 &&
		    (uint64_t)e[i - 1].addr + e[i - 1].count >= e[i].addr)
			return false;
	}
	return true;
}

/* Ranges are sorted by table and address; each table's share is noted. */
static bool
take_ranges(struct store *st, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct shm_range *r = &st->ranges[i];
		unsigned t = r->table;

		if (t >= SHM_TABLES || r->count == 0 ||
		    !memchr(r->name, 0, sizeof(r->name)) ||
		    !memchr(r->unit, 0, sizeof(r->unit)))
			return false;
		if (i > 0 &&
		    (r[-1].table > t ||
			(r[-1].table == t &&
			    (uint64_t)r[-1].addr + r[-1].count > r->addr)))
			return false;
		if (st->nranges[t]++ == 0)
			st->ranges_at[t] = i;
		st->any_read_only |= r->read_only != 0;
	}
	return true;
}

/* Checks where the parts are, from one private copy of the header. */
static bool
take_parts(struct store *st, const struct shm_device *d, size_t size)
{
	uint64_t extents = 0;
	char *base = (char *)st->dev;

	st->gate = (sem_t *)(base + size - SHM_GATE_BYTES);
	size -= sizeof(sem_t);

	for (unsigned t = 0; t < SHM_TABLES; t++) {
		extents += d->nextents[t];
		st->nextents[t] = d->nextents[t];
		st->extents_at[t] = d->extents_at[t];
	}
	for (unsigned t = 0; t < SHM_TABLES; t++)
		if ((uint64_t)d->extents_at[t] + d->nextents[t] > extents)
			return false;
	if (!inside(d->extents_off, extents, sizeof(*st->extents), size) ||
	    !inside(d->ranges_off, d->nranges, sizeof(*st->ranges), size) ||
	    !inside(d->data_off[0], d->words, 8, size) ||
	    !inside(d->data_off[1], d->words, 8, size) ||
	    !inside(d->events_off, d->events_size, 1, size) ||
	    ((d->flags & SHM_COUNTS) != 0 &&
		!inside(d->counts_off, d->words,
		    COUNTS_A_WORD * sizeof(struct shm_count), size)) ||
	    d->data_off[0] + (uint64_t)d->words * 8 > d->data_off[1] ||
	    d->events_size < EVENTS_MIN ||
	    (d->events_size & (d->events_size - 1)) != 0)
		return false;
	st->extents = (const struct shm_extent *)(base + d->extents_off);
	st->ranges = (const struct shm_range *)(base + d->ranges_off);
	st->data[0] = (_Atomic uint64_t *)(base + d->data_off[0]);
	st->data[1] = (_Atomic uint64_t *)(base + d->data_off[1]);
	st->events = (_Atomic uint64_t *)(base + d->events_off);
	st->words = d->words;
	st->events_size = d->events_size;
	st->index = d->index;
	st->flags = d->flags;
	st->shared = (d->flags & SHM_SHARED) != 0;
	if (d->flags & SHM_COUNTS)
		st->counts = (struct shm_count *)(base + d->counts_off);
	return true;
}

int
store_open(struct store *st, void *segment, size_t size, bool writable,
    const struct slot_env *env)
{
	struct shm_device d;
	bool ok;

	memset(st, 0, sizeof(*st));
	if (size < sizeof(d)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(&d, segment, sizeof(d));
	st->dev = segment;
	st->writable = writable;
	st->env = env;
	ok = d.head.magic == SHM_MAGIC && d.head.kind == SHM_DEVICE &&
	    d.head.size == size && take_parts(st, &d, size);
	for (unsigned t = 0; ok && t < SHM_TABLES; t++)
		ok = extents_ok(st, t);
	if (!ok || !take_ranges(st, d.nranges)) {
		memset(st, 0, sizeof(*st));
		errno = EINVAL;
		return -1;
	}
	return 0;
}
