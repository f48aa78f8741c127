/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_REF_MODEL_H
#define TESTS_LIB_REF_MODEL_H

/*
 * A second opinion on what a Modbus server answers: small, slow, and written
 * from the standard's tables alone, sharing nothing with workers/proto. It
 * knows the function codes on data and the rules that hold for all; of the
 * others it knows only whether they are answered.
 */

#include <stdbool.h>
#include <stdint.h>

enum { REF_BITS = 2100, REF_REGS = 300, REF_FILES = 2, REF_RECORDS = 300 };
enum { REF_OTHER = -1 }; /* a function code that it has no opinion on */

struct ref {
	uint8_t co[REF_BITS], di[REF_BITS];
	uint16_t hr[REF_REGS], ir[REF_REGS];
	uint16_t file[REF_FILES][REF_RECORDS];
	uint16_t fifo[2][31];
	uint8_t fifo_n[2];
	bool read_only, listening;
};

/* The reply to a request of 1..253 bytes: its length, 0 for none, REF_OTHER
 * for one that it only knows there is one. */
int ref_serve(
    struct ref *r, bool broadcast, const uint8_t *p, int len, uint8_t *out);

#endif
