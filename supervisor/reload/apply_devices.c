/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for devices. Runs in the supervisor. What a device is to be
 * is made apart; then those who have its registers open and can be restarted
 * end, the process that saves them last, and control and http hold still; then
 * the next segment is filled and put in force (shm/store_next.h), and all of
 * them go on. Who is killed meanwhile, this process included, leaves the old
 * one or the new one.
 */
#include "supervisor/reload/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/log.h"
#include "shm/seg_next.h"
#include "shm/store_next.h"
#include "shm/store_reap.h"
#include "supervisor/aide.h"
#include "supervisor/segs_make.h"
#include "supervisor/super.h"

enum { OWN_MS = 5 }; /* to wait for a device, each time that it is tried */

struct apply_devices {
	struct next {
		/* what it gets; or, of one that goes, what it has */
		struct seg seg;
		struct store store;
		bool gets, goes;
	} * next; /* of each device in the plan */
	bool *concerned; /* of each transport there */
	/* of each device of the next configuration */
	struct seg *segs;
	struct store *stores;
	struct watchdog_hold *holds;
	bool swaps; /* something is to go over yet */
	bool saves; /* who saves has been told to end */
};

static int
fail(char *why, size_t size, const char *device, const char *what)
{
	snprintf(why, size, "device %s: %s", device, what);
	return -1;
}

/* ---- what may fail ---- */

static bool
taken(const struct super *s, const struct plan *p, unsigned place)
{
	const struct apply_devices *a = s->apply.devices;

	if (seg_device_name(s->control, place)[0] != '\0')
		return true;
	for (size_t i = 0; i < p->ndevices; i++)
		if (a->next[i].gets && a->next[i].store.index == place)
			return true;
	return false;
}

/* One that nobody has there. */
static int
find_place(const struct super *s, const struct plan *p, unsigned *place)
{
	for (unsigned i = 0; i < seg_ndevices(s->control); i++)
		if (!taken(s, p, i)) {
			*place = i;
			return 0;
		}
	return -1;
}

static int
make_next(
    struct super *s, const struct plan *p, size_t i, char *why, size_t size)
{
	const struct plan_item *item = &p->devices[i];
	struct next *next = &s->apply.devices->next[i];
	const struct conf_device *d;
	unsigned place;

	if (item->fate == PLAN_REMOVED) {
		next->goes = s->apply.devices->swaps = true;
		return 0;
	}
	d = &p->next->devices[item->is];
	if (item->fate == PLAN_SAME ||
	    (item->fate == PLAN_CHANGED && segs_fits(&s->stores[item->was], d)))
		return 0;
	if (item->fate == PLAN_CHANGED)
		place = s->stores[item->was].index;
	else if (find_place(s, p, &place) < 0)
		return fail(
		    why, size, d->name, "there is room for no more of them");
	if (segs_make_next(&next->seg, &next->store, s->conf->store, d, place,
		&s->env) < 0)
		return fail(why, size, d->name, strerror(errno));
	next->gets = true;
	s->apply.devices->swaps |= item->fate == PLAN_CHANGED;
	return 0;
}

/* Who serves a device whose segment becomes another one has to end before
 * that. */
static void
note_users(const struct plan *p, struct apply_devices *a)
{
	for (size_t i = 0; i < p->ntransports; i++)
		for (size_t k = 0; k < p->ndevices; k++) {
			const struct plan_item *d = &p->devices[k];

			if (d->fate == PLAN_SAME ||
			    !plan_serves(p, &p->transports[i], d))
				continue;
			a->concerned[i] |= a->next[k].goes ||
			    (a->next[k].gets && d->fate == PLAN_CHANGED);
		}
}

