/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The frame trace: written by a worker into its own segment, read by the
 * control process, also after the worker's death. Never blocks.
 */

#include "shm/trace.h"

#include <stddef.h>

#include "shm/ring.h"
#include "shm/seg.h"

enum { FIXED = offsetof(struct trace_frame, adu) };

void
trace_put(struct shm_ring *r, uint64_t unix_us, uint64_t conn, bool sent,
    uint8_t unit, const uint8_t *adu, size_t len)
{
	struct trace_frame f;
	struct iovec piece[2];

	if (len > BATCH_IN)
		len = BATCH_IN;
	/* not initialised as a whole: its buffer is large */
	f.unix_us = unix_us;
	f.conn = conn;
	f.sent = sent;
	f.unit = unit;
	f.len = (uint16_t)len;
	f.spare = 0;
	piece[0] = (struct iovec){ .iov_base = &f, .iov_len = FIXED };
	piece[1] = (struct iovec){
		.iov_base = (void *)(uintptr_t)adu,
		.iov_len = len,
	};
	ring_put(r, seg_trace_bytes(r), piece, 2);
}

int
trace_next(const struct shm_ring *r, uint64_t *pos, struct trace_frame *f)
{
	int len = ring_get(r, seg_trace_bytes(r), pos, f, sizeof(*f));

	if (len <= 0)
		return len;
	if (len < FIXED)
		return -1;
	f->len = (uint16_t)(len - FIXED);
	return 1;
}
