/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a view: making them, telling ours from those of others, and
 * removing them. Runs in the worker that keeps the view, and mirror_remove()
 * in the supervisor. Never touches what it cannot prove to be ours.
 */
#include "shm/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIRROR_MAGIC 0x3177656976666468ull /* "hdfview1" */

enum { ALIGN = 64, MAKING = 1, TRIES = 20 };

/* Another layout is another version's. */
#define MIRROR_LAYOUT                                 \
	((uint32_t)(sizeof(struct mirror_ctl) << 12 ^ \
	    sizeof(struct mirror_entry) << 4 ^        \
	    offsetof(struct mirror_ctl, stage)))

static const char *const suffix[MIRROR_TABLES] = {
	[STORE_CO] = "DO",
	[STORE_DI] = "DI",
	[STORE_HR] = "AO",
	[STORE_IR] = "AI",
};

void
mirror_name(
    char out[MIRROR_NAME_BYTES], const char *prefix, int unit, int table)
{
	if (table < 0)
		snprintf(out, MIRROR_NAME_BYTES, "/%.*sctl", MIRROR_PREFIX_MAX,
		    prefix);
	else if (unit == MIRROR_PLAIN)
		snprintf(out, MIRROR_NAME_BYTES, "/%.*s%s", MIRROR_PREFIX_MAX,
		    prefix, suffix[table]);
	else
		snprintf(out, MIRROR_NAME_BYTES, "/%.*s%02x_%s",
		    MIRROR_PREFIX_MAX, prefix, (unsigned)unit & 0xff,
		    suffix[table]);
}

/* The inode behind a name, 0 if there is none. */
static uint64_t
inode_of(const char *name)
{
	char path[MIRROR_NAME_BYTES + 16];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/shm%s", name);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static int __attribute__((__format__(printf, 3, 4)))
fail(struct mirror *m, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	errno = err;
	return -1;
}

static int
fail_errno(struct mirror *m, const char *what, const char *name)
{
	int err = errno;

	return fail(
	    m, err, "cannot %s /dev/shm%s: %s", what, name, strerror(err));
}

static int
not_ours(struct mirror *m, const char *name)
{
	return fail(m, EEXIST,
	    "/dev/shm%s is another program's: end that and remove it, or "
	    "choose another \"prefix\"",
	    name);
}

/* ---- the control object ---- */

static int
lock(int fd)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1
	};

	return fcntl(fd, F_OFD_SETLK, &fl);
}

