/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start that goes on where the last one ended. Runs once in the supervisor,
 * before the first fork. What stands in the file comes from outside, and has
 * been checked from end to end before any of it is used.
 */
#include "supervisor/persist/warm.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/patience.h"
#include "shm/snap_pair.h"
#include "shm/snap_put.h"
#include "shm/table.h"
#include "supervisor/boot.h"
#include "supervisor/super.h"

enum { PLACES = 120 }; /* bytes that name what had no place */

struct warm {
	struct super *s;
	struct snap snap; /* no bytes: there is none */
	struct snap over; /* of durable ranges, to go on top of it; likewise */
	bool exact; /* the newest of all, not one before it */
	struct snap_put put;
	uint64_t op;
	uint64_t unfit; /* registers and bits */
	unsigned gone; /* devices */
	char places[PLACES]; /* the first of those */
	uint64_t written; /* of the whole one */
	uint64_t restored; /* to their configured values, as not retained */
};

/* ---- the devices ---- */

static struct store *
find(void *arg, const char *name)
{
	const struct super *s = ((struct warm *)arg)->s;

	for (size_t i = 0; i < s->conf->ndevices; i++)
		if (strcmp(s->conf->devices[i].name, name) == 0)
			return &s->stores[i];
	return NULL;
}

static enum store_rc
apply(
    void *arg, struct store *store, const struct store_step *steps, unsigned n)
{
	struct warm *w = arg;
	struct store_who who = {
		.author = SEGS_MAKER_SLOT,
		.op = ++w->op,
		.budget_ns = (uint64_t)PATIENCE_WRITE_MS * 1000000,
	};

	atomic_store_explicit(&seg_slot(w->s->control, SEGS_MAKER_SLOT)->op,
	    w->op, memory_order_relaxed);
	return store_apply(store, &who, steps, n, NULL);
}

static void
add_unfit(void *arg, const char *device, const struct snap_block *b,
    uint32_t addr, uint32_t count)
{
	struct warm *w = arg;
	size_t len = strlen(w->places);

	if (b == NULL) {
		w->gone++;
		snprintf(w->places + len, PLACES - len, "%s%s",
		    len > 0 ? ", " : "", device);
		return;
	}
	w->unfit += count;
	snprintf(w->places + len, PLACES - len, "%s%s/%s:%" PRIu32 "+%" PRIu32,
	    len > 0 ? ", " : "", device, table_name(b->table), addr, count);
}

static const struct snap_put_ops ops = {
	.find = find,
	.apply = apply,
	.unfit = add_unfit,
};

/* ---- durable ranges, which may be newer ---- */

/* The commit of a device that a snapshot shows. */
static bool
shows(const struct snap *s, const char *name, uint64_t *seq)
{
	struct snap_device d;
	size_t at = 0;

	while (s->len != 0 && snap_next_device(s, &at, &d))
		if (strcmp(d.name, name) == 0) {
			*seq = d.seq;
			return true;
		}
	return false;
}

/* Commits are counted in each life of the store, lives follow each other. */
static bool
is_newer(const struct warm *w, const char *name)
{
	struct snap_place below = { 0 }, over = snap_place(&w->over);
	uint64_t had, has;

	if (w->snap.len == 0 || !shows(&w->snap, name, &had) ||
	    !shows(&w->over, name, &has))
		return true;
	below = snap_place(&w->snap);
	return below.run == over.run ? has > had
				     : over.sequence > below.sequence;
}

static struct store *
find_newer(void *arg, const char *name)
{
	struct store *st = find(arg, name);

	return st != NULL && is_newer(arg, name) ? st : NULL;
}

static void
leave_unfit(void *arg, const char *device, const struct snap_block *b,
    uint32_t addr, uint32_t count)
{
	(void)device;
	(void)addr;
	if (b != NULL) /* an older one is not, and a device is told already */
		((struct warm *)arg)->unfit += count;
}

