/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_COUNTERS_H
#define CONTROL_COUNTERS_H

/*
 * Every counter that the daemon keeps, by name, for stats.get and /metrics: a
 * row each, so that neither knows one that the other does not.
 */

#include "control/state.h"

struct counter {
	const char *name;
	size_t at; /* an _Atomic uint64_t, as an offset in its struct */
	bool now; /* a number of now, which may fall */
	const char *help;
};

/* Of a worker, in struct shm_stats, beside requests and exceptions; and of a
 * process that serves commands, in struct shm_door. End with a NULL name. */
extern const struct counter counters_worker[];
extern const struct counter counters_door[];

enum { COUNTERS_MAX = 48 };

/* One transport: the sums over its workers. */
struct counters {
	uint64_t requests[SHM_FC], exceptions[SHM_EX];
	uint64_t plain[COUNTERS_MAX]; /* as counters_worker has them */
	uint64_t durations[SHM_DURATIONS], duration_ns;
};

/* Adds up what a transport's workers have counted. */
void counters_sum(struct control *, unsigned transport, struct counters *);

/* The upper bound of a class of durations, in seconds: "0.001", "+Inf". */
enum { COUNTERS_LE = 24 };
const char *counters_le(unsigned i, char text[COUNTERS_LE]);

/* One of a struct. */
uint64_t counters_load(const void *in, const struct counter *);

/* The processes that serve commands: their slot, or -1. */
int counters_slot(const struct control *, const char *name);

#endif
