/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of paths, and what plugins are told. Opens no file. Runs before the
 * first fork.
 */
#include "supervisor/conf_paths.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf_dump.h"
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

void
conf_plugins_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	read_list(ctx, node, key, installed, obj);
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
conf_options_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;
	struct conf_option o;

	if (!conf_want(ctx, node, JSONC_OBJECT, key->takes))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		o.value = option_text(ctx, n);
		if (o.value == NULL)
			continue;
		o.name = mem_text(n->key);
		t->options = mem_more(t->options, t->noptions, sizeof(o));
		t->options[t->noptions++] = o;
	}
}

void
conf_options_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	if (t->noptions == 0)
		return;
	conf_out_open(o, key->name, '{');
	for (size_t i = 0; i < t->noptions; i++)
		conf_out_text(o, t->options[i].name, t->options[i].value);
	conf_out_close(o, '}');
}
