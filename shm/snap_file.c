/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots on a disk: written so that a failure of the power leaves the old
 * file or the new one, and never in place of what is no snapshot.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/snap.h"

/* Only plain files: a device or a pipe would hold the reader up. */
static int
open_plain(const char *path, off_t *size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = st.st_size;
		return fd;
	}
	close(fd);
	errno = EINVAL;
	return -1;
}

static bool
read_whole(int fd, uint8_t *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = read(fd, data, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* True if nothing is lost when the path is taken: nobody has it, or a
 * snapshot. */
static bool
may_replace(const char *path)
{
	uint8_t magic[8];
	off_t size;
	int fd = open_plain(path, &size);
	bool ours;

	if (fd == -1)
		return errno == ENOENT;
	ours = read_whole(fd, magic, sizeof(magic)) &&
	    memcmp(magic, "HOLDSNAP", sizeof(magic)) == 0;
	close(fd);
	return ours;
}

static bool
write_whole(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? strdup(".")
	    : slash == path  ? strdup("/")
			     : strndup(path, (size_t)(slash - path));
}

static int
sync_folder(const char *path)
{
	char *folder = folder_of(path);
	int fd, rc = -1;

	if (folder == NULL)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (fd == -1)
		return -1;
	/* not every file system can, and then there is nothing to be done */
	rc = fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
	close(fd);
	return rc;
}

/* A file beside the path, readable by its owner alone: one without a name,
 * which ends with whoever writes it; or, where that cannot be, tmp's. */
static int
open_beside(const char *path, char *tmp, bool *named)
{
	char *folder = folder_of(path);
	int fd = -1;

	*named = false;
	if (folder == NULL)
		return -1;
	/* its name is given by way of /proc */
	if (access("/proc/self/fd", X_OK) == 0)
		fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	free(folder);
	if (fd != -1)
		return fd;
	*named = true;
	return mkostemp(tmp, O_CLOEXEC);
}

/* Gives the file tmp's name, which nobody else has. */
static int
name_it(int fd, char *tmp)
{
	char link[40];
	int at;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* a name that is free, and then not: linkat() replaces nothing */
	at = mkostemp(tmp, O_CLOEXEC);
	if (at == -1)
		return -1;
	close(at);
	if (unlink(tmp) == -1)
		return -1;
	return linkat(AT_FDCWD, link, AT_FDCWD, tmp, AT_SYMLINK_FOLLOW);
}

/* In the place of what is at the path, or nothing is changed. */
static int
put_there(int fd, const struct snap *s, char *tmp, bool named, const char *path)
{
	int saved;

	if (write_whole(fd, s->data, s->len) && fsync(fd) == 0 &&
	    (named || name_it(fd, tmp) == 0)) {
		named = true;
		if (rename(tmp, path) == 0)
			return sync_folder(path);
	}
	saved = errno;
	if (named)
		unlink(tmp);
	errno = saved;
	return -1;
}

int
snap_write(const struct snap *s, const char *path)
{
	char *tmp;
	int fd, saved, rc = -1;
	bool named;

	if (!may_replace(path)) {
		errno = EEXIST;
		return -1;
	}
	if (asprintf(&tmp, "%s.XXXXXX", path) == -1)
		return -1;
	fd = open_beside(path, tmp, &named);
	if (fd != -1)
		rc = put_there(fd, s, tmp, named, path);
	saved = errno;
	if (fd != -1)
		close(fd);
	free(tmp);
	errno = saved;
	return rc;
}

int
snap_read(struct snap *s, const char *path, char why[SNAP_WHY])
{
	off_t size = 0;
	int fd = open_plain(path, &size);
	bool got = false;

	*s = (struct snap){ 0 };
	if (fd == -1) {
		snprintf(why, SNAP_WHY, "%s",
		    errno == EINVAL || errno == ELOOP ? "this is no plain file"
						      : strerror(errno));
		return -1;
	}
	if (size > SNAP_BYTES_MAX) {
		snprintf(why, SNAP_WHY, "this is no snapshot, it is too long");
		close(fd);
		return -1;
	}
	s->data = malloc((size_t)size + 1);
	if (s->data != NULL) {
		s->len = s->size = (size_t)size;
		got = read_whole(fd, s->data, s->len);
	}
	close(fd);
	errno = s->data == NULL ? ENOMEM : EINVAL;
	if (got)
		return snap_check(s, why);
	snprintf(why, SNAP_WHY, "it cannot be read");
	return -1;
}
