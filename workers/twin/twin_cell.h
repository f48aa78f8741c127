/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TWIN_TWIN_CELL_H
#define WORKERS_TWIN_TWIN_CELL_H

/*
 * Cells of a view's tables, and their values as the store has them on the
 * wire. Others write to the tables at any time, so a cell is one load or one
 * store of its whole width. Only twin*.c include this.
 */

#include "workers/twin/twin.h"

enum {
	TWIN_BIT_CHUNK = STORE_STEP_BYTES * 8, /* that one step has room for */
	TWIN_REG_CHUNK = STORE_STEP_BYTES / 2,
};

static inline bool
is_bits(unsigned t)
{
	return t == STORE_CO || t == STORE_DI;
}

/* ---- cells ---- */

static inline uint16_t
cell_get(const void *table, unsigned t, uint32_t i)
{
	if (is_bits(t))
		return atomic_load_explicit(
		    (const _Atomic uint8_t *)table + i, memory_order_acquire);
	return atomic_load_explicit(
	    (const _Atomic uint16_t *)table + i, memory_order_acquire);
}

static inline void
cell_set(void *table, unsigned t, uint32_t i, uint16_t v)
{
	if (is_bits(t))
		atomic_store_explicit((_Atomic uint8_t *)table + i, (uint8_t)v,
		    memory_order_release);
	else
		atomic_store_explicit(
		    (_Atomic uint16_t *)table + i, v, memory_order_release);
}

static inline bool
cell_swap(void *table, unsigned t, uint32_t i, uint16_t was, uint16_t is)
{
	uint8_t byte = (uint8_t)was;

	if (is_bits(t))
		return atomic_compare_exchange_strong(
		    (_Atomic uint8_t *)table + i, &byte, (uint8_t)is);
	return atomic_compare_exchange_strong(
	    (_Atomic uint16_t *)table + i, &was, is);
}

/* What a cell means: any byte but 0 is a bit that is set. */
static inline uint16_t
meaning(unsigned t, uint16_t v)
{
	return is_bits(t) ? v != 0 : v;
}

static inline uint16_t
wire_get(const uint8_t *wire, unsigned t, uint32_t k)
{
	if (is_bits(t))
		return wire[k / 8] >> k % 8 & 1;
	return (uint16_t)(wire[2 * k] << 8 | wire[2 * k + 1]);
}

/* In order from 0 on. */
static inline void
wire_put(uint8_t *wire, unsigned t, uint32_t k, uint16_t v)
{
	if (is_bits(t)) {
		if (k % 8 == 0)
			wire[k / 8] = 0;
		wire[k / 8] |= (uint8_t)((v & 1) << k % 8);
		return;
	}
	wire[2 * k] = (uint8_t)(v >> 8);
	wire[2 * k + 1] = (uint8_t)v;
}

static inline uint32_t
chunk(unsigned t)
{
	return is_bits(t) ? TWIN_BIT_CHUNK : TWIN_REG_CHUNK;
}

/* 64-bit words that the cells of a table fill. */
static inline uint32_t
nwords(const struct mirror_set *m, unsigned t)
{
	uint32_t per = is_bits(t) ? 8 : 4;

	return (m->count[t] + per - 1) / per;
}

#endif
