/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_TEXT_H
#define HTTP_SIM_TEXT_H

/*
 * Text that grows: pages are put together in one. Out of memory it keeps what
 * it has and says so by `failed`, which is looked at once, at the end.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
	char *at; /* NUL behind it; NULL while empty */
	size_t len, room;
	bool failed;
};

void text_add(struct text *, const char *, size_t len);
void text_str(struct text *, const char *);
void text_printf(struct text *, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

/* As HTML shows it, in an element or between double quotes: & < > " ' and what
 * no page may hold are written out. */
void text_html(struct text *, const char *);
void text_html_n(struct text *, const char *, size_t len);

void text_free(struct text *);

#endif
