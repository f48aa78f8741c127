/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_FUZZ_FRAME_H
#define TESTS_LIB_FUZZ_FRAME_H

/*
 * What holds for every framer and every input: nothing is read outside, what
 * is found is a frame that survives sealing, and a stream gives the same
 * frames whole and in pieces.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/proto/frame.h"

#define HOLDS(cond)                                                   \
	do {                                                          \
		if (!(cond)) {                                        \
			fprintf(stderr, "%s:%d: does not hold: %s\n", \
			    __FILE__, __LINE__, #cond);               \
			abort();                                      \
		}                                                     \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* data: delimiter, seed of the pieces, then the stream. Where other stations'
 * replies are stepped over, pieces may differ: see frame_rtu.c. */
void fuzz_framer(const struct framer *fr, const uint8_t *data, size_t size);

#endif
