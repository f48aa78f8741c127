/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SERIES_H
#define SHM_SERIES_H

/*
 * Values over time, from a file of rows "time,value": times in seconds, which
 * grow. Empty lines, lines that begin with '#', and a first line that does not
 * begin with a number (the names of the columns) are passed over; what follows
 * a second comma is, too.
 */

#include <stdbool.h>
#include <stddef.h>

enum {
	SERIES_BYTES_MAX = 64 << 20, /* of a file */
	SERIES_ROWS_MAX = 1 << 20,
	SERIES_WHY = 120,
};

struct series_row {
	double at_s, value;
};

struct series {
	struct series_row *rows;
	size_t n; /* at least 1 */
	unsigned line; /* where it is wrong; 0: the file as such */
	char why[SERIES_WHY];
};

/* Reads text of len bytes. 0, or -1: line and why say what is wrong. */
int series_parse(struct series *, const char *text, size_t len);

/* The same for a file, which is read into memory. */
int series_read(struct series *, const char *path);
void series_free(struct series *);

/*
 * What it says so many seconds after its first row. linear: the straight line
 * between two rows, else the value of the row before. loop: the last row is
 * where it begins anew; else the last row holds.
 */
double series_at(const struct series *, double s, bool loop, bool linear);

#endif
