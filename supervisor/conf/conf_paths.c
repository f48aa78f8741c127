/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of paths, and what plugins are told. Opens no file. Runs before the
 * first fork.
 */
#include "supervisor/conf/conf_paths.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "shm/seg.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/mem.h"
#include "supervisor/part.h"

typedef char *resolve_fn(const struct jsonc_node *);

static char *
beside_file(const struct jsonc_node *node)
{
	return conf_absolute(node->doc, node->text);
}

/* Of a plugin that came with the daemon the name is enough. */
static char *
installed(const struct jsonc_node *node)
{
	char path[PATH_MAX];

	if (strpbrk(node->text, "/.") == NULL &&
	    part_find("plugins", node->text, path, sizeof(path)))
		return mem_text(path);
	return beside_file(node);
}

static void
add_path(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, resolve_fn *resolve, struct conf_paths *list)
{
	char *path;

	if (!conf_want(ctx, node, JSONC_STRING, "a path"))
		return;
	path = resolve(node);
	conf_check_path(ctx, node, key, path);
	list->at = mem_more(list->at, list->n, sizeof(char *));
	list->at[list->n++] = path;
}

static void
read_list(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, resolve_fn *resolve, void *obj)
{
	struct conf_paths *list = (void *)((char *)obj + key->off);

	if (node->type != JSONC_ARRAY) {
		if (node->type == JSONC_STRING ||
		    conf_want(ctx, node, JSONC_ARRAY, key->takes))
			add_path(ctx, node, key, resolve, list);
		return;
	}
	if (node->in.n == 0 && key->flags & CONF_REQUIRED)
		conf_fault(ctx, node, "\"%s\" lists no path", key->name);
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		add_path(ctx, n, key, resolve, list);
}

void
conf_paths_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	read_list(ctx, node, key, beside_file, obj);
}

/* For what is only found out once all has been read. */
static char *
place_of(const struct jsonc_node *node)
{
	return mem_format("%s:%u:%u", node->doc->path, node->line, node->col);
}

void
conf_plugins_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	read_list(ctx, node, key, installed, obj);
	free(t->plugins_place);
	t->plugins_place = place_of(node);
}

void
conf_paths_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_paths *list =
	    (const void *)((const char *)obj + key->off);

	if (list->n == 0)
		return;
	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < list->n; i++)
		conf_out_text(o, NULL, list->at[i]);
	conf_out_close(o, ']');
}

void
conf_paths_free(struct conf_paths *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->at[i]);
	free(list->at);
}

/* An option's value as text, NULL after a mistake. */
static char *
option_text(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	switch (node->type) {
	case JSONC_INTEGER:
		return mem_format(
		    "%s%" PRIu64, node->negative ? "-" : "", node->magnitude);
	case JSONC_REAL:
		return mem_format("%.15g", node->real);
	case JSONC_BOOL:
		return mem_text(node->yes ? "true" : "false");
	default:
		if (!conf_want(ctx, node, JSONC_STRING,
			"a string, a number, true or false"))
			return NULL;
		return mem_text(node->text);
	}
}

void
conf_options_take(struct conf_ctx *ctx, const struct jsonc_node *node,
    const char *but, struct conf_options *list)
{
	struct conf_option o;

	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		if (but != NULL && strcmp(n->key, but) == 0)
			continue;
		o.value = option_text(ctx, n);
		if (o.value == NULL)
			continue;
		o.name = mem_text(n->key);
		o.place = place_of(n);
		o.bare = n->type != JSONC_STRING;
		list->at = mem_more(list->at, list->n, sizeof(o));
		list->at[list->n++] = o;
	}
}

static void
dump_options(struct conf_out *o, const struct conf_options *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!list->at[i].bare) {
			conf_out_text(o, list->at[i].name, list->at[i].value);
			continue;
		}
		conf_out_key(o, list->at[i].name);
		fputs(list->at[i].value, o->f);
	}
}

void
conf_options_free(struct conf_options *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->at[i].name);
		free(list->at[i].value);
		free(list->at[i].place);
	}
	free(list->at);
}

void
conf_options_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	if (conf_want(ctx, node, JSONC_OBJECT, key->takes))
		conf_options_take(ctx, node, NULL, &t->options);
}

void
conf_options_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	if (t->options.n == 0)
		return;
	conf_out_open(o, key->name, '{');
	dump_options(o, &t->options);
	conf_out_close(o, '}');
}

/* ---- actions ---- */

/* A file is told from a name by its look: what Python would import has neither
 * a slash nor ".py". */
static bool
looks_like_path(const char *text)
{
	size_t len = strlen(text);

	return strchr(text, '/') != NULL ||
	    (len > 3 && strcmp(text + len - 3, ".py") == 0);
}

/* A file, or a name that Python looks for later. */
void
conf_python_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	char **out = (void *)((char *)obj + key->off);

	if (!conf_want(ctx, node, JSONC_STRING, key->takes) ||
	    !conf_text_ok(ctx, node, key->name, PATH_MAX - 1))
		return;
	free(*out);
	*out = looks_like_path(node->text) ? beside_file(node)
					   : mem_text(node->text);
	if (looks_like_path(node->text))
		conf_check_path(ctx, node, key, *out);
}

void
conf_module_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf *conf = obj;

	conf_python_read(ctx, node, key, obj);
	free(conf->actions.folder);
	conf->actions.folder = conf_folder(node->doc);
}

/* Which there are the workers know, which load the plugins. */
void
conf_action_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_range *r = &((struct conf_range_in *)obj)->r;
	const struct jsonc_node *name = node;

	if (node->type == JSONC_OBJECT) {
		name = jsonc_get(node, "name");
		if (name == NULL) {
			conf_fault(ctx, node, "\"name\" is missing in \"%s\"",
			    key->name);
			return;
		}
		conf_options_take(ctx, node, "name", &r->parameters);
	}
	if (!conf_want(ctx, name, JSONC_STRING, key->takes))
		return;
	if (!seg_name_ok(name->text))
		conf_fault(ctx, name,
		    "\"%.60s\" is no name for an action: letters, digits, "
		    "\"_\" and \"-\", at most 40",
		    name->text);
	r->action = mem_text(name->text);
}

void
conf_action_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_range *r = obj;

	if (r->action == NULL)
		return;
	conf_out_open(o, key->name, '{');
	conf_out_text(o, "name", r->action);
	dump_options(o, &r->parameters);
	conf_out_close(o, '}');
}
