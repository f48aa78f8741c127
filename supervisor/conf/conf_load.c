/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the path of a configuration to struct conf: reads the files, makes one
 * tree of them, has the tables of keys read it, and shows every mistake. Runs
 * in the supervisor before the first fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/conf/conf_act.h"
#include "supervisor/conf/conf_between.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_tree.h"
#include "supervisor/conf/conf_http.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/conf/conf_open.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/conf/conf_read.h"
#include "supervisor/conf/conf_roles.h"
#include "supervisor/conf/conf_setup.h"
#include "supervisor/conf/conf_snapshot.h"
#include "supervisor/mem.h"

/* What is read of one configuration: the files so far, each of them once. */
struct load {
	struct conf_ctx ctx;
	struct conf_file_id *seen;
	size_t nseen;
};

/* ---- one file ---- */

/* True if the file was read before; notes it if not. */
static bool
seen_before(struct load *l, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	for (size_t i = 0; i < l->nseen; i++)
		if (l->seen[i].dev == st.st_dev && l->seen[i].ino == st.st_ino)
			return true;
	l->seen = mem_more(l->seen, l->nseen, sizeof(*l->seen));
	l->seen[l->nseen++] = (struct conf_file_id){ st.st_dev, st.st_ino };
	return false;
}

/*
 * Reads and parses one file. 1 done, 0 it was read before, -1 with errno.
 */
static int
read_file(struct load *l, const char *path, struct jsonc_doc **doc)
{
	int fd;

	*doc = NULL;
	fd = conf_open(&l->ctx, path);
	if (fd == -1)
		return -1;
	if (seen_before(l, fd)) {
		close(fd);
		return 0;
	}
	*doc = conf_tree_read(&l->ctx, fd, path);
	return *doc != NULL ? 1 : -1;
}

/* A text is a file that is called so. */
static struct jsonc_doc *
tree_of_text(struct conf_ctx *ctx, const char *path, const char *text)
{
	char *copy = mem_text(text);
	struct jsonc_doc *doc =
	    jsonc_parse(path, copy, strlen(copy), conf_fault_at, ctx);

	mem_wipe(copy);
	conf_tree_keep(ctx, doc);
	return doc;
}

/* ---- several files as one ---- */

static void
tell_twice(struct conf_ctx *ctx, const struct jsonc_node *again,
    const struct jsonc_node *first)
{
	char place[CONF_PLACE];

	conf_fault_key(ctx, again,
	    "duplicate key \"%.60s\"; it stands at %s already", again->key,
	    conf_place(place, sizeof(place), first, again->doc));
}

static void
append(struct jsonc_node *object, struct jsonc_node *member)
{
	struct jsonc_node **link = &object->in.first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = member;
	member->next = NULL;
	object->in.n++;
}

/* Moves the members of an object into another, depth levels of objects
 * deep. */
static void
merge(struct conf_ctx *ctx, struct jsonc_node *into, struct jsonc_node *from,
    int depth)
{
	struct jsonc_node *m, *next, *there;

	for (m = from->in.first; m != NULL; m = next) {
		next = m->next;
		if (strcmp(m->key, "include") == 0 && depth == 1)
			continue;
		there = jsonc_get(into, m->key);
		if (there == NULL)
			append(into, m);
		else if (depth > 0 && there->type == JSONC_OBJECT &&
		    m->type == JSONC_OBJECT)
			merge(ctx, there, m, depth - 1);
		else
			tell_twice(ctx, m, there);
	}
}

static void include_all(
    struct load *, struct jsonc_node *into, const struct jsonc_node *root);

static void
include_file(struct load *l, struct jsonc_node *into, const char *path,
    const struct jsonc_node *at)
{
	struct conf_ctx *ctx = &l->ctx;
	struct jsonc_doc *doc;

	if (read_file(l, path, &doc) == -1) {
		conf_fault(ctx, at, "cannot read %s: %m", path);
		ctx->partial = true;
		return;
	}
	if (doc == NULL)
		return;
	if (doc->root == NULL) {
		ctx->partial = true;
		return;
	}
	if (doc->root->type != JSONC_OBJECT) {
		conf_fault(ctx, doc->root,
		    "a configuration must be an object, not %s",
		    jsonc_type_words(doc->root->type));
		return;
	}
	include_all(l, into, doc->root);
	merge(ctx, into, doc->root, 1);
}

