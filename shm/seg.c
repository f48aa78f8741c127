/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Shared memory objects: making, mapping, checking and removing them. Runs in
 * every process; only the supervisor makes and removes. What a segment's
 * header says is checked once and then kept in a page that no other process
 * can reach.
 */

#include "shm/seg_map.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Before and behind each mapping; a multiple of every page size. */
enum { GUARD = 65536, NAME_LEN_MAX = 40 };

#define OBJECT_PREFIX "holdfast-"

/* What the layout of the structures comes down to: a program compiled with
 * another layout does not attach. */
uint32_t
seg_layout(void)
{
	static const uint32_t sizes[] = {
		SHM_LAYOUT,
		sizeof(struct shm_head),
		sizeof(struct shm_ring),
		sizeof(struct shm_extent),
		sizeof(struct shm_range),
		sizeof(struct shm_side),
		sizeof(struct shm_device),
		offsetof(struct shm_device, owner),
		offsetof(struct shm_device, seq),
		sizeof(struct shm_slot),
		offsetof(struct shm_slot, beat_ns),
		sizeof(struct shm_transport),
		sizeof(struct shm_door),
		sizeof(struct shm_control),
		sizeof(struct shm_conn),
		sizeof(struct shm_conn_cold),
		sizeof(struct shm_conn_who),
		sizeof(struct shm_batch),
		sizeof(struct shm_stats),
		sizeof(struct shm_worker),
		SHM_RING_BYTES,
		SHM_GATE_BYTES,
		sizeof(sem_t),
	};
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		h = (h ^ sizes[i]) * 16777619u;
	return h;
}

bool
seg_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_LEN_MAX)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' &&
		    *name != '-')
			return false;
	return true;
}

void
seg_object_name(char *out, size_t size, const char *store, enum shm_kind kind,
    const char *name, unsigned worker)
{
	switch (kind) {
	case SHM_CONTROL:
		snprintf(out, size, "/" OBJECT_PREFIX "%s.control", store);
		break;
	case SHM_DEVICE:
		snprintf(
		    out, size, "/" OBJECT_PREFIX "%s.device.%s", store, name);
		break;
	case SHM_WORKER:
		snprintf(out, size, "/" OBJECT_PREFIX "%s.worker.%s.%u", store,
		    name, worker);
		break;
	}
}

/* Maps the object that fd is, between guards; where is NULL or the address of
 * a mapping that it replaces. */
static int
map_fd(struct seg *s, int fd, size_t size, bool writable, void *where)
{
	int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	char *base = where;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!where) {
		base = mmap(NULL, GUARD + size + GUARD, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (base == MAP_FAILED)
			return -1;
		base += GUARD;
	}
	if (mmap(base, size, prot, MAP_SHARED | MAP_FIXED, fd, 0) ==
	    MAP_FAILED) {
		int e = errno;

		if (!where)
			munmap(base - GUARD, GUARD + size + GUARD);
		errno = e;
		return -1;
	}
	s->at = base;
	s->size = size;
	s->fd = -1;
	s->writable = writable;
	s->inode = st.st_ino;
	s->owner = st.st_uid;
	return 0;
}

int
seg_view_keep(struct seg *s, const struct seg_view *v)
{
	char *guard = (char *)s->at - GUARD;

	if (mprotect(guard, GUARD, PROT_READ | PROT_WRITE) < 0)
		return -1;
	*seg_view_of(s->at) = *v;
	return mprotect(guard, GUARD, PROT_READ);
}

int
seg_gate_keep(struct seg *s)
{
	size_t own = sizeof(sem_t) - SHM_GATE_BYTES;
	char *guard = (char *)s->at + s->size;
	sem_t like;

	if (own == 0)
		return 0;
	if (mprotect(guard, GUARD, PROT_READ | PROT_WRITE) < 0 ||
	    sem_init(&like, 1, 0) < 0)
		return -1;
	memcpy(guard, (char *)&like + SHM_GATE_BYTES, own);
	return mprotect(guard, GUARD, PROT_READ);
}

int
seg_object_create(struct seg *s, uint64_t size, uint64_t ready)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int e, fd;

	size = (size + page - 1) / page * page;
	fd = shm_open(s->object, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return -1;
	do {
		e = posix_fallocate(
		    fd, 0, (off_t)(ready < size ? ready : size));
	} while (e == EINTR);
	if (e == 0 && ready < size && ftruncate(fd, (off_t)size) < 0)
		e = errno;
	if (e == 0 && map_fd(s, fd, size, true, NULL) < 0)
		e = errno;
	close(fd);
	if (e != 0) {
		shm_unlink(s->object);
		errno = e;
		return -1;
	}
	return 0;
}

