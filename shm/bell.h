/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_BELL_H
#define SHM_BELL_H

/*
 * Waking who waits for registers to change, or, with bells apart from these,
 * for them to be on the disk. A waiter has a bell: a datagram socket under a
 * name that the kernel made up, which a row of the control segment tells. It
 * arms the bell, looks once more whether something has changed, and sleeps; the
 * next writer disarms it and sends one datagram. So a writer pays one look at a
 * word while nobody sleeps, and one system call for each waiter that does,
 * however often it writes.
 *
 * A wake-up may be lost (a writer that has been killed between its commit and
 * here, a socket without room) and may be for nothing: a waiter sleeps for no
 * longer than BELL_SLICE_MS and looks for itself.
 */

#include "shm/slot.h"

enum { BELL_SLICE_MS = 100 };

struct bell {
	const struct slot_env *env;
	struct shm_bells *all; /* that it is one of */
	uint64_t me; /* who opened it: a child after fork() has no bell */
	int fd; /* can be read once it was rung; -1: there is none */
	struct shm_bell *shm;
};

/* Takes a bell for this process, which may write to the segment and has an
 * identity. 0, or -1 with errno; EUSERS: all are taken. Without one the calls
 * below do nothing, and a slice is as good as it gets. */
int bell_open(struct bell *, const struct slot_env *);
/* The same among others: of another segment's, or for another thing. */
int bell_open_of(struct bell *, const struct slot_env *, struct shm_bells *);
void bell_close(struct bell *);

/* From now on the next change rings. To be followed by a look. */
void bell_arm(struct bell *);

/* No longer; and takes in what has been rung. */
void bell_disarm(struct bell *);

/*
 * Registers have been committed: wakes who waits. Own nothing while you call
 * it. *fd is the caller's socket for it, -1 at first: made when it is needed,
 * closed by the caller.
 */
void bell_ring_armed(struct shm_bells *, int *fd);

static inline void
bell_ring(struct shm_control *c, int *fd)
{
	if (atomic_load_explicit(&c->bells.armed, memory_order_relaxed) != 0)
		bell_ring_armed(&c->bells, fd);
}

#endif
