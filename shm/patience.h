/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_PATIENCE_H
#define SHM_PATIENCE_H

/*
 * How long one process waits for another: what the supervisor's verdicts and
 * the waits of those whom it judges must agree on.
 */

enum {
	/* the supervisor looks so often */
	PATIENCE_LOOK_MS = 100,
	/* looks over which a device may be held unmoved */
	PATIENCE_HOLDS = 2,
	/* the longest that one request may take; more is a hang */
	PATIENCE_REQUEST_MS = 500,
	/* a writer waits so long for a device; and if that was in vain, no
	 * longer than this for the same one for a while, since the clients of
	 * other devices wait with it */
	PATIENCE_WRITE_MS = 350,
	PATIENCE_WRITE_AGAIN_MS = 1,
	PATIENCE_AGAIN_MS = 10000,
	/* a request waits so long at most for what another process does to the
	 * values that it reads; and if that was in vain, no request of the same
	 * worker waits for it again for so many times as long */
	PATIENCE_ACTION_MAX_MS = 400,
	PATIENCE_ACTION_AGAIN = 10,
	/* so long those who have lost their maker may take to end */
	PATIENCE_ORPHANS_MS = 3000,
	/* a loop shows that it is alive, so many times in hang_timeout_ms; and
	 * the bounds of that, and of hang_timeout_ms */
	PATIENCE_BEATS = 4,
	PATIENCE_BEAT_MIN_MS = 20,
	PATIENCE_BEAT_MAX_MS = 500,
	PATIENCE_HANG_MIN_MS = 100,
};

_Static_assert(PATIENCE_WRITE_MS > (PATIENCE_HOLDS + 1) * PATIENCE_LOOK_MS,
    "a writer outlasts the ending of an owner that has stopped");
_Static_assert(PATIENCE_WRITE_MS + PATIENCE_LOOK_MS < PATIENCE_REQUEST_MS,
    "a writer that waits is not taken for hung");
_Static_assert(PATIENCE_ACTION_MAX_MS + PATIENCE_LOOK_MS <= PATIENCE_REQUEST_MS,
    "nor is a request that waits for an action");
_Static_assert(PATIENCE_BEAT_MIN_MS *PATIENCE_BEATS <= PATIENCE_HANG_MIN_MS,
    "a loop that does nothing beats often enough");

#endif
