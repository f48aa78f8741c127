/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SEGS_MAKE_H
#define SUPERVISOR_SEGS_MAKE_H

/*
 * Making a store, for whoever makes one: the daemon and programs that use the
 * library. Nothing here logs; a call returns 0, or -1 with errno. The order is
 * claim_store() and claim_wait_orphans(), then these from above.
 */

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "supervisor/conf.h"

enum {
	SEGS_MAKER_SLOT = SHM_MAKER_SLOT, /* the daemon's, or the program's */
	SEGS_SPARE_DEVICES = 16, /* that a reload may add to a daemon's */
};

/* Removes what a former maker has left of a store that the caller has claimed,
 * and tells those who still have it mapped. Returns how many segments. */
int segs_clear(const char *store);

/* Becomes the occupant of a slot, whose byte has been taken through lock_fd:
 * fills env in. */
void segs_take_slot(struct slot_env *env, struct shm_control *, int lock_fd,
    unsigned slot, enum shm_role, const char *name);

/* Makes and opens one device. Once its name stands in the control segment,
 * others can attach to it. */
int segs_make_device(struct seg *, struct store *, const char *store,
    const struct conf_device *, unsigned index, const struct slot_env *);

/* The same for a segment that is to take the place of the device's, or of none:
 * store_next.h. Its name does not stand there yet. */
int segs_make_next(struct seg *, struct store *, const char *store,
    const struct conf_device *, unsigned index, const struct slot_env *);

/* Where a device stands in the control segment, or -1; and how many there are,
 * among places that nobody has. */
int segs_find_device(struct shm_control *, const char *name);
unsigned segs_count_devices(struct shm_control *);

/* True if a segment is laid out as the device's would be. */
bool segs_fits(const struct store *, const struct conf_device *);

/* The maker tells everybody that the store has gone. */
void segs_tell_gone(const struct slot_env *);

#endif