static const struct snap_put_ops over_ops = {
	.find = find_newer,
	.apply = apply,
	.unfit = leave_unfit,
};

/* ---- what begins anew in any case ---- */

static bool
put_back(struct warm *w, struct store *store, const struct conf_range *r)
{
	static const uint8_t zeros[STORE_STEP_BYTES];
	bool bits = r->table == STORE_CO || r->table == STORE_DI;
	uint32_t most = bits ? STORE_STEP_BYTES * 8 : STORE_STEP_BYTES / 2;
	struct store_step step = { .op = STORE_WRITE, .table = r->table };

	for (uint32_t at = 0; at < r->count; at += step.count) {
		step.addr = r->addr + at;
		step.count = r->count - at < most ? r->count - at : most;
		step.in = zeros;
		if (r->init != NULL)
			step.in = r->init + (bits ? at / 8 : 2 * (size_t)at);
		if (apply(w, store, &step, 1) != STORE_OK)
			return false;
	}
	w->restored += r->count;
	return true;
}

static bool
put_back_all(struct warm *w)
{
	const struct conf *conf = w->s->conf;

	for (size_t i = 0; i < conf->ndevices; i++) {
		const struct conf_device *d = &conf->devices[i];

		for (size_t k = 0; k < d->nranges; k++)
			if (!conf_range_retained(&d->ranges[k]) &&
			    !put_back(w, &w->s->stores[i], &d->ranges[k]))
				return false;
	}
	return true;
}

/* ---- the words ---- */

/* Registers and bits that there are. */
static uint64_t
cells(const struct super *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->conf->ndevices; i++)
		for (unsigned t = 0; t < SHM_TABLES; t++)
			for (uint32_t k = 0; k < s->stores[i].nextents[t]; k++)
				n +=
				    s->stores[i]
					.extents[s->stores[i].extents_at[t] + k]
					.count;
	return n;
}

static void
time_text(uint64_t ms, char text[32])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&t, &tm) != NULL)
		strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void
tell(struct warm *w, const char *ending)
{
	struct shm_saved *t = &w->s->control->saved;
	uint64_t all = cells(w->s), fresh = all - w->written;
	char at[32], store[SNAP_NAME], lost[PLACES + 64] = "";

	snap_store(&w->snap, store);
	if (strcmp(store, w->s->conf->store) != 0)
		log_warnx("what was saved is of the store %s path=%s", store,
		    w->s->conf->snapshot.path);
	time_text(snap_time_ms(&w->snap), at);
	if (w->gone > 0 || w->unfit > 0)
		snprintf(lost, sizeof(lost),
		    " no_place=%" PRIu64 " no_device=%u first=\"%s\"", w->unfit,
		    w->gone, w->places);
	log_info("warm start path=%s%s saved=%s sequence=%" PRIu64
		 " values=%" PRIu64 " new=%" PRIu64 " not_retained=%" PRIu64
		 "%s",
	    w->s->conf->snapshot.path, ending, at,
	    snap_place(&w->snap).sequence, w->written, fresh, w->restored,
	    lost);
	atomic_store(&t->warm_ms, snap_time_ms(&w->snap));
	atomic_store(&t->warm_values, w->written);
	atomic_store(&t->at_ms, snap_time_ms(&w->snap));
	atomic_store(&t->sequence, snap_place(&w->snap).sequence);
	atomic_store(&t->bytes, w->snap.len);
}

/* ---- the start ---- */

static bool
put(struct warm *w, const struct snap *snap, const struct snap_put_ops *how)
{
	enum snap_put_rc rc;

	snap_put_begin(&w->put, snap, how, w);
	do
		rc = snap_put_next(&w->put);
	while (rc == SNAP_PUT_MORE);
	return rc == SNAP_PUT_DONE;
}

