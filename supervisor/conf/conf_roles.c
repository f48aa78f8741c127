/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the file of roles, an object of lists of rules. It is JSON as the
 * configuration is, and its mistakes are told like those. Runs before the
 * first fork, and in workers that are to read it again.
 */
#include "supervisor/conf/conf_roles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/plain.h"
#include "shm/table.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_open.h"
#include "supervisor/conf/conf_tree.h"
#include "supervisor/mem.h"

enum { EVERY_TABLE = (1u << SHM_TABLES) - 1, FC_MAX = 127, PATH_TEXT = 4096 };

/* ---- one rule ---- */

/* A list that names something: an empty one would be a rule for nothing. */
static bool
want_list(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key)
{
	if (!conf_want(ctx, node, JSONC_ARRAY, key->takes))
		return false;
	if (node->in.n > 0)
		return true;
	conf_fault(ctx, node,
	    "\"%s\" is empty, so the rule allows nothing; leave it out to "
	    "allow all",
	    key->name);
	return false;
}

void
conf_rule_fcs_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_rule *r = obj;
	uint32_t fc;

	r->every_fc = false;
	if (!want_list(ctx, node, key))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		if (conf_want_uint(ctx, n, 1, FC_MAX, &fc))
			r->fcs[fc / 64] |= (uint64_t)1 << fc % 64;
}

void
conf_rule_devices_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_rule *r = obj;
	int device;

	r->devices = mem_zero(ctx->conf->ndevices + 1, 1);
	if (!want_list(ctx, node, key))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		device = conf_device_want(ctx, n);
		if (device != CONF_NO_DEVICE)
			r->devices[device] = 1;
	}
}

static void
add_table(
    struct conf_ctx *ctx, const struct jsonc_node *node, struct conf_rule *r)
{
	const char *words[TABLE_WORDS];
	char hint[CONF_HINT];
	int table;

	if (!conf_want(ctx, node, JSONC_STRING, "the name of a table"))
		return;
	table = table_find(node->text);
	if (table != -1) {
		r->tables |= 1u << table;
		return;
	}
	conf_hint(hint, node->text, words, table_words(words, SHM_TABLES));
	conf_fault(
	    ctx, node, "no table is called \"%.60s\"%s", node->text, hint);
}

void
conf_rule_tables_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_rule *r = obj;

	r->tables = 0;
	if (!want_list(ctx, node, key))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		add_table(ctx, n, r);
}

void
conf_rule_addr_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_rule *r = obj;
	const struct jsonc_node *first;

	if (!conf_want(ctx, node, JSONC_ARRAY, key->takes))
		return;
	if (node->in.n != 2) {
		conf_fault(ctx, node,
		    "\"addr\" must be two addresses, [FIRST, LAST], not %zu",
		    node->in.n);
		return;
	}
	first = node->in.first;
	if (!conf_want_uint(ctx, first, 0, CONF_ADDR_MAX, &r->first) ||
	    !conf_want_uint(ctx, first->next, 0, CONF_ADDR_MAX, &r->last))
		return;
	if (r->first > r->last)
		conf_fault(ctx, node,
		    "\"addr\": %u is behind %u; the first "
		    "address comes first",
		    r->first, r->last);
}

/* ---- roles ---- */

static void
read_rule(
    struct conf_ctx *ctx, const struct jsonc_node *node, struct conf_role *role)
{
	struct conf_rule *r;
	char what[100];

	role->rules = mem_more(role->rules, role->nrules, sizeof(*r));
	r = &role->rules[role->nrules++];
	r->every_fc = true;
	r->tables = EVERY_TABLE;
	r->last = CONF_ADDR_MAX;
	snprintf(what, sizeof(what), "a rule of role \"%.64s\"", role->name);
	conf_read_section(ctx, node, &conf_rule, what, 0, r);
}

static bool
name_ok(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	if (strlen(node->key) > CONF_ROLE_MAX) {
		conf_fault_key(ctx, node,
		    "the name of a role is %zu bytes long; %d is the most",
		    strlen(node->key), CONF_ROLE_MAX);
		return false;
	}
	for (const char *p = node->key; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			conf_fault_key(ctx, node,
			    "the name of a role holds a control character");
			return false;
		}
	return true;
}

