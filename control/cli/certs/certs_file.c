/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a demonstration, all or none. Runs in `holdfast certs`. Follows no
 * symbolic link that somebody else may have put in the way of a key.
 */
#include "control/cli/certs/certs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRELIMINARY ".%s.new"

static enum certs_rc
cannot(char *why, const struct certs_files *f, const char *name)
{
	snprintf(why, CERTS_WHY, "cannot create %s%s%s: %s", f->path,
	    name[0] != '\0' ? "/" : "", name, strerror(errno));
	return CERTS_CANNOT_CREATE;
}

enum certs_rc
certs_files_open(struct certs_files *f, const char *path, bool make, bool force,
    char why[CERTS_WHY])
{
	*f = (struct certs_files){ .dir = -1, .path = path, .force = force };
	if (make && mkdir(path, 0755) == 0)
		f->made = true;
	else if (make && errno != EEXIST)
		return cannot(why, f, "");
	f->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir != -1)
		return CERTS_OK;
	if (make)
		return cannot(why, f, "");
	snprintf(why, CERTS_WHY, "%s: %s", path, strerror(errno));
	return CERTS_NO_INPUT;
}

enum certs_rc
certs_files_free(
    const struct certs_files *f, const char *name, char why[CERTS_WHY])
{
	if (f->force || faccessat(f->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return CERTS_OK;
	snprintf(why, CERTS_WHY,
	    "%s/%s is there already; --force replaces it, and all that a "
	    "demonstration is made of",
	    f->path, name);
	return CERTS_CANNOT_CREATE;
}

/* All of it, whatever a single write() takes. */
static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

enum certs_rc
certs_files_put(struct certs_files *f, const char *name, mode_t mode,
    const void *data, size_t len, char why[CERTS_WHY])
{
	char tmp[sizeof(f->at[0].name) + 8];
	int fd, rc;

	if (f->n == CERTS_FILES_MAX) {
		snprintf(why, CERTS_WHY, "%s: more than %d files at once",
		    f->path, CERTS_FILES_MAX);
		return CERTS_CANNOT_CREATE;
	}
	snprintf(tmp, sizeof(tmp), PRELIMINARY, name);
	unlinkat(f->dir, tmp, 0); /* of one that was interrupted */
	fd = openat(f->dir, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd == -1)
		return cannot(why, f, name);
	snprintf(f->at[f->n++].name, sizeof(f->at[0].name), "%s", name);
	rc = write_all(fd, data, len);
	if (rc == 0)
		rc = fsync(fd);
	if (close(fd) == -1 || rc == -1)
		return cannot(why, f, name);
	return CERTS_OK;
}

/* Where the file system cannot refuse to replace, looking has to do. */
static int
put_in_place(const struct certs_files *f, const char *tmp, const char *name)
{
	if (f->force)
		return renameat(f->dir, tmp, f->dir, name);
	if (renameat2(f->dir, tmp, f->dir, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL ||
	    faccessat(f->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -1;
	return renameat(f->dir, tmp, f->dir, name);
}

enum certs_rc
certs_files_commit(struct certs_files *f, char why[CERTS_WHY])
{
	char tmp[sizeof(f->at[0].name) + 8];

	for (; f->n > 0; f->n--) {
		const char *name = f->at[f->n - 1].name;

		snprintf(tmp, sizeof(tmp), PRELIMINARY, name);
		if (put_in_place(f, tmp, name) == -1)
			return cannot(why, f, name);
	}
	f->made = false;
	return CERTS_OK;
}

void
certs_files_close(struct certs_files *f)
{
	char tmp[sizeof(f->at[0].name) + 8];

	for (; f->n > 0; f->n--) {
		snprintf(tmp, sizeof(tmp), PRELIMINARY, f->at[f->n - 1].name);
		unlinkat(f->dir, tmp, 0);
	}
	if (f->dir != -1)
		close(f->dir);
	if (f->made)
		rmdir(f->path);
}