void
seg_object_drop(struct seg *s)
{
	int e = errno;

	shm_unlink(s->object);
	seg_unmap(s);
	errno = e;
}

void
seg_publish(
    struct seg *s, const char *store, enum shm_kind kind, const char *name)
{
	struct shm_head *h = s->at;

	h->layout = seg_layout();
	h->kind = kind;
	h->size = s->size;
	snprintf(h->store, sizeof(h->store), "%s", store);
	snprintf(h->name, sizeof(h->name), "%s", name);
	/* a segment without its magic is one that was never finished */
	atomic_thread_fence(memory_order_release);
	h->magic = SHM_MAGIC;
}

static int
check_head(const struct seg *s, enum shm_kind kind)
{
	struct shm_head h;

	memcpy(&h, s->at, sizeof(h));
	if (h.magic == SHM_MAGIC && h.layout != seg_layout()) {
		errno = EPROTO;
		return -1;
	}
	if (h.magic != SHM_MAGIC || h.kind != kind || h.size != s->size ||
	    !memchr(h.store, 0, sizeof(h.store)) ||
	    !memchr(h.name, 0, sizeof(h.name))) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

static int
check_parts(struct seg *s, enum shm_kind kind)
{
	static const size_t least[] = {
		[SHM_CONTROL] = sizeof(struct shm_control),
		[SHM_DEVICE] = sizeof(struct shm_device),
		[SHM_WORKER] = sizeof(struct shm_worker),
	};
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct seg_view v;

	if (s->size < least[kind]) {
		errno = EINVAL;
		return -1;
	}
	if (kind == SHM_DEVICE)
		return seg_gate_keep(s); /* store_open() looks at the rest */
	if ((kind == SHM_CONTROL ? seg_view_control(&v, s->at)
				 : seg_view_worker(&v, s->at)) < 0)
		return -1;
	if ((v.size + page - 1) / page * page != s->size) {
		errno = EINVAL;
		return -1;
	}
	return seg_view_keep(s, &v);
}

int
seg_attach(struct seg *s, const char *object, enum shm_kind kind, bool writable)
{
	struct stat st;
	int fd, rc, e;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	if (snprintf(s->object, sizeof(s->object), "%s", object) >=
	    (int)sizeof(s->object)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = shm_open(object, writable ? O_RDWR : O_RDONLY, 0);
	if (fd < 0)
		return -1;
	rc = fstat(fd, &st);
	if (rc == 0 && st.st_size < (off_t)sizeof(struct shm_head)) {
		errno = EINVAL;
		rc = -1;
	}
	if (rc == 0)
		rc = map_fd(s, fd, (size_t)st.st_size, writable, NULL);
	e = errno;
	close(fd);
	errno = e;
	if (rc < 0)
		return -1;
	if (check_head(s, kind) < 0 || check_parts(s, kind) < 0) {
		e = errno;
		seg_unmap(s);
		errno = e;
		return -1;
	}
	return 0;
}

int
seg_make_readonly(struct seg *s)
{
	uint64_t inode = s->inode;
	struct stat st;
	int fd, rc, e;

	/* only a mapping through a descriptor that was opened so stays so */
	fd = shm_open(s->object, O_RDONLY, 0);
	if (fd < 0)
		return -1;
	rc = fstat(fd, &st);
	if (rc == 0 && st.st_ino != inode) {
		errno = ESTALE;
		rc = -1;
	}
	if (rc == 0)
		rc = map_fd(s, fd, s->size, false, s->at);
	e = errno;
	close(fd);
	errno = e;
	return rc;
}

void
seg_unmap(struct seg *s)
{
	if (s->at)
		munmap((char *)s->at - GUARD, GUARD + s->size + GUARD);
	s->at = NULL;
	s->size = 0;
	s->fd = -1;
}

int
seg_unlink_store(const char *store)
{
	char prefix[SHM_NAME_MAX * 2],
	    name[sizeof(((struct dirent *)0)->d_name) + 1];
	DIR *dir = opendir("/dev/shm");
	struct dirent *d;
	int n = 0;

	if (!dir)
		return 0;
	snprintf(prefix, sizeof(prefix), OBJECT_PREFIX "%s.", store);
	while ((d = readdir(dir))) {
		if (strncmp(d->d_name, prefix, strlen(prefix)) == 0) {
			snprintf(name, sizeof(name), "/%s", d->d_name);
			n += shm_unlink(name) == 0;
		}
	}
	closedir(dir);
	return n;
}
