/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two configurations side by side. Runs in the throw-away child of a reload.
 * They are compared as conf_dump() writes them, so that every key counts
 * without being listed here, and a default spelt out is no change.
 */
#include "supervisor/differ.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static json_t *
dumped(const struct conf *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *j;

	if (f == NULL) {
		return NULL;
	}
	conf_dump(c, f);
	fclose(f);
	j = json_loadb(text, len, JSON_DECODE_ANY, NULL);
	free(text);
	return j;
}

/* Compares the members of two objects; kind is the word for one of them. */
static unsigned
members(const json_t *was, const json_t *is, const char *kind, FILE *out)
{
	const char *name;
	json_t *one, *other;
	unsigned n = 0;

	json_object_foreach ((json_t *)(uintptr_t)is, name, one) {
		other = json_object_get(was, name);
		if (other == NULL || !json_equal(one, other)) {
			fprintf(out, "%s %s: %s\n", kind, name,
			    other == NULL ? "added" : "changed");
			n++;
		}
	}
	json_object_foreach ((json_t *)(uintptr_t)was, name, one) {
		if (json_object_get(is, name) == NULL) {
			fprintf(out, "%s %s: removed\n", kind, name);
			n++;
		}
	}
	return n;
}

static unsigned
compare(json_t *was, json_t *is, FILE *out)
{
	static const struct {
		const char *section, *kind;
	} named[] = { { "transports", "transport" }, { "devices", "device" } };
	unsigned n = 0;
	size_t i;

	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		n += members(json_object_get(was, named[i].section),
		    json_object_get(is, named[i].section), named[i].kind, out);
		json_object_del(was, named[i].section);
		json_object_del(is, named[i].section);
	}
	return n + members(was, is, "key", out);
}

int
differ_report(const struct conf *now, FILE *out)
{
	struct conf *next = conf_load(now->path, out);
	json_t *was, *is;

	if (next == NULL) {
		return errno == EINVAL ? EX_CONFIG : EX_NOINPUT;
	}
	was = dumped(now);
	is = dumped(next);
	if (was == NULL || is == NULL) {
		fprintf(out, "the configurations could not be compared\n");
		return EX_SOFTWARE;
	}
	return compare(was, is, out) > 0 ? DIFFER_CHANGED : 0;
}