static int
prepare(struct super *s, struct plan *p, char *why, size_t size)
{
	struct apply_devices *a = calloc(1, sizeof(*a));
	size_t n = p->next->ndevices + 1;

	s->apply.devices = a;
	if (a == NULL)
		return fail(why, size, "any", "out of memory");
	a->next = calloc(p->ndevices + 1, sizeof(*a->next));
	a->concerned = calloc(p->ntransports + 1, sizeof(*a->concerned));
	a->segs = calloc(n, sizeof(*a->segs));
	a->stores = calloc(n, sizeof(*a->stores));
	a->holds = calloc(n, sizeof(*a->holds));
	if (a->next == NULL || a->concerned == NULL || a->segs == NULL ||
	    a->stores == NULL || a->holds == NULL)
		return fail(why, size, "any", "out of memory");
	for (size_t i = 0; i < p->ndevices; i++)
		if (make_next(s, p, i, why, size) < 0)
			return -1;
	note_users(p, a);
	return 0;
}

/* ---- what does not ---- */

/* Once its name stands in the control segment others may attach to it. */
static void
put_name(struct super *s, unsigned place, const char *name)
{
	snprintf(seg_device_name(s->control, place), SHM_NAME_MAX, "%s", name);
}

static void
install(struct super *s, const struct plan_item *item)
{
	if (seg_install_next(s->conf->store, item->name) < 0)
		log_warn(
		    "device %s: its segment does not get its name", item->name);
}

/* Nobody has the place, or what others have counted there. */
static void
enter(struct super *s, const struct plan_item *item, const struct next *next)
{
	unsigned place = next->store.index;

	install(s, item);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		memset(
		    seg_diag(s->control, sv->place, place), 0, SHM_DIAG_BYTES);
	put_name(s, place, item->name);
	log_info("device %s added", item->name);
}

/* From the order of the one configuration to that of the other. */
static void
move(struct super *s, const struct plan_item *item, struct next *next)
{
	struct apply_devices *a = s->apply.devices;

	if (item->fate == PLAN_ADDED) {
		enter(s, item, next);
		a->segs[item->is] = next->seg;
		a->stores[item->is] = next->store;
		next->seg.at = NULL;
		next->gets = false;
	} else if (item->fate == PLAN_REMOVED) {
		next->seg = s->device_segs[item->was];
		next->store = s->stores[item->was];
	} else {
		a->segs[item->is] = s->device_segs[item->was];
		a->stores[item->is] = s->stores[item->was];
		a->holds[item->is] = s->holds[item->was];
	}
}

static void
commit(struct super *s, const struct plan *p)
{
	struct apply_devices *a = s->apply.devices;
	bool any = false;

	/* of those that are there at once the former saver knows nothing */
	for (size_t i = 0; a->swaps && i < p->ndevices; i++)
		if (p->devices[i].fate == PLAN_ADDED &&
		    (a->next[i].store.flags & SHM_DURABLE) != 0)
			saver_due(s);
	for (size_t i = 0; i < p->ndevices; i++) {
		any |= p->devices[i].fate != PLAN_SAME;
		move(s, &p->devices[i], &a->next[i]);
	}
	free(s->device_segs);
	free(s->stores);
	free(s->holds);
	s->device_segs = a->segs;
	s->stores = a->stores;
	s->holds = a->holds;
	a->segs = NULL;
	a->stores = NULL;
	a->holds = NULL;
	if (any) /* it has them mapped, and their actions */
		aides_restart(s, AIDE_CLOCK);
	/* a reader without anybody who waits for what it saves */
	if (any && !a->swaps)
		saver_restart(s);
}

static bool
is_concerned(const struct super *s, const struct process *p)
{
	const struct plan *plan = &s->apply.plan;

	if (p->aide != NULL)
		return p->aide->devices && !p->aide->orders;
	for (size_t i = 0; i < plan->ntransports; i++)
		if (strcmp(plan->transports[i].name, p->service->conf->name) ==
		    0)
			return s->apply.devices->concerned[i];
	return false;
}

bool
apply_devices_swaps(const struct super *s)
{
	return s->apply.devices != NULL && s->apply.devices->swaps;
}

bool
apply_devices_hold(const struct process *p)
{
	const struct apply_devices *a = p->super->apply.devices;

	return a != NULL && a->swaps && p->super->phase == SUPER_SERVES &&
	    is_concerned(p->super, p);
}

