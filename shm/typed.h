/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_TYPED_H
#define SHM_TYPED_H

/*
 * Values wider or other than a register: how they lie in registers. The order
 * names the bytes a (highest) to d of a 32-bit value as they follow each other
 * on the wire: abcd big-endian, cdab words swapped, badc bytes swapped within
 * words, dcba little-endian; 64-bit values likewise by words and bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum typed_type {
	TYPED_UINT16,
	TYPED_INT16,
	TYPED_UINT32,
	TYPED_INT32,
	TYPED_UINT64,
	TYPED_INT64,
	TYPED_FLOAT32,
	TYPED_FLOAT64,
	TYPED_STRING, /* two characters a register, padded with NUL */
	TYPED_BITS, /* one bit a value: coils and discrete inputs */
	TYPED_TYPES
};

enum typed_order {
	TYPED_ABCD,
	TYPED_BADC,
	TYPED_CDAB,
	TYPED_DCBA,
	TYPED_ORDERS
};

/* A value of one of the types; strings and bits are not held here. */
struct typed_value {
	enum typed_type type;
	union {
		uint64_t u; /* the unsigned types */
		int64_t i; /* the signed types */
		double f; /* the floating types */
	};
};

/* Names as the configuration has them ("uint16", "abcd"); -1 if unknown. */
int typed_type_find(const char *name);
int typed_order_find(const char *name);
const char *typed_type_name(enum typed_type);
const char *typed_order_name(enum typed_order);

/* Registers that one value takes: 1, 2 or 4; 1 for strings and bits. */
unsigned typed_regs(enum typed_type);

/* Reads one value from wire bytes (2 * typed_regs of them). */
void typed_get(enum typed_type, enum typed_order, const uint8_t *wire,
    struct typed_value *);

/* Writes one value as wire bytes. -1 with errno ERANGE if an integer does not
 * fit its type, or a finite number is too large for float32. */
int typed_put(enum typed_type, enum typed_order, const struct typed_value *,
    uint8_t *wire);

/* The shortest decimal text that reads back as the same value of the type:
 * 404.17 for a float32, not 404.17000000000002. Returns its length. */
int typed_text(const struct typed_value *, char *buf, size_t size);

#endif
