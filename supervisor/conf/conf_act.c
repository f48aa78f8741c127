/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The actions of all ranges, looked at when everything has been read: who else
 * may bring some, and what they copy from, stands elsewhere in the file. Runs
 * before the first fork; reads the files that actions replay.
 */
#include "supervisor/conf/conf_act.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/series.h"
#include "shm/table.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/mem.h"
#include "supervisor/part.h"

enum { ACT_WORDS = 200 };

/* What is looked at. */
struct act {
	struct conf_ctx *ctx;
	unsigned device;
	struct conf_range *r;
	const struct jsonc_node *at; /* the action: a name, or an object */
	const struct action_row *row;
};

static void
tell_unknown(const struct act *a)
{
	const char *names[ACTION_IDS];
	char hint[CONF_HINT];

	for (size_t i = 0; i < ACTION_IDS; i++)
		names[i] = action_rows[i].name;
	conf_fault(a->ctx, conf_at(a->at, "name"),
	    "no action is called \"%.60s\", and there are no plugins or module "
	    "to bring it%s",
	    a->r->action, conf_hint(hint, a->r->action, names, ACTION_IDS));
}

/* Files are where they are from the root on, and must be there. */
static bool
find_files(const struct act *a)
{
	struct conf_options *o = &a->r->parameters;
	size_t faults = a->ctx->nfaults + a->ctx->dropped;

	for (size_t i = 0; i < o->n; i++) {
		const struct action_param *p =
		    action_param(a->row, o->at[i].name);
		const struct jsonc_node *node;
		struct conf_key key = { .flags = CONF_FILE };
		char *path;

		if (p == NULL || p->kind != ACTION_FILE)
			continue;
		node = conf_at(a->at, p->name);
		path = conf_absolute(node->doc, o->at[i].value);
		free(o->at[i].value);
		o->at[i].value = path;
		key.name = p->name;
		conf_check_path(a->ctx, node, &key, path);
	}
	return a->ctx->nfaults + a->ctx->dropped == faults;
}

static void
check_replay(const struct act *a)
{
	const char *path = conf_action_text(a->r, "file");
	struct series s;

	if (series_read(&s, path) == 0)
		series_free(&s);
	else if (s.line > 0)
		conf_fault(a->ctx, conf_at(a->at, "file"), "%.200s:%u: %s",
		    path, s.line, s.why);
	else
		conf_fault(
		    a->ctx, conf_at(a->at, "file"), "%.200s: %s", path, s.why);
}

static void
check_lua(const struct act *a)
{
	char path[PATH_MAX];

	if (!part_path("lua", path, sizeof(path)))
		conf_fault(a->ctx, conf_at(a->at, "name"),
		    "this holdfastd was built without Lua: there is no %s, nor "
		    "one beside this program",
		    path);
}

/* True if each of those addresses is in some range. */
static bool
covered(const struct conf_device *d, const struct conf_copy *s)
{
	uint32_t at = s->addr, end = s->addr + s->count, before;

	do {
		before = at;
		for (size_t i = 0; i < d->nranges; i++) {
			const struct conf_range *r = &d->ranges[i];

			if (r->table == s->table && at >= r->addr &&
			    at < r->addr + r->count)
				at = r->addr + r->count;
		}
	} while (at < end && at > before);
	return at >= end;
}

static void
check_copy(const struct act *a)
{
	const struct conf *c = a->ctx->conf;
	const struct jsonc_node *device = jsonc_get(a->at, "device");
	struct conf_copy s;

	conf_action_source(c, a->device, a->r, &s);
	if (s.device == CONF_NO_DEVICE) {
		if (device != NULL)
			conf_device_want(a->ctx, device);
		else
			conf_fault(a->ctx, a->at,
			    "no device is called \"%.60s\"",
			    conf_action_text(a->r, "device"));
		return;
	}
	if ((size_t)s.device >= c->ndevices - a->ctx->nspare &&
	    s.device != (int)a->device) {
		conf_fault(a->ctx, a->at,
		    "nobody serves device \"%s\", so it is not there",
		    c->devices[s.device].name);
		return;
	}
	/* in shared blocks each table's addresses are another's, too */
	if (c->devices[s.device].shared_blocks ||
	    covered(&c->devices[s.device], &s))
		return;
	conf_fault(a->ctx, conf_at(a->at, "addr"),
	    "device \"%s\" does not have all of %s %" PRIu32 " to %" PRIu32,
	    c->devices[s.device].name, table_name(s.table), s.addr,
	    s.addr + s.count - 1);
}

/* What was left out and has a value of its own, so that whoever looks at the
 * range sees all of it. */
static void
add_defaults(const struct act *a)
{
	struct conf_options *o = &a->r->parameters;
	double x;

	for (const struct action_param *p = a->row->params; p->name != NULL;
	     p++) {
		if (conf_action_text(a->r, p->name) != NULL ||
		    (p->without != ACTION_FIXED &&
			p->without != ACTION_FIRST) ||
		    !action_without(p, conf_action_type(a->r), &x) ||
		    (a->row->flags & ACTION_ON_READ && p->kind == ACTION_VALUE))
			continue;
		o->at = mem_more(o->at, o->n, sizeof(*o->at));
		o->at[o->n++] = (struct conf_option){
			.name = mem_text(p->name),
			.value = p->kind == ACTION_WORD
			    ? mem_text(p->words[(int)x])
			    : mem_format("%.15g", x),
			.bare = p->kind != ACTION_WORD,
		};
	}
}

static void
check(struct act *a)
{
	bool others = conf_action_others(a->ctx->conf);
	const struct conf_option *at;
	char words[ACT_WORDS];

	a->row = action_find(a->r->action);
	if (a->row == NULL) {
		if (!others)
			tell_unknown(a);
		return;
	}
	/* somebody else's may have that name, and parameters of its own */
	if (others && a->row != &action_rows[ACTION_LUA] &&
	    conf_action_period_ms(a->ctx->conf, a->r) == 0)
		return;
	if (conf_action_wrong(a->row, a->r, &at, words, sizeof(words))) {
		conf_fault(a->ctx,
		    at != NULL ? conf_at(a->at, at->name) : a->at,
		    "the action \"%s\": %s", a->r->action, words);
		return;
	}
	if (!find_files(a))
		return;
	add_defaults(a);
	if (a->row == &action_rows[ACTION_REPLAY])
		check_replay(a);
	else if (a->row == &action_rows[ACTION_COPY])
		check_copy(a);
	else if (a->row == &action_rows[ACTION_LUA])
		check_lua(a);
}

void
conf_act_check(struct conf_ctx *ctx)
{
	/* nobody has written the text, or hooks may bring what it names: the
	 * workers look at it then */
	if (ctx->placeless || ctx->hooked)
		return;
	for (size_t i = 0; i < ctx->nplaced; i++) {
		const struct conf_placed *p = &ctx->placed[i];
		struct conf_device *d = &ctx->conf->devices[p->device];

		for (size_t k = 0; k < d->nranges; k++) {
			struct act a = { .ctx = ctx,
				.device = p->device,
				.r = &d->ranges[k] };

			if (a.r->action == NULL)
				continue;
			a.at = conf_at(p->range_at[k], "action");
			check(&a);
		}
	}
}
