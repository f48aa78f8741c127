/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of a server that a program starts: a text that the library
 * has written, and one that the caller has. Read by the same tables of keys as
 * a file. Runs in the program and in the server's process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf/conf_between.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/conf/conf_read.h"
#include "supervisor/mem.h"

/* The tree of a text; what is wrong with the text is told under name. Relative
 * paths in it begin in folder. */
static struct jsonc_node *
parse(struct conf_ctx *ctx, const char *folder, const char *name,
    const char *text)
{
	char *path =
	    folder != NULL ? mem_format("%s/%s", folder, name) : mem_text(name);
	char *copy = mem_text(text);
	struct jsonc_doc *doc =
	    jsonc_parse(path, copy, strlen(copy), conf_fault_at, ctx);

	mem_wipe(copy);
	free(path);
	ctx->docs = mem_more(ctx->docs, ctx->ndocs, sizeof(*ctx->docs));
	ctx->docs[ctx->ndocs++] = doc;
	return doc->root;
}

/* Moves the caller's keys to those of the transport. */
static void
add_more(
    struct conf_ctx *ctx, struct jsonc_node *transport, struct jsonc_node *more)
{
	struct jsonc_node *m, *next, **link = &transport->in.first;

	if (more->type != JSONC_OBJECT) {
		conf_fault(ctx, more, "\"more\" must be an object, not %s",
		    jsonc_type_words(more->type));
		return;
	}
	while (*link != NULL)
		link = &(*link)->next;
	for (m = more->in.first; m != NULL; m = next) {
		next = m->next;
		if (jsonc_get(transport, m->key) != NULL) {
			conf_fault_key(ctx, m,
			    "\"%.60s\" in \"more\" is said by the options "
			    "already",
			    m->key);
			continue;
		}
		*link = m;
		link = &m->next;
		*link = NULL;
		transport->in.n++;
	}
}

/* All mistakes as one sentence. */
static void
tell(struct conf_ctx *ctx, char *why, size_t size)
{
	char *text = NULL, *line, *rest;
	size_t len = 0, n = 0;
	FILE *f = open_memstream(&text, &len);

	snprintf(why, size, "out of memory");
	if (f == NULL)
		return;
	conf_faults_print(ctx, f);
	if (fclose(f) != 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line != NULL && n < size;
	     line = strtok_r(NULL, "\n", &rest))
		n += (size_t)snprintf(
		    why + n, size - n, "%s%s", n > 0 ? "; " : "", line);
	free(text);
}

struct conf *
conf_parse(const struct conf_text *t, char *why, size_t size)
{
	struct conf *conf = mem_zero(1, sizeof(*conf));
	struct conf_ctx ctx = {
		.conf = conf, .placeless = true, .hooked = t->hooked
	};
	struct jsonc_node *root, *more;

	conf->path = mem_text("a program's options");
	root = parse(&ctx, t->folder, "options", t->text);
	if (t->more != NULL && root != NULL) {
		more = parse(&ctx, t->folder, "more", t->more);
		if (more != NULL)
			add_more(&ctx, jsonc_get(root, "transports")->in.first,
			    more);
	}
	if (ctx.nfaults == 0)
		conf_read_section(
		    &ctx, root, &conf_top, conf_top.what, 0, conf);
	if (ctx.nfaults == 0)
		conf_between_check(&ctx);
	if (ctx.nfaults == 0)
		return conf_ctx_end(&ctx, 0);
	tell(&ctx, why, size);
	return conf_ctx_end(&ctx, EINVAL);
}

/* ---- options of an action ---- */

struct options_text {
	const char *text;
	struct conf_options *list;
	struct conf_ctx ctx;
};

static void
take_options(void *arg)
{
	struct options_text *o = arg;
	struct conf_ctx *ctx = &o->ctx;
	struct jsonc_node *root;

	ctx->conf = mem_zero(1, sizeof(*ctx->conf));
	root = parse(ctx, NULL, "parameters", o->text);
	if (root != NULL && conf_want(ctx, root, JSONC_OBJECT, "an object"))
		conf_options_take(ctx, root, NULL, o->list);
}

int
conf_parse_options(
    const char *text, struct conf_options *list, char *why, size_t size)
{
	struct options_text o = {
		.text = text, .list = list, .ctx = { .placeless = true }
	};
	int rc = conf_try(take_options, &o), err = errno;

	if (rc == 0 && o.ctx.nfaults > 0) {
		rc = -1;
		err = EINVAL;
		tell(&o.ctx, why, size);
	} else if (rc < 0) {
		snprintf(why, size, "out of memory");
	}
	conf_ctx_end(&o.ctx, EINVAL);
	errno = err;
	return rc;
}
