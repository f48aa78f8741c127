/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SHARE_H
#define SUPERVISOR_SHARE_H

/*
 * The control segment of a store that a program has made: who has which slot
 * and which authors. A program may start servers later, so there is a share for
 * each of SHARE_SERVERS: a transport entry of the same index, a slot for its
 * supervisor and behind it those of its workers, and a run of authors for
 * their connections. A share belongs to whoever holds the byte of its first
 * slot, and to nobody once all its bytes are free.
 *
 *	slot 0				the program
 *	slot SHM_WORKER_SLOT ..		share 0, share 1 ...
 *	the last SHM_EXTERNALS		programs that attach
 *
 *	author i, while there is a slot i	what its occupant writes itself
 *	behind them			share 0, share 1 ...
 */

#include "shm/seg.h"
#include "shm/slot.h"

enum {
	SHARE_SERVERS = 16,
	SHARE_WORKERS = 4,
	SHARE_SLOTS = 1 + SHARE_WORKERS,
	SHARE_CONNS = 4000, /* workers x max_connections of a server */
	SHARE_ALL_SLOTS = (int)SHM_WORKER_SLOT +
	    (int)SHARE_SERVERS * (int)SHARE_SLOTS + (int)SHM_EXTERNALS,
};

/* A byte of the lock file that is no slot's: whose server is leaving. */
enum { SHARE_LEAVING = (int)SHM_SLOTS_MAX + 1 };

_Static_assert((int)SHARE_ALL_SLOTS <= (int)SHM_SLOTS_MAX, "slots");
_Static_assert((int)SHARE_ALL_SLOTS + (int)SHARE_SERVERS * (int)SHARE_CONNS <=
	(int)SHM_AUTHORS_MAX,
    "authors");

/* What seg_create_control_for() is to make room for. */
struct seg_counts share_counts(unsigned ndevices);

/* The first slot of a share, its supervisor's; worker w has share_slot(k) + 1
 * + w. And its first author. */
unsigned share_slot(unsigned k);
unsigned share_author(unsigned k);

/* The first slot for programs that attach, in any store. */
unsigned share_externals(const struct shm_control *);

/* True if a server that lives has the name, other than in share `but`. */
bool share_named(
    struct shm_control *, int lock_fd, unsigned but, const char *name);

/* True if a worker of the share lives; its supervisor may have gone. */
bool share_workers_live(int lock_fd, unsigned k);

/*
 * Takes a share: its first slot's byte through lock_fd, the pages of its
 * authors. Whoever had it is declared dead; the devices are still to be reaped
 * of those, ids[0..SHARE_SLOTS). The share's index, or -1 with errno: EUSERS
 * all are taken, ENOSPC, EINVAL the store is not a program's.
 */
int share_take(const struct seg *control, int lock_fd, uint64_t *ids);

#endif
