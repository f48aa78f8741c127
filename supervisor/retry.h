/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RETRY_H
#define SUPERVISOR_RETRY_H

/*
 * How long to wait before a child that died is born again: not at all after
 * the first two deaths in a row, then min_ms, then five times as long each
 * time up to max_ms, which may be 0. A gateway in the field must not give up,
 * so by default it never does. No clock, no memory of its own.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
	RETRY_SUSPECTED = 8, /* deaths by requests that wait for nothing */
	RETRY_KEPT = 100, /* deaths whose times are kept */
	RETRY_GIVE_UP = -1,
};

struct retry_limits {
	unsigned min_ms, max_ms; /* of the delays that are any */
	unsigned max_in_window; /* more deaths than this: give up; 0: never */
	unsigned window_s; /* so long without a death ends a row, too */
};

struct retry {
	unsigned row; /* deaths since it was last calm */
	unsigned suspected; /* those besides that some request has caused */
	unsigned next; /* where in at_ms the next one goes */
	unsigned kept;
	uint64_t at_ms[RETRY_KEPT];
};

/*
 * Notes a death at now_ms (any steady clock) and returns the milliseconds to
 * wait, or RETRY_GIVE_UP. random: any 32 random bits, for +-20 % of jitter.
 * suspected: somebody has asked for what it died of. Who asks so is kept out
 * soon, so all others need not wait for that, up to RETRY_SUSPECTED times.
 */
int64_t retry_next(struct retry *, const struct retry_limits *, bool suspected,
    uint64_t now_ms, uint32_t random);

/* It has lived for the window, or an operator starts it afresh. */
void retry_calm(struct retry *);

#endif
