/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_API_VALUES_H
#define SUPERVISOR_API_VALUES_H

/*
 * Between the files that implement holdfast/values.h: values in the forms that
 * the store has them in.
 */

#include "supervisor/api/api.h"

enum {
	API_REG_BYTES = 2,
	API_ADDRESSES = 65536, /* of a table */
	API_NS_PER_MS = 1000000,
};

/* Either's: their numbers are the same. */
static inline bool
api_is_bits(unsigned table)
{
	return table == STORE_CO || table == STORE_DI;
}

/* Reads into the wire's form, or that of the host (store.h); bits packed. 0, or
 * -1 after api_fail(). */
int api_get(struct hf_device *, enum store_table, uint32_t addr, uint32_t count,
    void *out, bool host);

/* Carries out steps in the form `host` says (store.h), as this program's next
 * operation. 0, or -1 after api_fail(). */
int api_apply(struct hf_device *, const struct store_step *, unsigned n,
    bool host, uint64_t *seq);

/* 0, or -1 after api_fail() with what an rc means; and ESTALE. */
int api_result(const struct hf_device *, enum store_rc);
int api_gone_fail(const struct hf_device *);

/* Bits between a uint16_t each and the form that they travel in. */
void api_pack(const uint16_t *values, uint32_t count, uint8_t *packed);
void api_unpack(const uint8_t *packed, uint32_t count, uint16_t *values);

#endif
