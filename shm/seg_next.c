/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Segments that take another one's place. Runs in the supervisor, which makes
 * them, and in whoever attaches by name while that is being done. Two names
 * and a word in the old segment are all that there is to it, so whoever finds
 * them can tell how far the supervisor got.
 */

#include "shm/seg_next.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/seg_map.h"

#define SHM_DIR "/dev/shm"

enum { OBJECT_MAX = sizeof(((struct seg *)0)->object) };

static int
names(char *now, char *next, const char *store, const char *device)
{
	if (!seg_name_ok(store) || !seg_name_ok(device)) {
		errno = EINVAL;
		return -1;
	}
	seg_object_name(now, OBJECT_MAX, store, SHM_DEVICE, device, 0);
	/* no name of a device has a dot */
	snprintf(next, OBJECT_MAX + 8, "%s.next", now);
	return 0;
}

int
seg_create_next(struct seg *s, const char *store, const char *device,
    unsigned index, const struct seg_range *ranges, size_t n, unsigned flags)
{
	char now[OBJECT_MAX], next[OBJECT_MAX + 8];

	if (names(now, next, store, device) < 0)
		return -1;
	shm_unlink(next);
	if (seg_create_device_as(
		s, next, store, device, index, ranges, n, flags) < 0)
		return -1;
	/* what it is called once it is in force */
	snprintf(s->object, sizeof(s->object), "%s", now);
	return 0;
}

int
seg_install_next(const char *store, const char *device)
{
	char now[OBJECT_MAX], next[OBJECT_MAX + 8];
	char from[sizeof(SHM_DIR) + sizeof(next)];
	char to[sizeof(SHM_DIR) + sizeof(now)];
	struct seg whole;
	int rc;

	if (names(now, next, store, device) < 0)
		return -1;
	if (seg_attach(&whole, next, SHM_DEVICE, false) < 0) {
		if (errno == EINVAL)
			errno = ENOENT;
		return -1;
	}
	/* not what somebody else has laid there under that name */
	rc = whole.owner == geteuid() ? 0 : -1;
	seg_unmap(&whole);
	if (rc < 0) {
		errno = ENOENT;
		return -1;
	}
	snprintf(from, sizeof(from), SHM_DIR "%s", next);
	snprintf(to, sizeof(to), SHM_DIR "%s", now);
	return rename(from, to);
}

void
seg_remove_next(const char *store, const char *device)
{
	char now[OBJECT_MAX], next[OBJECT_MAX + 8];

	if (names(now, next, store, device) == 0)
		shm_unlink(next);
}

void
seg_remove_device(const char *store, const char *device)
{
	char now[OBJECT_MAX], next[OBJECT_MAX + 8];

	if (names(now, next, store, device) == 0)
		shm_unlink(now);
}

int
seg_attach_device(struct seg *s, const char *store, const char *device,
    uid_t owner, bool writable)
{
	char now[OBJECT_MAX], next[OBJECT_MAX + 8];

	if (names(now, next, store, device) < 0)
		return -1;
	for (int tries = 0; tries < 2; tries++) {
		if (seg_attach(s, now, SHM_DEVICE, writable) < 0)
			return -1;
		if (s->owner != owner) {
			seg_unmap(s);
			errno = EPERM;
			return -1;
		}
		if (!seg_superseded(s))
			return 0;
		seg_unmap(s);
		/* or somebody else just has, or is about to */
		if (tries == 0)
			seg_install_next(store, device);
	}
	errno = ENOENT;
	return -1;
}
