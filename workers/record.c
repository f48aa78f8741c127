/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames into the trace of a worker. Runs in the workers; never blocks,
 * allocates nothing.
 */
#include "workers/record.h"

#include <time.h>

#include "shm/trace.h"

void
record_frame(struct worker *w, const struct shm_conn *c, bool sent,
    uint8_t unit, const uint8_t *adu, size_t len)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	trace_put(seg_trace(w->shm),
	    (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000,
	    atomic_load_explicit(&c->serial, memory_order_relaxed), sent, unit,
	    adu, len);
}