static size_t
padded(size_t bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Where everything is to be; the size of the whole. */
static size_t
lay_out(struct mirror_entry *e, const struct mirror_plan *plan, unsigned n)
{
	size_t at =
	    padded(sizeof(struct mirror_ctl) + n * sizeof(struct mirror_entry));

	for (unsigned i = 0; i < n; i++) {
		e[i].unit = plan[i].unit;
		for (unsigned t = 0; t < MIRROR_TABLES; t++) {
			e[i].count[t] = plan[i].count[t];
			e[i].shadow[t] = at;
			at += padded(mirror_bytes(t, plan[i].count[t]));
		}
	}
	return at;
}

/* Opens the control object or makes an empty one, and locks it. */
static int
take_ctl(struct mirror *m)
{
	char name[MIRROR_NAME_BYTES];
	struct mirror_ctl head;
	struct stat st;

	mirror_name(name, m->prefix, 0, -1);
	for (int i = 0; i < TRIES; i++) {
		m->fd = shm_open(name, O_RDWR, 0);
		if (m->fd == -1 && errno == ENOENT)
			m->fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (m->fd == -1 && errno == EEXIST)
			continue;
		if (m->fd == -1 || fstat(m->fd, &st) == -1)
			return fail_errno(m, "open", name);
		if (st.st_uid != geteuid())
			return not_ours(m, name);
		if (lock(m->fd) == -1) {
			if (pread(m->fd, &head, sizeof(head), 0) !=
			    sizeof(head))
				head.pid = 0;
			return fail(m, EBUSY,
			    "the objects /dev/shm/%s* are kept by process %u",
			    m->prefix, head.pid);
		}
		/* its last keeper may have removed it meanwhile */
		if (fstat(m->fd, &st) == 0 && st.st_nlink > 0)
			return 0;
		close(m->fd);
		m->fd = -1;
	}
	return fail(m, EBUSY, "/dev/shm%s comes and goes", name);
}

/* True if it says the same of every set. */
static bool
same_plan(const struct mirror_entry *have, const struct mirror_entry *want,
    unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (have[i].unit != want[i].unit ||
		    memcmp(have[i].count, want[i].count,
			sizeof(have[i].count)) != 0 ||
		    memcmp(have[i].shadow, want[i].shadow,
			sizeof(have[i].shadow)) != 0)
			return false;
	return true;
}

/* What a control object says, as far as it can be; NULL with EINVAL if it is
 * none of ours, ENODATA if it is empty. malloc'd. */
static struct mirror_ctl *
read_ctl(int fd)
{
	struct mirror_ctl head, *all;
	size_t size;
	ssize_t got = pread(fd, &head, sizeof(head), 0);

	errno = ENODATA;
	if (got == 0 || (got == sizeof(head) && head.magic == 0))
		return NULL;
	errno = EINVAL;
	if (got != sizeof(head) || head.magic != MIRROR_MAGIC ||
	    head.layout != MIRROR_LAYOUT || head.nsets > MIRROR_SETS_MAX ||
	    memchr(head.store, 0, sizeof(head.store)) == NULL ||
	    memchr(head.transport, 0, sizeof(head.transport)) == NULL)
		return NULL;
	size = sizeof(head) + head.nsets * sizeof(struct mirror_entry);
	all = malloc(size);
	if (all == NULL)
		return NULL;
	if (pread(fd, all, size, 0) == (ssize_t)size &&
	    all->nsets == head.nsets)
		return all;
	free(all);
	errno = EINVAL;
	return NULL;
}

/* Removes an object that has been made, unless another has its name now. */
static void
unlink_object(
    const char *prefix, const struct mirror_entry *e, unsigned t, uid_t uid)
{
	uint64_t inode = atomic_load(&e->inode[t]);
	char name[MIRROR_NAME_BYTES];
	struct stat st;
	int fd;

	if (inode == 0)
		return;
	mirror_name(name, prefix, e->unit, (int)t);
	fd = shm_open(name, O_RDONLY, 0);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == uid &&
	    (st.st_ino == inode || inode == MAKING))
		shm_unlink(name);
	close(fd);
}

static void
unlink_all(
    const char *prefix, const struct mirror_entry *e, unsigned n, uid_t uid)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned t = 0; t < MIRROR_TABLES; t++)
			unlink_object(prefix, &e[i], t, uid);
}

/* Nobody may have what is about to be made. */
static int
all_free(struct mirror *m, const struct mirror_plan *plan, unsigned n)
{
	char name[MIRROR_NAME_BYTES];
	int fd;

	for (unsigned i = 0; i < n; i++)
		for (unsigned t = 0; t < MIRROR_TABLES; t++) {
			mirror_name(name, m->prefix, plan[i].unit, (int)t);
			fd = shm_open(name, O_RDONLY, 0);
			if (fd != -1)
				close(fd);
			if (fd != -1 || errno != ENOENT)
				return not_ours(m, name);
		}
	return 0;
}

static int
fallocate_all(int fd, size_t size)
{
	int err;

	do {
		err = posix_fallocate(fd, 0, (off_t)size);
	} while (err == EINTR);
	errno = err;
	return err == 0 ? 0 : -1;
}

/* Makes the locked object what it has to be; true in *fresh if nothing of what
 * stood there before is left. */
static int
fit_ctl(struct mirror *m, const struct mirror_entry *want, unsigned n,
    size_t size, bool *fresh)
{
	struct mirror_ctl *was = read_ctl(m->fd);
	char name[MIRROR_NAME_BYTES];

	mirror_name(name, m->prefix, 0, -1);
	*fresh = true;
	if (was == NULL && errno != ENODATA)
		return not_ours(m, name);
	if (was != NULL && was->nsets == n && was->size == size &&
	    same_plan(was->set, want, n)) {
		*fresh = false;
	} else {
		if (was != NULL)
			unlink_all(m->prefix, was->set, was->nsets, geteuid());
		if (ftruncate(m->fd, 0) == -1) {
			free(was);
			return fail_errno(m, "clear", name);
		}
	}
	free(was);
	if (fallocate_all(m->fd, size) == -1)
		return fail_errno(m, "make room for", name);
	m->ctl = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (m->ctl == MAP_FAILED) {
		m->ctl = NULL;
		return fail_errno(m, "map", name);
	}
	m->size = size;
	return 0;
}

