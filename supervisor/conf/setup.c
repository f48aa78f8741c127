/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A setup file as a whole: which server and which device of it are meant, and
 * the mistakes that are found. Runs in the program's own process, under
 * mem_try(); no I/O.
 */
#include "supervisor/conf/setup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/mem.h"
#include "supervisor/near.h"
#include "supervisor/conf/setup_own.h"

enum { FAULTS_MAX = 20, WORDS = 512, NAMES_MAX = 64 };

/* ---- mistakes ---- */

/* A line more. */
static void
add_line(
    char **to, const char *path, uint32_t line, uint32_t col, const char *words)
{
	char *was = *to;

	*to = mem_format("%s%s%s:%u:%u: %s", was != NULL ? was : "",
	    was != NULL ? "\n" : "", path, line, col, words);
	for (char *p = *to + (was != NULL ? strlen(was) + 1 : 0); *p != '\0';
	     p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	free(was);
}

/* A jsonc_fault_fn. */
static void
note_fault(void *arg, const struct jsonc_doc *doc, uint32_t line, uint32_t col,
    const char *what)
{
	struct setup_ctx *c = arg;

	if (++c->faults <= FAULTS_MAX)
		add_line(&c->to->why, doc->path, line, col, what);
}

static void
tell(struct setup_ctx *c, const struct jsonc_doc *doc, uint32_t line,
    uint32_t col, const char *words)
{
	if (c->tell != note_fault)
		c->faults++;
	c->tell(c->arg, doc, line, col, words);
}

void
setup_fault(
    struct setup_ctx *c, const struct jsonc_node *n, const char *fmt, ...)
{
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	tell(c, n->doc, n->line, n->col, words);
}

void
setup_fault_key(
    struct setup_ctx *c, const struct jsonc_node *n, const char *fmt, ...)
{
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	tell(c, n->doc, n->key_line, n->key_col, words);
}

void
setup_note(
    struct setup_ctx *c, const struct jsonc_node *n, const char *fmt, ...)
{
	uint32_t line = n->key != NULL ? n->key_line : n->line;
	uint32_t col = n->key != NULL ? n->key_col : n->col;
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	if (c->pick->note != NULL)
		c->pick->note(c->arg, n->doc, line, col, words);
	else if (++c->notes <= FAULTS_MAX)
		add_line(&c->to->notes, n->doc->path, line, col, words);
}

/* ---- nodes ---- */

void
setup_known(struct setup_ctx *c, const struct jsonc_node *object,
    const char *what, const char *const *names, size_t n)
{
	for (const struct jsonc_node *m = object->in.first; m != NULL;
	     m = m->next) {
		const char *near;
		size_t i = 0;

		while (i < n && strcmp(names[i], m->key) != 0)
			i++;
		if (i < n)
			continue;
		near = near_name(m->key, names, n);
		setup_fault_key(c, m, "%s has no \"%.60s\"%s%.60s%s", what,
		    m->key, near != NULL ? "; did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
	}
}

const struct jsonc_node *
setup_need(struct setup_ctx *c, const struct jsonc_node *in, const char *key,
    enum jsonc_type type)
{
	const struct jsonc_node *n = jsonc_get(in, key);

	if (n == NULL) {
		setup_fault(c, in, "\"%s\" is missing", key);
		return NULL;
	}
	if (n->type == type)
		return n;
	setup_fault(c, n, "\"%s\" must be %s, not %s", key,
	    jsonc_type_words(type), jsonc_type_words(n->type));
	return NULL;
}

bool
setup_number(struct setup_ctx *c, const struct jsonc_node *n, uint64_t max,
    uint64_t *out)
{
	if (n->type == JSONC_INTEGER && (!n->negative || n->magnitude == 0) &&
	    n->magnitude <= max) {
		*out = n->magnitude;
		return true;
	}
	setup_fault(c, n, "must be a whole number from 0 to %llu",
	    (unsigned long long)max);
	return false;
}

const char *
setup_keep(struct setup_ctx *c, char *text)
{
	c->texts = mem_more(c->texts, c->ntexts, sizeof(*c->texts));
	c->texts[c->ntexts++] = text;
	return text;
}

/* ---- the whole ---- */

/* The entry of a list; NULL after a mistake. */
static const struct jsonc_node *
pick(struct setup_ctx *c, const char *list, const char *name)
{
	const struct jsonc_node *in, *n, *m;
	const char *names[NAMES_MAX];
	char hint[WORDS / 2];
	size_t count = 0;

	in = setup_need(c, c->doc->root, list, JSONC_OBJECT);
	if (in == NULL)
		return NULL;
	n = jsonc_get(in, name);
	if (n != NULL)
		return setup_need(c, in, name, JSONC_OBJECT);
	for (m = in->in.first; m != NULL && count < NAMES_MAX; m = m->next)
		names[count++] = m->key;
	setup_fault(c, in, "%s has no \"%.60s\"%s", list, name,
	    near_or_all(hint, sizeof(hint), name, names, count));
	return NULL;
}

static void
read_all(struct setup_ctx *c)
{
	const struct jsonc_node *server, *device, *says;
	const char *name = c->pick->device;

	if (c->doc->root->type != JSONC_OBJECT) {
		setup_fault(c, c->doc->root, "must be an object");
		return;
	}
	server = pick(c, "server_list",
	    c->pick->server != NULL ? c->pick->server : "server");
	says = server != NULL ? jsonc_get(server, "device") : NULL;
	if (name == NULL && says != NULL && says->type == JSONC_STRING)
		name = says->text;
	device = pick(c, "device_list", name != NULL ? name : "device");
	if (server != NULL) {
		c->to->server_place = mem_format(
		    "%s:%u:%u", c->doc->path, server->line, server->col);
		setup_server(c, server);
	}
	if (device != NULL)
		setup_device(c, device);
	if (c->faults == 0)
		setup_ranges(c);
}

static struct setup_ctx *
begin(const struct setup_pick *which)
{
	struct setup *s = mem_zero(1, sizeof(*s));
	struct setup_ctx *c = mem_zero(1, sizeof(*c));

	s->own = c;
	s->device_id = HF_EVERY_UNIT;
	s->opts.size = sizeof(s->opts);
	c->to = s;
	c->pick = which;
	c->tell = note_fault;
	c->arg = c;
	return c;
}

static struct setup *
end(struct setup_ctx *c)
{
	free(c->cells);
	c->cells = NULL;
	c->pick = NULL;
	return c->to;
}

struct setup *
setup_read(
    const char *path, char *text, size_t len, const struct setup_pick *which)
{
	struct setup_ctx *c = begin(which);

	c->doc = jsonc_parse(path, text, len, note_fault, c);
	if (c->doc->root != NULL)
		read_all(c);
	return end(c);
}

struct setup *
setup_of(const struct jsonc_node *server, const struct jsonc_node *device,
    const struct setup_pick *which, jsonc_fault_fn *say, void *arg)
{
	struct setup_ctx *c = begin(which);

	c->tell = say;
	c->arg = arg;
	if (server != NULL)
		setup_server(c, server);
	if (device != NULL)
		setup_device(c, device);
	/* after mistakes, too: what else is wrong with the ranges is found */
	if (device != NULL)
		setup_ranges(c);
	return end(c);
}

void *
setup_room(struct setup *s, size_t size)
{
	void *room = mem_zero(1, size);

	setup_keep(s->own, room);
	return room;
}

void
setup_free(struct setup *s)
{
	struct setup_ctx *c;

	if (s == NULL)
		return;
	c = s->own;
	for (size_t i = 0; i < c->ntexts; i++)
		free(c->texts[i]);
	free(c->texts);
	if (c->doc != NULL)
		jsonc_free(c->doc);
	free(c);
	free(s->ranges);
	free(s->range_at);
	free(s->server_place);
	free(s->why);
	free(s->notes);
	free(s);
}
