/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.read: the frames that workers have kept in their segments, where they
 * outlive a worker that dies, merged by time. trace.set: whether they keep any.
 * What lies there is taken as bytes from outside. Runs in the control process.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/traced.h"
#include "shm/clock.h"
#include "shm/ring.h"

enum {
	FRAMES_MAX = 1000, /* in one answer */
	BUDGET_MS = 250, /* others wait meanwhile */
	FRAMES_A_BEAT = 64,
	GLANCES_A_BEAT = 4096,
	CHUNK = 16384, /* bytes of a ring that are searched at once */
	NAME_BYTES = SHM_NAME_MAX + 32,
};

/* How far the reading of one worker's ring has got. */
struct cursor {
	const struct view *view;
	const struct shm_ring *ring;
	struct traced_at at; /* the frame that comes next */
	uint64_t behind; /* what lies behind its record */
	uint64_t stop; /* where the ring ended at first */
	struct trace_head head; /* of that record */
	bool there; /* it is there */
};

/* A frame that has passed the filter, for `newest`. */
struct found {
	const struct view *view;
	struct traced_at at;
	uint64_t unix_us;
};

/* The newest ones, the newest last: those before `from` are not there yet. */
struct newest {
	struct found *frame; /* `limit` of them */
	size_t from;
};

/* An answer as it is put together. */
struct reading {
	struct control *control;
	struct cursor *cursor;
	unsigned ncursors;
	struct filter filter;
	uint64_t after_us;
	uint64_t began_ns;
	unsigned steps;
	struct found *found; /* the last `limit` of nfound; NULL: the oldest */
	size_t nfound, limit;
	json_t *frames;
	bool lost, more; /* not all has been looked at */
	struct traced frame;
};

/* ---- rings ---- */

static void
cursor_name(
    const struct reading *r, const struct cursor *k, char name[NAME_BYTES])
{
	const struct conf *conf = r->control->proc->conf;

	snprintf(name, NAME_BYTES, "%s.%u",
	    conf->transports[k->view->transport].name, k->view->worker);
}

/* Looks at what comes next. What cannot be read is stepped over. */
static void
look(struct reading *r, struct cursor *k)
{
	uint64_t *pos = &k->at.pos;
	int rc = -1;

	k->there = false;
	while (rc == -1 && *pos < k->stop) {
		uint64_t was = *pos;

		rc = trace_peek(k->ring, pos, &k->behind, &k->head);
		if (rc == -1)
			r->lost = true;
		if (rc == -1 && *pos == was)
			*pos = k->behind > was ? k->behind : k->stop;
		if (*pos != was)
			k->at.index = 0;
	}
	k->there = rc == 1 && *pos < k->stop;
}

static void
cursor_begin(struct reading *r, struct view *v, const json_t *since)
{
	struct cursor *k = &r->cursor[r->ncursors++];
	char name[NAME_BYTES];

	k->view = v;
	k->ring = seg_trace(seg_worker(&v->seg));
	k->stop = ring_end(k->ring);
	cursor_name(r, k, name);
	k->at = traced_unpack(
	    (uint64_t)json_integer_value(json_object_get(since, name)));
	/* a position of an earlier daemon: its frames are gone */
	if (k->at.pos > k->stop) {
		r->lost = true;
		k->at = (struct traced_at){ 0 };
	}
	look(r, k);
}

/* The one whose next frame is the oldest of all; NULL. */
static struct cursor *
oldest(const struct reading *r)
{
	struct cursor *best = NULL;

	for (unsigned i = 0; i < r->ncursors; i++) {
		struct cursor *k = &r->cursor[i];

		if (k->there &&
		    (best == NULL || k->head.unix_us < best->head.unix_us))
			best = k;
	}
	return best;
}

/* ---- frames ---- */

/* Takes the next frame of k, if it passes. */
static void
take(struct reading *r, struct cursor *k)
{
	struct filter_frame fields;
	struct traced_at was = k->at;
	int rc;

	if (k->head.unix_us < r->after_us) {
		k->at = (struct traced_at){ .pos = k->behind };
		return;
	}
	rc = traced_read(r->control, k->view, &k->at, &r->frame);
	if (rc == -1) {
		r->lost = true;
		k->at = (struct traced_at){ .pos = k->behind };
	}
	if (rc != 1)
		return;
	traced_fields(&r->frame, &fields);
	if (!filter_passes(&r->filter, &fields))
		return;
	if (r->found != NULL)
		r->found[r->nfound % r->limit] = (struct found){
			.view = k->view,
			.at = was,
			.unix_us = k->head.unix_us,
		};
	else
		json_array_append_new(r->frames, traced_json(&r->frame));
	r->nfound++;
}

