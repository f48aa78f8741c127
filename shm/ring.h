/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_RING_H
#define SHM_RING_H

/*
 * Byte rings with one writer at a time and readers that nobody waits for.
 *
 * A record is a 64-bit word that holds its length in bytes, and that many
 * bytes, filled up to whole words; it is never split (a length of RING_SKIP
 * says: go on at the start). Positions count bytes for ever, beginning at the
 * ring's size, so that 0 can mean "the oldest that is left". Before a writer
 * overwrites a record it moves `oldest` behind it; a reader looks at `oldest`
 * again after it has copied. So a record is read whole or reported as lost,
 * and a writer killed in the middle leaves nothing behind the head.
 *
 * What a ring holds is bytes from outside: lengths are checked, positions
 * masked, and the size is the reader's own knowledge.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/layout.h"

#define RING_SKIP 0xffffffffu

/*
 * Makes room for a record of len bytes at *pos, in a ring of size bytes (a
 * power of two), and moves *pos behind it. Returns where its words go; NULL,
 * with *pos as it was, if it is longer than half of the ring. Nothing is
 * published: that is done by storing *pos as the new head.
 */
_Atomic uint64_t *ring_room(_Atomic uint64_t *data, uint32_t size,
    _Atomic uint64_t *oldest, uint64_t *pos, uint32_t len);

/*
 * Copies the record at *pos, at most cap bytes of it, from a ring that ends at
 * head (loaded with acquire order before). *pos 0 is the oldest record.
 * Returns its length and moves *pos behind it; 0 if there is none yet; -1 if
 * it has been overwritten: *pos is then the oldest that is left.
 */
int ring_read(const _Atomic uint64_t *data, uint32_t size,
    const _Atomic uint64_t *oldest, uint64_t head, uint64_t *pos, void *buf,
    size_t cap);

/* The same for a struct shm_ring with its data behind it, of which a sixteenth
 * is kept free. init empties it. */
void ring_init(struct shm_ring *, uint32_t size);
void ring_put(
    struct shm_ring *, uint32_t size, const struct iovec *piece, int n);

/* ring_put() step by step: room for a record of len bytes, behind which is
 * *end, NULL if it is too long; bytes into it, from its byte `at` on; and out
 * with it. */
_Atomic uint64_t *ring_begin(
    struct shm_ring *, uint32_t size, size_t len, uint64_t *end);
void ring_bytes(_Atomic uint64_t *to, size_t at, const void *from, size_t len);
void ring_publish(struct shm_ring *, uint32_t size, uint64_t end);

int ring_get(const struct shm_ring *, uint32_t size, uint64_t *pos, void *buf,
    size_t cap);

/* Where a reader that wants only what comes now should start. */
uint64_t ring_end(const struct shm_ring *);

#endif
