/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking part in somebody else's store, and noticing that it has gone. Runs in
 * the program's own process.
 *
 * Who writes holds the byte of its slot before it does anything else, so that
 * others can tell that it lives (shm/slot.h). The lock file, the control
 * segment and the devices are found by name, one after the other, and another
 * maker may replace them meanwhile: so what was found first is looked at again
 * at the end. A maker that comes later finds our byte held and leaves us the
 * lock file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shm/orphan.h"
#include "shm/seg_next.h"
#include "supervisor/api/api.h"
#include "supervisor/segs_make.h"

enum { TRIES = 20, AGAIN_NS = 20000000 };

#define LOOK_NS 500000000ull /* between two questions to the kernel */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- whether it is there ---- */

/* Its maker lives, or its workers, which the next daemon takes over with the
 * store; if it takes another one, it says that this one has gone. */
static bool
is_served(const struct hf_store *s)
{
	return slot_lock_held(s->env.lock_fd, SEGS_MAKER_SLOT) ||
	    orphan_workers(&s->env);
}

bool
api_gone_now(struct hf_store *s)
{
	if (slot_declared_dead(s->env.control, s->maker))
		return true;
	if (s->kind == API_MAKER || s->env.lock_fd < 0 || is_served(s))
		return false;
	if (s->env.me != 0) /* so that others need not ask */
		slot_declare_dead(s->env.control, s->maker);
	return true;
}

bool
api_gone(struct hf_store *s)
{
	uint64_t now;

	if (s->kind == API_MAKER)
		return false;
	if (slot_declared_dead(s->env.control, s->maker))
		return true;
	now = now_ns();
	if (now < atomic_load_explicit(&s->look_ns, memory_order_relaxed))
		return false;
	if (api_gone_now(s))
		return true;
	atomic_store_explicit(&s->look_ns, now + LOOK_NS, memory_order_relaxed);
	return false;
}

/* ---- attaching ---- */

/* True if the path still names the file that fd is. */
static bool
still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool
object_same(const struct seg *seg)
{
	struct stat st;
	int fd = shm_open(seg->object, O_RDONLY, 0);
	bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == seg->inode;

	if (fd >= 0)
		close(fd);
	return same;
}

/* The first slot for programs whose byte can be had. -1 with errno. */
static int
take_byte(struct hf_store *s, struct shm_control *c)
{
	for (unsigned i = share_externals(c); i < seg_slots(c); i++)
		if (slot_lock_take(s->env.lock_fd, i) == 0)
			return (int)i;
		else if (errno != EAGAIN && errno != EACCES)
			return -1;
	errno = EUSERS;
	return -1;
}

static int
attach_devices(struct hf_store *s, bool writable)
{
	struct shm_control *c = seg_control(&s->control);
	char name[SHM_NAME_MAX];
	unsigned n = segs_count_devices(c), unit = 0;

	for (unsigned i = 0; i < seg_ndevices(c); i++) {
		struct hf_device *d;

		memcpy(name, seg_device_name(c, i), sizeof(name));
		name[sizeof(name) - 1] = '\0';
		if (name[0] == '\0' && atomic_load(&c->devices_made) != 0)
			continue;
		if (!seg_name_ok(name)) {
			errno = ENOENT; /* it is being made */
			return -1;
		}
		d = api_device_new(s, name, HF_EVERY_UNIT);
		if (d == NULL)
			return -1;
		d->unit = n == 1 ? HF_EVERY_UNIT : (int)++unit;
		if (seg_attach_device(&d->seg, s->name, name, s->control.owner,
			writable) < 0 ||
		    store_open(&d->st, d->seg.at, d->seg.size, writable,
			writable ? &s->env : NULL) < 0 ||
		    api_names_make(d) < 0)
			return -1;
	}
	return 0;
}