static void
include_glob(
    struct load *l, struct jsonc_node *into, const struct jsonc_node *node)
{
	char *pattern;
	glob_t g;

	if (!conf_want(&l->ctx, node, JSONC_STRING, "a path or a pattern"))
		return;
	pattern = conf_resolve(node->doc, node->text);
	/* a plain path that is not there is a mistake, a pattern may be */
	if (strpbrk(node->text, "*?[") == NULL)
		include_file(l, into, pattern, node);
	else if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (conf_may_open(&l->ctx, g.gl_pathv[i]))
				include_file(l, into, g.gl_pathv[i], node);
		globfree(&g);
	}
	free(pattern);
}

/* Takes in what a file includes. A file is read once, however often it is
 * named, so circles end. */
static void
include_all(
    struct load *l, struct jsonc_node *into, const struct jsonc_node *root)
{
	const struct jsonc_node *list = jsonc_get(root, "include");

	if (list == NULL ||
	    !conf_want(&l->ctx, list, JSONC_ARRAY, "a list of paths"))
		return;
	for (const struct jsonc_node *n = list->in.first; n != NULL;
	     n = n->next)
		include_glob(l, into, n);
}

/* ---- the whole ---- */

static void
read_root(struct load *l, struct jsonc_doc *doc)
{
	struct conf_ctx *ctx = &l->ctx;

	if (doc->root == NULL)
		return;
	if (doc->root->type != JSONC_OBJECT) {
		conf_fault(ctx, doc->root,
		    "a configuration must be an object, not %s",
		    jsonc_type_words(doc->root->type));
		return;
	}
	include_all(l, doc->root, doc->root);
	ctx->top = doc->root;
	conf_read_section(
	    ctx, doc->root, &conf_top, conf_top.what, 0, ctx->conf);
	conf_between_check(ctx);
	conf_snapshot_check(ctx);
	conf_control_check(ctx, jsonc_get(doc->root, "control"));
	conf_http_check(ctx, jsonc_get(doc->root, "http"));
	conf_setup_pick(ctx);
	conf_act_check(ctx);
}

struct conf *
conf_load(const char *path, FILE *err)
{
	return conf_load_pick(path, NULL, err);
}

/* Reads the main file, or the text instead of it. */
static struct conf *
load(struct load *l, const char *path, const struct conf_pick *pick,
    const char *text, FILE *err)
{
	struct conf *conf = mem_zero(1, sizeof(*conf));
	struct jsonc_doc *doc;
	int failed = 0;

	l->ctx.conf = conf;
	conf->path = mem_text(path);
	conf->pick = pick;
	if (text != NULL) {
		doc = tree_of_text(&l->ctx, path, text);
	} else if (read_file(l, path, &doc) == -1) {
		failed = errno;
		fprintf(err, "%s: cannot read: %m\n", path);
	}
	if (failed == 0) {
		read_root(l, doc);
		if (l->ctx.nfaults > 0)
			failed = EINVAL;
		conf_faults_print(&l->ctx, err);
	}
	free(l->seen);
	return conf_ctx_end(&l->ctx, failed);
}

struct conf *
conf_load_pick(const char *path, const struct conf_pick *pick, FILE *err)
{
	struct load l = { 0 };

	return load(&l, path, pick, NULL, err);
}

struct conf *
conf_load_text(
    const char *path, const struct conf_pick *pick, const char *text, FILE *err)
{
	struct conf_files files = { 0 };
	struct load disk = { .ctx = { .files = &files } };
	struct load l = { .ctx = { .files = &files } };
	FILE *nobody = fopen("/dev/null", "w");
	struct conf *conf;
	int failed;

	if (nobody == NULL)
		return NULL;
	conf = load(&disk, path, pick, NULL, nobody);
	if (conf != NULL)
		conf_free(conf);
	fclose(nobody);
	files.closed = true;
	conf = load(&l, path, pick, text, err);
	failed = errno;
	free(files.at);
	errno = failed;
	return conf;
}

struct conf *
conf_load_dump(const char *path, const char *text, FILE *err)
{
	struct load l = { 0 };

	return load(&l, path, NULL, text, err);
}

