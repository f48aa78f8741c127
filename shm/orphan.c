/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orphans. Runs in the processes that outlive a supervisor, and in programs
 * that have attached; asks the kernel, and nobody else. Never waits.
 */
#include "shm/orphan.h"

#include <fcntl.h>
#include <unistd.h>

#include "shm/seg.h"

static uint64_t
maker_of(const struct slot_env *env)
{
	return atomic_load(&seg_slot(env->control, SHM_MAKER_SLOT)->since_ms);
}

void
orphan_init(struct orphan *o, const struct slot_env *env)
{
	*o = (struct orphan){ .parent = getppid(), .maker = maker_of(env) };
}

bool
orphan_workers(const struct slot_env *env)
{
	unsigned n = seg_slots(env->control), none = SHM_WORKER_SLOT;
	/* all of their bytes at once */
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = none
	};

	/* programs have nobody who reads rings */
	if (env->control->nrings == 0 || n <= none + SHM_EXTERNALS)
		return false;
	fl.l_len = n - SHM_EXTERNALS - none;
	return fcntl(env->lock_fd, F_OFD_GETLK, &fl) == 0 &&
	    fl.l_type != F_UNLCK;
}

static bool
others_live(const struct slot_env *env)
{
	for (unsigned i = SHM_MAKER_SLOT + 1; i < SLOT_OF(env->me); i++)
		if (atomic_load(&seg_slot(env->control, i)->role) != SHM_FREE &&
		    slot_lock_held(env->lock_fd, i))
			return true;
	return orphan_workers(env);
}

bool
orphan_over(struct orphan *o, const struct slot_env *env)
{
	bool claimed = slot_lock_held(env->lock_fd, SHM_MAKER_SLOT);

	/* the next one may have taken its place between two looks: whose child
	 * this has become, and since when it has the slot, says so */
	o->alone |=
	    !claimed || getppid() != o->parent || maker_of(env) != o->maker;
	return (o->alone && claimed) || !others_live(env);
}
