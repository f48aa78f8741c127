/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that takes its time: while the file that HOLDFAST_DISK names is there,
 * nothing that is synced gets there; if the file has anything in it, it fails
 * at once. How many syncs there have been, of files and of directories, is one
 * byte each in the file of that name with .count behind it, if that is there.
 * Loaded by LD_PRELOAD; sys_durable.py makes the files.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef int sync_fn(int);

static int
taken(void)
{
	const struct timespec look = { .tv_nsec = 1000000 };
	const char *path = getenv("HOLDFAST_DISK");
	char count[PATH_MAX];
	struct stat st;
	int fd;

	if (path == NULL)
		return 0;
	snprintf(count, sizeof(count), "%s.count", path);
	fd = open(count, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "s", 1);
		close(fd);
	}
	while (stat(path, &st) == 0) {
		if (st.st_size != 0) {
			errno = EIO;
			return -1;
		}
		nanosleep(&look, NULL);
	}
	return 0;
}

static int
real(const char *name, int fd)
{
	sync_fn *fn;

	*(void **)&fn = dlsym(RTLD_NEXT, name);
	return fn(fd);
}

int
fsync(int fd)
{
	return taken() == 0 ? real("fsync", fd) : -1;
}

int
fdatasync(int fd)
{
	return taken() == 0 ? real("fdatasync", fd) : -1;
}
