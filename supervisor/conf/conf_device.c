/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of the configuration: reads their tables, and holds the ranges of a
 * device against each other. Runs before the first fork.
 */
#include "supervisor/conf/conf_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "shm/seg.h"
#include "shm/table.h"
#include "supervisor/conf/conf_map.h"
#include "supervisor/conf/conf_open.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/mem.h"

typedef bool range_read_fn(
    struct conf_ctx *, const struct jsonc_node *, struct conf_range *);

int
conf_device_find(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->ndevices; i++)
		if (strcmp(conf->devices[i].name, name) == 0)
			return (int)i;
	return CONF_NO_DEVICE;
}

/* Takes a range in, at a node that mistakes about it can be told at. */
static void
add_range(struct conf_device_in *in, const struct conf_range *r,
    const struct jsonc_node *node)
{
	struct conf_device *d = &in->d;

	d->ranges = mem_more(d->ranges, d->nranges, sizeof(*d->ranges));
	in->range_at =
	    mem_more(in->range_at, d->nranges, sizeof(*in->range_at));
	d->ranges[d->nranges] = *r;
	in->range_at[d->nranges++] = node;
}

void
conf_table_read(struct conf_ctx *ctx, const struct jsonc_node *list,
    const struct conf_key *key, void *obj)
{
	struct conf_range r;
	enum store_table table = STORE_CO;

	while (strcmp(table_name(table), key->name) != 0)
		table++;
	if (!conf_want(ctx, list, JSONC_ARRAY, "a list of ranges"))
		return;
	for (const struct jsonc_node *n = list->in.first; n != NULL;
	     n = n->next)
		if (conf_range_read(ctx, n, table, &r))
			add_range(obj, &r, n);
		else
			conf_range_free(&r);
}

static void
read_each(struct conf_ctx *ctx, const struct jsonc_node *list,
    const char *wanted, range_read_fn *read, struct conf_device_in *in)
{
	struct conf_range r;

	if (!conf_want(ctx, list, JSONC_ARRAY, wanted))
		return;
	for (const struct jsonc_node *n = list->in.first; n != NULL;
	     n = n->next)
		if (read(ctx, n, &r))
			add_range(in, &r, n);
		else
			conf_range_free(&r);
}

void
conf_files_read(struct conf_ctx *ctx, const struct jsonc_node *list,
    const struct conf_key *key, void *obj)
{
	(void)key;
	read_each(ctx, list, "a list of files", conf_file_read, obj);
}

void
conf_fifos_read(struct conf_ctx *ctx, const struct jsonc_node *list,
    const struct conf_key *key, void *obj)
{
	(void)key;
	read_each(ctx, list, "a list of FIFO queues", conf_fifo_read, obj);
}

/* ---- maps ---- */

static void
add_line(struct conf_ctx *ctx, const struct jsonc_node *line,
    enum store_table table, void *arg)
{
	struct conf_range r;

	if (conf_range_read(ctx, line, table, &r))
		add_range(arg, &r, line);
	else
		conf_range_free(&r);
}

void
conf_map_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	char *path;
	int fd;

	(void)key;
	if (!conf_want(ctx, node, JSONC_STRING, "the path of a CSV file"))
		return;
	path = conf_resolve(node->doc, node->text);
	fd = conf_open(ctx, path);
	if (fd == -1 || conf_map_each(ctx, fd, path, add_line, obj) == -1)
		conf_fault(ctx, node, "cannot read the map %s: %s", path,
		    strerror(errno));
	free(path);
}

/* ---- the identification ---- */

/* Objects that are being read. */
struct identity {
	struct conf_object *at;
	size_t n;
};

static void
add_object(struct identity *d, unsigned id, char *text)
{
	size_t at = d->n;

	d->at = mem_more(d->at, at, sizeof(*d->at));
	for (; at > 0 && d->at[at - 1].id > id; at--)
		d->at[at] = d->at[at - 1];
	d->at[at] = (struct conf_object){ .id = (uint8_t)id, text };
	d->n++;
}

/* The number that a key spells without leading zeros, or -1. */
static int
object_id(const char *key)
{
	int id = 0;

	if (key[0] == '\0' || strlen(key) > 3 || (key[0] == '0' && key[1]))
		return -1;
	for (; *key != '\0'; key++) {
		if (*key < '0' || *key > '9')
			return -1;
		id = 10 * id + *key - '0';
	}
	return id;
}

static void
read_object(
    struct conf_ctx *ctx, const struct jsonc_node *node, struct identity *d)
{
	int id = object_id(node->key);

	if (id >= 0 && id < CONF_ID_NAMED) {
		conf_fault_key(ctx, node, "object %d has a name: say \"%s\"",
		    id, conf_identity.keys[id].name);
	} else if (id < CONF_ID_PRIVATE || id > UINT8_MAX) {
		conf_fault_key(ctx, node,
		    "\"%s\" is no object of one's own: they have the numbers "
		    "128 to 255",
		    node->key);
	} else if (!conf_want(ctx, node, JSONC_STRING, "a string")) {
		return;
	} else if (strlen(node->text) > CONF_ID_BYTES) {
		conf_fault(ctx, node,
		    "object %d is %zu bytes long; %u is the most", id,
		    strlen(node->text), CONF_ID_BYTES);
	} else if (node->text[0] != '\0') {
		add_object(d, (unsigned)id, mem_text(node->text));
	}
}

