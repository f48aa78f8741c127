/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coming alongside the store of a program, and casting off. Runs in the
 * supervisor of a server, before its loop and after it.
 */
#include "supervisor/berth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/store_reap.h"
#include "supervisor/boot.h"
#include "supervisor/host.h"
#include "supervisor/segs.h"
#include "supervisor/segs_make.h"
#include "supervisor/share.h"
#include "supervisor/super.h"

int
berth_fits(const struct conf *conf, char *why, unsigned long size)
{
	const struct conf_transport *t = conf->transports;

	errno = EINVAL;
	if (t->workers > SHARE_WORKERS) {
		snprintf(why, size,
		    "\"workers\" is %u; %u is the most that a program's server "
		    "can have",
		    t->workers, SHARE_WORKERS);
		return -1;
	}
	if (t->workers * t->max_connections > SHARE_CONNS) {
		snprintf(why, size,
		    "\"max_connections\" times \"workers\" is %u; %u is the "
		    "most that a program's server can have",
		    t->workers * t->max_connections, SHARE_CONNS);
		return -1;
	}
	return 0;
}

/* ---- the store ---- */

static int
attach(struct super *s, struct seg *seg, enum shm_kind kind, const char *name)
{
	char object[SHM_NAME_MAX * 3];

	seg_object_name(object, sizeof(object), s->conf->store, kind, name, 0);
	return seg_attach(seg, object, kind, true);
}

/* True if the devices are those that the program knows of. */
static bool
same_devices(const struct super *s)
{
	const struct conf *conf = s->conf;

	if (segs_count_devices(s->control) != conf->ndevices)
		return false;
	for (size_t i = 0; i < conf->ndevices; i++)
		if (segs_find_device(s->control, conf->devices[i].name) < 0)
			return false;
	return true;
}

/* The control segment, if it is still the program's. -1 with errno. */
static int
attach_control(struct super *s)
{
	claim_store_path(
	    s->claim.store_lock, sizeof(s->claim.store_lock), s->conf->store);
	s->berth.lock_fd = slot_lock_find(s->claim.store_lock, true);
	if (s->berth.lock_fd < 0 ||
	    attach(s, &s->control_seg, SHM_CONTROL, "") < 0)
		return -1;
	s->control = seg_control(&s->control_seg);
	if (s->control_seg.inode != s->host->store || !same_devices(s) ||
	    !slot_lock_held(s->berth.lock_fd, SEGS_MAKER_SLOT)) {
		errno = ESTALE;
		return -1;
	}
	return 0;
}

static int
attach_devices(struct super *s)
{
	const struct conf *conf = s->conf;

	if (segs_room(s) < 0)
		return -1;
	for (size_t i = 0; i < conf->ndevices; i++) {
		struct seg *seg = &s->device_segs[i];

		if (attach(s, seg, SHM_DEVICE, conf->devices[i].name) < 0 ||
		    store_open(
			&s->stores[i], seg->at, seg->size, true, &s->env) < 0)
			return -1;
	}
	return 0;
}

/* ---- the share ---- */

/* A transport's name is that of its workers' segments, too. */
static void
remove_worker_segs(struct super *s)
{
	char object[SHM_NAME_MAX * 3];

	for (unsigned w = 0; w < SHARE_WORKERS; w++) {
		seg_object_name(object, sizeof(object), s->conf->store,
		    SHM_WORKER, s->conf->transports[0].name, w);
		shm_unlink(object);
	}
}

/* What those who had the share before have not finished is finished now: after
 * this, nobody is credited with anything under our authors' numbers. */
static void
bury_former(struct super *s, const uint64_t *ids)
{
	for (unsigned i = 0; i < SHARE_SLOTS; i++)
		for (size_t d = 0; d < s->conf->ndevices; d++)
			store_reap(&s->stores[d], ids[i]);
}

static int
take_share(struct super *s)
{
	uint64_t ids[SHARE_SLOTS];
	int k = share_take(&s->control_seg, s->berth.lock_fd, ids);

	if (k < 0)
		return -1;
	s->berth.share = (unsigned)k;
	segs_take_slot(&s->env, s->control, s->berth.lock_fd,
	    share_slot(s->berth.share), SHM_SUPERVISOR, "supervisor");
	log_as(s->conf->transports[0].name, &s->env);
	if (attach_devices(s) < 0)
		return -1;
	bury_former(s, ids);
	s->services->place = s->berth.share;
	s->services->slot = share_slot(s->berth.share) + 1;
	s->services->author = share_author(s->berth.share);
	segs_enter(s->services);
	if (share_named(s->control, s->berth.lock_fd, s->berth.share,
		s->conf->transports[0].name)) {
		errno = EEXIST;
		return -1;
	}
	s->berth.named = true;
	remove_worker_segs(s); /* of one that was killed */
	return 0;
}

int
berth_take(struct super *s)
{
	const char *store = s->conf->store;

	if (attach_control(s) == 0 && take_share(s) == 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ESTALE:
		return boot_fail(
		    s, EX_UNAVAILABLE, ESTALE, "the store %s has gone", store);
	case EUSERS:
		return boot_fail(s, EX_UNAVAILABLE, EUSERS,
		    "the store %s has %d servers; there cannot be more", store,
		    SHARE_SERVERS);
	case EEXIST:
		return boot_fail(s, EX_CONFIG, EEXIST,
		    "the store %s has a server that is called %s", store,
		    s->conf->transports[0].name);
	case EINVAL:
		return boot_fail(s, EX_UNAVAILABLE, EINVAL,
		    "the store %s is no program's", store);
	default:
		return boot_fail(s, EX_UNAVAILABLE, errno,
		    "cannot attach to the store %s: %s", store,
		    strerror(errno));
	}
}

/* ---- the end ---- */

/* The last server of a store whose maker was killed removes what it left. */
static void
remove_orphaned(const char *store)
{
	struct claim c;
	bool others = false;

	claim_init(&c);
	claim_store_path(c.store_lock, sizeof(c.store_lock), store);
	if (access(c.store_lock, F_OK) < 0 || claim_store(&c, store) < 0)
		return; /* it has been removed, or has another maker */
	for (unsigned k = 0; k < SHARE_SERVERS * SHARE_SLOTS; k++)
		others |= slot_lock_held(c.store_fd, SHM_WORKER_SLOT + k);
	if (others) {
		close(c.store_fd);
		return;
	}
	segs_clear(store);
	claim_release(&c);
}

void
berth_leave(struct super *s)
{
	struct shm_transport *t;

	if (s->berth.lock_fd < 0)
		return; /* this is the daemon, or there was none */
	if (s->env.me != 0) {
		t = seg_transport(s->control, s->berth.share);
		if (s->berth.named)
			remove_worker_segs(s);
		memset(t->name, 0, sizeof(t->name));
		log_as(s->conf->transports[0].name, NULL);
		atomic_store(
		    &seg_slot(s->control, SLOT_OF(s->env.me))->role, SHM_FREE);
		slot_declare_dead(s->control, s->env.me);
		slot_lock_drop(s->berth.lock_fd, SLOT_OF(s->env.me));
	}
	/* one after the other, each without its own byte: so the last one finds
	 * nobody else, and none takes another that looks for the maker */
	slot_lock_wait(s->berth.lock_fd, SHARE_LEAVING);
	host_outlive(s);
	if (!slot_lock_held(s->berth.lock_fd, SEGS_MAKER_SLOT))
		remove_orphaned(s->conf->store);
	close(s->berth.lock_fd);
}
