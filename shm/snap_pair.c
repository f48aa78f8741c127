/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots that replace each other, one whole one always being there. Runs in
 * the process that saves, and once in the supervisor, which only reads. What
 * is read comes from outside.
 */

#include "shm/snap_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

enum ending { NEWEST, OLD, NEW, BAD };

static const char *const endings[] = { "", ".old", ".new", ".bad" };

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static void
name_of(const char *path, enum ending e, char name[PATH_MAX])
{
	snprintf(name, PATH_MAX, "%s%s", path, endings[e]);
}

/* The directory, as it is now: it may have gone and come again. */
static int
open_folder(const char *path)
{
	char folder[PATH_MAX];
	size_t len = (size_t)(base_of(path) - path);

	snprintf(folder, sizeof(folder), "%.*s", (int)len, path);
	return open(
	    len == 0 ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
snap_pair_reach(const char *path)
{
	int dir = open_folder(path);

	return dir == -1 ? -1 : close(dir);
}

/* ---- the system ---- */

static int
sys_create(int dir, const char *name)
{
	return openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static ssize_t
sys_write(int fd, const void *data, size_t len)
{
	return write(fd, data, len);
}

static int
sys_sync(int fd)
{
	/* not every file system can sync a directory, and then there is
	 * nothing to be done */
	return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

static int
sys_swap(int dir, const char *a, const char *b)
{
	return renameat2(dir, a, dir, b, RENAME_EXCHANGE);
}

static int
sys_rename(int dir, const char *from, const char *to)
{
	return renameat(dir, from, dir, to);
}

static int
sys_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

const struct snap_io snap_io_system = {
	.create = sys_create,
	.write = sys_write,
	.sync = sys_sync,
	.swap = sys_swap,
	.rename = sys_rename,
	.unlink = sys_unlink,
};

/* ---- what there is ---- */

enum found { ABSENT, WHOLE, DAMAGED, FOREIGN, UNREADABLE };

/* How the file begins: how many bytes of it, -1 with errno. */
static ssize_t
read_head(int dir, const char *name, uint8_t head[SNAP_FILE_HEAD])
{
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;
	int e;

	if (fd == -1)
		return -1;
	memset(head, 0, SNAP_FILE_HEAD);
	if (fstat(fd, &st) == 0) {
		errno = EEXIST;
		if (S_ISREG(st.st_mode))
			n = read(fd, head, SNAP_FILE_HEAD);
	}
	e = errno;
	close(fd);
	errno = e;
	return n;
}

/* Bytes that a failure of the power may have left of a snapshot: it begins
 * like one, or with the zeros of blocks that were never written. */
static bool
was_ours(const uint8_t *head, ssize_t len)
{
	static const uint8_t zeros[8];

	return len < 8 || memcmp(head, "HOLDSNAP", 8) == 0 ||
	    memcmp(head, zeros, 8) == 0;
}

/* What is there under one of the names, looked at from end to end. */
static enum found
look_at(struct snap_pair *p, int dir, enum ending e, uint64_t *sequence,
    uint8_t head[SNAP_FILE_HEAD])
{
	struct snap s;
	char name[PATH_MAX], why[SNAP_WHY];
	ssize_t n;
	int rc, err;

	name_of(base_of(p->path), e, name);
	n = read_head(dir, name, head);
	*sequence = 0;
	if (n == -1)
		return errno == ENOENT                  ? ABSENT
		    : errno == EEXIST || errno == ELOOP ? FOREIGN
							: UNREADABLE;
	if (!was_ours(head, n))
		return FOREIGN;
	name_of(p->path, e, name);
	rc = snap_read(&s, name, why);
	err = errno;
	*sequence = rc == 0 ? snap_place(&s).sequence : 0;
	snap_free(&s);
	errno = err;
	return rc == 0 ? WHOLE : err == ENOMEM ? UNREADABLE : DAMAGED;
}

static void
count_on(struct snap_pair *p, uint64_t sequence)
{
	/* a file may say anything */
	if (sequence >= p->sequence && sequence < UINT64_MAX / 2)
		p->sequence = sequence + 1;
}

static int
rename_ending(struct snap_pair *p, int dir, enum ending from, enum ending to)
{
	char was[PATH_MAX], is[PATH_MAX];

	name_of(base_of(p->path), from, was);
	name_of(base_of(p->path), to, is);
	return p->io->rename(dir, was, is);
}

static int
write_whole(const struct snap_pair *p, int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = p->io->write(fd, data, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return p->io->sync(fd);
}

/* Closes what has been written; rc and errno as before, if that was wrong. */
static int
close_written(int fd, int rc)
{
	int e = errno;

	if (close(fd) == -1 && rc == 0)
		return -1;
	errno = e;
	return rc;
}

/* What is whole under the name of the next one comes to PATH as a copy: where a
 * renaming may be cut in halves, it would be nowhere for a moment. */
static int
copy_new(struct snap_pair *p, int dir)
{
	char name[PATH_MAX], why[SNAP_WHY];
	struct snap s;
	int fd, rc, e;

	name_of(p->path, NEW, name);
	rc = snap_read(&s, name, why);
	fd = rc == 0 ? p->io->create(dir, base_of(p->path)) : -1;
	if (fd != -1)
		rc = close_written(fd, write_whole(p, fd, s.data, s.len));
	if (fd == -1 || rc == -1 || p->io->sync(dir) == -1)
		rc = -1;
	e = errno;
	p->there = rc == 0;
	if (p->there)
		memcpy(p->head, s.data, sizeof(p->head));
	snap_free(&s);
	errno = e;
	return rc;
}

/* The first look: all of them are read. */
static int
look_first(struct snap_pair *p, int dir)
{
	uint8_t head[SNAP_FILE_HEAD];
	uint64_t sequence = 0, old = 0, new = 0;
	enum found found = look_at(p, dir, NEWEST, &sequence, p->head);
	bool whole;

	if (found == FOREIGN || found == UNREADABLE) {
		errno = found == FOREIGN ? EEXIST : errno;
		return -1;
	}
	if (found == DAMAGED && rename_ending(p, dir, NEWEST, BAD) == -1)
		return -1;
	look_at(p, dir, OLD, &old, head);
	whole = look_at(p, dir, NEW, &new, head) == WHOLE;
	p->there = found == WHOLE;
	/* its writer was cut off before it got its place */
	if (!p->there && whole && new > old &&copy_new(p, dir) == -1)
		return -1;
	p->sequence = 1;
	count_on(p, sequence);
	count_on(p, old);
	count_on(p, new);
	p->looked = true;
	return 0;
}

/* Whether what is at PATH is still what was seen there last. */
static int
look_again(struct snap_pair *p, int dir)
{
	uint8_t head[SNAP_FILE_HEAD];
	ssize_t n = read_head(dir, base_of(p->path), head);

	if (n == -1 && errno != ENOENT)
		return -1;
	if (n == -1) {
		p->there = false; /* somebody has removed it: begin anew */
		return 0;
	}
	if (p->there && memcmp(head, p->head, sizeof(head)) == 0)
		return 0;
	errno = was_ours(head, n) ? EBUSY : EEXIST;
	return -1;
}

int
snap_pair_look(struct snap_pair *p)
{
	int dir = open_folder(p->path), rc, e;

	if (dir == -1)
		return -1;
	rc = p->looked ? look_again(p, dir) : look_first(p, dir);
	e = errno;
	close(dir);
	errno = e;
	return rc;
}

/* ---- saving ---- */

static int
write_new(
    const struct snap_pair *p, int dir, const char *name, const struct snap *s)
{
	int fd;

	if (p->io->unlink(dir, name) == -1 && errno != ENOENT)
		return -1;
	fd = p->io->create(dir, name);
	if (fd == -1)
		return -1;
	return close_written(fd, write_whole(p, fd, s->data, s->len));
}

static void
is_there(struct snap_pair *p, const struct snap *s)
{
	p->there = true;
	memcpy(p->head, s->data, sizeof(p->head));
	p->sequence = snap_place(s).sequence + 1;
}

/* PATH is the new one, and what was there is PATH.old. */
static int
change_places(struct snap_pair *p, int dir, const struct snap *s)
{
	const char *path = base_of(p->path);
	char old[PATH_MAX], new[PATH_MAX];

	name_of(path, OLD, old);
	name_of(path, NEW, new);
	if (p->there && p->io->swap(dir, new, path) == 0) {
		is_there(p, s);
		return p->io->rename(dir, new, old);
	}
	if (p->there) {
		if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
			return -1;
		/* names cannot change places here: that the new one has its
		 * own comes to the disk before that the old one loses it */
		if (p->io->sync(dir) == -1 ||
		    p->io->rename(dir, path, old) == -1)
			return -1;
		p->there = false;
		if (p->io->sync(dir) == -1)
			return -1;
	}
	if (p->io->rename(dir, new, path) == -1)
		return -1;
	is_there(p, s);
	return 0;
}

int
snap_pair_save(struct snap_pair *p, const struct snap *s)
{
	int dir = open_folder(p->path), rc = -1, e;
	char new[PATH_MAX];

	if (dir == -1)
		return -1;
	name_of(base_of(p->path), NEW, new);
	if (write_new(p, dir, new, s) == 0) {
		rc = change_places(p, dir, s) == 0 ? p->io->sync(dir) : -1;
		e = errno;
	} else {
		/* room for others; what it holds is of no use */
		e = errno;
		p->io->unlink(dir, new);
	}
	close(dir);
	errno = e;
	return rc;
}

const char *
snap_pair_words(int error)
{
	return error == EBUSY    ? "somebody else has put a file there since, "
				   "which stays"
	    : error == EEXIST    ? "what is there is no snapshot, and stays"
	    : error == ETIMEDOUT ? "the registers are written to too fast"
				 : strerror(error);
}

/* ---- loading ---- */

static bool
is_there_at_all(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 || errno != ENOENT;
}

/* Reads what has an ending into s, if it is whole and newer than what s has. */
static bool
take_newer(const char *path, enum ending e, struct snap *s, bool any)
{
	char name[PATH_MAX], why[SNAP_WHY];
	struct snap found;

	name_of(path, e, name);
	if (snap_read(&found, name, why) == 0 &&
	    (!any || snap_place(&found).sequence > snap_place(s).sequence)) {
		snap_free(s);
		*s = found;
		return true;
	}
	snap_free(&found);
	return false;
}

enum snap_pair_rc
snap_pair_load(
    const char *path, struct snap *s, const char **ending, char why[SNAP_WHY])
{
	char name[PATH_MAX];
	int dir;

	why[0] = '\0';
	*ending = endings[NEWEST];
	if (snap_read(s, path, why) == 0)
		return SNAP_PAIR_FOUND;
	snap_free(s);
	*ending = NULL;
	if (take_newer(path, OLD, s, false))
		*ending = endings[OLD];
	if (take_newer(path, NEW, s, *ending != NULL))
		*ending = endings[NEW];
	if (*ending != NULL)
		return SNAP_PAIR_FOUND;
	*ending = endings[NEWEST];
	dir = open_folder(path);
	if (dir == -1) {
		snprintf(why, SNAP_WHY, "its directory: %s", strerror(errno));
		return SNAP_PAIR_BAD;
	}
	close(dir);
	name_of(path, OLD, name);
	/* what is .new then is the beginning of the first one */
	return is_there_at_all(path) || is_there_at_all(name) ? SNAP_PAIR_BAD
							      : SNAP_PAIR_NONE;
}
