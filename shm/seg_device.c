/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making a device segment: from ranges to extents, that is to the longest runs
 * of addresses without a hole, so that a device costs what it defines, twice.
 * Runs in the supervisor, before the first fork; may allocate.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/seg_map.h"
#include "shm/store_copy.h"

enum {
	ADDRS = 65536, /* of a table that Modbus can reach */
	REGS_PER_WORD = 4,
	BITS_PER_WORD = 64,
	REG_BITS = 16,
	EVENTS_MIN = 1 << 16,
	EVENTS_MAX = 1 << 18,
	FIRST_FILE_TABLE = 4, /* behind coils, inputs and registers */
};

/* 256 MiB a side, so that the bits of a run can be counted in 32 bits */
#define WORDS_MAX (1u << 25)

/* Everything that seg_create_device() works out before it makes anything. */
struct plan {
	struct seg_range *ranges; /* sorted copy */
	size_t nranges;
	struct shm_extent *extents;
	size_t n; /* extents */
	uint32_t nof[SHM_TABLES], at[SHM_TABLES];
	uint64_t words;
	unsigned flags;
};

static bool
is_bits(unsigned table)
{
	return table < 2;
}

static int
by_place(const void *a, const void *b)
{
	const struct shm_range *x = &((const struct seg_range *)a)->range;
	const struct shm_range *y = &((const struct seg_range *)b)->range;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool
ranges_ok(const struct seg_range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct shm_range *x = &r[i].range;
		uint64_t end = (uint64_t)x->addr + x->count;

		if (x->table >= SHM_TABLES || x->count == 0 ||
		    end > (x->table < FIRST_FILE_TABLE ? ADDRS
						       : (uint64_t)1 << 32))
			return false;
		if (i + 1 < n && r[i + 1].range.table == x->table &&
		    r[i + 1].range.addr < end)
			return false;
	}
	return true;
}

/* Adds a run of a table; it joins the one before it when they touch. */
static void
add_run(struct plan *p, unsigned table, uint32_t addr, uint32_t count)
{
	struct shm_extent *last = &p->extents[p->n];

	if (p->nof[table] == 0) {
		p->at[table] = (uint32_t)p->n;
	} else if (addr == (uint64_t)last[-1].addr + last[-1].count) {
		last[-1].count += count;
		return;
	}
	*last = (struct shm_extent){ .addr = addr, .count = count };
	p->nof[table]++;
	p->n++;
}

static void
give_words(struct plan *p, unsigned table)
{
	unsigned per = is_bits(table) ? BITS_PER_WORD : REGS_PER_WORD;

	for (uint32_t i = 0; i < p->nof[table]; i++) {
		struct shm_extent *e = &p->extents[p->at[table] + i];

		e->word = (uint32_t)p->words;
		p->words += ((uint64_t)e->count + per - 1) / per;
	}
}

static void
plan_table(struct plan *p, unsigned table)
{
	for (size_t i = 0; i < p->nranges; i++) {
		const struct shm_range *r = &p->ranges[i].range;

		if (r->table == table)
			add_run(p, table, r->addr, r->count);
	}
	give_words(p, table);
}

/* The runs of table `like` once more, as table t over the same words. */
static void
plan_alias(struct plan *p, unsigned t, unsigned like)
{
	for (uint32_t i = 0; i < p->nof[like]; i++) {
		struct shm_extent e = p->extents[p->at[like] + i];
		uint32_t per = is_bits(t) ? REG_BITS : 1;

		if (e.addr >= ADDRS / per)
			break; /* bits that no address reaches */
		if (e.addr + e.count > ADDRS / per)
			e.count = ADDRS / per - e.addr;
		add_run(p, t, e.addr * per, e.count * per);
		p->extents[p->n - 1].word = e.word;
	}
}

/* The first four tables over one array: the registers that any range of them
 * covers, marked, then collected. */
static int
plan_shared(struct plan *p)
{
	uint8_t *covered = calloc(1, ADDRS + 1);
	unsigned first = 2;

	if (!covered)
		return -1;
	for (size_t i = 0; i < p->nranges; i++) {
		const struct shm_range *r = &p->ranges[i].range;
		uint32_t per = is_bits(r->table) ? REG_BITS : 1;

		if (r->table < FIRST_FILE_TABLE) {
			uint32_t from = r->addr / per;
			uint32_t to = (r->addr + r->count - 1) / per;

			memset(covered + from, 1, to - from + 1);
		}
	}
	for (uint32_t a = 0, end; a < ADDRS; a = end + 1) {
		for (end = a; covered[end]; end++)
			;
		if (end > a)
			add_run(p, first, a, end - a);
	}
	free(covered);
	give_words(p, first);
	for (unsigned t = 0; t < FIRST_FILE_TABLE; t++)
		if (t != first)
			plan_alias(p, t, first);
	return 0;
}

static int
plan_device(
    struct plan *p, const struct seg_range *ranges, size_t n, unsigned flags)
{
	bool shared = (flags & SHM_SHARED) != 0;

