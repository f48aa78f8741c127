/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Copies between wire form and the words of a side. Runs in every process: out
 * beside any writer, in only while owning. Pure: no system call, no waiting.
 */

#include "shm/store_copy.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { BITS = 64, LITTLE = __BYTE_ORDER == __LITTLE_ENDIAN };

ALWAYS_INLINE uint64_t
load(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

ALWAYS_INLINE void
store(_Atomic uint64_t *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

/* The n lowest bits, n in 1..64. */
ALWAYS_INLINE uint64_t
low_bits(uint32_t n)
{
	return ~(uint64_t)0 >> (BITS - n);
}

/* Swaps the bytes of each of four registers. */
ALWAYS_INLINE uint64_t
swap_regs(uint64_t x)
{
	const uint64_t lows = 0x00ff00ff00ff00ffull;

	return (x >> 8 & lows) | (x & lows) << 8;
}

/* Whether registers get their bytes swapped, seen from a word of low bytes
 * first. */
ALWAYS_INLINE bool
swaps(enum store_form form)
{
	return form == STORE_WIRE || (form == STORE_HOST && !LITTLE);
}

/* Two words at a time where the machine can: registers are swapped eight at
 * once. The words are still loaded one by one. */
typedef uint64_t pair __attribute__((vector_size(16)));
typedef uint16_t eight_regs __attribute__((vector_size(16)));

ALWAYS_INLINE pair
swap_eight(pair x)
{
	eight_regs r = (eight_regs)x;

	return (pair)(r << 8 | r >> 8);
}

/* Words that the run touches, and 64-bit groups that it makes in wire form. */
ALWAYS_INLINE uint32_t
words_of(const struct store_run *r)
{
	return (r->shift + r->bits + BITS - 1) / BITS;
}

ALWAYS_INLINE uint32_t
groups_of(const struct store_run *r)
{
	return (r->bits + BITS - 1) / BITS;
}

/* Group i of the run, from the lowest bit up; bits beyond the run are 0. */
ALWAYS_INLINE uint64_t
group(const _Atomic uint64_t *side, const struct store_run *r, uint32_t i)
{
	const _Atomic uint64_t *w = side + r->word + i;
	uint32_t left = r->bits - i * BITS;
	uint64_t x = load(w) >> r->shift;

	if (left > BITS)
		left = BITS;
	if (r->shift + left > BITS)
		x |= load(w + 1) << (BITS - r->shift);
	return x & low_bits(left);
}

/* Group i of what is to be taken in; bytes beyond the run are not read. */
ALWAYS_INLINE uint64_t
wire_group(const struct store_run *r, const uint8_t *in, uint32_t i,
    enum store_form form)
{
	uint32_t left = r->bits - i * BITS;
	uint64_t x = 0;

	if (left >= BITS) {
		memcpy(&x, in + i * 8, 8);
		x = le64toh(x);
		return swaps(form) ? swap_regs(x) : x;
	}
	for (uint32_t k = (left + 7) / 8; k-- > 0;)
		x = x << 8 | in[i * 8 + k];
	return (swaps(form) ? swap_regs(x) : x) & low_bits(left);
}

/* Where store_copy_out puts its groups: bytes, or the words of a ring. */
ALWAYS_INLINE void
emit(void *to, uint32_t i, uint64_t x, uint32_t bytes, enum store_form form,
    bool ring)
{
	uint8_t *at = (uint8_t *)to + i * 8;

	x = swaps(form) ? swap_regs(x) : x;
	if (ring) {
		store((_Atomic uint64_t *)to + i, htole64(x));
	} else if (bytes == 8) {
		x = htole64(x);
		memcpy(at, &x, 8);
	} else {
		for (; bytes > 0; bytes--, x >>= 8)
			*at++ = (uint8_t)x;
	}
}

ALWAYS_INLINE void
emit_pair(void *to, uint32_t i, uint64_t a, uint64_t b)
{
	pair x = swap_eight((pair){ a, b });

	memcpy((uint8_t *)to + i * 8, &x, 16);
}

ALWAYS_INLINE void
copy_out_by(const _Atomic uint64_t *side, const struct store_run *r, void *to,
    enum store_form form, bool ring, uint32_t down)
{
	const _Atomic uint64_t *w = side + r->word;
	uint32_t whole = r->bits / BITS, rest = r->bits % BITS;
	uint32_t up = BITS - down, i = 0;

	if (down == 0) {
		if (form == STORE_WIRE && !ring && LITTLE)
			for (; i + 2 <= whole; i += 2)
				emit_pair(to, i, load(w + i), load(w + i + 1));
		for (; i < whole; i++)
			emit(to, i, load(w + i), 8, form, ring);
	} else if (whole > 0) {
		uint64_t x = load(w), y, z;

		if (form == STORE_WIRE && !ring && LITTLE) {
			for (; i + 2 <= whole; i += 2, x = z) {
				y = load(w + i + 1);
				z = load(w + i + 2);
				emit_pair(to, i, x >> down | y << up,
				    y >> down | z << up);
			}
		}
		for (; i < whole; i++, x = y) {
			y = load(w + i + 1);
			emit(to, i, x >> down | y << up, 8, form, ring);
		}
	}
	if (rest) {
		emit(to, whole, group(side, r, whole), (rest + 7) / 8, form,
		    ring);
	}
}

/* Registers have four places in a word; a shift that the compiler knows is
 * worth a third of the time. */
ALWAYS_INLINE void
copy_out(const _Atomic uint64_t *side, const struct store_run *r, void *to,
    enum store_form form, bool ring)
{
	switch (form != STORE_BITS ? r->shift : BITS) {
	case 0:
		copy_out_by(side, r, to, form, ring, 0);
		break;
	case 16:
		copy_out_by(side, r, to, form, ring, 16);
		break;
	case 32:
		copy_out_by(side, r, to, form, ring, 32);
		break;
	case 48:
		copy_out_by(side, r, to, form, ring, 48);
		break;
	default:
		copy_out_by(side, r, to, form, ring, r->shift);
		break;
	}
}

void
store_copy_out(
    const _Atomic uint64_t *side, const struct store_run *r, uint8_t *out)
{
	switch (r->form) {
	case STORE_WIRE:
		copy_out(side, r, out, STORE_WIRE, false);
		break;
	case STORE_HOST:
		copy_out(side, r, out, STORE_HOST, false);
		break;
	case STORE_BITS:
		copy_out(side, r, out, STORE_BITS, false);
		break;
	}
}

void
store_copy_log(const _Atomic uint64_t *side, const struct store_run *r,
    _Atomic uint64_t *words)
{
	if (r->form != STORE_BITS)
		copy_out(side, r, words, STORE_WIRE, true);
	else
		copy_out(side, r, words, STORE_BITS, true);
}

/* Replaces the bits of *w that mask names. */
ALWAYS_INLINE void
merge(_Atomic uint64_t *w, uint64_t v, uint64_t mask)
{
	store(w, (load(w) & ~mask) | (v & mask));
}

ALWAYS_INLINE void
copy_in(_Atomic uint64_t *side, const struct store_run *r, const uint8_t *in,
    enum store_form form)
{
	_Atomic uint64_t *w = side + r->word;
	uint32_t whole = r->bits / BITS, rest = r->bits % BITS;
	uint32_t up = r->shift, down = BITS - r->shift;
	uint64_t x, carry = 0, kept;

	if (up == 0) {
		for (uint32_t i = 0; i < whole; i++)
			store(w + i, wire_group(r, in, i, form));
		if (rest) {
			x = wire_group(r, in, whole, form);
			merge(w + whole, x, low_bits(rest));
		}
		return;
	}
	/* each word takes the end of one group and the start of the next */
	kept = low_bits(up);
	carry = load(w) & kept;
	for (uint32_t i = 0; i < whole; i++) {
		x = wire_group(r, in, i, form);
		store(w + i, carry | x << up);
		carry = x >> down;
	}
	x = rest ? wire_group(r, in, whole, form) : 0;
	if (up + rest <= BITS) {
		merge(w + whole, carry | x << up, low_bits(up + rest));
		return;
	}
	store(w + whole, carry | x << up);
	merge(w + whole + 1, x >> down, low_bits(up + rest - BITS));
}

void
store_copy_in(
    _Atomic uint64_t *side, const struct store_run *r, const uint8_t *in)
{
	switch (r->form) {
	case STORE_WIRE:
		copy_in(side, r, in, STORE_WIRE);
		break;
	case STORE_HOST:
		copy_in(side, r, in, STORE_HOST);
		break;
	case STORE_BITS:
		copy_in(side, r, in, STORE_BITS);
		break;
	}
}

void
store_copy_mask(_Atomic uint64_t *side, const struct store_run *r,
    uint16_t and_mask, uint16_t or_mask)
{
	_Atomic uint64_t *w = side + r->word;
	uint64_t reg = 0xffffull << r->shift;
	uint64_t keep = (uint64_t)and_mask << r->shift;
	uint64_t set = (uint64_t)or_mask << r->shift;

	merge(w, (load(w) & keep) | (set & ~keep), reg);
}

bool
store_copy_equal(
    const _Atomic uint64_t *side, const struct store_run *r, const uint8_t *in)
{
	uint64_t differ = 0;

	for (uint32_t i = 0; i < groups_of(r); i++)
		differ |= group(side, r, i) ^ wire_group(r, in, i, r->form);
	return differ == 0;
}

bool
store_copy_same(const _Atomic uint64_t *a, const _Atomic uint64_t *b,
    const struct store_run *r)
{
	uint32_t n = words_of(r), end = (r->shift + r->bits - 1) % BITS + 1;
	uint64_t differ = 0, first = ~(uint64_t)0 << r->shift;

	a += r->word;
	b += r->word;
	for (uint32_t i = 0; i + 1 < n; i++) {
		differ |= (load(a + i) ^ load(b + i)) & first;
		first = ~(uint64_t)0;
	}
	differ |= (load(a + n - 1) ^ load(b + n - 1)) & first & low_bits(end);
	return differ == 0;
}

void
store_copy_words(_Atomic uint64_t *to, const _Atomic uint64_t *from,
    const struct store_run *r)
{
	for (uint32_t i = 0, n = words_of(r); i < n; i++)
		store(to + r->word + i, load(from + r->word + i));
}
