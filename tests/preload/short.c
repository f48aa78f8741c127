/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of one file give a few bytes each, as they may. Loaded before the
 * program by LD_PRELOAD; the file is the one that HOLDFAST_SHORT names.
 */

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FEW = 10 };

typedef ssize_t read_fn(int, void *, size_t);

static int
is_it(int fd)
{
	const char *path = getenv("HOLDFAST_SHORT");
	struct stat one, other;

	return path != NULL && stat(path, &one) == 0 &&
	    fstat(fd, &other) == 0 && one.st_ino == other.st_ino &&
	    one.st_dev == other.st_dev;
}

ssize_t
read(int fd, void *buf, size_t n)
{
	static read_fn *real;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "read");
	return real(fd, buf, n > FEW && is_it(fd) ? FEW : n);
}
