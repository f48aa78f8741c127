/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slots: identities, the lock bytes that prove a life, and the word that
 * declares a death. Runs in every process. A death is only ever declared with
 * the kernel's proof; nothing here waits.
 */

#include "shm/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "shm/seg.h"

int
slot_lock_open(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int
slot_lock_find(const char *path, bool writable)
{
	return open(
	    path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
}

static struct flock
byte_of(unsigned slot)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = slot,
		.l_len = 1,
	};
}

int
slot_lock_take(int lock_fd, unsigned slot)
{
	struct flock fl = byte_of(slot);

	return fcntl(lock_fd, F_OFD_SETLK, &fl);
}

int
slot_lock_wait(int lock_fd, unsigned slot)
{
	struct flock fl = byte_of(slot);
	int rc;

	do {
		rc = fcntl(lock_fd, F_OFD_SETLKW, &fl);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

void
slot_lock_drop(int lock_fd, unsigned slot)
{
	struct flock fl = byte_of(slot);

	fl.l_type = F_UNLCK;
	fcntl(lock_fd, F_OFD_SETLK, &fl);
}

bool
slot_lock_held(int lock_fd, unsigned slot)
{
	struct flock fl = byte_of(slot);

	/* what cannot be asked is taken for alive */
	return fcntl(lock_fd, F_OFD_GETLK, &fl) != 0 || fl.l_type != F_UNLCK;
}

static _Atomic uint64_t *
gen_of(const struct shm_control *c, unsigned slot)
{
	return &seg_slot((struct shm_control *)(uintptr_t)c, slot)->gen;
}

uint64_t
slot_next_id(const struct shm_control *c, unsigned slot)
{
	uint64_t gen =
	    atomic_load_explicit(gen_of(c, slot), memory_order_acquire);

	return SLOT_ID(slot, gen);
}

bool
slot_declared_dead(const struct shm_control *c, uint64_t id)
{
	unsigned slot = SLOT_OF(id);

	return slot >= seg_slots(c) ||
	    atomic_load_explicit(gen_of(c, slot), memory_order_acquire) !=
	    SLOT_GEN(id);
}

bool
slot_probe(const struct slot_env *env, uint64_t id)
{
	if (slot_declared_dead(env->control, id))
		return true;
	/* one's own byte looks free through one's own description */
	if (env->lock_fd < 0 || SLOT_OF(id) == SLOT_OF(env->me) ||
	    slot_lock_held(env->lock_fd, SLOT_OF(id)))
		return false;
	slot_declare_dead(env->control, id);
	return true;
}

bool
slot_declare_dead(struct shm_control *c, uint64_t id)
{
	unsigned slot = SLOT_OF(id);
	uint64_t gen = SLOT_GEN(id);

	return slot < seg_slots(c) &&
	    atomic_compare_exchange_strong_explicit(gen_of(c, slot), &gen,
		gen + 1, memory_order_acq_rel, memory_order_acquire);
}

const char *
slot_name(const struct shm_control *c, uint64_t id)
{
	const struct shm_slot *s;

	if (slot_declared_dead(c, id))
		return "?";
	s = seg_slot((struct shm_control *)(uintptr_t)c, SLOT_OF(id));
	return memchr(s->name, 0, sizeof(s->name)) ? s->name : "?";
}