/* Tells whether part/of of the time is over. Who supervises us hears of us. */
static bool
late(struct reading *r, unsigned part, unsigned of)
{
	control_beat(r->control);
	return r->control->now_ns - r->began_ns >
	    BUDGET_MS * UINT64_C(1000000) * part / of;
}

static void
read_oldest(struct reading *r)
{
	struct cursor *k;

	while ((k = oldest(r)) != NULL) {
		r->more = r->nfound == r->limit ||
		    (++r->steps % FRAMES_A_BEAT == 0 && late(r, 1, 1));
		if (r->more)
			return;
		take(r, k);
		look(r, k);
	}
}

/* ---- the newest ---- */

/* Steps over all that k has; each CHUNK a mark is left where a record begins.
 * How many marks there are then. */
static size_t
leave_marks(
    struct reading *r, struct cursor *k, struct traced_at *mark, size_t max)
{
	size_t n = 0;

	for (; k->there; look(r, k)) {
		if (k->head.unix_us >= r->after_us && n < max &&
		    (n == 0 || k->at.pos - mark[n - 1].pos >= CHUNK))
			mark[n++] = k->at;
		k->at = (struct traced_at){ .pos = k->behind };
		if (++r->steps % GLANCES_A_BEAT == 0)
			control_beat(r->control);
	}
	return n;
}

/* Adds the frames of k between two places to those that were found behind. */
static void
search(struct reading *r, const struct cursor *k, struct traced_at from,
    uint64_t to, struct newest *own)
{
	struct cursor c = *k;
	size_t n;

	c.at = from;
	c.stop = to;
	r->nfound = 0;
	for (look(r, &c); c.there; look(r, &c))
		take(r, &c);
	n = r->nfound < r->limit ? r->nfound : r->limit;
	while (n-- > 0 && own->from > 0)
		own->frame[--own->from] = r->found[--r->nfound % r->limit];
}

/* Both as one, by time; what is too old is left out. */
static void
merge(const struct reading *r, struct newest *a, const struct newest *b)
{
	struct newest all = {
		.frame = r->found, /* of no other use now */
		.from = r->limit,
	};
	size_t i = r->limit, j = r->limit;

	while (all.from > 0 && (i > a->from || j > b->from)) {
		bool second = i == a->from ||
		    (j > b->from &&
			b->frame[j - 1].unix_us >= a->frame[i - 1].unix_us);

		all.frame[--all.from] = second ? b->frame[--j] : a->frame[--i];
	}
	memcpy(a->frame, all.frame, r->limit * sizeof(*a->frame));
	a->from = all.from;
}

/* Searches backwards, chunk by chunk, and adds what it finds to `all`. No frame
 * before those is taken apart. -1: out of memory. */
static int
find_newest(struct reading *r, unsigned i, struct newest *all)
{
	struct cursor *k = &r->cursor[i];
	size_t max = seg_trace_bytes(k->ring) / CHUNK + 2, n;
	struct newest own = {
		.frame = calloc(r->limit, sizeof(*own.frame)),
		.from = r->limit,
	};
	struct traced_at *mark = calloc(max, sizeof(*mark));
	uint64_t to;
	int rc = -1;

	if (own.frame == NULL || mark == NULL)
		goto out;
	n = leave_marks(r, k, mark, max);
	for (to = k->at.pos; n > 0 && own.from > 0; to = mark[n].pos) {
		search(r, k, mark[--n], to, &own);
		if (late(r, i + 1, r->ncursors) && n > 0 && own.from > 0) {
			r->more = true;
			break;
		}
	}
	merge(r, all, &own);
	rc = 0;
out:
	free(own.frame);
	free(mark);
	return rc;
}

static int
read_newest(struct reading *r)
{
	struct newest all = {
		.frame = calloc(r->limit, sizeof(*all.frame)),
		.from = r->limit,
	};
	int rc = all.frame != NULL ? 0 : -1;

	for (unsigned i = 0; i < r->ncursors && rc == 0; i++)
		rc = find_newest(r, i, &all);
	for (size_t i = all.from; i < r->limit; i++) {
		struct found *f = &all.frame[i];

		if (traced_read(r->control, f->view, &f->at, &r->frame) == 1)
			json_array_append_new(
			    r->frames, traced_json(&r->frame));
		else
			r->lost = true;
	}
	free(all.frame);
	return rc;
}

/* ---- trace.read ---- */

/* False after the call has failed. */
static bool
check_since(struct cmd_call *call, const json_t *since)
{
	const char *name;
	json_t *pos;

	json_object_foreach ((json_t *)(uintptr_t)since, name, pos) {
		if (json_is_integer(pos) && json_integer_value(pos) >= 0)
			continue;
		cmd_fail(call, CMD_PARAMS, "bad_type",
		    "since holds positions as next gave them; %.40s is none",
		    name);
		return false;
	}
	return true;
}

