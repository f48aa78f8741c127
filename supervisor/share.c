/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares of a program's store: where they are, and taking one. Runs in the
 * program and in its servers' supervisors, before these fork.
 */
#include "supervisor/share.h"

#include <errno.h>
#include <string.h>

struct seg_counts
share_counts(unsigned ndevices)
{
	return (struct seg_counts){
		.slots = SHARE_ALL_SLOTS,
		.rings = 0, /* there is no control process to read them */
		.transports = SHARE_SERVERS,
		.devices = ndevices,
		.authors = SHARE_ALL_SLOTS + SHARE_SERVERS * SHARE_CONNS,
		.authors_now = SHARE_ALL_SLOTS,
	};
}

unsigned
share_slot(unsigned k)
{
	return SHM_WORKER_SLOT + k * SHARE_SLOTS;
}

unsigned
share_author(unsigned k)
{
	return SHARE_ALL_SLOTS + k * SHARE_CONNS;
}

unsigned
share_externals(const struct shm_control *c)
{
	unsigned n = seg_slots(c);

	return n > SHM_EXTERNALS ? n - SHM_EXTERNALS : n;
}

bool
share_workers_live(int lock_fd, unsigned k)
{
	for (unsigned w = 1; w < SHARE_SLOTS; w++)
		if (slot_lock_held(lock_fd, share_slot(k) + w))
			return true;
	return false;
}

bool
share_named(struct shm_control *c, int lock_fd, unsigned but, const char *name)
{
	if (seg_slots(c) != SHARE_ALL_SLOTS)
		return false;
	for (unsigned k = 0; k < SHARE_SERVERS; k++)
		if (k != but && slot_lock_held(lock_fd, share_slot(k)) &&
		    strncmp(seg_transport(c, k)->name, name, SHM_NAME_MAX) == 0)
			return true;
	return false;
}

/* Its byte is held when this is called, the others' are free. */
static void
bury(struct shm_control *c, unsigned k, uint64_t *ids)
{
	for (unsigned i = 0; i < SHARE_SLOTS; i++) {
		ids[i] = slot_next_id(c, share_slot(k) + i);
		slot_declare_dead(c, ids[i]);
	}
}

int
share_take(const struct seg *control, int lock_fd, uint64_t *ids)
{
	struct shm_control *c = seg_control(control);

	if (seg_slots(c) != SHARE_ALL_SLOTS) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned k = 0; k < SHARE_SERVERS; k++) {
		if (slot_lock_take(lock_fd, share_slot(k)) < 0)
			continue;
		/* who asks for names takes it for ours from now on */
		memset(seg_transport(c, k)->name, 0, SHM_NAME_MAX);
		if (share_workers_live(lock_fd, k)) {
			slot_lock_drop(lock_fd, share_slot(k));
			continue;
		}
		if (seg_more_authors(control, share_author(k), SHARE_CONNS) < 0)
			return -1;
		bury(c, k, ids);
		return (int)k;
	}
	errno = EUSERS;
	return -1;
}
