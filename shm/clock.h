/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_CLOCK_H
#define SHM_CLOCK_H

/* What time it is. No system call. */

#include <stdint.h>
#include <time.h>

/* Monotonic, the same in every process; for waits, beats and ages. */
static inline uint64_t
clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Unix time; for people. */
static inline uint64_t
clock_unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

#endif
