/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the file that HOLDFAST_MAKES names as soon as the one that
 * HOLDFAST_GONE names has been removed, as another process would that waits
 * for that. Loaded before the program by LD_PRELOAD;
 * sys_reload_transports.py looks what becomes of it.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
unlink(const char *path)
{
	const char *gone = getenv("HOLDFAST_GONE");
	const char *makes = getenv("HOLDFAST_MAKES");
	int (*real)(const char *);
	int rc, err, fd = -1;

	*(void **)&real = dlsym(RTLD_NEXT, "unlink");
	rc = real(path);
	err = errno;
	if (gone != NULL && makes != NULL && strcmp(path, gone) == 0)
		fd = open(makes, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	errno = err;
	return rc;
}
