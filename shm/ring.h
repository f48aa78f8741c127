/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_RING_H
#define SHM_RING_H

/*
 * Byte rings with one writer at a time and readers that nobody waits for.
 * A record is a 32-bit length and that many bytes, aligned to 8; it is never
 * split (a length of 0xffffffff says: go on at the start). Positions count
 * bytes for ever. A reader checks after copying that the writer cannot have
 * come round; so a killed writer leaves either a whole record or none.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/layout.h"

/* Where `data` of size bytes (a power of two) would be after a record made of
 * n pieces had been written at pos; and writes it. Nothing is published. */
uint64_t ring_write(uint8_t *data, uint32_t size, uint64_t pos,
    const struct iovec *piece, int n);

/*
 * Copies the record at *pos, given that the ring now ends at `head` and that
 * its writer may be busy up to `slack` bytes beyond it. Returns its length
 * and moves *pos behind it; 0 if there is none; -1 if it has been overwritten
 * (*pos is moved to head). The caller loads head again for `again`, an
 * acquire load, through which the check is made.
 */
int ring_read(const uint8_t *data, uint32_t size, uint64_t head, uint32_t slack,
    uint64_t *pos, void *buf, size_t cap, uint64_t (*again)(const void *),
    const void *arg);

/* The same for a struct shm_ring, whose data lies behind it. */
void ring_put(struct shm_ring *, const struct iovec *piece, int n);
int ring_get(const struct shm_ring *, uint64_t *pos, void *buf, size_t cap);

/* Where a reader that wants only what comes now should start. */
uint64_t ring_end(const struct shm_ring *);

#endif
