/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_COPY_H
#define SHM_STORE_COPY_H

/*
 * Between the forms that registers and bits have outside and the 64-bit words
 * that hold them. Address n of an extent lies in the words behind the extent's
 * first one, from the lowest bit up: four registers a word, or 64 bits. So a
 * bit table can be laid over the words of a register table. All of it is
 * shifts; words are accessed by relaxed 64-bit loads and stores only, so a copy
 * may run beside a writer and is judged by the caller's look at seq.
 */

#include <stdbool.h>
#include <stdint.h>

/* How the bytes outside of a side follow each other. */
enum store_form {
	STORE_BITS, /* the lowest bit first */
	STORE_WIRE, /* registers, high byte first */
	STORE_HOST, /* registers as uint16_t of this machine */
};

/* A run of bits within one side. It lies wholly inside the side. */
struct store_run {
	uint32_t word; /* the first one that it touches */
	uint32_t shift; /* where in it */
	uint32_t bits; /* at least 1 */
	enum store_form form;
};

/* Copies the run out in its form. Loads no word that the run lacks. */
void store_copy_out(
    const _Atomic uint64_t *side, const struct store_run *, uint8_t *out);

/* The same in wire form, as whole words into a ring: (bits + 63) / 64. */
void store_copy_log(const _Atomic uint64_t *side, const struct store_run *,
    _Atomic uint64_t *words);

/* Takes the run in from its form; its neighbours keep their values. */
void store_copy_in(
    _Atomic uint64_t *side, const struct store_run *, const uint8_t *in);

/* FC 22 on the run's one register: (old AND and) OR (or AND NOT and). */
void store_copy_mask(_Atomic uint64_t *side, const struct store_run *,
    uint16_t and_mask, uint16_t or_mask);

/* True if the run holds what `in` says in its form. */
bool store_copy_equal(
    const _Atomic uint64_t *side, const struct store_run *, const uint8_t *in);

/* True if the run is the same on both sides. */
bool store_copy_same(const _Atomic uint64_t *a, const _Atomic uint64_t *b,
    const struct store_run *);

/* Brings the run's words on one side into line with the other side's. */
void store_copy_words(_Atomic uint64_t *to, const _Atomic uint64_t *from,
    const struct store_run *);

#endif
