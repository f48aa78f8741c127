/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mistakes of a configuration: collected while it is read, printed in the
 * order in which they stand in the files. Whatever a file holds, each mistake
 * stays one line of printable text.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf/conf_read.h"
#include "supervisor/mem.h"
#include "supervisor/near.h"

static unsigned
file_of(const struct conf_ctx *ctx, const struct jsonc_doc *doc)
{
	for (size_t i = 0; i < ctx->ndocs; i++)
		if (ctx->docs[i] == doc)
			return (unsigned)i;
	return (unsigned)ctx->ndocs; /* being read just now */
}

static void
make_printable(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

/* A mistake with its place in front of it. syntax: it is one of the text, whose
 * place is told in any case. */
static char *
line_of(const struct conf_ctx *ctx, const struct jsonc_doc *doc, uint32_t line,
    uint32_t col, const char *what, bool syntax)
{
	const char *path = doc->path, *slash = strrchr(path, '/');

	if (ctx->placeless && !syntax)
		return mem_text(what);
	if (ctx->placeless && slash != NULL)
		path = slash + 1;
	return mem_format("%s:%u:%u: %s", path, line, col, what);
}

static void
add(struct conf_ctx *ctx, struct conf_fault **list, size_t *n,
    const struct jsonc_doc *doc, uint32_t line, uint32_t col, char *text)
{
	*list = mem_more(*list, *n, sizeof(**list));
	(*list)[*n] = (struct conf_fault){ file_of(ctx, doc), line, col,
		(unsigned)*n, text };
	++*n;
	make_printable(text);
}

static void
note(struct conf_ctx *ctx, const struct jsonc_doc *doc, uint32_t line,
    uint32_t col, const char *what, bool syntax)
{
	if (ctx->quiet)
		return;
	if (ctx->nfaults >= CONF_FAULTS_MAX) {
		ctx->dropped++;
		return;
	}
	add(ctx, &ctx->faults, &ctx->nfaults, doc, line, col,
	    line_of(ctx, doc, line, col, what, syntax));
}

void
conf_fault_at(void *ctx, const struct jsonc_doc *doc, uint32_t line,
    uint32_t col, const char *what)
{
	note(ctx, doc, line, col, what, true);
}

void
conf_fault(
    struct conf_ctx *ctx, const struct jsonc_node *node, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	note(ctx, node->doc, node->line, node->col, what, false);
}

void
conf_fault_key(
    struct conf_ctx *ctx, const struct jsonc_node *node, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	note(ctx, node->doc, node->key_line, node->key_col, what, false);
}

static int
by_place(const void *a, const void *b)
{
	const struct conf_fault *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

void
conf_faults_print(struct conf_ctx *ctx, FILE *err)
{
	if (ctx->nfaults > 0)
		qsort(
		    ctx->faults, ctx->nfaults, sizeof(*ctx->faults), by_place);
	for (size_t i = 0; i < ctx->nfaults; i++) {
		fprintf(err, "%s\n", ctx->faults[i].text);
		free(ctx->faults[i].text);
	}
	if (ctx->dropped > 0)
		fprintf(err, "%s: and %zu mistakes more\n", ctx->conf->path,
		    ctx->dropped);
	free(ctx->faults);
	ctx->faults = NULL;
	ctx->nfaults = ctx->dropped = 0;
}

/* ---- notes ---- */

void
conf_note_at(void *arg, const struct jsonc_doc *doc, uint32_t line,
    uint32_t col, const char *what)
{
	struct conf_ctx *ctx = arg;

	if (!ctx->quiet && ctx->nnotes < CONF_FAULTS_MAX)
		add(ctx, &ctx->notes, &ctx->nnotes, doc, line, col,
		    line_of(ctx, doc, line, col, what, false));
}

void
conf_note_key(
    struct conf_ctx *ctx, const struct jsonc_node *node, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	conf_note_at(ctx, node->doc, node->key_line, node->key_col, what);
}

void
conf_notes_keep(struct conf_ctx *ctx)
{
	char *was;

	if (ctx->nnotes > 0)
		qsort(ctx->notes, ctx->nnotes, sizeof(*ctx->notes), by_place);
	for (size_t i = 0; i < ctx->nnotes; i++) {
		was = ctx->conf->notes;
		ctx->conf->notes = mem_format(
		    "%s%s\n", was != NULL ? was : "", ctx->notes[i].text);
		free(was);
		free(ctx->notes[i].text);
	}
	free(ctx->notes);
	ctx->notes = NULL;
	ctx->nnotes = 0;
}

void
conf_notes_refuse(struct conf_ctx *ctx)
{
	for (size_t i = 0; i < ctx->nnotes; i++) {
		ctx->faults =
		    mem_more(ctx->faults, ctx->nfaults, sizeof(*ctx->faults));
		ctx->notes[i].nth = (unsigned)ctx->nfaults;
		ctx->faults[ctx->nfaults++] = ctx->notes[i];
	}
	ctx->nnotes = 0;
}

/* ---- words ---- */

const char *
conf_hint(
    char hint[CONF_HINT], const char *typed, const char *const *names, size_t n)
{
	const char *near = near_name(typed, names, n);

	hint[0] = '\0';
	if (near != NULL)
		snprintf(hint, CONF_HINT, "; did you mean \"%s\"?", near);
	return hint;
}

const char *
conf_place(char *buf, size_t size, const struct jsonc_node *node,
    const struct jsonc_doc *from)
{
	bool key = node->key != NULL;
	uint32_t line = key ? node->key_line : node->line;
	uint32_t col = key ? node->key_col : node->col;

	if (node->doc == from)
		snprintf(buf, size, "%u:%u", line, col);
	else
		snprintf(buf, size, "%.200s:%u:%u", node->doc->path, line, col);
	return buf;
}

const struct jsonc_node *
conf_at(const struct jsonc_node *object, const char *key)
{
	const struct jsonc_node *member = jsonc_get(object, key);

	return member != NULL ? member : object;
}
