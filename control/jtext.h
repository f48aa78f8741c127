/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_JTEXT_H
#define CONTROL_JTEXT_H

/*
 * JSON as text: what jansson does not do. Reading bounds depth and size and
 * keeps integers that do not fit 64 signed bits; writing gives every number
 * its shortest text that reads back the same.
 *
 * Such a big integer is, in memory, a string of JTEXT_BIG and its digits; it
 * is read and written as a number. Not-a-number and the infinities, for which
 * JSON has no numbers, are the strings "NaN", "Infinity" and "-Infinity".
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JTEXT_DEPTH_MAX = 32,
	JTEXT_ITEMS_MAX = 400000, /* values in one text */
	JTEXT_WHY_MAX = 200,
};

#define JTEXT_BIG "\001"

/* Reads one JSON value of any kind from len bytes. A new reference, or NULL
 * after `why` (JTEXT_WHY_MAX bytes) says what is wrong and where. */
json_t *jtext_load(const char *text, size_t len, char *why);

/* Writes a value in one line. Allocated; NULL if memory is short. */
char *jtext_dump(const json_t *, size_t *len);

/* New values: a number of 64 unsigned bits; a number that is a float32 (so
 * 404.17 and not 404.17000579834); any double. NULL if memory is short. */
json_t *jtext_uint(uint64_t);
json_t *jtext_float32(double);
json_t *jtext_float64(double);

/* A string of any bytes: as they are if they are UTF-8, else each byte above
 * 127 as the character of that number. */
json_t *jtext_bytes(const char *bytes, size_t len);

/*
 * A number as an integer: its magnitude, and whether it is below zero. Takes
 * integers, big ones and floats without a fraction. False for all else.
 */
bool jtext_integer(const json_t *, bool *negative, uint64_t *magnitude);

/* A number as a double; the strings above too, and "nan", "inf", "-inf".
 * False for all else. */
bool jtext_number(const json_t *, double *);

#endif
