/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>
#include <stdbool.h>
#include <time.h>

/* Runs a suite; the result is main's. */
static inline int
suite_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

/* True until `ms` have passed since the first call with this clock, which
 * starts as 0: for tests that go on for a while rather than so many times. */
static inline bool
suite_while(long *clock, long ms)
{
	struct timespec t;
	long now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (*clock == 0)
		*clock = now;
	return now - *clock < ms;
}

#endif
