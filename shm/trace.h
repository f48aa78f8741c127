/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_TRACE_H
#define SHM_TRACE_H

/*
 * The last frames of a worker, in its segment, where they outlive it. Off
 * unless asked for (shm_worker.trace_on).
 */

#include <stdbool.h>

#include "shm/layout_worker.h"

/* One frame. Written by the worker, read by anybody. */
struct trace_frame {
	uint64_t unix_us;
	uint64_t conn; /* serial of the connection */
	uint8_t sent; /* 0 it came in, 1 it went out */
	uint8_t unit;
	uint16_t len; /* bytes of adu */
	uint32_t spare;
	uint8_t adu[BATCH_IN];
};

/* Appends a frame of len bytes (cut at BATCH_IN). */
void trace_put(struct shm_ring *, uint64_t unix_us, uint64_t conn, bool sent,
    uint8_t unit, const uint8_t *adu, size_t len);

/* The next frame at *pos: 1 one, 0 none, -1 some were overwritten. */
int trace_next(const struct shm_ring *, uint64_t *pos, struct trace_frame *);

#endif
