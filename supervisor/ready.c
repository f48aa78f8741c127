/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that says that everything serves, and where. Written and removed
 * by the supervisor alone.
 */
#include "supervisor/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
ready_write(const char *run_dir, const char *text)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	size_t len = strlen(text);
	ssize_t n;
	int fd, err;

	snprintf(path, sizeof(path), "%s/ready", run_dir);
	snprintf(tmp, sizeof(tmp), "%s/ready.new", run_dir);
	fd = open(
	    tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		return -1;
	}
	n = write(fd, text, len);
	err = n < 0 ? errno : EIO; /* a short write sets none */
	close(fd);
	if (n != (ssize_t)len) {
		unlink(tmp);
		errno = err;
		return -1;
	}
	return rename(tmp, path);
}

void
ready_remove(const char *run_dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/ready", run_dir);
	unlink(path);
}