static bool
check_filter(struct cmd_call *call, struct filter *f)
{
	const char *text = cmd_string(call, "filter");
	char why[FILTER_WHY_MAX];

	if (filter_parse(f, text != NULL ? text : "", why) == 0)
		return true;
	cmd_fail(call, CMD_PARAMS, "bad_filter", "filter: %s", why);
	return false;
}

static json_t *
positions(struct reading *r)
{
	json_t *next = json_object();
	char name[NAME_BYTES];

	for (unsigned i = 0; i < r->ncursors; i++) {
		cursor_name(r, &r->cursor[i], name);
		json_object_set_new(
		    next, name, jtext_uint(traced_pack(&r->cursor[i].at)));
	}
	return next;
}

static bool
no_memory(struct cmd_call *call)
{
	cmd_fail(call, CMD_INTERNAL, "no_memory", "out of memory");
	return false;
}

/* What has been asked for: false if that cannot be. */
static bool
begin(struct cmd_call *call, struct reading *r, int transport)
{
	struct control *c = call->control;
	const json_t *since = json_object_get(call->params, "since");
	const json_t *after = json_object_get(call->params, "after");
	bool newest = json_is_true(json_object_get(call->params, "newest"));

	if (!check_since(call, since) || !check_filter(call, &r->filter))
		return false;
	r->control = c;
	r->after_us = (uint64_t)(json_number_value(after) * 1e6);
	r->limit = (size_t)cmd_integer(call, "limit", FRAMES_MAX);
	r->cursor = calloc(c->nviews + 1, sizeof(*r->cursor));
	r->began_ns = clock_mono_ns();
	if (newest)
		r->found = calloc(r->limit, sizeof(*r->found));
	if (r->cursor == NULL || (newest && r->found == NULL))
		return no_memory(call);
	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if ((transport == -1 || v->transport == (unsigned)transport) &&
		    view_attach(c, v))
			cursor_begin(r, v, since);
	}
	return true;
}

void
cmd_trace_read(struct cmd_call *call)
{
	static struct reading reading; /* its frames are large */
	struct reading *r = &reading;
	const char *name = cmd_string(call, "transport");
	int transport = name != NULL ? control_transport(call, name) : -1;

	if (call->error != CMD_OK)
		return;
	memset(r, 0, sizeof(*r));
	if (begin(call, r, transport)) {
		r->frames = json_array();
		if (r->found == NULL)
			read_oldest(r);
		else if (read_newest(r) == -1)
			no_memory(call);
		call->result = json_pack("{s:o, s:o, s:b, s:b}", "frames",
		    r->frames, "next", positions(r), "lost", (int)r->lost,
		    "more", (int)r->more);
	}
	free(r->cursor);
	free(r->found);
}

/* ---- trace.set ---- */

/* The workers' segments are mapped read-only; for this once, one is not. */
static int
set_worker(const struct view *v, bool on)
{
	struct seg seg;

	if (seg_attach(&seg, v->seg.object, SHM_WORKER, true) == -1)
		return -1;
	atomic_store_explicit(
	    &seg_worker(&seg)->trace_on, on, memory_order_relaxed);
	seg_unmap(&seg);
	return 0;
}

static json_t *
which_are_on(struct control *c)
{
	json_t *on = json_array();
	size_t last = SIZE_MAX;

	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if (v->transport == last || !view_attach(c, v) ||
		    atomic_load_explicit(&seg_worker(&v->seg)->trace_on,
			memory_order_relaxed) == 0)
			continue;
		last = v->transport;
		json_array_append_new(
		    on, json_string(c->proc->conf->transports[last].name));
	}
	return json_pack("{s:o}", "on", on);
}

void
cmd_trace_set(struct cmd_call *call)
{
	struct control *c = call->control;
	const char *name = cmd_string(call, "transport");
	int transport = name != NULL ? control_transport(call, name) : -1;
	bool on = json_is_true(json_object_get(call->params, "on"));

	for (unsigned i = 0; call->error == CMD_OK && i < c->nviews; i++) {
		struct view *v = &c->views[i];
		const struct conf_transport *t =
		    &c->proc->conf->transports[v->transport];

		if ((transport != -1 && v->transport != (unsigned)transport) ||
		    t->type == CONF_SHM || !view_attach(c, v))
			continue;
		if (set_worker(v, on) == -1)
			cmd_fail(call, CMD_REFUSED, "no_access",
			    "transport %s: %s", t->name, strerror(errno));
	}
	if (call->error == CMD_OK)
		call->result = which_are_on(c);
}