/* Becomes the occupant of the slot, after whoever had it before. */
static void
occupy(struct hf_store *s, unsigned slot)
{
	struct shm_control *c = seg_control(&s->control);
	uint64_t before = slot_next_id(c, slot);

	slot_declare_dead(c, before);
	segs_take_slot(&s->env, c, s->env.lock_fd, slot, SHM_EXTERNAL,
	    program_invocation_short_name);
	api_bury(s, &before, 1);
	s->op = atomic_load(seg_done(c, slot));
}

/* Everything once. -1 with errno, ENOENT also for what is being made or
 * removed just now. */
static int
attach_once(struct hf_store *s, bool writable)
{
	char object[SHM_NAME_MAX * 3];
	int slot = -1;

	s->env.lock_fd = slot_lock_find(s->claim.store_lock, writable);
	if (s->env.lock_fd < 0)
		return -1;
	seg_object_name(object, sizeof(object), s->name, SHM_CONTROL, "", 0);
	if (seg_attach(&s->control, object, SHM_CONTROL, writable) < 0)
		return -1;
	s->env.control = seg_control(&s->control);
	if (!is_served(s)) {
		errno = ESTALE;
		return -1;
	}
	s->maker = slot_next_id(s->env.control, SEGS_MAKER_SLOT);
	if (writable && (slot = take_byte(s, s->env.control)) < 0)
		return -1;
	if (attach_devices(s, writable) < 0)
		return -1;
	if (!still_there(s->env.lock_fd, s->claim.store_lock) ||
	    !object_same(&s->control) || api_gone_now(s)) {
		errno = ENOENT;
		return -1;
	}
	if (writable)
		occupy(s, (unsigned)slot);
	return 0;
}

static void
detach(struct hf_store *s)
{
	int err = errno;

	for (size_t i = 0; i < s->ndevices; i++) {
		seg_unmap(&s->devices[i]->seg);
		conf_device_free(&s->devices[i]->conf);
		free(s->devices[i]->names);
		free(s->devices[i]);
	}
	s->ndevices = 0;
	seg_unmap(&s->control);
	if (s->env.lock_fd >= 0)
		close(s->env.lock_fd);
	s->env = (struct slot_env){ .lock_fd = -1 };
	errno = err;
}

static void *
refuse(struct hf_store *s)
{
	static const struct {
		int err;
		const char *words;
	} known[] = {
		{ ENOENT, "there is none of that name" },
		{ ESTALE, "who made it has gone" },
		{ EPROTO, "it was made by another version" },
		{ EUSERS, "too many programs have attached to it" },
		{ EACCES, "it belongs to another user" },
	};
	int err = errno;
	char name[SHM_NAME_MAX];

	memcpy(name, s->name, sizeof(name));
	hf_store_free(s);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].err == err)
			return api_null(
			    err, "store %s: %s", name, known[i].words);
	errno = err;
	return api_null(err, "cannot attach to the store %s: %m", name);
}

static struct hf_store *
attach(const char *name, bool writable)
{
	const struct timespec again = { 0, AGAIN_NS };
	struct hf_store *s;
	int tries = 0, rc;

	s = api_store_new(
	    name != NULL ? name : "", writable ? API_WRITER : API_READER);
	if (s == NULL)
		return NULL;
	claim_store_path(
	    s->claim.store_lock, sizeof(s->claim.store_lock), s->name);
	while ((rc = attach_once(s, writable)) < 0) {
		detach(s);
		/* perhaps it is being made: its lock file is the first of it,
		 * and what says that a segment is whole the last of that */
		if ((errno != ENOENT && errno != EINVAL) || ++tries == TRIES ||
		    access(s->claim.store_lock, F_OK) < 0)
			return refuse(s);
		nanosleep(&again, NULL);
	}
	atomic_store_explicit(&s->open, true, memory_order_release);
	return s;
}

struct hf_store *
hf_store_attach(const char *name)
{
	return attach(name, true);
}

struct hf_store *
hf_store_attach_readonly(const char *name)
{
	return attach(name, false);
}
