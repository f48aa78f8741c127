/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads objects by their tables of keys. Knows kinds of keys, not keys. Runs
 * in the supervisor before the first fork; a mistake is noted and the reading
 * goes on, so that one run shows them all.
 */
#include "supervisor/conf/conf_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/seg.h"
#include "supervisor/conf/conf_setup.h"
#include "supervisor/mem.h"

/* Where a row's value lies in its struct. */
#define AT(obj, key, type) ((type *)(void *)((char *)(obj) + (key)->off))

/* How a mistake calls the node: its key in quotes, or "this value". Lies in
 * buf. */
static const char *
called_as(const struct jsonc_node *node, char *buf, size_t size)
{
	if (node->key != NULL)
		snprintf(buf, size, "\"%s\"", node->key);
	else
		snprintf(buf, size, "this value");
	return buf;
}

bool
conf_want(struct conf_ctx *ctx, const struct jsonc_node *node,
    enum jsonc_type type, const char *wanted)
{
	char called[80];

	if (node->type == type)
		return true;
	conf_fault(ctx, node, "%s must be %s, not %s",
	    called_as(node, called, sizeof(called)), wanted,
	    jsonc_type_words(node->type));
	return false;
}

bool
conf_want_uint(struct conf_ctx *ctx, const struct jsonc_node *node,
    uint32_t min, uint32_t max, uint32_t *out)
{
	char called[80], wanted[80];

	snprintf(
	    wanted, sizeof(wanted), "a whole number from %u to %u", min, max);
	if (!conf_want(ctx, node, JSONC_INTEGER, wanted))
		return false;
	if ((node->negative && node->magnitude > 0) || node->magnitude < min ||
	    node->magnitude > max) {
		conf_fault(ctx, node,
		    "%s is %s%" PRIu64 "; it must be from %u to %u",
		    called_as(node, called, sizeof(called)),
		    node->negative ? "-" : "", node->magnitude, min, max);
		return false;
	}
	*out = (uint32_t)node->magnitude;
	return true;
}

char *
conf_resolve(const struct jsonc_doc *doc, const char *path)
{
	const char *slash = strrchr(doc->path, '/');

	if (path[0] == '/' || slash == NULL)
		return mem_text(path);
	return mem_format("%.*s/%s", (int)(slash - doc->path), doc->path, path);
}

char *
conf_absolute(const struct jsonc_doc *doc, const char *path)
{
	char *resolved = conf_resolve(doc, path), *cwd, *whole;

	if (resolved[0] == '/' || (cwd = getcwd(NULL, 0)) == NULL)
		return resolved;
	whole = mem_format("%s/%s", cwd, resolved);
	free(cwd);
	free(resolved);
	return whole;
}

char *
conf_folder(const struct jsonc_doc *doc)
{
	char *path = conf_absolute(doc, ".");
	size_t len = strlen(path) - 1; /* without the dot */

	path[len > 1 ? len - 1 : len] = '\0';
	return path;
}

void
conf_check_path(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (!(key->flags & CONF_FILE) || !S_ISDIR(st.st_mode))
			return;
		errno = EISDIR;
	}
	conf_fault(ctx, node, "\"%s\": %s: %m", key->name, path);
}

void
conf_read_members(
    struct conf_ctx *ctx, const struct jsonc_node *node, conf_member_fn *read)
{
	if (!conf_want(ctx, node, JSONC_OBJECT, "an object"))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		read(ctx, n);
}

static size_t
count_words(const char *const *words)
{
	size_t n = 0;

	while (words != NULL && words[n] != NULL)
		n++;
	return n;
}

/* The index of the word that the node holds, or -1 after noting a mistake. */
static int
read_word(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key)
{
	char hint[CONF_HINT], all[256] = "";
	size_t n = count_words(key->words), len = 0;

	for (size_t i = 0; i < n; i++)
		len +=
		    (size_t)snprintf(all + len, sizeof(all) - len, "%s\"%s\"",
			i == 0           ? ""
			    : i == n - 1 ? " or "
					 : ", ",
			key->words[i]);
	if (!conf_want(ctx, node, JSONC_STRING, all))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(key->words[i], node->text) == 0)
			return (int)i;
	conf_hint(hint, node->text, key->words, n);
	conf_fault(ctx, node, "unknown %s \"%s\": it must be %s%s", key->name,
	    node->text, all, hint);
	return -1;
}

bool
conf_text_ok(struct conf_ctx *ctx, const struct jsonc_node *node,
    const char *name, size_t max)
{
	if (!conf_want(ctx, node, JSONC_STRING, "a string"))
		return false;
	if (strlen(node->text) > max) {
		conf_fault(ctx, node,
		    "\"%s\" is %zu bytes long; %zu is the most", name,
		    strlen(node->text), max);
		return false;
	}
	for (const char *p = node->text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			conf_fault(ctx, node,
			    "\"%s\" holds a control character", name);
			return false;
		}
	return true;
}

