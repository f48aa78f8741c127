/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view of SHMModbus: no clients and no frames, but tables in shared memory
 * that other programs of this machine read and write, kept like the devices of
 * the store. Runs in the workers of type shm. Never waits for those programs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/bell.h"
#include "shm/seg.h"
#include "workers/twin/sema.h"
#include "workers/transport.h"
#include "workers/twin/twin.h"

enum {
	RETRY_MS = 1, /* for the semaphore, and for a device that is busy */
	OPS_SPARE = 16, /* may have been used beyond what is credited */
	MISSES_A_LINE_S = 60, /* between lines about misses */
	WORDS = 256,
};

struct shmview {
	struct worker *worker;
	struct mirror mirror;
	struct twin twin;
	struct sema sema; /* ctl NULL: there is none */
	struct event timer;
	struct store *stores[MIRROR_SETS_MAX]; /* of each set */
	struct mirror_plan plan[MIRROR_SETS_MAX];
	unsigned nsets;
	bool behind; /* the last turn has left something */
	uint64_t looked_ns; /* when the objects were last seen in place */
	uint64_t told_ns; /* when misses were last told of, and how many */
	uint64_t told;
};

/* Why it could not start; outlives what is given back then. */
static char why_text[WORDS];

/* ---- what is to be shown ---- */

/* As many cells as the device's addresses need; at least one, as nothing can
 * be mapped that has none. */
static uint32_t
cells(const struct store *st, unsigned t)
{
	uint64_t end = 1;

	for (uint32_t i = 0; i < st->nextents[t]; i++) {
		const struct shm_extent *e =
		    &st->extents[st->extents_at[t] + i];

		if ((uint64_t)e->addr + e->count > end)
			end = (uint64_t)e->addr + e->count;
	}
	return end < MIRROR_COUNT_MAX ? (uint32_t)end : MIRROR_COUNT_MAX;
}

static void
plan_set(struct shmview *v, int unit, int device)
{
	const struct conf_shm *conf = &v->worker->conf->shm;
	struct mirror_plan *p = &v->plan[v->nsets];

	if (device == CONF_NO_DEVICE)
		return;
	v->stores[v->nsets] = &v->worker->proc->stores[device];
	p->unit = unit;
	for (unsigned t = 0; t < MIRROR_TABLES; t++)
		p->count[t] = conf->counts[t] != 0
		    ? conf->counts[t]
		    : cells(v->stores[v->nsets], t);
	v->nsets++;
}

static void
plan_sets(struct shmview *v)
{
	const struct conf_transport *conf = v->worker->conf;

	plan_set(v, MIRROR_PLAIN, conf->shm.plain);
	for (int unit = 0; unit < CONF_UNITS; unit++)
		plan_set(v, unit, conf->units[unit]);
}

/* ---- turns ---- */

static void
again(struct shmview *v, unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(&v->timer, &tv);
}

static void
tell_misses(struct shmview *v)
{
	const struct sema *s = &v->sema;
	uint64_t now_ns = v->worker->now_ns;

	if (s->misses == v->told ||
	    (v->told != 0 &&
		now_ns - v->told_ns < MISSES_A_LINE_S * 1000000000ull))
		return;
	log_warnx("went on without the semaphore %s, which others kept n=%llu",
	    s->name, (unsigned long long)(s->misses - v->told));
	v->told = s->misses;
	v->told_ns = now_ns;
}

static void
account(struct shmview *v)
{
	struct shm_stats *stats = &v->worker->shm->stats;
	struct twin *tw = &v->twin;

	if (tw->wrote) {
		tw->wrote = false;
		bell_ring(
		    v->worker->proc->env.control, &v->worker->proc->bell_fd);
	}
	if (tw->refused != 0)
		log_debug(
		    "cells put back n=%llu", (unsigned long long)tw->refused);
	worker_count(&stats->view_in, tw->cells_in);
	worker_count(&stats->view_out, tw->cells_out);
	worker_count(&stats->view_refused, tw->refused);
	tw->cells_in = tw->cells_out = tw->refused = 0;
}

/* Both ways, under the semaphore if there is one. False: there is something
 * left, to be tried again in RETRY_MS. */
static bool
turn(struct shmview *v)
{
	uint64_t now_ns = v->worker->now_ns;
	enum sema_rc rc = SEMA_TAKEN;
	bool whole;

	if (v->sema.ctl != NULL) {
		sema_look(&v->sema, now_ns);
		if (!twin_differs(&v->twin))
			return true;
		rc = sema_take(&v->sema, now_ns);
		if (rc == SEMA_LATER)
			return false;
	}
	whole = twin_pass(&v->twin);
	if (v->sema.ctl != NULL)
		sema_give(&v->sema);
	if (rc == SEMA_MISSED) {
		worker_count(&v->worker->shm->stats.semaphore_misses, 1);
		tell_misses(v);
	}
	account(v);
	return whole;
}

