/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_PICTURE_H
#define SHM_STORE_PICTURE_H

#include "shm/store.h"

/*
 * All registers of a device as they were at one moment, in memory of one's
 * own. The device is owned while it is copied, which holds writers up for as
 * long as a memcpy() of it takes, and readers not at all.
 */
struct store_picture {
	const struct store *store;
	_Atomic uint64_t *side;
	uint64_t seq; /* number of the commit that it shows */
};

/* Takes one: STORE_OK, STORE_BUSY if the device cannot be had within the
 * budget, STORE_DENIED if there is no memory or it is not ours to own. */
enum store_rc store_picture_take(
    struct store *, uint64_t budget_ns, struct store_picture *);

/* Copies count registers or bits out in wire form; false if they are not
 * there. */
bool store_picture_read(const struct store_picture *, enum store_table,
    uint32_t addr, uint32_t count, uint8_t *out);

void store_picture_free(struct store_picture *);

#endif