static void
read_role(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_roles *roles)
{
	struct conf_role *role;

	if (!name_ok(ctx, node) ||
	    !conf_want(ctx, node, JSONC_ARRAY, "a list of rules"))
		return;
	roles->at = mem_more(roles->at, roles->n, sizeof(*role));
	role = &roles->at[roles->n++];
	role->name = mem_text(node->key);
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		read_rule(ctx, n, role);
}

static void
read_roles(
    struct conf_ctx *ctx, const struct jsonc_doc *doc, struct conf_roles *roles)
{
	const struct jsonc_node *root = doc->root;

	if (root == NULL)
		return;
	if (root->type != JSONC_OBJECT) {
		conf_fault(ctx, root,
		    "a file of roles must be an object, not "
		    "%s",
		    jsonc_type_words(root->type));
		return;
	}
	if (root->in.n == 0)
		conf_fault(ctx, root,
		    "the file names no role, so nobody may do anything");
	for (const struct jsonc_node *n = root->in.first; n != NULL;
	     n = n->next)
		read_role(ctx, n, roles);
}

/* ---- the file ---- */

/* The tree of a file of roles, read once. NULL with errno. */
static const struct jsonc_doc *
tree_of(struct conf_ctx *ctx, const char *path, bool *again)
{
	const struct jsonc_doc *doc;
	int fd;

	*again = true;
	for (size_t i = 0; i < ctx->nroles; i++)
		if (strcmp(ctx->roles[i]->path, path) == 0)
			return ctx->roles[i];
	*again = false;
	fd = conf_may_open(ctx, path) ? conf_opened(ctx, plain_open(path)) : -1;
	doc = fd != -1 ? conf_tree_read(ctx, fd, path) : NULL;
	if (doc != NULL) {
		ctx->roles =
		    mem_more(ctx->roles, ctx->nroles, sizeof(*ctx->roles));
		ctx->roles[ctx->nroles++] = doc;
	}
	return doc;
}

void
conf_roles_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_roles *roles = &((struct conf_transport *)obj)->tls.roles;
	const struct jsonc_doc *doc;
	char *path;
	bool again;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes) ||
	    !conf_text_ok(ctx, node, key->name, PATH_TEXT))
		return;
	roles->path = conf_absolute(node->doc, node->text);
	path = conf_resolve(node->doc, node->text);
	doc = tree_of(ctx, path, &again);
	if (doc == NULL)
		conf_fault(ctx, node, "cannot read %.300s: %s", path,
		    plain_why(errno));
	/* a mistake is told once, however many transports share the file */
	ctx->quiet = again;
	if (doc != NULL)
		read_roles(ctx, doc, roles);
	ctx->quiet = false;
	free(path);
}

int
conf_roles_load(const struct conf *conf, const char *path,
    struct conf_roles *roles, FILE *err)
{
	struct conf copy = *conf;
	struct conf_ctx ctx = { .conf = &copy };
	int fd = plain_open(path);
	const struct jsonc_doc *doc =
	    fd != -1 ? conf_tree_read(&ctx, fd, path) : NULL;
	int failed = 0;

	memset(roles, 0, sizeof(*roles));
	roles->path = mem_text(path);
	if (doc == NULL) {
		failed = errno;
		fprintf(err, "%s: cannot read: %s\n", path, plain_why(failed));
	} else {
		read_roles(&ctx, doc, roles);
		if (ctx.nfaults > 0)
			failed = EINVAL;
		conf_faults_print(&ctx, err);
	}
	for (size_t i = 0; i < ctx.ndocs; i++)
		jsonc_free(ctx.docs[i]);
	free(ctx.docs);
	if (failed == 0)
		return 0;
	conf_roles_free(roles);
	errno = failed;
	return -1;
}

void
conf_roles_free(struct conf_roles *roles)
{
	for (size_t i = 0; i < roles->n; i++) {
		for (size_t j = 0; j < roles->at[i].nrules; j++)
			free(roles->at[i].rules[j].devices);
		free(roles->at[i].rules);
		free(roles->at[i].name);
	}
	free(roles->at);
	free(roles->path);
	memset(roles, 0, sizeof(*roles));
}