void
apply_devices_reap(struct super *s, uint64_t id)
{
	const struct apply_devices *a = s->apply.devices;

	for (size_t i = 0; a != NULL && i < s->apply.plan.ndevices; i++)
		if (a->next[i].goes && a->next[i].seg.at != NULL)
			store_reap(&a->next[i].store, id);
}

/* True while one that has them open has not ended. Who saves is not asked to
 * before the others have: they may wait for it. */
static bool
in_use(struct super *s, bool last)
{
	for (const struct process *p = s->processes; p != NULL; p = p->next)
		if ((p->pid > 0 || p->unborn) &&
		    (p->aide != NULL && p->aide->last) == last &&
		    is_concerned(s, p))
			return true;
	return false;
}

/* One goes over; false: somebody has it, and it is to be tried again. */
static bool
replace(struct super *s, const struct plan_item *item, struct next *next)
{
	struct store *was = &s->stores[item->is];

	if (store_supersede(was, &next->store, OWN_MS * 1000000) < 0)
		return false;
	install(s, item);
	seg_unmap(&s->device_segs[item->is]);
	s->device_segs[item->is] = next->seg;
	*was = next->store;
	next->seg.at = NULL;
	s->holds[item->is] = (struct watchdog_hold){ .owner = 0 };
	next->gets = false;
	log_info("device %s has its new ranges", item->name);
	return true;
}

static bool
take_out(struct super *s, const struct plan_item *item, struct next *next)
{
	if (store_supersede(&next->store, NULL, OWN_MS * 1000000) < 0)
		return false;
	seg_remove_device(s->conf->store, item->name);
	put_name(s, next->store.index, "");
	seg_unmap(&next->seg);
	next->goes = false;
	log_info("device %s removed", item->name);
	return true;
}

/* All that can. */
static void
go_over(struct super *s, const struct plan *p)
{
	struct apply_devices *a = s->apply.devices;
	bool left = false;

	for (size_t i = 0; i < p->ndevices; i++) {
		struct next *next = &a->next[i];

		if (next->gets)
			left |= !replace(s, &p->devices[i], next);
		else if (next->goes)
			left |= !take_out(s, &p->devices[i], next);
	}
	a->swaps = left;
}

static void
release(struct super *s)
{
	for (struct process *p = s->processes; p != NULL; p = p->next)
		process_release(p);
}

static bool
settled(struct super *s, const struct plan *p, bool time)
{
	struct apply_devices *a = s->apply.devices;

	(void)time;
	if (a == NULL || !a->swaps)
		return true;
	if (in_use(s, false) || !apply_aides_hold(s))
		return false;
	if (!a->saves) {
		a->saves = true;
		saver_restart(s);
	}
	if (in_use(s, true))
		return false;
	saver_followed(s);
	go_over(s, p);
	if (!a->swaps)
		release(s);
	return !a->swaps;
}

/* Too late for those who still have one: they are told that it has gone. */
static void
force(struct super *s, const struct plan *p)
{
	struct apply_devices *a = s->apply.devices;

	go_over(s, p);
	for (size_t i = 0; i < p->ndevices; i++)
		if (a->next[i].gets || a->next[i].goes)
			reload_stays(s, p->devices[i].name);
	a->swaps = false;
	saver_restart(s);
	saver_followed(s);
	release(s);
}

static void
end(struct super *s, const struct plan *p, bool told)
{
	struct apply_devices *a = s->apply.devices;

	if (a == NULL)
		return;
	if (told && a->swaps)
		force(s, p);
	for (size_t i = 0; a->next != NULL && i < p->ndevices; i++) {
		if (a->next[i].gets)
			seg_remove_next(s->conf->store, p->devices[i].name);
		seg_unmap(&a->next[i].seg);
	}
	free(a->next);
	free(a->concerned);
	free(a->segs);
	free(a->stores);
	free(a->holds);
	free(a);
	s->apply.devices = NULL;
}

const struct apply_part apply_devices = {
	.name = "devices",
	.prepare = prepare,
	.commit = commit,
	.settled = settled,
	.end = end,
};
