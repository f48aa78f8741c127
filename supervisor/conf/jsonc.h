/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_JSONC_H
#define SUPERVISOR_JSONC_H

/*
 * JSON as people write it, with comments (// # and block comments) and
 * trailing commas, as a tree in which every key and value knows its place.
 * Lines and columns count from 1; a column is a character, not a byte.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jsonc_type {
	JSONC_NULL,
	JSONC_BOOL,
	JSONC_INTEGER, /* -(2^64-1)..2^64-1; beyond that it is a JSONC_REAL */
	JSONC_REAL,
	JSONC_STRING,
	JSONC_ARRAY,
	JSONC_OBJECT,
};

struct jsonc_doc;

struct jsonc_node {
	enum jsonc_type type;
	bool negative; /* JSONC_INTEGER: minus magnitude */
	uint32_t line, col; /* of the value */
	uint32_t key_line, key_col; /* of the key, in objects */
	const char *key; /* in objects; else NULL */
	const struct jsonc_doc *doc;
	struct jsonc_node *next; /* in the same array or object */
	union {
		bool yes; /* JSONC_BOOL */
		uint64_t magnitude; /* JSONC_INTEGER */
		double real; /* JSONC_REAL */
		const char *text; /* JSONC_STRING, UTF-8 without NUL */
		struct {
			struct jsonc_node *first;
			size_t n;
		} in; /* JSONC_ARRAY, JSONC_OBJECT */
	};
};

struct jsonc_doc {
	char *path; /* as given */
	struct jsonc_node *root; /* NULL if the text is no JSON */
	void *chunks; /* what the nodes lie in */
};

/* Told of each mistake in the text. */
typedef void jsonc_fault_fn(void *arg, const struct jsonc_doc *, uint32_t line,
    uint32_t col, const char *what);

/*
 * Reads len bytes of text, which are overwritten with zeros and may be
 * freed afterwards; text[len] must be NUL. The first syntax error ends it with
 * root NULL. Of duplicate keys each further one is told and left out. Never
 * NULL; jsonc_free() it.
 */
struct jsonc_doc *jsonc_parse(
    const char *path, char *text, size_t len, jsonc_fault_fn *, void *arg);
void jsonc_free(struct jsonc_doc *);

/* A tree for who reads another kind of file: with root NULL, and zeroed memory
 * that goes with it. jsonc_free() it. */
struct jsonc_doc *jsonc_new(const char *path);
void *jsonc_take(struct jsonc_doc *, size_t size);

/* The member of an object, or NULL. */
struct jsonc_node *jsonc_get(const struct jsonc_node *, const char *key);

/* "a whole number", "an object": what a node is, in words. */
const char *jsonc_type_words(enum jsonc_type);

/* True if both say the same; members of an object in any order. NULL is equal
 * to NULL alone. */
bool jsonc_equal(const struct jsonc_node *, const struct jsonc_node *);

/* Any number as a double. */
double jsonc_number(const struct jsonc_node *);

/*
 * Why jansson refused text at a byte offset, in our words, into why; where the
 * offending token starts. text has had its comments blanked. For jsonc.c.
 */
size_t jsonc_explain(const char *text, size_t len, size_t offset,
    const char *reason, char *why, size_t size);

/* The end of the string that starts at text[at]: behind its closing quote, or
 * where its line or the text ends. For jsonc.c and jsonc_why.c. */
size_t jsonc_string_end(const char *text, size_t len, size_t at);

#endif
