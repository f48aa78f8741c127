/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_SEED_H
#define TESTS_LIB_TORTURE_SEED_H

#include <stdint.h>

/* What a harness draws from unless its command line says: $HOLDFAST_SEED, which
 * tests/run.py sets and tells, else another one each time; never 0, and below
 * 2^31. */
uint64_t torture_seed(void);

#endif
