/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_REAP_H
#define SHM_STORE_REAP_H

/*
 * Taking a device from a name that does not own it, or does not live. For
 * whoever has the proof: the parent of the dead, foremost.
 */

#include "shm/store.h"

/* True if a living identity stands in the owner word that has not put itself
 * there: somebody scribbles. Needs an env. */
bool store_forged(const struct store *, uint64_t id);

/*
 * After the identity's death or its innocence (store_forged) has been proved:
 * takes the device from it if it owned it, repairs, releases; and wakes one
 * waiter in any case, since the dead may have taken a wake-up along. True if
 * it had owned it.
 */
bool store_reap(struct store *, uint64_t dead);

#endif
