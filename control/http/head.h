/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_HEAD_H
#define CONTROL_HEAD_H

/*
 * The head of a request, RFC 9112: its first line and its headers. Stricter
 * than the standard asks where leniency lets two readers of one message come
 * to two results: no bare line feed, no folded line, no space before a colon,
 * no length said twice. Knows no socket and allocates nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_MAX = 16384, HEAD_TARGET_MAX = 8192, HEAD_HEADERS_MAX = 64 };

struct head_header {
	const char *name, *value;
};

struct head {
	const char *method;
	char *target; /* begins with '/', or is "*" */
	const char *host; /* of the target or the header; "": none said */
	unsigned minor; /* of HTTP/1.x */
	struct head_header header[HEAD_HEADERS_MAX];
	unsigned n;
	uint64_t length; /* of the body */
	bool has_length;
	bool keep; /* the connection is to stay */
	bool expects; /* wants to hear 100 before it sends the body */
};

/* How long the head is that stands in a text of len bytes, its empty line
 * included; 0: not all of it is there. Everything before *seen was looked at
 * before; it goes on. */
size_t head_end(const char *text, size_t len, size_t *seen);

/*
 * Reads a head of len bytes in place; what it sets points into text. 0, or
 * the status that the request is to be answered with, and *why a sentence.
 */
int head_parse(char *text, size_t len, struct head *, const char **why);

/* The value of the first header of that name, whatever its case, or NULL. */
const char *head_find(const struct head *, const char *name);

/* True if a list like "a, b" holds the word, whatever its case. */
bool head_lists(const char *list, const char *word);

#endif
