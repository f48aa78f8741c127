/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From addresses to where they lie, and to the ranges and rights that the
 * configuration gave them. Runs in every process, on every request; only looks.
 */

#include "shm/store_find.h"

#include "shm/store_client.h"
#include "shm/typed.h"

enum { REG_BITS = 16, WORD_BITS = 64, ADDRS = 65536 };

static bool
is_bits(enum store_table t)
{
	return t == STORE_CO || t == STORE_DI;
}

size_t
store_bytes(enum store_table t, uint32_t count)
{
	return is_bits(t) ? ((size_t)count + 7) / 8 : (size_t)count * 2;
}

/* One load, however the compiler feels about it: what is checked must be what
 * is used, and another process may write here. */
static uint32_t
once(const uint32_t *p)
{
	return *(const volatile uint32_t *)p;
}

/* The last extent that starts at or before addr, or the first one. */
static const struct shm_extent *
find_extent(const struct store *st, enum store_table t, uint32_t addr)
{
	const struct shm_extent *e = st->extents + st->extents_at[t];
	uint32_t n = st->nextents[t];

	while (n > 1) {
		uint32_t half = n / 2;

		if (e[half].addr <= addr) {
			e += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return e;
}

/* The extent is a word of shared memory that another process may have spoilt,
 * so what comes of it is held against the size of a side as this process knows
 * it. */
bool
store_find(const struct store *st, enum store_table t, uint32_t addr,
    uint32_t count, struct store_run *run)
{
	const struct shm_extent *e;
	uint32_t off, len, word, from, each;
	uint64_t first, last;

	if ((unsigned)t >= SHM_TABLES || st->nextents[t] == 0)
		return false;
	e = find_extent(st, t, addr);
	from = once(&e->addr);
	len = once(&e->count);
	word = once(&e->word);
	off = addr - from;
	if (addr < from || off >= len || count > len - off || count == 0)
		return false;
	run->form = is_bits(t) ? STORE_BITS : STORE_WIRE;
	each = is_bits(t) ? 1 : REG_BITS;
	first = (uint64_t)off * each;
	last = first + (uint64_t)count * each - 1;
	run->word = word + (uint32_t)(first / WORD_BITS);
	run->shift = first % WORD_BITS;
	run->bits = (uint32_t)(last - first + 1);
	return word + last / WORD_BITS < st->words;
}

bool
store_has(
    const struct store *st, enum store_table t, uint32_t addr, uint32_t count)
{
	struct store_run run;

	return store_find(st, t, addr, count, &run);
}

/* Index of the first range of a table that ends behind addr. */
static uint32_t
first_range(const struct store *st, enum store_table t, uint32_t addr)
{
	const struct shm_range *r = st->ranges + st->ranges_at[t];
	uint32_t low = 0, high = st->nranges[t];

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((uint64_t)r[mid].addr + r[mid].count <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct shm_range *
store_range(const struct store *st, enum store_table t, uint32_t addr)
{
	const struct shm_range *r;
	uint32_t i;

	if ((unsigned)t >= SHM_TABLES)
		return NULL;
	i = first_range(st, t, addr);
	r = st->ranges + st->ranges_at[t] + i;
	return i < st->nranges[t] && r->addr <= addr ? r : NULL;
}

/* What the ranges of one table say. They lie in shared memory, so a type that
 * there is not cuts nothing. */
static bool
values_whole(
    const struct store *st, enum store_table t, uint32_t addr, uint32_t end)
{
	const struct shm_range *r = st->ranges + st->ranges_at[t];
	uint32_t i = first_range(st, t, addr);

	for (; i < st->nranges[t] && r[i].addr < end; i++) {
		enum typed_type type = (enum typed_type)r[i].type;
		uint32_t step, from = r[i].addr, last = from + r[i].count;

		if (type == TYPED_STRING && addr > from)
			return false;
		step = typed_regs(type);
		if (type == TYPED_STRING || step < 2)
			continue;
		if ((addr > from && (addr - from) % step != 0) ||
		    (end < last && (end - from) % step != 0))
			return false;
	}
	return true;
}

static bool
touches_read_only(
    const struct store *st, enum store_table t, uint64_t addr, uint64_t end)
{
	const struct shm_range *r = st->ranges + st->ranges_at[t];
	uint32_t i = first_range(st, t, (uint32_t)addr);

	for (; i < st->nranges[t] && r[i].addr < end; i++)
		if (r[i].read_only)
			return true;
	return false;
}

bool
store_whole(
    const struct store *st, enum store_table t, uint32_t addr, uint32_t count)
{
	uint32_t end = addr + count;

	if (t != STORE_HR && t != STORE_IR)
		return true;
	/* a shared array has the ranges of both */
	return values_whole(st, t, addr, end) &&
	    (!st->shared ||
		values_whole(st, (enum store_table)(t ^ 1u), addr, end));
}

bool
store_writable(
    const struct store *st, enum store_table t, uint32_t addr, uint32_t count)
{
	return store_has(st, t, addr, count) &&
	    store_may_write(st, t, addr, count);
}

bool
store_may_write(
    const struct store *st, enum store_table t, uint32_t addr, uint32_t count)
{
	uint64_t end = (uint64_t)addr + count;

	if (!st->any_read_only)
		return true;
	if (touches_read_only(st, t, addr, end))
		return false;
	if (st->shared && t == STORE_CO) {
		return !touches_read_only(st, STORE_HR, addr / REG_BITS,
		    (end + REG_BITS - 1) / REG_BITS);
	}
	if (st->shared && t == STORE_HR && addr < ADDRS / REG_BITS) {
		return !touches_read_only(
		    st, STORE_CO, addr * REG_BITS, end * REG_BITS);
	}
	return true;
}