struct conf *
conf_load_map(const char *path, FILE *err)
{
	struct conf *conf = mem_zero(1, sizeof(*conf));
	struct conf_ctx ctx = { .conf = conf };
	int fd = open(path, O_RDONLY | O_CLOEXEC), failed = 0;

	conf->path = mem_text(path);
	if (fd == -1 || conf_device_map(&ctx, fd, path) == -1) {
		failed = errno;
		fprintf(err, "%s: cannot read: %m\n", path);
	} else if (ctx.nfaults > 0) {
		failed = EINVAL;
	}
	conf_faults_print(&ctx, err);
	return conf_ctx_end(&ctx, failed);
}

struct conf *
conf_ctx_end(struct conf_ctx *ctx, int err)
{
	for (size_t i = 0; i < ctx->ndocs; i++)
		jsonc_free(ctx->docs[i]);
	free(ctx->docs);
	free(ctx->roles);
	free(ctx->transport_at);
	for (size_t i = 0; i < ctx->nplaced; i++)
		free(ctx->placed[i].range_at);
	free(ctx->placed);
	conf_setup_end(ctx);
	conf_notes_keep(ctx);
	if (err == 0)
		return ctx->conf;
	conf_free(ctx->conf);
	errno = err;
	return NULL;
}

/* ---- devices alone, for the library ---- */

struct devices_load {
	struct load l;
	const char *path, *text; /* text NULL: what stands in the file */
	struct jsonc_doc *doc;
	int failed;
	FILE *err;
};

static int
read_text(struct devices_load *d)
{
	d->doc = tree_of_text(&d->l.ctx, d->path, d->text);
	return 1;
}

/* "devices", and what the store is called. */
static void
read_devices(struct load *l, struct jsonc_doc *doc)
{
	static const struct conf_key key = { .name = "devices" };
	struct conf_ctx *ctx = &l->ctx;
	const struct jsonc_node *store, *name, *devices, *list;

	if (doc->root == NULL ||
	    !conf_want(ctx, doc->root, JSONC_OBJECT, "an object"))
		return;
	include_all(l, doc->root, doc->root);
	store = jsonc_get(doc->root, "store");
	name = store != NULL && store->type == JSONC_OBJECT
	    ? jsonc_get(store, "name")
	    : NULL;
	if (name != NULL && conf_want(ctx, name, JSONC_STRING, "a string"))
		ctx->conf->store = mem_text(name->text);
	ctx->top = doc->root;
	devices = jsonc_get(doc->root, "devices");
	list = jsonc_get(doc->root, "device_list");
	if (devices != NULL)
		conf_devices_read(ctx, devices, &key, ctx->conf);
	if (list != NULL)
		conf_device_list_read(ctx, list, &key, ctx->conf);
	if (devices == NULL && list == NULL && !ctx->partial)
		conf_fault(ctx, doc->root, "\"devices\" is missing");
}

static void
load_devices(void *arg)
{
	struct devices_load *d = arg;
	struct conf_ctx *ctx = &d->l.ctx;

	ctx->conf = mem_zero(1, sizeof(*ctx->conf));
	ctx->conf->path = mem_text(d->path);
	if ((d->text != NULL ? read_text(d)
			     : read_file(&d->l, d->path, &d->doc)) == -1) {
		d->failed = errno;
		fprintf(d->err, "%s: cannot read: %m\n", d->path);
		return;
	}
	read_devices(&d->l, d->doc);
	d->failed = ctx->nfaults > 0 ? EINVAL : 0;
}

int
conf_try(void (*run)(void *), void *arg)
{
	json_malloc_t take_memory;
	json_free_t give_back;
	int rc;

	json_get_alloc_funcs(&take_memory, &give_back);
	rc = mem_try(run, arg);
	if (rc == -1) /* jsonc_parse() may not have come to its end */
		json_set_alloc_funcs(take_memory, give_back);
	return rc;
}

struct conf *
conf_load_devices(const char *path, const char *text, FILE *err)
{
	struct devices_load d = { .path = path, .text = text, .err = err };

	if (conf_try(load_devices, &d) == -1) {
		d.failed = errno;
		fprintf(err, "out of memory\n");
	}
	conf_faults_print(&d.l.ctx, err);
	free(d.l.seen);
	return conf_ctx_end(&d.l.ctx, d.failed);
}
