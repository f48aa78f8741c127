/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_PICTURE_H
#define SHM_STORE_PICTURE_H

#include "shm/store.h"

/*
 * All registers of a device as they were after one commit, in memory of one's
 * own. It is taken as any reader takes values: the device is never owned, so
 * however large it is, no writer waits and none that has stopped is waited for.
 * A read-only mapping will do, and so will a thread beside others.
 */
struct store_picture {
	const struct store *store;
	_Atomic uint64_t *side;
	uint64_t seq; /* number of the commit that it shows */
};

/* Takes one: STORE_OK, STORE_BUSY if writers have been too fast to be followed
 * for so long, STORE_GONE, STORE_DENIED if there is no memory. */
enum store_rc store_picture_take(
    const struct store *, uint64_t budget_ns, struct store_picture *);

/* Copies count registers or bits out in wire form; false if they are not
 * there. */
bool store_picture_read(const struct store_picture *, enum store_table,
    uint32_t addr, uint32_t count, uint8_t *out);

void store_picture_free(struct store_picture *);

#endif
