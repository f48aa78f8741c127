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

enum { SEGS_MAKER_SLOT = 0 }; /* the daemon's, or the program's */

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

/* The maker tells everybody that the store has gone. */
void segs_tell_gone(const struct slot_env *);

#endif
