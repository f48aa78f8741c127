/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot back into the store: the configuration may have changed since, so
 * each run of addresses is cut into what there still is and what has no place.
 * Runs in whoever has the devices; allocates nothing, never blocks by itself.
 */

#include "shm/snap_put.h"

#include <string.h>

static bool
flush(struct snap_put *s)
{
	if (s->n == 0)
		return true;
	if (s->ops->apply(s->arg, s->store, s->step, s->n) != STORE_OK)
		return false;
	s->steps++;
	s->n = 0;
	s->used = 0;
	return true;
}

/* count bits from bit `from` on, to the beginning of out. */
static void
copy_bits(uint8_t *out, const uint8_t *in, uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (in[(from + i) / 8] >> (from + i) % 8 & 1)
			out[i / 8] |= (uint8_t)(1u << i % 8);
}

/* As much of a run as still goes into this step; how much that was. */
static uint32_t
push(struct snap_put *s, const struct snap_block *b, uint32_t addr,
    uint32_t count)
{
	bool bits = b->table == STORE_CO || b->table == STORE_DI;
	size_t room = sizeof(s->bytes) - s->used;
	uint32_t fits = (uint32_t)(bits ? room * 8 : room / 2);
	uint32_t from = addr - b->addr;
	uint8_t *at = s->bytes + s->used;

	if (s->n == STORE_STEPS_MAX)
		return 0;
	if (fits > count)
		fits = count;
	if (fits == 0)
		return 0;
	memset(at, 0, store_bytes(b->table, fits));
	if (bits)
		copy_bits(at, b->values, from, fits);
	else
		memcpy(at, b->values + 2 * (size_t)from, 2 * (size_t)fits);
	s->step[s->n++] = (struct store_step){ .op = STORE_WRITE,
		.table = b->table,
		.addr = addr,
		.count = fits,
		.in = at };
	s->used += store_bytes(b->table, fits);
	s->written += fits;
	return fits;
}

/* How far from addr on the device has addresses, or has none: count at most,
 * and which of the two. */
static uint32_t
stretch(const struct store *st, enum store_table table, uint32_t addr,
    uint32_t count, bool *there)
{
	*there = false;
	for (uint32_t i = 0; i < st->nextents[table]; i++) {
		struct shm_extent e = st->extents[st->extents_at[table] + i];

		if (addr >= e.addr && addr - e.addr < e.count) {
			*there = true;
			return e.count - (addr - e.addr) < count
			    ? e.count - (addr - e.addr)
			    : count;
		}
		if (e.addr > addr && e.addr - addr < count)
			count = e.addr - addr;
	}
	return count;
}

/* The next piece of the block in hand. */
static bool
put_piece(struct snap_put *s)
{
	bool there;
	uint32_t n = stretch(s->store, s->b.table, s->addr, s->left, &there);

	if (!there)
		s->ops->unfit(s->arg, s->d.name, &s->b, s->addr, n);
	else
		n = push(s, &s->b, s->addr, n);
	s->addr += n;
	s->left -= n;
	return n > 0 || flush(s);
}

void
snap_put_begin(struct snap_put *s, const struct snap *snap,
    const struct snap_put_ops *ops, void *arg)
{
	memset(s, 0, sizeof(*s));
	s->snap = snap;
	s->ops = ops;
	s->arg = arg;
}

enum snap_put_rc
snap_put_next(struct snap_put *s)
{
	if (s->left > 0) {
		if (!put_piece(s))
			return SNAP_PUT_BUSY;
	} else if (s->in_device && snap_next_block(s->snap, &s->d, &s->b)) {
		s->addr = s->b.addr;
		s->left = s->b.count;
	} else if (s->in_device) {
		if (!flush(s))
			return SNAP_PUT_BUSY;
		s->in_device = false;
		s->devices++;
	} else if (snap_next_device(s->snap, &s->at, &s->d)) {
		s->store = s->ops->find(s->arg, s->d.name);
		s->in_device = s->store != NULL;
		if (!s->in_device)
			s->ops->unfit(s->arg, s->d.name, NULL, 0, 0);
	} else {
		return SNAP_PUT_DONE;
	}
	return SNAP_PUT_MORE;
}
