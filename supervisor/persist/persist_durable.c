/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that saves durable ranges: as soon as somebody has committed to
 * one, all at once for all who have. Runs in the process that saves; while it
 * waits for the disk the loop shows the parent that this is alive. Logs
 * nothing: the loop does.
 */
#include "supervisor/persist/persist_durable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/durable.h"
#include "shm/store_picture.h"

#define MS UINT64_C(1000000)

enum { PICTURE_MS = 300, LOOK_MS = 100, AGAIN_MS = 1000 };

struct snap_place
persist_place(struct proc *p, uint64_t least)
{
	struct shm_saved *s = &p->env.control->saved;
	uint64_t last = atomic_load(&s->last), next;

	do
		next = last + 1 > least ? last + 1 : least;
	while (!atomic_compare_exchange_weak(&s->last, &last, next));
	return (struct snap_place){ .sequence = next,
		.run = p->env.control->started_ms };
}

static int
take_pictures(struct persist_durable *d)
{
	const struct conf *conf = d->proc->conf;
	struct store_picture p;

	for (size_t i = 0; i < conf->ndevices; i++) {
		if (d->nruns[i] == 0)
			continue;
		switch (store_picture_take(
		    &d->proc->stores[i], PICTURE_MS * MS, &p)) {
		case STORE_OK:
			break;
		case STORE_DENIED:
			return ENOMEM;
		default:
			return ETIMEDOUT;
		}
		snap_add_some(&d->snap, conf->devices[i].name, &p, d->runs[i],
		    d->nruns[i]);
		store_picture_free(&p);
	}
	return snap_end(&d->snap) == -1 ? errno : 0;
}

static int
save(struct persist_durable *d)
{
	struct shm_saved *s = &d->proc->env.control->saved;
	struct snap_place place;
	int rc;

	if (snap_pair_look(&d->pair) == -1)
		return errno;
	place = persist_place(d->proc, d->pair.sequence);
	/* what lies at PATH is at least this one, unless somebody puts an
	 * older one there */
	place.base = atomic_load(&s->sequence);
	d->snap.len = 0;
	d->snap.failed = false;
	snap_begin(&d->snap, d->proc->conf->store, clock_unix_ms(), &place);
	rc = take_pictures(d);
	if (rc == 0 && snap_pair_save(&d->pair, &d->snap) == -1)
		rc = errno;
	return rc;
}

/* Who has taken a ticket may have ranges that this one does not know. To be
 * asked once the ticket has been read. */
static bool
is_believed(const struct persist_durable *d)
{
	const struct shm_saved *s = &d->proc->env.control->saved;

	return atomic_load_explicit(&s->durable_saver, memory_order_acquire) ==
	    d->proc->saver;
}

static void *
saver(void *arg)
{
	struct persist_durable *d = arg;
	struct shm_saved *s = &d->proc->env.control->saved;
	uint64_t seen = atomic_load(&s->durable_done), want, due_ns = 0;
	bool again = true; /* the first one shows whether it can be done */
	int error;

	while (!atomic_load(&d->quit) || durable_asked(s) != seen) {
		want = durable_asked(s);
		if (!is_believed(d))
			break; /* the next one tells them */
		if (want == seen && !(again && clock_mono_ns() >= due_ns)) {
			durable_sleep(s, want, LOOK_MS * MS);
			continue;
		}
		error = save(d);
		if (error == 0)
			atomic_fetch_add(&s->durable_saves, 1);
		else
			atomic_fetch_add(&s->durable_failures, 1);
		durable_tell(s, want, error);
		durable_ring(s, &d->bell_fd);
		seen = want;
		again = error != 0;
		due_ns = clock_mono_ns() + AGAIN_MS * MS;
	}
	return NULL;
}

/* Which there are; how many. */
static size_t
find_ranges(struct persist_durable *d)
{
	const struct conf *conf = d->proc->conf;
	size_t all = 0;

	for (size_t i = 0; i < conf->ndevices; i++) {
		const struct conf_device *c = &conf->devices[i];

		for (size_t k = 0; k < c->nranges; k++) {
			const struct conf_range *r = &c->ranges[k];

			/* a daemon that is stopped in the middle of a reload
			 * may not have got round to it */
			if (!r->durable ||
			    store_range(
				&d->proc->stores[i], r->table, r->addr) == NULL)
				continue;
			d->runs[i][d->nruns[i]++] =
			    (struct snap_run){ r->table, r->addr, r->count };
			all++;
		}
	}
	return all;
}

static int
make_room(struct persist_durable *d)
{
	const struct conf *conf = d->proc->conf;

	d->runs = calloc(conf->ndevices + 1, sizeof(struct snap_run *));
	d->nruns = calloc(conf->ndevices + 1, sizeof(*d->nruns));
	if (d->runs == NULL || d->nruns == NULL)
		return -1;
	for (size_t i = 0; i < conf->ndevices; i++) {
		d->runs[i] = calloc(
		    conf->devices[i].nranges + 1, sizeof(struct snap_run));
		if (d->runs[i] == NULL)
			return -1;
	}
	return 0;
}

int
persist_durable_init(struct persist_durable *d, struct proc *p)
{
	d->proc = p;
	d->bell_fd = -1;
	if (make_room(d) == -1)
		return -1;
	if (find_ranges(d) == 0)
		return 0;
	if (asprintf(&d->path, "%s" SNAP_PAIR_DURABLE,
		p->conf->snapshot.path) == -1) {
		d->path = NULL;
		return -1;
	}
	atomic_store(
	    &p->env.control->saved.durable_ms, p->conf->snapshot.durable_ms);
	d->pair = (struct snap_pair){ .path = d->path, .io = &snap_io_system };
	errno = pthread_create(&d->thread, NULL, saver, d);
	d->started = errno == 0;
	return d->started ? 0 : -1;
}

void
persist_durable_fini(struct persist_durable *d)
{
	if (d->started) {
		atomic_store(&d->quit, true);
		pthread_join(d->thread, NULL);
	}
	for (size_t i = 0; d->runs != NULL && i < d->proc->conf->ndevices; i++)
		free(d->runs[i]);
	free(d->runs);
	free(d->nruns);
	if (d->bell_fd >= 0)
		close(d->bell_fd);
	snap_free(&d->snap);
	free(d->path);
}
