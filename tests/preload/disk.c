/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that takes its time: while the file that HOLDFAST_DISK names is there,
 * nothing that is synced gets there; if the file has anything in it, it fails
 * at once. Each sync takes HOLDFAST_DISK_US microseconds longer than it does.
 * Loaded by LD_PRELOAD; sys_durable.py makes the files.
 */

#include <dlfcn.h>
#include <errno.h>
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
	const char *us = getenv("HOLDFAST_DISK_US");
	struct timespec takes = { 0 };
	struct stat st;

	if (path == NULL)
		return 0;
	if (us != NULL)
		takes.tv_nsec = atol(us) % 1000000 * 1000;
	nanosleep(&takes, NULL);
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
