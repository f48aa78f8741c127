/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SET_H
#define WORKERS_SET_H

/*
 * Values of one device that are set at the same time, in as few owned steps as
 * there is room for: neighbours are one write. A value that stays what it is
 * is not written. What goes on from the value that was there, is written only
 * if that is still there, and else made anew: nobody's write gets lost.
 */

#include "workers/action/action.h"

enum {
	SET_PIECE = 1024, /* registers or bits of a range that go together */
	SET_STEPS = STORE_STEPS_MAX / 2, /* writes, and as many checks */
	SET_PIECES = STORE_STEP_BYTES / 2, /* of one step; each has bytes */
	SET_TRIES = 16, /* while others write the same value */
};

/* A range as the clock has it. */
struct set_range {
	struct action_range a;
	struct bind_device *d;
	bool goes_on; /* from the value that is there */
	bool said; /* that it fails */
};

struct set_piece {
	struct set_range *r;
	uint32_t addr, count;
	uint64_t now_ns;
};

/* What has gathered for a device. */
struct set {
	struct proc *proc;
	struct bind_device *d; /* NULL: nothing */
	struct set_piece piece[SET_PIECES];
	unsigned npieces;
	struct store_step write[SET_STEPS], check[SET_STEPS];
	unsigned nwrites, nchecks;
	_Alignas(8) uint8_t to[STORE_STEP_BYTES], was[STORE_STEP_BYTES];
	size_t to_len, was_len;
	bool said; /* that a device could not be had */
};

/* Makes the values of a range as of then, and gathers what changes; commits
 * what has gathered before if there is no more room, or it is another
 * device's. */
void set_range(struct set *, struct set_range *, uint64_t now_ns);

/* Commits what has gathered. */
void set_flush(struct set *);

#endif
