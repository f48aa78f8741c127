/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_MIRROR_H
#define SHM_MIRROR_H

/*
 * The shared memory objects of a view: the layout that SHMModbus gives to the
 * registers, for the programs that know it. A set of them shows one device:
 *
 *	/PREFIX[UU_]DO	coils, a byte each		UU: the unit, two
 *	/PREFIX[UU_]DI	discrete inputs, a byte each	hexadecimal digits
 *	/PREFIX[UU_]AO	holding registers, 16 bits each in host order
 *	/PREFIX[UU_]AI	input registers, likewise
 *
 * They have no header, so what we must remember stands in one more object,
 * /PREFIXctl, for our eyes only: which objects we have made, and what stood in
 * each when it and the store were last the same (the shadow). Who keeps a view
 * holds a lock on that object, which the kernel drops when it dies; what it
 * leaves is then its successor's.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "shm/store.h"

enum {
	MIRROR_TABLES = 4, /* the first four of enum store_table */
	MIRROR_PLAIN = -1, /* the set without a unit in its names */
	MIRROR_SETS_MAX = 257,
	MIRROR_STEPS = 32,
	MIRROR_PREFIX_MAX = 40,
	MIRROR_COUNT_MAX = 65536,
	MIRROR_NAME_BYTES = MIRROR_PREFIX_MAX + 16,
};

/* What is on its way between a set and the store. It is noted here whole
 * before anything of it is done, so that a successor can finish it. */
enum mirror_way { MIRROR_IDLE, MIRROR_TO_STORE, MIRROR_TO_VIEW };

struct mirror_step {
	uint32_t table, addr, count;
	uint32_t off; /* of its values in wire[], in the store's wire form */
};

struct mirror_stage {
	_Atomic uint32_t way; /* enum mirror_way; set last, release */
	uint32_t set;
	uint32_t n;
	uint32_t spare;
	uint64_t op; /* MIRROR_TO_STORE: its operation number */
	struct mirror_step step[MIRROR_STEPS];
	uint8_t wire[STORE_STEP_BYTES];
};

struct mirror_entry {
	int32_t unit; /* or MIRROR_PLAIN */
	uint32_t count[MIRROR_TABLES];
	uint64_t shadow[MIRROR_TABLES]; /* from the control object's start */
	/* of the object: 0 not made, 1 about to be made */
	_Atomic uint64_t inode[MIRROR_TABLES];
	_Atomic uint64_t pos; /* in the device's changes: done up to here */
};

/* The control object. Its keeper alone writes. */
struct mirror_ctl {
	uint64_t magic; /* set last */
	uint32_t layout;
	uint32_t nsets;
	uint64_t size;
	char store[SHM_NAME_MAX];
	char transport[SHM_NAME_MAX];
	uint64_t life; /* of the store that the rest speaks of */
	_Atomic uint32_t pid; /* of the keeper */
	_Atomic uint32_t filled; /* every cell has been given its value */
	_Atomic uint32_t sem_held; /* the keeper has taken the semaphore */
	_Atomic uint32_t sem_made; /* and it was one of ours that made it */
	_Atomic uint64_t op; /* the last operation number given out */
	struct mirror_stage stage;
	struct mirror_entry set[];
};

/* What is wanted of one set. */
struct mirror_plan {
	int unit; /* or MIRROR_PLAIN */
	uint32_t count[MIRROR_TABLES]; /* 1..MIRROR_COUNT_MAX */
};

struct mirror_who {
	const char *prefix; /* at most MIRROR_PREFIX_MAX bytes */
	const char *store, *transport;
	uint64_t life; /* another one for each life of a store */
	mode_t mode; /* of the tables */
};

/* A set as its keeper has it mapped: both count cells of one or two bytes,
 * readable and writable in whole 64-bit words. */
struct mirror_set {
	struct mirror_entry *entry;
	uint32_t count[MIRROR_TABLES];
	void *table[MIRROR_TABLES];
	void *shadow[MIRROR_TABLES];
};

struct mirror {
	int fd; /* holds the lock */
	struct mirror_ctl *ctl;
	size_t size; /* of that */
	struct mirror_set *set;
	unsigned nsets;
	bool warm; /* all is as a dead keeper of the same life left it */
	char prefix[MIRROR_PREFIX_MAX + 1];
	char why[256]; /* words for a failure */
};

/*
 * Makes the objects, or takes over those that a dead keeper has left: such as
 * are of the same size stay in place, with what stands in them. 0, or -1 with
 * errno and words in why: EEXIST objects of these names are somebody else's,
 * EBUSY they are kept by a process that lives; or what the system says.
 */
int mirror_open(struct mirror *, const struct mirror_who *,
    const struct mirror_plan *, unsigned n);

/* Unmaps and unlocks; with remove the objects go, too. Safe on what
 * mirror_open() has left after a failure, or on zeros with fd -1. */
void mirror_close(struct mirror *, bool remove);

/* The name of an object that has been removed, or replaced by another, into
 * out; false if all are where they were. *ctl: it is the control object. */
bool mirror_lacks(
    const struct mirror *, char out[MIRROR_NAME_BYTES], bool *ctl);

/* For who has no keeper any more: removes what a dead one of this store has
 * left. Believes nothing that stands there but for what it can check; uid is
 * whose it must be. Leaves alone what is kept. */
void mirror_remove(const char *prefix, const char *store, uid_t uid);

/* "/modbus_01_DO" into out; table < 0: the control object. */
void mirror_name(
    char out[MIRROR_NAME_BYTES], const char *prefix, int unit, int table);

/* Bytes that count cells of a table take in its object. */
static inline size_t
mirror_bytes(unsigned table, uint32_t count)
{
	return table == STORE_CO || table == STORE_DI ? count
						      : (size_t)count * 2;
}

#endif