static void
discard(struct shmview *v)
{
	sema_close(&v->sema, true);
	twin_fini(&v->twin);
	mirror_close(&v->mirror, true);
	free(v);
}

/* Who opens an object that was removed would see nobody's, or none: a successor
 * makes it again. What stands in it has been taken along. Without the control
 * object none of the others is known to be ours, so they go as well. */
static void
look(struct shmview *v)
{
	char name[MIRROR_NAME_BYTES];
	uint64_t now_ns = v->worker->now_ns;
	bool ctl;

	if (now_ns - v->looked_ns < SEMA_LOOK_MS * 1000000ull)
		return;
	v->looked_ns = now_ns;
	if (!mirror_lacks(&v->mirror, name, &ctl))
		return;
	if (ctl)
		discard(v);
	fatal(EX_TEMPFAIL, "/dev/shm%s was removed or replaced", name);
}

static void
go_on(struct shmview *v)
{
	v->behind = !turn(v);
	if (!v->behind && !v->worker->draining)
		look(v);
	if (v->worker->draining && !v->behind)
		worker_done(v->worker);
	else
		again(v, v->behind ? RETRY_MS : v->worker->conf->shm.scan_ms);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct shmview *v = arg;

	(void)fd;
	(void)what;
	worker_turn(v->worker);
	go_on(v);
}

/* ---- a life ---- */

static int
open_mirror(struct shmview *v)
{
	struct worker *w = v->worker;
	const struct proc *p = w->proc;
	const struct mirror_who who = {
		.prefix = w->conf->shm.prefix,
		.store = p->conf->store,
		.transport = w->conf->name,
		.life = p->env.control->started_ms,
		.mode = w->conf->shm.mode,
	};

	if (mirror_open(&v->mirror, &who, v->plan, v->nsets) == 0)
		return 0;
	/* somebody else's objects will be there the next time, too */
	if (errno == EEXIST)
		w->code = EX_CONFIG;
	else if (errno == EBUSY)
		w->code = EX_UNAVAILABLE;
	snprintf(why_text, sizeof(why_text), "%s", v->mirror.why);
	w->why = why_text;
	return -1;
}

static int
open_sema(struct shmview *v)
{
	struct worker *w = v->worker;
	const struct conf_shm *conf = &w->conf->shm;

	if (conf->semaphore == NULL)
		return 0;
	if (sema_open(&v->sema, v->mirror.ctl, conf->semaphore, conf->mode,
		conf->semaphore_timeout_s, w->now_ns) == 0)
		return 0;
	w->code = errno == EEXIST ? EX_CONFIG : EX_UNAVAILABLE;
	snprintf(why_text, sizeof(why_text),
	    "cannot open the semaphore /%s: %s", conf->semaphore,
	    sema_why(errno));
	w->why = why_text;
	return -1;
}

static int
open_twin(struct shmview *v)
{
	struct proc *p = v->worker->proc;
	struct shm_transport *t =
	    seg_transport(p->env.control, p->transport_index);
	uint64_t done = atomic_load(seg_done(p->env.control, t->first_author));

	/* a keeper whose notes are lost may have used one more than is
	 * credited to it */
	if (!v->mirror.warm)
		done += OPS_SPARE;
	if (twin_init(&v->twin, &v->mirror, v->stores, t->first_author, done) ==
	    -1) {
		v->worker->why = "not enough memory";
		return -1;
	}
	v->twin.read_only = v->worker->conf->read_only;
	if (v->mirror.warm || twin_fill(&v->twin))
		return 0;
	v->worker->why = "the devices do not come to rest";
	return -1;
}

static int
start(struct worker *w)
{
	struct shmview *v = calloc(1, sizeof(*v));

	w->why = "not enough memory";
	if (v == NULL)
		return -1;
	v->worker = w;
	v->mirror.fd = -1;
	plan_sets(v);
	if (open_mirror(v) == -1 || open_sema(v) == -1 || open_twin(v) == -1) {
		discard(v);
		return -1;
	}
	log_info("view prefix=%s sets=%u%s", w->conf->shm.prefix, v->nsets,
	    v->mirror.warm ? " taken over" : "");
	w->state = v;
	event_assign(&v->timer, w->base, -1, 0, on_timer, v);
	again(v, 0);
	return 0;
}

/* What has been written so far is taken along, also if somebody has the
 * semaphore at the moment. */
static void
drain(struct worker *w)
{
	go_on(w->state);
}

static bool
kick(struct worker *w, uint64_t serial)
{
	(void)w;
	(void)serial;
	return false;
}

static void
stop(struct worker *w)
{
	struct shmview *v = w->state;

	event_del(&v->timer);
	/* no time was left to wait for who has the semaphore, or a device */
	if (v->behind && twin_pass(&v->twin))
		account(v);
	discard(v);
}

const struct transport_ops transport_shm = {
	.name = "shm",
	.start = start,
	.drain = drain,
	.kick = kick,
	.stop = stop,
};