	/* a shared array has at most one run for each range, in four tables */
	p->ranges = calloc(n + 1, sizeof(*p->ranges));
	p->extents = calloc(n * 4 + 1, sizeof(*p->extents));
	if (!p->ranges || !p->extents)
		return -1;
	if (n > 0) {
		memcpy(p->ranges, ranges, n * sizeof(*ranges));
		qsort(p->ranges, n, sizeof(*p->ranges), by_place);
	}
	p->nranges = n;
	p->flags = flags;
	if (!ranges_ok(p->ranges, n)) {
		errno = EINVAL;
		return -1;
	}
	if (shared && plan_shared(p) < 0)
		return -1;
	for (unsigned t = shared ? FIRST_FILE_TABLE : 0; t < SHM_TABLES; t++)
		plan_table(p, t);
	if (p->words > WORDS_MAX) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static uint64_t
line_up(uint64_t off)
{
	return (off + SHM_LINE - 1) & ~(uint64_t)(SHM_LINE - 1);
}

/* Gives each part of the segment its place; returns the size of all. */
static uint64_t
lay_out(struct shm_device *d, const struct plan *p)
{
	uint64_t off = line_up(sizeof(*d));
	uint64_t events = EVENTS_MIN;

	while (events < p->words * 64 && events < EVENTS_MAX)
		events *= 2;
	d->extents_off = off;
	off = line_up(off + p->n * sizeof(*p->extents));
	d->ranges_off = off;
	off = line_up(off + p->nranges * sizeof(struct shm_range));
	for (int side = 0; side < 2; side++) {
		d->data_off[side] = off;
		off = line_up(off + p->words * 8);
	}
	if (p->flags & SHM_COUNTS) {
		d->counts_off = off;
		off = line_up(
		    off + p->words * REGS_PER_WORD * sizeof(struct shm_count));
	}
	d->events_off = off;
	d->events_size = (uint32_t)events;
	d->words = (uint32_t)p->words;
	d->nranges = (uint32_t)p->nranges;
	d->flags = p->flags;
	memcpy(d->nextents, p->nof, sizeof(d->nextents));
	memcpy(d->extents_at, p->at, sizeof(d->extents_at));
	return off + events + sizeof(sem_t);
}

/* Puts the initial value of a range on both sides. */
static void
put_initial(
    struct shm_device *d, const struct plan *p, const struct seg_range *r)
{
	unsigned t = r->range.table;
	uint32_t each = is_bits(t) ? 1 : REG_BITS;

	for (uint32_t i = 0; i < p->nof[t]; i++) {
		const struct shm_extent *e = &p->extents[p->at[t] + i];
		uint64_t bit = ((uint64_t)r->range.addr - e->addr) * each;
		struct store_run run = {
			.word = e->word + (uint32_t)(bit / BITS_PER_WORD),
			.shift = bit % BITS_PER_WORD,
			.bits = r->range.count * each,
			.form = is_bits(t) ? STORE_BITS : STORE_WIRE,
		};

		if (r->range.addr < e->addr ||
		    r->range.addr - e->addr >= e->count)
			continue;
		for (int side = 0; side < 2; side++) {
			store_copy_in(
			    (_Atomic uint64_t *)((char *)d + d->data_off[side]),
			    &run, r->init);
		}
	}
}

static int
fill(struct seg *s, const struct shm_device *head, const struct plan *p,
    const struct seg_range *given)
{
	struct shm_device *d = s->at;
	struct shm_range *ranges;
	sem_t gate;

	memcpy(d, head, offsetof(struct shm_device, owner));
	memcpy(
	    (char *)d + d->extents_off, p->extents, p->n * sizeof(*p->extents));
	ranges = (struct shm_range *)((char *)d + d->ranges_off);
	for (size_t i = 0; i < p->nranges; i++) {
		ranges[i] = p->ranges[i].range;
		ranges[i].name[sizeof(ranges[i].name) - 1] = 0;
		ranges[i].unit[sizeof(ranges[i].unit) - 1] = 0;
	}
	/* in the order given, since in a shared array the last one holds */
	for (size_t i = 0; i < p->nranges; i++)
		if (given[i].init)
			put_initial(d, p, &given[i]);
	for (int side = 0; side < 2; side++)
		atomic_init(&d->side[side].events, d->events_size);
	atomic_init(&d->events_oldest, d->events_size);
	if (sem_init(&gate, 1, 1) < 0)
		return -1;
	memcpy((char *)d + s->size - SHM_GATE_BYTES, &gate, SHM_GATE_BYTES);
	return seg_gate_keep(s);
}

int
seg_create_device_as(struct seg *s, const char *object, const char *store,
    const char *device, unsigned index, const struct seg_range *ranges,
    size_t n, unsigned flags)
{
	struct plan p = { .n = 0 };
	struct shm_device head = { .index = index };
	int rc = -1;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	snprintf(s->object, sizeof(s->object), "%s", object);
	if (plan_device(&p, ranges, n, flags) == 0 &&
	    seg_object_create(s, lay_out(&head, &p), UINT64_MAX) == 0) {
		rc = fill(s, &head, &p, ranges);
		if (rc == 0)
			seg_publish(s, store, SHM_DEVICE, device);
		else
			seg_object_drop(s);
	}
	free(p.ranges);
	free(p.extents);
	return rc;
}

int
seg_create_device(struct seg *s, const char *store, const char *device,
    unsigned index, const struct seg_range *ranges, size_t n, unsigned flags)
{
	char object[sizeof(s->object)];

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	if (!seg_name_ok(store) || !seg_name_ok(device)) {
		errno = EINVAL;
		return -1;
	}
	seg_object_name(object, sizeof(object), store, SHM_DEVICE, device, 0);
	return seg_create_device_as(
	    s, object, store, device, index, ranges, n, flags);
}
