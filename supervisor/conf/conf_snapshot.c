/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of "snapshot": where the registers are saved, and how often. Runs
 * where the configuration is read.
 */
#include "supervisor/conf/conf_snapshot.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/conf/conf_transport.h"
#include "supervisor/mem.h"

enum {
	INTERVAL_MIN_MS = 100,
	INTERVAL_MS = 10000,
	INTERVAL_MAX_S = 86400,
	DURABLE_MS = 1000,
	ENDING = 16, /* what is appended to the path */
};

/* A path of a file that need not be there. */
static void
read_path(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	char **out = (void *)((char *)obj + key->off);
	struct stat st;

	/* the first of the rows, and required: the others follow */
	((struct conf *)obj)->snapshot.interval_ms = INTERVAL_MS;
	((struct conf *)obj)->snapshot.durable_ms = DURABLE_MS;
	if (!conf_text_ok(ctx, node, key->name, PATH_MAX - 1 - ENDING))
		return;
	free(*out);
	*out = conf_absolute(node->doc, node->text);
	free(((struct conf *)obj)->snapshot.place);
	((struct conf *)obj)->snapshot.place =
	    mem_format("%s:%u:%u", node->doc->path, node->line, node->col);
	if (node->text[0] == '\0' || (*out)[strlen(*out) - 1] == '/' ||
	    (stat(*out, &st) == 0 && !S_ISREG(st.st_mode)))
		conf_fault(ctx, node, "\"%s\" is \"%.200s\"; it must be a file",
		    key->name, node->text);
	else if (strlen(*out) >= PATH_MAX - ENDING)
		conf_fault(ctx, node, "\"%s\" is too long", key->name);
}

void
conf_snapshot_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	if (((const struct conf *)obj)->snapshot.path == NULL)
		return;
	conf_out_open(o, key->name, '{');
	conf_out_section(o, key->section, 0, obj);
	conf_out_close(o, '}');
}

/* Seconds, decimals allowed, as milliseconds. */
static void
read_interval(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	unsigned *out = (void *)((char *)obj + key->off);
	double s;

	if (node->type != JSONC_INTEGER &&
	    !conf_want(ctx, node, JSONC_REAL, "a number"))
		return;
	s = jsonc_number(node);
	if (s * 1000 >= INTERVAL_MIN_MS && s <= INTERVAL_MAX_S)
		*out = (unsigned)(s * 1000 + 0.5);
	else
		conf_fault(ctx, node,
		    "\"%s\" is %g; it must be from 0.1 to 86400", key->name, s);
}

static void
dump_interval(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	unsigned ms =
	    *(const unsigned *)(const void *)((const char *)obj + key->off);

	conf_out_key(o, key->name);
	fprintf(o->f, "%.10g", ms / 1e3);
}

void
conf_retain_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	enum conf_retain *out = (void *)((char *)obj + key->off);

	if (conf_want(ctx, node, JSONC_BOOL, key->takes))
		*out = node->yes ? CONF_RETAIN_YES : CONF_RETAIN_NO;
}

void
conf_retain_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	enum conf_retain how =
	    *(const enum conf_retain *)(const void *)((const char *)obj +
		key->off);

	if (how == CONF_RETAIN_AUTO)
		return;
	conf_out_key(o, key->name);
	fputs(how == CONF_RETAIN_YES ? "true" : "false", o->f);
}

static void
check_durable(struct conf_ctx *ctx, const struct conf_range *r,
    const struct jsonc_node *at)
{
	if (!r->durable)
		return;
	if (ctx->conf->snapshot.path == NULL)
		conf_fault(ctx, at,
		    "\"durable\" needs \"snapshot\" in \"store\", which "
		    "says where");
	else if (r->action != NULL)
		conf_fault(ctx, at,
		    "\"durable\" does not go with \"action\": nobody waits "
		    "for what that makes");
	else if (!conf_range_retained(r))
		conf_fault(
		    ctx, at, "\"durable\" does not go with \"retain\": false");
}

void
conf_snapshot_check(struct conf_ctx *ctx)
{
	if (ctx->placeless)
		return;
	for (size_t i = 0; i < ctx->nplaced; i++) {
		const struct conf_placed *p = &ctx->placed[i];
		const struct conf_device *d = &ctx->conf->devices[p->device];

		for (size_t k = 0; k < d->nranges; k++)
			check_durable(ctx, &d->ranges[k], p->range_at[k]);
	}
}

bool
conf_range_retained(const struct conf_range *r)
{
	return r->retain == CONF_RETAIN_AUTO ? r->action == NULL
					     : r->retain == CONF_RETAIN_YES;
}

bool
conf_durable(const struct conf *conf)
{
	for (size_t i = 0; i < conf->ndevices; i++)
		for (size_t k = 0; k < conf->devices[i].nranges; k++)
			if (conf->devices[i].ranges[k].durable)
				return conf->snapshot.path != NULL;
	return false;
}

#define IN_CONF(m) .off = offsetof(struct conf, m)

static const struct conf_key snapshot_keys[] = {
	{ "path", CONF_OWN, CONF_REQUIRED, IN_CONF(snapshot.path),
	    .takes = "the path of a file", .read = read_path,
	    .dump = conf_text_dump, .help = "where they are saved" },
	{ "interval_s", CONF_OWN, CONF_PRESET, IN_CONF(snapshot.interval_ms),
	    .takes = "0.1 to 86400", .text = "10", .read = read_interval,
	    .dump = dump_interval,
	    .help = "how often, if something has changed" },
	{ "durable_timeout_ms", CONF_UINT, CONF_PRESET,
	    IN_CONF(snapshot.durable_ms), .min = 10, .max = 60000,
	    .def = DURABLE_MS,
	    .help = "how long a write to a durable range waits for the disk" },
	{ "required", CONF_BOOL, IN_CONF(snapshot.required),
	    .help = "do not start if what was saved cannot be read" },
	{ "user", CONF_OWN, IN_CONF(snapshot.user),
	    .takes = "the name of a user", .read = conf_user_read,
	    .dump = conf_text_dump, .help = "whom the saving process runs as" },
	{ NULL },
};

const struct conf_section conf_snapshot = { "store.snapshot", "\"snapshot\"",
	snapshot_keys, NULL };
