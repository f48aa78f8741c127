/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_VALUES_H
#define HOLDFAST_VALUES_H

/*
 * Reading and writing the registers of a device: part of holdfast.h. Values,
 * addresses and errno are as store.h says.
 */

#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As function code fc reads and writes it (1, 5, 15: coils; 2: discrete
 * inputs; 3, 6, 16, 22, 23: holding registers; 4: input registers), but the
 * program may write all of them, and more at once: whole tables are read, 4096
 * registers or 65536 bits written by one call (EINVAL). 0, or -1. Here and
 * below a count of 0 is EINVAL. What is written to durable ranges of a daemon's
 * store is waited for until it is on the disk; EIO if it cannot be. */
int hf_get_values(struct hf_device *, unsigned fc, uint32_t addr,
    uint32_t count, uint16_t *values);
int hf_set_values(struct hf_device *, unsigned fc, uint32_t addr,
    uint32_t count, const uint16_t *values);

/* How often clients have read and written each of the addresses, modulo 2^32;
 * zeros where the device does not count (hf_device_count(), "counters" in a
 * configuration, any simulator's). A request counts once for each register,
 * function codes 22 and 23 as both, reads and writes; of bits sixteen in a row
 * have one count, to which each bit that is written adds one. The program's own
 * calls count nothing. reads or writes may be NULL. */
int hf_get_counts(struct hf_device *, enum hf_table, uint32_t addr,
    uint32_t count, uint32_t *reads, uint32_t *writes);

/* Values of a type, n of them from addr on. ERANGE: one does not fit, and
 * hf_error() says which; EINVAL: n is 0. */
int hf_get_doubles(struct hf_device *, enum hf_table, uint32_t addr,
    enum hf_type, enum hf_order, size_t n, double *values);
int hf_set_doubles(struct hf_device *, enum hf_table, uint32_t addr,
    enum hf_type, enum hf_order, size_t n, const double *values);
int hf_get_integers(struct hf_device *, enum hf_table, uint32_t addr,
    enum hf_type, enum hf_order, size_t n, int64_t *values);
int hf_set_integers(struct hf_device *, enum hf_table, uint32_t addr,
    enum hf_type, enum hf_order, size_t n, const int64_t *values);

/* Text of 2 * count bytes at most, in registers; shorter text is padded. buf
 * gets it with a NUL behind it: size > 2 * count. */
int hf_get_text(struct hf_device *, enum hf_table, uint32_t addr,
    uint32_t count, char *buf, size_t size);
int hf_set_text(struct hf_device *, enum hf_table, uint32_t addr,
    uint32_t count, const char *text);

/* The first value of the range of a name, in its type, times its scale; what is
 * set is rounded for an integer type. (The commands of holdfast and holdfast.py
 * tell what stands in the registers, without the scale.) ENOENT: there is no
 * such name; EINVAL: it is NULL. */
int hf_get(struct hf_device *, const char *name, double *value);
int hf_set(struct hf_device *, const char *name, double value);

enum hf_op { HF_READ, HF_WRITE, HF_MASK, HF_CHECK };

/* What a transaction consists of. */
struct hf_step {
	enum hf_op op;
	enum hf_table table;
	uint32_t addr, count; /* HF_MASK: one register */
	uint16_t *values; /* read into; written; compared */
	uint16_t and_mask, or_mask; /* (old & and) | (or & ~and) */
};

/* Carries out 1 to 64 steps as one, in order, if all checks hold against the
 * values before it. ECANCELED: one does not. seq, unless NULL, gets the number
 * of the commit. */
int hf_transact(struct hf_device *, struct hf_step *, size_t n, uint64_t *seq);

#ifdef __cplusplus
}
#endif

#endif
