/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places, slots and authors of transports. Runs in the supervisor.
 */
#include "supervisor/places.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/segs_make.h"
#include "supervisor/super.h"

enum {
	SPARE_PLACES = 64,
	SPARE_SLOTS = 128,
	CONN_PLACES = 256, /* that CONN_ID() has room for */
	OPS_AHEAD = 1 << 20, /* more than a worker has in hand at a time */
	OP_BITS = SHM_TAG_OP_BITS - 1, /* what is more is no number of ours */
};

struct seg_counts
places_counts(const struct conf *conf)
{
	struct seg_counts n = {
		.slots = SHM_WORKER_SLOT,
		.transports = (unsigned)conf->ntransports,
		.devices = (unsigned)conf->ndevices + SEGS_SPARE_DEVICES,
		.authors = SHM_AUTHORS_MAX,
	};

	for (size_t i = 0; i < conf->ntransports; i++) {
		const struct conf_transport *t = &conf->transports[i];

		n.slots += t->workers;
		n.authors_now += t->workers * t->max_connections;
	}
	if (n.transports < CONN_PLACES)
		n.transports = n.transports + SPARE_PLACES < CONN_PLACES
		    ? n.transports + SPARE_PLACES
		    : CONN_PLACES;
	n.rings_now = n.slots;
	n.slots += SPARE_SLOTS + SHM_EXTERNALS;
	if (n.slots > SHM_SLOTS_MAX)
		n.slots = SHM_SLOTS_MAX;
	/* there is always room for those of the configuration */
	if (n.slots > n.authors - n.authors_now)
		n.slots = n.authors - n.authors_now;
	n.rings = n.slots - SHM_EXTERNALS;
	/* the first ones are the slots' own */
	n.authors_now += n.slots;
	return n;
}

static unsigned
slots_end(const struct super *s)
{
	return seg_slots(s->control) - SHM_EXTERNALS;
}

void
places_first(struct super *s)
{
	unsigned slot = SHM_WORKER_SLOT, author = seg_slots(s->control);
	unsigned place = 0;

	for (struct service *sv = s->services; sv != NULL; sv = sv->next) {
		sv->place = place++;
		sv->slot = slot;
		sv->author = author;
		slot += sv->nworkers;
		author += sv->nworkers * sv->nconns;
	}
}

bool
places_sound(const struct super *s, const struct shm_transport *t)
{
	uint64_t authors = (uint64_t)t->nworkers * t->nconns;

	return t->nworkers > 0 && t->nworkers <= SHM_SLOTS_MAX &&
	    t->first_slot >= SHM_WORKER_SLOT && t->first_slot < slots_end(s) &&
	    t->nworkers <= slots_end(s) - t->first_slot &&
	    t->first_author >= seg_slots(s->control) &&
	    t->first_author + authors <= seg_authors(s->control);
}

/* ---- what is free ---- */

/* One of those that somebody has from a number on, and how many. */
typedef unsigned run_fn(const struct service *, unsigned *n);

static unsigned
place_of(const struct service *sv, unsigned *n)
{
	*n = 1;
	return sv->place;
}

static unsigned
slots_of(const struct service *sv, unsigned *n)
{
	*n = sv->nworkers;
	return sv->slot;
}

static unsigned
authors_of(const struct service *sv, unsigned *n)
{
	*n = sv->nworkers * sv->nconns;
	return sv->author;
}

/* Behind which number the run of somebody who has some of these n ends; at if
 * nobody has. */
static unsigned
behind(const struct service *sv, run_fn *run, unsigned at, unsigned n)
{
	unsigned first, len;

	for (; sv != NULL; sv = sv->next) {
		first = run(sv, &len);
		if (first < at + n && at < first + len)
			return first + len;
	}
	return at;
}

/* The first n in a row that are free; end if there are not so many. */
static unsigned
find(const struct super *s, run_fn *run, unsigned at, unsigned n, unsigned end)
{
	unsigned next = at;

	do {
		at = next;
		next = behind(s->services, run, next, n);
		next = behind(s->coming, run, next, n);
		next = behind(s->leaving, run, next, n);
	} while (next != at && n <= end && next <= end - n);
	return n <= end && next <= end - n ? next : end;
}

int
places_find(struct super *s, struct service *sv, const struct service *like,
    char *why, size_t size)
{
	unsigned n = sv->nworkers * sv->nconns;
	const char *what = NULL;

	sv->place = like != NULL
	    ? like->place
	    : find(s, place_of, 0, 1, seg_ntransports(s->control));
	sv->slot =
	    find(s, slots_of, SHM_WORKER_SLOT, sv->nworkers, slots_end(s));
	sv->author = find(
	    s, authors_of, seg_slots(s->control), n, seg_authors(s->control));
	if (like == NULL && sv->place == seg_ntransports(s->control))
		what = "transports";
	else if (sv->slot == slots_end(s))
		what = "workers";
	else if (sv->author == seg_authors(s->control))
		what = "connections";
	if (what != NULL) {
		snprintf(why, size,
		    "transport %s: there is no room for more %s",
		    sv->conf->name, what);
		return -1;
	}
	if (seg_more_rings(&s->control_seg, sv->slot, sv->nworkers) == 0 &&
	    seg_more_authors(&s->control_seg, sv->author, n) == 0)
		return 0;
	snprintf(why, size, "transport %s: no memory to share: %s",
	    sv->conf->name, strerror(errno));
	return -1;
}

void
places_leave(struct super *s, struct service *sv)
{
	for (unsigned w = 0; w < sv->nworkers; w++) {
		struct seg *seg = &sv->workers[w].seg;

		for (unsigned i = 0; seg->at != NULL && i < sv->nconns; i++) {
			const struct shm_conn *c = seg_conn(seg_worker(seg), i);
			_Atomic uint64_t *done = seg_done(
			    s->control, sv->author + w * sv->nconns + i);
			uint64_t op = atomic_load(done);

			for (unsigned h = 0; h < 2; h++)
				if (op < c->half[h].op &&
				    c->half[h].op >> OP_BITS == 0)
					op = c->half[h].op;
			atomic_store(done, op + OPS_AHEAD);
		}
	}
}
