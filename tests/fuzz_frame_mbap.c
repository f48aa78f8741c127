/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes to the framer frame_mbap.
 *
 * Needs: tests/lib/fuzz_frame.c
 */

#include "tests/lib/fuzz_frame.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_framer(&frame_mbap, data, size);
	return 0;
}
