/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking another configuration while clients are served. Runs in control and
 * http, in their loops. Whatever can fail is done before anything changes; what
 * a thread may still read is given back once no thread is at work.
 */

#include "control/take.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/events.h"
#include "control/view.h"
#include "control/work.h"
#include "shm/log.h"
#include "shm/seg_next.h"

/* One that is no longer in force, with what was mapped for it alone. */
struct former {
	struct former *next;
	struct conf *conf; /* NULL: it was there before this process */
	struct store *stores; /* the same */
	struct seg *segs; /* ndevices */
	size_t ndevices;
};

/* What comes into force, until it has. */
struct taking {
	struct conf *conf;
	struct store *stores;
	struct seg *segs;
	unsigned *places;
	int *was; /* index of each device before; -1: it is another one */
	struct former *former;
};

/* ---- places ---- */

static unsigned
find_place(const struct control *c, const char *name, unsigned or_else)
{
	for (unsigned i = 0; i < seg_ntransports(c->shm); i++)
		if (strncmp(seg_transport(c->shm, i)->name, name,
			SHM_NAME_MAX) == 0)
			return i;
	return or_else;
}

static unsigned *
places_of(const struct control *c, const struct conf *conf)
{
	unsigned *places = calloc(conf->ntransports + 1, sizeof(*places));

	for (unsigned i = 0; places != NULL && i < conf->ntransports; i++)
		places[i] = find_place(c, conf->transports[i].name, i);
	return places;
}

int
take_init(struct control *c)
{
	c->places = places_of(c, c->proc->conf);
	return c->places != NULL ? 0 : -1;
}

unsigned
take_place(const struct control *c, size_t transport)
{
	return c->places[transport];
}

int
take_transport(const struct control *c, unsigned place)
{
	for (size_t i = 0; i < c->proc->conf->ntransports; i++)
		if (c->places[i] == place)
			return (int)i;
	return -1;
}

/* ---- holding ---- */

/* Answered once no thread reads any more. */
static void
try_hold(struct control *c)
{
	if (c->hold_tag == 0 || !work_hold(c))
		return;
	proc_taken(c->proc, c->hold_tag, NULL);
	c->hold_tag = 0;
}

/* ---- what was in force ---- */

static void
former_free(struct former *f)
{
	for (size_t i = 0; i < f->ndevices; i++)
		if (f->segs[i].at != NULL)
			seg_unmap(&f->segs[i]);
	if (f->conf != NULL) {
		conf_free(f->conf);
		free(f->stores);
		free(f->segs);
	}
	free(f);
}

void
take_turn(struct control *c)
{
	struct former *f;

	try_hold(c);
	if (c->works != NULL)
		return;
	while ((f = c->formers) != NULL) {
		c->formers = f->next;
		former_free(f);
	}
}

void
take_fini(struct control *c)
{
	struct proc *p = c->proc;

	free(c->places);
	c->places = NULL;
	if (c->formers != NULL && c->works != NULL)
		return; /* a thread reads it: it goes with the process */
	take_turn(c);
	if (c->own == NULL)
		return;
	conf_free(c->own);
	free(p->stores);
	free(p->device_segs);
}

/* ---- devices ---- */