size_t
conf_identity_take(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_object **out)
{
	struct conf_identity_in id = { 0 };
	struct identity got = { 0 };

	conf_read_section(ctx, node, &conf_identity, "\"identity\"", 0, &id);
	for (unsigned i = 0; i < CONF_ID_NAMED; i++)
		if (id.named[i] != NULL &&
		    (i < CONF_ID_MUST || id.named[i][0] != '\0'))
			add_object(&got, i, id.named[i]);
		else
			free(id.named[i]);
	if (id.objects != NULL &&
	    conf_want(ctx, id.objects, JSONC_OBJECT, "an object"))
		for (const struct jsonc_node *n = id.objects->in.first;
		     n != NULL; n = n->next)
			read_object(ctx, n, &got);
	*out = got.at;
	return got.n;
}

void
conf_identity_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	(void)key;
	t->nidentity = conf_identity_take(ctx, node, &t->identity);
}

/* ---- ranges against each other ---- */

struct placed {
	const struct conf_range *r;
	const struct jsonc_node *at;
};

static int
by_addr(const void *a, const void *b)
{
	const struct conf_range *x = ((const struct placed *)a)->r;
	const struct conf_range *y = ((const struct placed *)b)->r;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void
tell_overlap(
    struct conf_ctx *ctx, const struct placed *a, const struct placed *b)
{
	uint32_t from = b->r->addr;
	uint32_t a_end = a->r->addr + a->r->count;
	uint32_t b_end = b->r->addr + b->r->count;
	uint32_t to = (a_end < b_end ? a_end : b_end) - 1;
	const struct placed *first = a->r < b->r ? a : b;
	const struct placed *later = a->r < b->r ? b : a;
	char other[CONF_PLACE];

	conf_place(other, sizeof(other), first->at, later->at->doc);
	if (a->r->table == STORE_FILE)
		conf_fault(ctx, later->at, "file %u stands at %s already",
		    a->r->addr >> 16, other);
	else if (a->r->table == STORE_FIFO)
		conf_fault(ctx, later->at,
		    "a FIFO queue of address %u stands at %s already",
		    a->r->addr >> 5, other);
	else
		conf_fault(ctx, later->at,
		    "%s %u to %u overlap the range at %s",
		    table_name(a->r->table), from, to, other);
}

/* Each range against the one of those before it that reaches furthest. */
static void
check_overlaps(struct conf_ctx *ctx, const struct conf_device_in *in)
{
	struct placed *p = mem_zero(in->d.nranges, sizeof(*p)), *far;

	for (size_t i = 0; i < in->d.nranges; i++)
		p[i] = (struct placed){ &in->d.ranges[i], in->range_at[i] };
	qsort(p, in->d.nranges, sizeof(*p), by_addr);
	far = p;
	for (size_t i = 1; i < in->d.nranges; i++) {
		if (p[i].r->table == far->r->table &&
		    p[i].r->addr < far->r->addr + far->r->count)
			tell_overlap(ctx, far, &p[i]);
		if (p[i].r->table != far->r->table ||
		    p[i].r->addr + p[i].r->count > far->r->addr + far->r->count)
			far = &p[i];
	}
	free(p);
}

int
conf_device_map(struct conf_ctx *ctx, int fd, const char *path)
{
	struct conf_device_in in = { .d.name = mem_text("map") };
	struct conf *conf = ctx->conf;
	int rc = conf_map_each(ctx, fd, path, add_line, &in);
	int saved = errno;

	check_overlaps(ctx, &in);
	free(in.range_at);
	conf->devices =
	    mem_more(conf->devices, conf->ndevices, sizeof(*conf->devices));
	conf->devices[conf->ndevices++] = in.d;
	errno = saved;
	return rc;
}

void
conf_devices_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf *conf = obj;
	char what[100];

	(void)key;
	if (!conf_want(ctx, node, JSONC_OBJECT, "an object"))
		return;
	if (node->in.n == 0)
		conf_fault(ctx, node, "\"devices\" names no device");
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		struct conf_device_in in = { .d.name = mem_text(n->key) };

		snprintf(what, sizeof(what), "device \"%.60s\"", n->key);
		if (!seg_name_ok(n->key))
			conf_fault_key(ctx, n,
			    "\"%.60s\" is no name for a device: letters, "
			    "digits, \"_\" and \"-\", at most 40",
			    n->key);
		conf_read_section(ctx, n, &conf_device, what, 0, &in);
		in.d.nidentity =
		    conf_identity_take(ctx, in.identity, &in.d.identity);
		check_overlaps(ctx, &in);
		ctx->placed =
		    mem_more(ctx->placed, ctx->nplaced, sizeof(*ctx->placed));
		ctx->placed[ctx->nplaced++] =
		    (struct conf_placed){ (unsigned)conf->ndevices,
			    in.range_at };
		conf->devices = mem_more(
		    conf->devices, conf->ndevices, sizeof(*conf->devices));
		conf->devices[conf->ndevices++] = in.d;
	}
}

int
conf_device_want(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	const struct conf *conf = ctx->conf;
	const char **names;
	char hint[CONF_HINT];
	int device;

	if (!conf_want(ctx, node, JSONC_STRING, "the name of a device"))
		return CONF_NO_DEVICE;
	device = conf_device_find(conf, node->text);
	/* no devices at all has been told, or is for another file to mend */
	if (device != CONF_NO_DEVICE || conf->ndevices == 0 || ctx->partial)
		return device;
	names = mem_zero(conf->ndevices, sizeof(*names));
	for (size_t i = 0; i < conf->ndevices; i++)
		names[i] = conf->devices[i].name;
	conf_hint(hint, node->text, names, conf->ndevices);
	conf_fault(
	    ctx, node, "no device is called \"%.60s\"%s", node->text, hint);
	free(names);
	return CONF_NO_DEVICE;
}
