/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_FINDING_H
#define TESTS_LIB_TORTURE_FINDING_H

/*
 * Findings of a kill harness: each kind is told a few times, with what replays
 * it, and counted.
 */

#include <stdbool.h>

enum { FINDING_KINDS = 24 };

struct point { /* of what a kill harness looks at, so as to replay it */
	const char *program;
	const char *mode, *request; /* NULL: it has but one */
	const char *chain; /* else: */
	long at;
};

struct findings {
	long points, bad_points;
	bool bad; /* the point in hand */
	const char *what[FINDING_KINDS];
	long times[FINDING_KINDS];
};

/* Something is wrong with the point in hand; what: words that stay. */
void finding_add(struct findings *, const struct point *, const char *what);

/* The point in hand is done. */
void finding_next(struct findings *);

/* Prints how many there were. */
void finding_sum(const struct findings *);

#endif