static int
index_of(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->ndevices; i++)
		if (strcmp(conf->devices[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* The device as it is there now: the mapping that we have if it is of the same
 * object. 0, or -1 with errno. */
static int
find_device(struct control *c, struct taking *t, size_t i)
{
	struct proc *p = c->proc;
	struct seg *seg = &t->segs[i];
	int was = index_of(p->conf, t->conf->devices[i].name);

	t->was[i] = -1;
	if (seg_attach_device(seg, t->conf->store, t->conf->devices[i].name,
		p->control_seg.owner, true) < 0) {
		seg->at = NULL;
		return -1;
	}
	if (was >= 0 && p->device_segs[was].inode == seg->inode) {
		seg_unmap(seg);
		*seg = p->device_segs[was];
		t->stores[i] = p->stores[was];
		t->was[i] = was;
		return 0;
	}
	return store_open(&t->stores[i], seg->at, seg->size, true, &p->env);
}

static int
find_devices(struct control *c, struct taking *t, char *why, size_t size)
{
	for (size_t i = 0; i < t->conf->ndevices; i++)
		if (find_device(c, t, i) < 0) {
			snprintf(why, size, "device %s: %s",
			    t->conf->devices[i].name, strerror(errno));
			return -1;
		}
	return 0;
}

/* ---- taking ---- */

static int
make_room(struct control *c, struct taking *t)
{
	size_t n = t->conf->ndevices + 1;

	t->stores = calloc(n, sizeof(*t->stores));
	t->segs = calloc(n, sizeof(*t->segs));
	t->was = calloc(n, sizeof(*t->was));
	t->former = calloc(1, sizeof(*t->former));
	t->places = places_of(c, t->conf);
	return t->stores == NULL || t->segs == NULL || t->was == NULL ||
		t->former == NULL || t->places == NULL
	    ? -1
	    : 0;
}

/* Nothing has come of it. */
static void
drop(struct taking *t)
{
	for (size_t i = 0; t->segs != NULL && i < t->conf->ndevices; i++)
		if (t->was[i] < 0 && t->segs[i].at != NULL)
			seg_unmap(&t->segs[i]);
	free(t->stores);
	free(t->segs);
	free(t->was);
	free(t->former);
	free(t->places);
	if (t->conf != NULL)
		conf_free(t->conf);
}

/* What stays mapped is the next one's. */
static void
put_away(struct control *c, const struct taking *t)
{
	struct proc *p = c->proc;

	for (size_t i = 0; i < t->conf->ndevices; i++)
		if (t->was[i] >= 0)
			p->device_segs[t->was[i]].at = NULL;
	*t->former = (struct former){ .next = c->formers,
		.conf = c->own,
		.stores = p->stores,
		.segs = p->device_segs,
		.ndevices = p->conf->ndevices };
	c->formers = t->former;
}

static void
put_in_force(struct control *c, struct taking *t)
{
	struct proc *p = c->proc;

	put_away(c, t);
	p->conf = c->own = t->conf;
	p->stores = t->stores;
	p->device_segs = t->segs;
	free(c->places);
	c->places = t->places;
	c->held_store = NULL;
	free(t->was);
}

/* -1 with why: nothing has changed. */
static int
force(struct control *c, int fd, char *why, size_t size)
{
	const struct conf *was = c->proc->conf;
	struct taking t = { .conf = proc_conf(c->proc, fd) };
	struct view *views = NULL;
	unsigned n;

	snprintf(why, size, "the configuration in force cannot be read");
	if (t.conf == NULL)
		return -1;
	snprintf(why, size, "out of memory");
	if (make_room(c, &t) < 0 || find_devices(c, &t, why, size) < 0 ||
	    (views = view_new(t.conf, t.places, &n)) == NULL ||
	    (c->events != NULL && events_take(c->events, t.conf, t.was) < 0)) {
		free(views);
		drop(&t);
		return -1;
	}
	put_in_force(c, &t);
	view_replace(c, views, n);
	if (c->take.force != NULL)
		c->take.force(c, was);
	return 0;
}

/* -1 with why. */
static int
look(struct control *c, int fd, char *why, size_t size)
{
	struct conf *next = proc_conf(c->proc, fd);
	int rc = 0;

	snprintf(why, size, "the new configuration cannot be read");
	if (next == NULL)
		return -1;
	if (c->take.look != NULL)
		rc = c->take.look(c, next, why, size);
	conf_free(next);
	return rc;
}

static void
go_on(struct control *c)
{
	if (c->on_hold && c->hold_tag == 0)
		work_go_on(c);
	c->on_hold = false;
	c->hold_tag = 0;
}

static void
take_conf(struct control *c, const struct ipc_msg *m, int fd)
{
	char why[IPC_TEXT];
	int rc = 0;

	switch ((enum ipc_conf)m->arg) {
	case IPC_CONF_LOOK:
		rc = look(c, fd, why, sizeof(why));
		break;
	case IPC_CONF_HOLD:
		c->on_hold = true;
		c->hold_tag = m->tag;
		try_hold(c);
		return;
	case IPC_CONF_FORCE:
		rc = force(c, fd, why, sizeof(why));
		go_on(c);
		if (rc < 0)
			log_error("the new configuration cannot be followed: "
				  "%s",
			    why);
		break;
	case IPC_CONF_ABANDON:
		go_on(c);
		if (c->take.abandon != NULL)
			c->take.abandon(c);
		break;
	}
	proc_taken(c->proc, m->tag, rc < 0 ? why : NULL);
}

void
take_order(struct control *c, const struct ipc_msg *m, int fd)
{
	if (m->kind == IPC_LISTEN && c->take.listen != NULL && fd >= 0) {
		c->take.listen(c, fd);
		return;
	}
	if (m->kind == IPC_CONF)
		take_conf(c, m, fd);
	if (fd >= 0)
		close(fd);
}
