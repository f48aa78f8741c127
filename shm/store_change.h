/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_CHANGE_H
#define SHM_STORE_CHANGE_H

/* What a write leaves in a device's event ring. Only store.c includes this. */

#include "shm/store.h"
#include "shm/store_copy.h"

/*
 * Writes one change behind *head, which becomes the ring's end
 * with the commit: old values from side 1, new ones from side 0. The caller
 * owns the device and seq is odd.
 */
void store_change_put(struct store *, uint64_t *head, uint64_t commit,
    enum store_table, uint32_t addr, uint32_t count, const struct store_run *);

#endif