static void
read_text(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, char **out)
{
	if (!conf_text_ok(ctx, node, key->name, key->max))
		return;
	if (key->kind == CONF_NAME && !seg_name_ok(node->text)) {
		conf_fault(ctx, node,
		    "\"%s\" is no name: letters, digits, \"_\" and \"-\", at "
		    "most 40",
		    node->text);
		return;
	}
	free(*out);
	*out = key->kind == CONF_PATH ? conf_absolute(node->doc, node->text)
				      : mem_text(node->text);
	if (key->kind == CONF_PATH)
		conf_check_path(ctx, node, key, *out);
}

static void
read_number(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, double *out)
{
	if (node->type != JSONC_INTEGER &&
	    !conf_want(ctx, node, JSONC_REAL, "a number"))
		return;
	*out = jsonc_number(node);
	if (*out == 0)
		conf_fault(ctx, node, "\"%s\" must not be 0", key->name);
}

static void
read_key(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	int word;

	switch (key->kind) {
	case CONF_BOOL:
		if (conf_want(ctx, node, JSONC_BOOL, "true or false"))
			*AT(obj, key, bool) = node->yes;
		break;
	case CONF_UINT:
		conf_want_uint(
		    ctx, node, key->min, key->max, AT(obj, key, uint32_t));
		break;
	case CONF_NUMBER:
		read_number(ctx, node, key, AT(obj, key, double));
		break;
	case CONF_TEXT:
	case CONF_NAME:
	case CONF_PATH:
		read_text(ctx, node, key, AT(obj, key, char *));
		break;
	case CONF_WORD:
		if ((word = read_word(ctx, node, key)) >= 0)
			*AT(obj, key, int) = word;
		break;
	case CONF_CHOICE:
		if ((word = read_word(ctx, node, key)) >= 0) {
			free(*AT(obj, key, char *));
			*AT(obj, key, char *) = mem_text(key->words[word]);
		}
		break;
	case CONF_SWITCH:
		if ((word = read_word(ctx, node, key)) >= 0)
			*AT(obj, key, bool) = word == 1;
		break;
	case CONF_SECTION: {
		char called[80];

		conf_read_section(ctx, node, key->section,
		    called_as(node, called, sizeof(called)), 0, obj);
		break;
	}
	case CONF_KEEP:
		*AT(obj, key, const struct jsonc_node *) = node;
		break;
	case CONF_OWN:
		if (key->read != NULL)
			key->read(ctx, node, key, obj);
		break;
	}
}

static void
set_default(struct conf_ctx *ctx, const struct conf_key *key, void *obj)
{
	if (key->flags & CONF_PRESET)
		return;
	switch (key->kind) {
	case CONF_BOOL:
	case CONF_SWITCH:
		*AT(obj, key, bool) = key->def;
		break;
	case CONF_UINT:
		*AT(obj, key, uint32_t) = key->def;
		break;
	case CONF_NUMBER:
		*AT(obj, key, double) = key->def;
		break;
	case CONF_TEXT:
	case CONF_NAME:
	case CONF_PATH:
		*AT(obj, key, char *) =
		    key->text != NULL ? mem_text(key->text) : NULL;
		break;
	case CONF_WORD:
		*AT(obj, key, int) = (int)key->def;
		break;
	case CONF_CHOICE:
		*AT(obj, key, char *) = mem_text(key->words[key->def]);
		break;
	case CONF_SECTION:
		conf_read_section(ctx, NULL, key->section, "", 0, obj);
		break;
	case CONF_KEEP:
		*AT(obj, key, const struct jsonc_node *) = NULL;
		break;
	case CONF_OWN:
		break;
	}
}

void
conf_read_section(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_section *section, const char *what, unsigned skip,
    void *obj)
{
	const struct jsonc_node *at[CONF_KEYS_MAX] = { NULL };
	const struct conf_key *key = section->keys;
	int row;

	if (node != NULL && !conf_want(ctx, node, JSONC_OBJECT, "an object"))
		node = NULL;
	if (node != NULL)
		for (const struct jsonc_node *m = node->in.first; m != NULL;
		     m = m->next)
			if ((row = conf_find_row(
				 ctx, m, section, what, skip)) >= 0)
				at[row] = m;
	/* defaults first: what a mistake leaves is then defined */
	for (key = section->keys; key->name != NULL; key++)
		if (key->kind != CONF_SECTION ||
		    at[key - section->keys] == NULL)
			set_default(ctx, key, obj);
	for (key = section->keys; key->name != NULL; key++) {
		if (at[key - section->keys] != NULL)
			read_key(ctx, at[key - section->keys], key, obj);
		else if ((key->flags & CONF_REQUIRED) && !(key->flags & skip) &&
		    node != NULL &&
		    !(section == &conf_top && conf_elsewhere(ctx, key->name)))
			conf_fault(ctx, node, "\"%s\" is missing in %s",
			    key->name, what);
	}
}
