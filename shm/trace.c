/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The frame trace: written by a worker into its own segment, read by the
 * control process, also after the worker's death. Never blocks.
 */

#include "shm/trace.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "shm/ring.h"
#include "shm/seg.h"

enum {
	WORD = 8,
	HEAD = sizeof(struct trace_head) / WORD,
	LITTLE = __BYTE_ORDER == __LITTLE_ENDIAN,
};

_Static_assert(sizeof(struct trace_head) == 32, "whole words");

/* Bytes that a peer takes in a record. */
static inline size_t
peer_bytes(size_t len)
{
	return (len + WORD - 1) & ~(size_t)(WORD - 1);
}

/* A field of so many bits where it lies in a word of memory. */
static inline uint64_t
field(uint64_t v, unsigned at, unsigned bits)
{
	return v << (LITTLE ? at : 64 - at - bits);
}

static inline void
word(_Atomic uint64_t *to, uint64_t v)
{
	atomic_store_explicit(to, v, memory_order_relaxed);
}

/* The head, word by word. It has just been written, field by field; so it is
 * read (see ring_bytes()). */
static inline void
put_head(_Atomic uint64_t *to, const volatile struct trace_head *h, size_t len)
{
	word(to, h->unix_us);
	word(to + 1, h->conn);
	word(to + 2, field(h->us, 0, 32) | field(h->request, 32, 32));
	word(to + 3,
	    field(len, 0, 16) | field(h->port, 16, 16) |
		field(h->flags, 32, 8) | field(h->framer, 40, 8) |
		field(h->unit, 48, 8) | field(h->peer_len, 56, 8));
}

/* The peer, as nearly all of them are: an address. */
static inline void
put_peer(_Atomic uint64_t *to, const void *peer, size_t len)
{
	uint32_t v4;

	if (len == sizeof(v4)) {
		memcpy(&v4, peer, sizeof(v4));
		word(to, field(v4, 0, 32));
	} else if (len != 0) {
		word(to + (len - 1) / WORD, 0);
		ring_bytes(to, 0, peer, len);
	}
}

void
trace_write(struct shm_ring *r, uint32_t size, const struct trace_head *h,
    const void *peer, const uint8_t *adu)
{
	size_t len = h->len < BATCH_IN ? h->len : BATCH_IN;
	size_t front = sizeof(*h) + peer_bytes(h->peer_len);
	uint64_t end;
	_Atomic uint64_t *to = ring_begin(r, size, front + len, &end);

	if (to == NULL)
		return;
	put_head(to, h, len);
	put_peer(to + HEAD, peer, h->peer_len);
	ring_bytes(to, front, adu, len);
	ring_publish(r, size, end);
}

uint64_t
trace_put(struct shm_ring *r, const struct trace_head *h, const void *peer,
    const uint8_t *adu)
{
	uint64_t pos = ring_end(r);

	trace_write(r, seg_trace_bytes(r), h, peer, adu);
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
