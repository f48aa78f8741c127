/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_OWN_H
#define SHM_STORE_OWN_H

/*
 * Owning a device: the gate, the owner word, repair. Only the store's own
 * files include this.
 *
 * STORE_MUT seeds one defect, for the harnesses to prove that they would find
 * it; 0, and only 0, is the product:
 *	1  textbook: wait for the semaphore, then note who has it
 *	2  readers are sent to the side that is being written
 *	3  repair copies nothing
 *	4  what was done is noted after the release
 *	5  repair credits the dead owner rather than the author
 *	6  reaping wakes nobody
 */

#include "shm/store.h"

#ifndef STORE_MUT
#define STORE_MUT 0
#endif

/* The longest sleep before a waiter looks at the owner word itself. */
#ifndef STORE_SLICE_NS
#define STORE_SLICE_NS 2000000L
#endif

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
