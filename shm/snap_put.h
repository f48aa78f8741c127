/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SNAP_PUT_H
#define SHM_SNAP_PUT_H

#include "shm/snap.h"

/*
 * A snapshot back into devices: what it has goes to the device of the same
 * name, at the same addresses of the same tables, in as few steps of the store
 * as there can be. What a changed configuration has no place for is told.
 */

struct snap_put_ops {
	/* The device of a name; NULL: there is none such. */
	struct store *(*find)(void *arg, const char *name);
	/* store_apply() as whoever this is. */
	enum store_rc (*apply)(
	    void *arg, struct store *, const struct store_step *, unsigned n);
	/* What has no place: a run of a block, or, block NULL, the device. */
	void (*unfit)(void *arg, const char *device, const struct snap_block *,
	    uint32_t addr, uint32_t count);
};

/* One under way. Private but for the counts; large: not for a stack. */
struct snap_put {
	const struct snap_put_ops *ops;
	void *arg;
	unsigned devices; /* that something went into */
	uint64_t written; /* registers and bits */
	unsigned steps; /* of the store */
	const struct snap *snap;
	size_t at; /* of the next device */
	struct snap_device d; /* its name is that of the device in hand */
	struct snap_block b;
	bool in_device;
	uint32_t addr, left; /* of the block */
	struct store *store;
	struct store_step step[STORE_STEPS_MAX];
	unsigned n;
	uint8_t bytes[STORE_STEP_BYTES];
	size_t used;
};

enum snap_put_rc {
	SNAP_PUT_DONE,
	SNAP_PUT_MORE,
	SNAP_PUT_BUSY, /* a device cannot be had; the steps so far stay */
};

/* Begins with a snapshot that has been checked; both must stay. */
void snap_put_begin(struct snap_put *, const struct snap *,
    const struct snap_put_ops *, void *arg);

/* The next thing to be done, never more than a step of the store. */
enum snap_put_rc snap_put_next(struct snap_put *);

#endif
