/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_RTU_H
#define TESTS_BENCH_RTU_H

/*
 * What the bare RTU server and its load generator agree on: characters of 11
 * bits, and how long a line must be silent.
 */

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { RTU_ADU_MAX = 256, RTU_CHAR_BITS = 11 };

/* t3.5 (Serial Line V1.02, 2.5.1.1), in nanoseconds. */
static inline uint64_t
rtu_silence_ns(unsigned baud)
{
	if (baud > 19200)
		return 1750000;
	return 3500000000ull * RTU_CHAR_BITS / baud;
}

/* True if there is something to read before so many nanoseconds are over. */
static inline bool
rtu_wait(int fd, uint64_t ns)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000) };

	return ppoll(&pfd, 1, &ts, NULL) == 1;
}

/* The kernel may otherwise let timers run late by 50 us, to save wake-ups. */
static inline void
rtu_punctual(void)
{
	prctl(PR_SET_TIMERSLACK, 1);
}

#endif