/* Numbers go on after all that there are. */
static void
count_on(struct warm *w, const struct snap *s)
{
	_Atomic uint64_t *last = &w->s->control->saved.last;

	if (s->len != 0 && snap_place(s).sequence > atomic_load(last))
		atomic_store(last, snap_place(s).sequence);
}

/* The first one that somebody has put back on purpose is older than what the
 * durable ranges were saved on top of: all of it is meant. */
static bool
was_put_back(const struct warm *w)
{
	return w->exact &&
	    snap_place(&w->snap).sequence < snap_place(&w->over).base;
}

static bool
put_over(struct warm *w)
{
	const char *path = w->s->conf->snapshot.path;

	count_on(w, &w->over);
	if (w->over.len == 0)
		return true;
	if (was_put_back(w)) {
		log_warnx("durable ranges are as in the older snapshot that "
			  "was put back path=%s",
		    path);
		return true;
	}
	if (!put(w, &w->over, &over_ops))
		return false;
	log_info("warm start path=%s" SNAP_PAIR_DURABLE " sequence=%" PRIu64
		 " values=%" PRIu64,
	    path, snap_place(&w->over).sequence, w->put.written);
	return true;
}

static int
put_all(struct warm *w, const char *ending)
{
	bool done = true;

	if (w->snap.len != 0) {
		done = put(w, &w->snap, &ops);
		w->written = w->put.written;
		count_on(w, &w->snap);
	}
	if (!done || !put_over(w) || !put_back_all(w))
		return boot_fail(w->s, EX_SOFTWARE, EBUSY,
		    "a device cannot be had to put back what was saved");
	if (w->snap.len != 0)
		tell(w, ending);
	return 0;
}

/* There was something, and none of it can be read. */
static int
without(struct super *s, const char *path, const char *why)
{
	if (s->conf->snapshot.required)
		return boot_fail(s, EX_NOINPUT, EINVAL,
		    "no start without the registers that were saved: %s: %s; "
		    "there is no other that is whole",
		    path, why);
	atomic_store(&s->control->saved.warm_bad, 1);
	log_error("the registers that were saved are lost, and start as "
		  "configured path=%s why=\"%s\"",
	    path, why);
	return 0;
}

/* Finds one of the two; 0, or an exit code. */
static int
load(struct warm *w, const char *path, struct snap *snap, const char **ending)
{
	char why[SNAP_WHY];

	switch (snap_pair_load(path, snap, ending, why)) {
	case SNAP_PAIR_NONE:
		return 0;
	case SNAP_PAIR_BAD:
		return without(w->s, path, why);
	case SNAP_PAIR_FOUND:
		if (why[0] != '\0')
			log_warnx("what was saved last cannot be read, and "
				  "the one before it is taken path=%s "
				  "why=\"%s\"",
			    path, why);
		break;
	}
	return 0;
}

static int
load_both(struct warm *w)
{
	const char *path = w->s->conf->snapshot.path, *ending, *other;
	char durable[PATH_MAX];
	int code = load(w, path, &w->snap, &ending);

	snprintf(durable, sizeof(durable), "%s" SNAP_PAIR_DURABLE, path);
	w->exact = w->snap.len != 0 && ending[0] == '\0';
	if (code == 0)
		code = load(w, durable, &w->over, &other);
	if (code == 0 && w->snap.len == 0 && w->over.len == 0 &&
	    atomic_load(&w->s->control->saved.warm_bad) == 0)
		log_info("registers start as configured: nothing was saved "
			 "yet path=%s",
		    path);
	return code == 0 ? put_all(w, ending) : code;
}

int
warm_start(struct super *s)
{
	struct warm *w;
	int code;

	if (s->conf->snapshot.path == NULL)
		return 0;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return boot_fail(s, EX_SOFTWARE, ENOMEM, "out of memory");
	w->s = s;
	code = load_both(w);
	snap_free(&w->snap);
	snap_free(&w->over);
	free(w);
	return code;
}
