/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_FIND_H
#define SHM_STORE_FIND_H

/* Finding addresses. Only the store's own files include this. */

#include "shm/store.h"
#include "shm/store_copy.h"

/* Where count addresses from addr lie; false if any of them does not exist.
 * One compare for a table without holes, else a binary search. */
bool store_find(const struct store *, enum store_table, uint32_t addr,
    uint32_t count, struct store_run *);

/* May a client that heeds rights write there? In a shared array coils and
 * holding registers are the same memory, so the rights of both count. */
bool store_may_write(
    const struct store *, enum store_table, uint32_t addr, uint32_t count);

#endif
