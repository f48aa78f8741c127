/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_OWN_H
#define SHM_STORE_OWN_H

/*
 * Owning a device: the gate, the owner word, repair. Only the store's own
 * files include this.
 */

#include "shm/store.h"

/* The longest sleep before a waiter looks at the owner word itself. */
#define STORE_SLICE_NS 2000000L

_Static_assert(SHM_AUTHORS_MAX < (uint64_t)1 << (64 - SHM_TAG_OP_BITS),
    "a tag has room for every author");

/*
 * Becomes the owner of the device, repairing it if it is taken from a dead
 * one. Blocks at most budget_ns. 0, or -1 when the time is up.
 */
int store_own_take(struct store *, uint64_t budget_ns);

/* Gives the device back and wakes one waiter. */
void store_own_release(struct store *);

/* The author's word that says which of its operations is the last one done;
 * only asked and stored while owning. */
_Atomic uint64_t *store_own_done(struct store *, unsigned author);

#endif
