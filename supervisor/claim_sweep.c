/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes what a daemon that was killed has left behind and that nobody will
 * take over, since its names were of that daemon alone. The locks tell who
 * lives. Runs in a program that is about to make its own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "supervisor/claim.h"

#define LOCK "lock"

bool
claim_sweep_store(const char *store)
{
	struct claim c;

	claim_init(&c);
	if (claim_store(&c, store) < 0)
		return false;
	for (unsigned i = 1; i <= SHM_SLOTS_MAX; i++)
		if (claim_kept(&c, i)) {
			close(c.store_fd);
			return false;
		}
	seg_unlink_store(store);
	claim_release(&c);
	return true;
}

/* Ours, and its daemon has noted its pid there: one that is only about to take
 * the lock has not. */
static bool
was_used(int dir_fd)
{
	struct stat st, lock;

	return fstat(dir_fd, &st) == 0 && st.st_uid == geteuid() &&
	    fstatat(dir_fd, LOCK, &lock, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(lock.st_mode) && lock.st_uid == geteuid() &&
	    lock.st_size > 0;
}

/* All but the lock: from the moment that it has gone, the directory may be
 * somebody else's. */
static void
empty(int dir_fd)
{
	int fd = dup(dir_fd);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0 &&
		    strcmp(e->d_name, LOCK) != 0)
			unlinkat(dir_fd, e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

bool
claim_sweep_run_dir(const char *run_dir)
{
	int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct claim c;
	bool swept = false;

	claim_init(&c);
	if (fd >= 0 && was_used(fd) && claim_run_dir(&c, run_dir) == 0) {
		empty(fd);
		unlinkat(fd, LOCK, 0);
		close(c.run_fd);
		swept = rmdir(run_dir) == 0;
	}
	if (fd >= 0)
		close(fd);
	return swept;
}
