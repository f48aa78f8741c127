/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seed of a kill harness. One place says where it comes from, so that one
 * variable replays all of them.
 */
#include "tests/lib/torture_seed.h"

#include <stdlib.h>
#include <time.h>

uint64_t
torture_seed(void)
{
	const char *said = getenv("HOLDFAST_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seed = said != NULL
	    ? strtoull(said, NULL, 10)
	    : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	seed &= 0x7fffffff;
	return seed != 0 ? seed : 1;
}
