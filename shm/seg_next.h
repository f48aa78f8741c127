/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SEG_NEXT_H
#define SHM_SEG_NEXT_H

/*
 * The segment that is to take the place of a device's: made apart, under the
 * device's name and ".next", while the other one serves. The moment at which
 * it is in force instead is in store_next.h; that it then gets the device's
 * name can be done by anybody, at any time later, and more than once.
 */

#include "shm/seg.h"

/* As seg_create_device(), for a device that there is or is going to be. What
 * was left under that name is removed first. */
int seg_create_next(struct seg *, const char *store, const char *device,
    unsigned index, const struct seg_range *ranges, size_t n, unsigned flags);

/* Gives it the device's name. -1 with errno: ENOENT there is none that is
 * whole. */
int seg_install_next(const char *store, const char *device);

/* Removes it, or the device itself. */
void seg_remove_next(const char *store, const char *device);
void seg_remove_device(const char *store, const char *device);

/* seg_attach() to a device by its name. Where that is superseded it first gets
 * its next segment; ENOENT also if there is none. EPERM: it is not of owner,
 * who made the store, but of somebody else who has laid one there. */
int seg_attach_device(struct seg *, const char *store, const char *device,
    uid_t owner, bool writable);

/* True if another segment has taken the place of one that is mapped, or none:
 * the device has gone. */
static inline bool
seg_superseded(const struct seg *s)
{
	return atomic_load_explicit(
		   &((const struct shm_device *)s->at)->superseded,
		   memory_order_acquire) != 0;
}

#endif
