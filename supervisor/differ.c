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
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/conf/jsonc.h"

enum { DIFFER_TEXT_MAX = 8 << 20 };

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

/* What is to be read for the main file; NULL after it has said why. */
static struct conf *
load_text(const struct conf *now, int sheet, FILE *out)
{
	char *text = calloc(1, DIFFER_TEXT_MAX + 1);
	size_t n = 0;
	ssize_t got = -1;

	while (text != NULL && n < DIFFER_TEXT_MAX) {
		got = pread(sheet, text + n, DIFFER_TEXT_MAX - n, (off_t)n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (got < 0) {
		fprintf(out, "the text cannot be read: %m\n");
		return NULL;
	}
	/* a configuration is text: what stands behind a NUL would be lost */
	if (strlen(text) != n || n == DIFFER_TEXT_MAX) {
		errno = EINVAL;
		fprintf(out, "the text %s\n",
		    n == DIFFER_TEXT_MAX ? "is too long" : "holds a NUL");
		return NULL;
	}
	return conf_load_text(now->path, now->pick, text, out);
}

/* What a configuration means, on the sheet; NULL: nothing. */
static void
write_down(const struct conf *c, int sheet)
{
	FILE *f;

	if (sheet < 0 || ftruncate(sheet, 0) < 0 || c == NULL ||
	    lseek(sheet, 0, SEEK_SET) < 0 || (f = fdopen(sheet, "w")) == NULL)
		return;
	conf_dump(c, f);
	fclose(f);
}

int
differ_report(const struct conf *now, bool text, int sheet, FILE *out)
{
	struct conf *next = text ? load_text(now, sheet, out)
				 : conf_load_pick(now->path, now->pick, out);
	int failed = errno;
	struct jsonc_doc *was, *is;
	int code;

	write_down(next, sheet);
	if (next == NULL)
		return failed == EINVAL ? EX_CONFIG : EX_NOINPUT;
	was = dumped(now);
	is = dumped(next);
	if (was == NULL || was->root == NULL || is == NULL ||
	    is->root == NULL) {
		fprintf(out, "the configurations could not be compared\n");
		code = EX_SOFTWARE;
	} else
		code =
		    compare(was->root, is->root, out) > 0 ? DIFFER_CHANGED : 0;
	jsonc_free(was);
	jsonc_free(is);
	conf_free(next);
	return code;
}
