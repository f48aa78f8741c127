/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two configurations side by side. Runs in the throw-away child of a reload.
 * They are compared as conf_dump_secret() writes them, so that every key counts
 * without being listed here, and a default spelt out is no change.
 */
#include "supervisor/reload/differ.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/conf/jsonc.h"
#include "supervisor/mem.h"
#include "supervisor/reload/plan.h"
#include "supervisor/reload/sealed.h"

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
	struct mem_sheet sheet;
	struct jsonc_doc *doc;

	if (mem_sheet_begin(&sheet) < 0)
		return NULL;
	conf_dump_secret(c, sheet.f);
	if (mem_sheet_end(&sheet) < 0)
		return NULL;
	doc = jsonc_parse("dump", sheet.text, sheet.len, never, NULL);
	mem_wipe(sheet.text);
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

/* Whom differences are told to. */
struct telling {
	differ_fn *fn;
	void *arg;
	unsigned n;
};

static void
tell(struct telling *t, const char *kind, const char *name,
    enum differ_change change)
{
	t->fn(t->arg, kind, name, change);
	t->n++;
}

/* Compares the members of two objects, but those named in skip; kind is the
 * word for one of them. */
static void
members(const struct jsonc_node *was, const struct jsonc_node *is,
    const char *kind, const char *const *skip, struct telling *t)
{
	const struct jsonc_node *m, *other;

	for (m = is->in.first; m != NULL; m = m->next) {
		other = jsonc_get(was, m->key);
		if (!left_out(m->key, skip) && !jsonc_equal(m, other))
			tell(t, kind, m->key,
			    other == NULL ? DIFFER_ADDED : DIFFER_OTHER);
	}
	for (m = was->in.first; m != NULL; m = m->next)
		if (!left_out(m->key, skip) && jsonc_get(is, m->key) == NULL)
			tell(t, kind, m->key, DIFFER_REMOVED);
}

static void
compare(const struct jsonc_node *was, const struct jsonc_node *is,
    struct telling *t)
{
	static const char *const named[] = { "transports", "devices", NULL };
	static const char *const none[] = { NULL };

	members(jsonc_get(was, "transports"), jsonc_get(is, "transports"),
	    DIFFER_TRANSPORT, none, t);
	members(jsonc_get(was, "devices"), jsonc_get(is, "devices"),
	    DIFFER_DEVICE, none, t);
	members(was, is, DIFFER_KEY, named, t);
}

int
differ_walk(
    const struct conf *was, const struct conf *is, differ_fn *fn, void *arg)
{
	struct telling t = { .fn = fn, .arg = arg };
	struct jsonc_doc *a = dumped(was), *b = dumped(is);
	int n = -1;

	if (a != NULL && a->root != NULL && b != NULL && b->root != NULL) {
		compare(a->root, b->root, &t);
		n = (int)t.n;
	}
	jsonc_free(a);
	jsonc_free(b);
	return n;
}

/* ---- the same as a number ---- */

static uint64_t
mix(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 1099511628211ull;
	return h;
}

/* Members of an object count in any order, those of a list in theirs. */
static uint64_t
hash(const struct jsonc_node *n)
{
	uint64_t h = mix(14695981039346656037ull, &n->type, sizeof(n->type));
	uint64_t sum = 0, part;
	double number;

	switch (n->type) {
	case JSONC_BOOL:
		return mix(h, &n->yes, sizeof(n->yes));
	case JSONC_INTEGER:
		h = mix(h, &n->magnitude, sizeof(n->magnitude));
		return mix(h, &n->negative, sizeof(n->negative));
	case JSONC_REAL:
		number = n->real;
		return mix(h, &number, sizeof(number));
	case JSONC_STRING:
		return mix(h, n->text, strlen(n->text));
	case JSONC_ARRAY:
	case JSONC_OBJECT:
		for (const struct jsonc_node *m = n->in.first; m != NULL;
		     m = m->next) {
			part = hash(m);
			if (n->type == JSONC_ARRAY)
				h = mix(h, &part, sizeof(part));
			else
				sum += mix(part, m->key, strlen(m->key));
		}
		return mix(h, &sum, sizeof(sum));
	default:
		return h;
	}
}

uint64_t
differ_hash(const struct conf *conf)
{
	struct jsonc_doc *doc = dumped(conf);
	uint64_t h = doc != NULL && doc->root != NULL ? hash(doc->root) : 0;

	jsonc_free(doc);
	return h;
}

static void
print(void *out, const char *kind, const char *name, enum differ_change change)
{
	static const char *const words[] = {
		[DIFFER_ADDED] = "added",
		[DIFFER_REMOVED] = "removed",
		[DIFFER_OTHER] = "changed",
	};

	fprintf(out, "%s %s: %s\n", kind, name, words[change]);
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

/* The transports in the order that they have now, since that is where they
 * are in the control segment; new ones behind them. */
static void
sort_transports(const struct conf *now, struct conf *next)
{
	size_t at = 0;

	for (size_t i = 0; i < now->ntransports; i++)
		for (size_t k = at; k < next->ntransports; k++) {
			struct conf_transport t = next->transports[k];

			if (strcmp(t.name, now->transports[i].name) != 0)
				continue;
			memmove(&next->transports[at + 1],
			    &next->transports[at],
			    (k - at) * sizeof(next->transports[0]));
			next->transports[at++] = t;
			break;
		}
}

static bool
fits(const struct conf *now, const struct conf *next,
    const struct differ_job *job)
{
	struct plan plan;
	/* what cannot be compared is said later */
	bool fine = job->fits == NULL || plan_make(&plan, now, next) < 0 ||
	    job->fits(job->arg, &plan, job->out);

	if (job->fits != NULL)
		plan_free(&plan);
	return fine;
}

int
differ_report(const struct conf *now, const struct differ_job *job)
{
	struct conf *next = job->text
	    ? load_text(now, job->sheet, job->out)
	    : conf_load_pick(now->path, now->pick, job->out);
	int failed = errno, n;

	write_down(next, job->sheet);
	if (next == NULL)
		return failed == EINVAL ? EX_CONFIG : EX_NOINPUT;
	if (!fits(now, next, job)) {
		conf_free(next);
		return EX_CONFIG;
	}
	n = differ_walk(now, next, print, job->out);
	if (n < 0)
		fprintf(job->out, "the configurations could not be compared\n");
	sort_transports(now, next);
	if (n > 0 && job->fresh >= 0)
		sealed_put(job->fresh, next, true); /* or it is empty */
	conf_free(next);
	return n < 0 ? EX_SOFTWARE : n > 0 ? DIFFER_CHANGED : 0;
}
