/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_ORPHAN_H
#define SHM_ORPHAN_H

/*
 * How long a process of the daemon's goes on that has lost the supervisor and
 * serves others: until there is another supervisor, which has one of its own,
 * or until nobody is left whom it could serve.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/slot.h"

struct orphan {
	pid_t parent;
	uint64_t maker; /* since when: an upgrade keeps the pid */
	bool alone; /* the claim that is there is not the parent's any more */
};

/* At the start, while there is a parent. */
void orphan_init(struct orphan *, const struct slot_env *);

/* True if it is over. Those whose slots come behind one's own wait for one,
 * not the other way about. */
bool orphan_over(struct orphan *, const struct slot_env *);

/* True if some worker of the daemon that made the store lives, whoever else
 * does. No lives depend on that in the store of a program. */
bool orphan_workers(const struct slot_env *);

#endif
