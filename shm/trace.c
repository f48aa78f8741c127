/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The frame trace: written by a worker into its own segment, read by the
 * control process, also after the worker's death. Never blocks.
 */

#include "shm/trace.h"

#include <stddef.h>
#include <string.h>

#include "shm/ring.h"
#include "shm/seg.h"

enum { WORD = 8 };

_Static_assert(sizeof(struct trace_head) == 32, "whole words");

/* Bytes that a peer takes in a record. */
static size_t
peer_bytes(size_t len)
{
	return (len + WORD - 1) & ~(size_t)(WORD - 1);
}

uint64_t
trace_put(struct shm_ring *r, const struct trace_head *given, const void *peer,
    const uint8_t *adu)
{
	uint64_t pos = ring_end(r);
	struct {
		struct trace_head head;
		uint8_t peer[CONN_PEER_MAX];
	} front;
	size_t peer_len = peer_bytes(given->peer_len);
	struct iovec piece[2];

	front.head = *given;
	if (front.head.len > BATCH_IN)
		front.head.len = BATCH_IN;
	if (peer_len > 0) {
		memset(front.peer + peer_len - WORD, 0, WORD);
		memcpy(front.peer, peer, given->peer_len);
	}
	piece[0] = (struct iovec){
		.iov_base = &front,
		.iov_len = sizeof(front.head) + peer_len,
	};
	piece[1] = (struct iovec){
		.iov_base = (void *)(uintptr_t)adu,
		.iov_len = front.head.len,
	};
	ring_put(r, seg_trace_bytes(r), piece, 2);
	return pos;
}

/* A record as it lies there: bytes from outside, whose lengths must fit. */
static bool
take_apart(struct trace_frame *f, const uint8_t *raw, size_t len)
{
	size_t peer_len;

	if (len < sizeof(f->head))
		return false;
	memcpy(&f->head, raw, sizeof(f->head));
	peer_len = peer_bytes(f->head.peer_len);
	if (f->head.peer_len > sizeof(f->peer) || f->head.len > BATCH_IN ||
	    len != sizeof(f->head) + peer_len + f->head.len)
		return false;
	memcpy(f->peer, raw + sizeof(f->head), f->head.peer_len);
	memcpy(f->adu, raw + sizeof(f->head) + peer_len, f->head.len);
	return true;
}

int
trace_next(const struct shm_ring *r, uint64_t *pos, struct trace_frame *f)
{
	uint8_t raw[sizeof(*f)];
	int len = ring_get(r, seg_trace_bytes(r), pos, raw, sizeof(raw));

	if (len <= 0)
		return len;
	return take_apart(f, raw, (size_t)len) ? 1 : -1;
}

int
trace_peek(const struct shm_ring *r, uint64_t *pos, uint64_t *end,
    struct trace_head *head)
{
	int len;

	if (*pos == 0)
		*pos = atomic_load_explicit(&r->oldest, memory_order_relaxed);
	*end = *pos;
	len = ring_get(r, seg_trace_bytes(r), end, head, sizeof(*head));
	if (len < 0) {
		*pos = *end;
		return -1;
	}
	return len == 0 ? 0 : len == sizeof(*head) ? 1 : -1;
}
