/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start that goes on where the last one ended. Runs once in the supervisor,
 * before the first fork. What stands in the file comes from outside, and has
 * been checked from end to end before any of it is used.
 */
#include "supervisor/warm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
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
	struct snap snap;
	struct snap_put put;
	uint64_t op;
	uint64_t unfit; /* registers and bits */
	unsigned gone; /* devices */
	char places[PLACES]; /* the first of those */
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
	uint64_t all = cells(w->s), fresh = all - w->put.written;
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
	    w->s->conf->snapshot.path, ending, at, snap_sequence(&w->snap),
	    w->put.written, fresh, w->restored, lost);
	atomic_store(&t->warm_ms, snap_time_ms(&w->snap));
	atomic_store(&t->warm_values, w->put.written);
	atomic_store(&t->at_ms, snap_time_ms(&w->snap));
	atomic_store(&t->sequence, snap_sequence(&w->snap));
	atomic_store(&t->bytes, w->snap.len);
}

/* ---- the start ---- */

static int
put_all(struct warm *w, const char *ending)
{
	enum snap_put_rc rc;

	snap_put_begin(&w->put, &w->snap, &ops, w);
	do
		rc = snap_put_next(&w->put);
	while (rc == SNAP_PUT_MORE);
	if (rc != SNAP_PUT_DONE || !put_back_all(w))
		return boot_fail(w->s, EX_SOFTWARE, EBUSY,
		    "a device cannot be had to put back what was saved");
	tell(w, ending);
	return 0;
}

/* There was something, and none of it can be read. */
static int
without(struct super *s, const char *why)
{
	const struct conf_snapshot *c = &s->conf->snapshot;

	if (c->required)
		return boot_fail(s, EX_NOINPUT, EINVAL,
		    "no start without the registers that were saved: %s: %s; "
		    "there is no other that is whole",
		    c->path, why);
	atomic_store(&s->control->saved.warm_bad, 1);
	log_error("the registers that were saved are lost, and start as "
		  "configured path=%s why=\"%s\"",
	    c->path, why);
	return 0;
}

int
warm_start(struct super *s)
{
	const char *path = s->conf->snapshot.path, *ending;
	char why[SNAP_WHY];
	struct warm *w;
	int code = 0;

	if (path == NULL)
		return 0;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return boot_fail(s, EX_SOFTWARE, ENOMEM, "out of memory");
	w->s = s;
	switch (snap_pair_load(path, &w->snap, &ending, why)) {
	case SNAP_PAIR_NONE:
		log_info("registers start as configured: nothing was saved "
			 "yet path=%s",
		    path);
		break;
	case SNAP_PAIR_BAD:
		code = without(s, why);
		break;
	case SNAP_PAIR_FOUND:
		if (why[0] != '\0')
			log_warnx("what was saved last cannot be read, and "
				  "the one before it is taken path=%s "
				  "why=\"%s\"",
			    path, why);
		code = put_all(w, ending);
		break;
	}
	snap_free(&w->snap);
	free(w);
	return code;
}
