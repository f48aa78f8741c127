/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two configurations side by side. Runs in the throw-away child of a reload.
 * They are compared as conf_dump_secret() writes them, so that every key counts
 * without being listed here, and a default spelt out is no change.
 */
#include "supervisor/differ.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/log.h"
#include "supervisor/conf/jsonc.h"

static void
never(void *arg, const struct jsonc_doc *doc, uint32_t line, uint32_t col,
    const char *what)
{
	(void)arg;
	(void)doc;
	log_warnx(
	    "dumped configuration is none at=%u:%u why=%s", line, col, what);
}

static struct jsonc_doc *
dumped(const struct conf *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct jsonc_doc *doc;

	if (f == NULL)
		return NULL;
	conf_dump_secret(c, f);
	fclose(f);
	doc = jsonc_parse("dump", text, len, never, NULL);
	free(text);
	return doc;
}

static bool
left_out(const char *name, const char *const *skip)
{
	for (; *skip != NULL; skip++)
		if (strcmp(name, *skip) == 0)
			return true;
	return false;
}

/* Compares the members of two objects, but those named in skip; kind is the
 * word for one of them. */
static unsigned
members(const struct jsonc_node *was, const struct jsonc_node *is,
    const char *kind, const char *const *skip, FILE *out)
{
	const struct jsonc_node *m, *other;
	unsigned n = 0;

	for (m = is->in.first; m != NULL; m = m->next) {
		other = jsonc_get(was, m->key);
		if (!left_out(m->key, skip) && !jsonc_equal(m, other)) {
			fprintf(out, "%s %s: %s\n", kind, m->key,
			    other == NULL ? "added" : "changed");
			n++;
		}
	}
	for (m = was->in.first; m != NULL; m = m->next) {
		if (!left_out(m->key, skip) && jsonc_get(is, m->key) == NULL) {
			fprintf(out, "%s %s: removed\n", kind, m->key);
			n++;
		}
	}
	return n;
}

static unsigned
compare(const struct jsonc_node *was, const struct jsonc_node *is, FILE *out)
{
	static const char *const named[] = { "transports", "devices", NULL };
	static const char *const none[] = { NULL };
	unsigned n = 0;

	n += members(jsonc_get(was, "transports"), jsonc_get(is, "transports"),
	    "transport", none, out);
	n += members(jsonc_get(was, "devices"), jsonc_get(is, "devices"),
	    "device", none, out);
	return n + members(was, is, "key", named, out);
}

int
differ_report(const struct conf *now, FILE *out)
{
	struct conf *next = conf_load_pick(now->path, now->pick, out);
	struct jsonc_doc *was, *is;

	if (next == NULL)
		return errno == EINVAL ? EX_CONFIG : EX_NOINPUT;
	was = dumped(now);
	is = dumped(next);
	if (was == NULL || was->root == NULL || is == NULL ||
	    is->root == NULL) {
		fprintf(out, "the configurations could not be compared\n");
		return EX_SOFTWARE;
	}
	return compare(was->root, is->root, out) > 0 ? DIFFER_CHANGED : 0;
}
