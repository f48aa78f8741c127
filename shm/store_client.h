/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_CLIENT_H
#define SHM_STORE_CLIENT_H

/*
 * What some devices want of the accesses of Modbus clients beyond rights: no
 * parts of values, and counts.
 */

#include "shm/store.h"

/* May a client that heeds rights write there? All of it must exist. */
bool store_writable(
    const struct store *, enum store_table, uint32_t addr, uint32_t count);

/* True if count addresses from addr on cut no value in two, as the types of
 * their ranges have it; only the end of a string may be missing. Bits are
 * whole. */
bool store_whole(
    const struct store *, enum store_table, uint32_t addr, uint32_t count);

/*
 * Counts an access of a client: each register once, of bits each sixteen of a
 * run once that are read, and each bit that is written. Nothing happens where
 * the device has no counts or the mapping is read-only. Never waits.
 */
void store_count(const struct store *, enum store_table, uint32_t addr,
    uint32_t count, bool written);

/* What has been counted, modulo 2^32, for each address; zeros without counts.
 * Bits tell what their sixteen were counted. STORE_NO_ADDRESS. */
enum store_rc store_counts(const struct store *, enum store_table,
    uint32_t addr, uint32_t count, uint32_t *reads, uint32_t *writes);

#endif
