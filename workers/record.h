/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_RECORD_H
#define WORKERS_RECORD_H

/*
 * Frames as they come and go, into the ring of the worker's segment, where they
 * outlive it (shm/trace.h).
 */

#include "workers/worker.h"

/* Whether frames are to be recorded; may change at any time. */
static inline bool
record_on(const struct worker *w)
{
	return atomic_load_explicit(&w->shm->trace_on, memory_order_relaxed) !=
	    0;
}

/* Records one frame, to or from the peer of c. */
void record_frame(struct worker *, const struct shm_conn *c, bool sent,
    uint8_t unit, const uint8_t *adu, size_t len);

#endif