/* ---- the tables ---- */

/* Opens an object that a dead keeper has made; -1 if there is none to be had,
 * with errno ENOENT, or EEXIST if the name is another's by now. */
static int
open_left(struct mirror *m, const struct mirror_entry *e, unsigned t,
    const char *name)
{
	uint64_t inode = atomic_load(&e->inode[t]);
	struct stat st;
	int fd;

	fd = shm_open(name, O_RDWR, 0);
	if (fd == -1 && errno == ENOENT)
		return -1;
	if (fd == -1 || fstat(fd, &st) == -1 || st.st_uid != geteuid() ||
	    (st.st_ino != inode && inode != MAKING)) {
		if (fd != -1)
			close(fd);
		return not_ours(m, name);
	}
	if ((size_t)st.st_size == mirror_bytes(t, e->count[t]))
		return fd;
	close(fd);
	shm_unlink(name);
	errno = ENOENT;
	return -1;
}

static int
make_table(
    struct mirror *m, struct mirror_entry *e, unsigned t, const char *name)
{
	struct stat st;
	int fd;

	atomic_store(&e->inode[t], MAKING);
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd == -1 && errno == EEXIST) {
		atomic_store(&e->inode[t], 0);
		return not_ours(m, name);
	}
	if (fd == -1)
		return fail_errno(m, "make", name);
	if (fallocate_all(fd, mirror_bytes(t, e->count[t])) == -1 ||
	    fstat(fd, &st) == -1) {
		fail_errno(m, "make room for", name);
		close(fd);
		return -1;
	}
	atomic_store(&e->inode[t], st.st_ino);
	return fd;
}

