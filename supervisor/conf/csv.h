/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CSV_H
#define SUPERVISOR_CSV_H

/*
 * Comma-separated values as spreadsheets and people write them, RFC 4180 and
 * what is met beyond it: a byte order mark, LF or CRLF, semicolons or tabs
 * instead of commas (the header line decides), blanks around fields, lines
 * that are empty or begin with "#". A field in quotes may hold separators,
 * quotes (written twice) and ends of lines. Lines and columns count from 1; a
 * column is a character, not a byte.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CSV_FIELDS_MAX = 64 };

struct csv_field {
	const char *text; /* UTF-8 with a NUL behind it; lies in the csv's
			   * text */
	uint32_t line, col;
	bool quoted;
};

struct csv {
	char *text; /* what is left of it is read; fields lie in it */
	size_t at, len;
	uint32_t line, col;
	char separator;
	/* after csv_next() returned -1 */
	const char *why;
	uint32_t why_line, why_col;
};

/* Begins with len bytes of text, which are changed by reading; text[len] must
 * be NUL. */
void csv_init(struct csv *, char *text, size_t len);

/*
 * The next line that holds anything: the number of its fields, which lie in
 * field[] and stay good. 0 at the end; -1 after a mistake, of which csv->why
 * tells, and with which the text ends.
 */
int csv_next(struct csv *, struct csv_field field[CSV_FIELDS_MAX]);

#endif
