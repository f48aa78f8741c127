/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_PRINT_H
#define CONTROL_CLI_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "control/cli/cli.h"

/*
 * Results on standard output: aligned columns for people, tabs, commas or
 * bare values for programs, the RPC result itself for -o json.
 */

enum { PRINT_COLUMNS_MAX = 16 };

struct print {
	struct cli *cli;
	const char *const *columns; /* upper case, as they are shown */
	int ncolumns;
	int raw_column; /* what -o raw shows; -1: all, with tabs */
	char **cells; /* row after row */
	size_t ncells;
};

void print_init(struct print *, struct cli *, const char *const *columns,
    int ncolumns, int raw_column);

/* Adds a row of ncolumns cells, copied. */
void print_row(struct print *, const char *const *cells);

/* Prints all rows and forgets them. */
void print_flush(struct print *);

/* Prints all rows without a heading, and forgets them. */
void print_bare(struct print *);

/* True for -o json: then print_json() of the result is all there is. */
bool print_is_json(const struct cli *);
void print_json(const json_t *);

/* True for a table: on a terminal, or with -o table. */
bool print_is_table(const struct cli *);

/* One line on a terminal or with -o table, and nothing elsewhere. */
void print_note(const struct cli *, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

/* The same of what must not be missed: elsewhere it goes to standard error, so
 * that rows stay rows, and with -o json the result is all there is. */
void print_alarm(const struct cli *, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

/* A scalar as text: numbers shortest, null as "-", others as JSON. Good until
 * the next but seven calls. */
const char *print_text(const json_t *);

/* Seconds as "3d 4h", "12m 5s", "0.4s"; good as print_text() is. */
const char *print_span(double s);

/* The local time of day of a Unix time, with 3 or 6 digits behind the point;
 * text. */
const char *print_time(const json_t *, int digits, char *text, size_t size);

/* A connection's role: the NULL role is not as if there were no roles. */
const char *print_role(const json_t *);

/* A copy in which no byte can move a cursor or change a colour; free() it. NULL
 * if there is no memory. */
char *print_harmless(const char *);

#endif