static int
open_table(struct mirror *m, struct mirror_set *s, unsigned t, mode_t mode)
{
	struct mirror_entry *e = s->entry;
	size_t bytes = mirror_bytes(t, s->count[t]);
	char name[MIRROR_NAME_BYTES];
	int fd = -1;

	mirror_name(name, m->prefix, e->unit, (int)t);
	errno = ENOENT;
	if (atomic_load(&e->inode[t]) != 0)
		fd = open_left(m, e, t, name);
	if (fd == -1 && errno != ENOENT)
		return -1;
	if (fd == -1) {
		m->warm = false;
		fd = make_table(m, e, t, name);
	}
	if (fd == -1)
		return -1;
	s->table[t] = MAP_FAILED;
	if (fchmod(fd, mode) == 0)
		s->table[t] = mmap(
		    NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->table[t] == MAP_FAILED) {
		s->table[t] = NULL;
		fail_errno(m, "map", name);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int
open_tables(struct mirror *m, const struct mirror_entry *want, mode_t mode)
{
	for (unsigned i = 0; i < m->nsets; i++) {
		struct mirror_set *s = &m->set[i];

		s->entry = &m->ctl->set[i];
		for (unsigned t = 0; t < MIRROR_TABLES; t++) {
			s->shadow[t] = (char *)m->ctl + want[i].shadow[t];
			s->count[t] = want[i].count[t];
			if (open_table(m, s, t, mode) == -1)
				return -1;
		}
	}
	return 0;
}

/* ---- the whole ---- */

/* Whether what is there can be gone on with; else all but the objects is
 * forgotten. */
static bool
is_warm(const struct mirror_ctl *c, const struct mirror_who *who)
{
	return c->life == who->life && strcmp(c->store, who->store) == 0 &&
	    strcmp(c->transport, who->transport) == 0 &&
	    atomic_load(&c->filled) != 0;
}

static void
begin(struct mirror *m, const struct mirror_who *who,
    const struct mirror_entry *want, size_t size, bool fresh)
{
	struct mirror_ctl *c = m->ctl;

	if (fresh)
		memcpy(c->set, want, m->nsets * sizeof(*want));
	m->warm = !fresh && is_warm(c, who);
	if (!m->warm) {
		atomic_store(&c->filled, 0);
		atomic_store(&c->stage.way, MIRROR_IDLE);
		atomic_store(&c->op, 0);
		snprintf(c->store, sizeof(c->store), "%s", who->store);
		snprintf(
		    c->transport, sizeof(c->transport), "%s", who->transport);
		c->life = who->life;
	}
	c->layout = MIRROR_LAYOUT;
	c->nsets = m->nsets;
	c->size = size;
	atomic_store(&c->pid, (uint32_t)getpid());
	atomic_thread_fence(memory_order_release);
	c->magic = MIRROR_MAGIC;
}

static int
open_all(struct mirror *m, const struct mirror_who *who,
    const struct mirror_plan *plan, unsigned n, struct mirror_entry *want)
{
	size_t size = lay_out(want, plan, n);
	bool fresh;

	if (take_ctl(m) == -1 || fit_ctl(m, want, n, size, &fresh) == -1 ||
	    (fresh && all_free(m, plan, n) == -1))
		return -1;
	m->nsets = n;
	begin(m, who, want, size, fresh);
	if (open_tables(m, want, who->mode) == -1)
		return -1;
	if (!m->warm)
		atomic_store(&m->ctl->filled, 0);
	return 0;
}

int
mirror_open(struct mirror *m, const struct mirror_who *who,
    const struct mirror_plan *plan, unsigned n)
{
	struct mirror_entry *want = calloc(n + 1, sizeof(*want));
	int rc, err;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	snprintf(m->prefix, sizeof(m->prefix), "%s", who->prefix);
	m->set = calloc(n + 1, sizeof(*m->set));
	if (want == NULL || m->set == NULL)
		rc = fail(m, ENOMEM, "not enough memory");
	else
		rc = open_all(m, who, plan, n, want);
	err = errno;
	free(want);
	errno = err;
	return rc;
}

static void
unmap_tables(struct mirror *m)
{
	for (unsigned i = 0; i < m->nsets; i++)
		for (unsigned t = 0; t < MIRROR_TABLES; t++)
			if (m->set[i].table[t] != NULL)
				munmap(m->set[i].table[t],
				    mirror_bytes(t, m->set[i].count[t]));
}

/* Whether the control object has its name still. */
static bool
ctl_stands(const struct mirror *m, char name[MIRROR_NAME_BYTES])
{
	struct stat st;

	mirror_name(name, m->prefix, 0, -1);
	return fstat(m->fd, &st) == 0 && inode_of(name) == st.st_ino;
}

bool
mirror_lacks(const struct mirror *m, char out[MIRROR_NAME_BYTES], bool *ctl)
{
	*ctl = !ctl_stands(m, out);
	if (*ctl)
		return true;
	for (unsigned i = 0; i < m->nsets; i++)
		for (unsigned t = 0; t < MIRROR_TABLES; t++) {
			const struct mirror_entry *e = m->set[i].entry;

			mirror_name(out, m->prefix, e->unit, (int)t);
			if (inode_of(out) != atomic_load(&e->inode[t]))
				return true;
		}
	return false;
}

void
mirror_close(struct mirror *m, bool remove)
{
	char name[MIRROR_NAME_BYTES];

	if (m->ctl != NULL) {
		unmap_tables(m);
		if (remove) {
			unlink_all(m->prefix, m->ctl->set, m->nsets, geteuid());
			if (ctl_stands(m, name))
				shm_unlink(name);
		}
		munmap(m->ctl, m->size);
	}
	free(m->set);
	if (m->fd != -1)
		close(m->fd);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
}

void
mirror_remove(const char *prefix, const char *store, uid_t uid)
{
	char name[MIRROR_NAME_BYTES];
	struct mirror_ctl *c = NULL;
	struct stat st;
	int fd;

	mirror_name(name, prefix, 0, -1);
	fd = shm_open(name, O_RDWR, 0);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == uid && lock(fd) == 0)
		c = read_ctl(fd);
	if (c != NULL && strcmp(c->store, store) == 0) {
		unlink_all(prefix, c->set, c->nsets, uid);
		shm_unlink(name);
	}
	free(c);
	close(fd);
}
