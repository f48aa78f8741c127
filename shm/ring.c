/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rings of records in shared memory: the events of a device, the notices of a
 * slot, the trace of a worker. Runs in every process; the writer of a ring is
 * whoever owns the device or occupies the slot. Never blocks, never allocates.
 */

#include "shm/ring.h"

#include <stdbool.h>
#include <string.h>

enum { WORD = 8, AHEAD = 16 /* so much of a ring is kept free */ };

static uint64_t
load(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void
store(_Atomic uint64_t *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

/* Bytes that a record of len takes, its header included. */
static uint64_t
record_bytes(uint32_t len)
{
	return WORD + (((uint64_t)len + WORD - 1) & ~(uint64_t)(WORD - 1));
}

/* Where the record behind the one at pos starts; `limit` if what stands there
 * cannot be a record. */
static inline uint64_t
next_record(
    const _Atomic uint64_t *data, uint32_t size, uint64_t pos, uint64_t limit)
{
	uint32_t off = pos & (size - 1);
	uint32_t len = (uint32_t)load(data + off / WORD);

	if (len == RING_SKIP)
		return pos + (size - off);
	if (len > size / 2 || off + record_bytes(len) > size)
		return limit;
	return pos + record_bytes(len);
}

/* By how much a is behind b; less than 0: it is not. Positions are anybody's
 * who may write to the ring, so they may be about to wrap. */
static inline int64_t
behind(uint64_t a, uint64_t b)
{
	return (int64_t)(b - a);
}

/*
 * Gives up the records that a write up to `end` will overwrite, and one more as
 * long as fewer than `ahead` bytes are free: where they are one out, one in,
 * its length is the only one that is looked at, and has been fetched.
 */
static inline void
retire(const _Atomic uint64_t *data, uint32_t size, _Atomic uint64_t *oldest,
    uint64_t pos, uint64_t end, uint32_t ahead)
{
	uint64_t was = load(oldest), o = was;

	if (pos - o > size || o % WORD != 0)
		o = pos;
	while (behind(o, end) > size)
		o = next_record(data, size, o, pos);
	if (behind(o, end + ahead) > size && behind(o, pos) > 0)
		o = next_record(data, size, o, pos);
	if (o != was)
		store(oldest, o);
	/* who sees what is written from here on sees the new oldest, too */
	atomic_thread_fence(memory_order_release);
}

static inline _Atomic uint64_t *
room(_Atomic uint64_t *data, uint32_t size, _Atomic uint64_t *oldest,
    uint64_t *pos, uint32_t len, uint32_t ahead)
{
	uint64_t start = *pos & ~(uint64_t)(WORD - 1);
	uint32_t off = start & (size - 1);
	uint64_t need = record_bytes(len);
	bool skip = off + need > size;
	uint64_t end = start + need + (skip ? size - off : 0);

	if (need > size / 2)
		return NULL;
	retire(data, size, oldest, start, end, ahead);
	if (skip) {
		store(data + off / WORD, RING_SKIP);
		off = 0;
	}
	store(data + off / WORD, len);
	*pos = end;
	return data + off / WORD + 1;
}

_Atomic uint64_t *
ring_room(_Atomic uint64_t *data, uint32_t size, _Atomic uint64_t *oldest,
    uint64_t *pos, uint32_t len)
{
	return room(data, size, oldest, pos, len, 0);
}

static void
copy_out(uint8_t *buf, const _Atomic uint64_t *data, uint32_t off, uint32_t len)
{
	for (uint32_t i = 0; i < len; i += WORD) {
		uint64_t w = load(data + (off + i) / WORD);

		memcpy(buf + i, &w, len - i < WORD ? len - i : WORD);
	}
}

int
ring_read(const _Atomic uint64_t *data, uint32_t size,
    const _Atomic uint64_t *oldest, uint64_t head, uint64_t *pos, void *buf,
    size_t cap)
{
	uint64_t p = *pos ? *pos : load(oldest);
	uint32_t off = 0, len = 0, take;
	uint64_t o;

	if (p == head) {
		*pos = p;
		return 0;
	}
	if (p < head && head - p <= size && p % WORD == 0) {
		off = p & (size - 1);
		len = (uint32_t)load(data + off / WORD);
		if (len == RING_SKIP) {
			p += size - off;
			off = 0;
			len = (uint32_t)load(data);
		}
	}
	take = len < cap ? len : (uint32_t)cap;
	if (off + record_bytes(take) <= size)
		copy_out(buf, data, off + WORD, take);
	atomic_thread_fence(memory_order_acquire);
	o = load(oldest);
	if (p < o || p >= head || head - p > size || p % WORD != 0 ||
	    len > size / 2 || p + record_bytes(len) > head) {
		/* overwritten meanwhile, or damaged: then nothing is left */
		*pos = *pos < o && o < head ? o : head;
		return -1;
	}
	*pos = p + record_bytes(len);
	return (int)take;
}

/* The data of a ring lie behind it. */
static _Atomic uint64_t *
data_of(struct shm_ring *r)
{
	return (_Atomic uint64_t *)(r + 1);
}

static const _Atomic uint64_t *
const_data_of(const struct shm_ring *r)
{
	return (const _Atomic uint64_t *)(r + 1);
}

void
ring_init(struct shm_ring *r, uint32_t size)
{
	r->size = size;
	store(&r->oldest, size);
	atomic_store_explicit(&r->head, size, memory_order_release);
}

/*
 * The bytes of a trace are many, and dear if they come one word at a time. A
 * reader may look meanwhile; it throws away what it meets half done, as oldest
 * tells it, so it does not matter in which pieces they come, but that none
 * comes before oldest. C promises that of atomic stores only, and calls this a
 * race. Yet the fence of retire() is one for all stores: no compiler moves
 * memcpy() across it, and no processor what memcpy() stores (on x86 in order,
 * elsewhere behind a barrier); only what is larger than the caches is written
 * past them, and no record is. Where races are looked for they are atomic.
 *
 * Nothing here reads what it has just written in other pieces: a processor
 * waits then until all that was written before has reached the cache, and the
 * words of a ring are seldom there yet.
 *
 * It is called, not built in: a compiler that learns how long a record can be
 * at most makes an instruction of the copy that takes long to begin.
 */
__attribute__((noinline)) void
ring_bytes(_Atomic uint64_t *to, size_t at, const void *from, size_t len)
{
	uint8_t *p = (uint8_t *)(uintptr_t)to + at;

#ifndef __SANITIZE_THREAD__
	memcpy(p, from, len);
#else
	for (size_t i = 0; i < len; i++)
		__atomic_store_n(
		    p + i, ((const uint8_t *)from)[i], __ATOMIC_RELAXED);
#endif
}

_Atomic uint64_t *
ring_begin(struct shm_ring *r, uint32_t size, size_t len, uint64_t *end)
{
	_Atomic uint64_t *to;

	*end = load(&r->head);
	if (len > size / 2)
		return NULL;
	to = room(
	    data_of(r), size, &r->oldest, end, (uint32_t)len, size / AHEAD);
	if (to != NULL && len % WORD != 0)
		store(to + len / WORD, 0);
	return to;
}

void
ring_publish(struct shm_ring *r, uint32_t size, uint64_t end)
{
	const char *data = (const char *)(r + 1);
	uint32_t off = (uint32_t)end & (size - 1);

	atomic_store_explicit(&r->head, end, memory_order_release);
	/* the next record and the length of the one that it takes the place
	 * of: there by then, since somebody is answered first */
	__builtin_prefetch(data + off, 1);
	__builtin_prefetch(data + off + SHM_LINE, 1);
	__builtin_prefetch(data + (load(&r->oldest) & (size - 1)), 1);
}

void
ring_put(struct shm_ring *r, uint32_t size, const struct iovec *piece, int n)
{
	size_t len = 0, at = 0;
	_Atomic uint64_t *to;
	uint64_t end;

	for (int i = 0; i < n; i++)
		len += piece[i].iov_len;
	to = ring_begin(r, size, len, &end);
	if (to == NULL)
		return;
	for (int i = 0; i < n; at += piece[i++].iov_len)
		ring_bytes(to, at, piece[i].iov_base, piece[i].iov_len);
	ring_publish(r, size, end);
}

int
ring_get(const struct shm_ring *r, uint32_t size, uint64_t *pos, void *buf,
    size_t cap)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	return ring_read(
	    const_data_of(r), size, &r->oldest, head, pos, buf, cap);
}

uint64_t
ring_end(const struct shm_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire);
}
