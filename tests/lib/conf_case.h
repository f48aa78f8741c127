/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_CONF_CASE_H
#define TESTS_LIB_CONF_CASE_H

/*
 * Loads a configuration that a test has as a string. The mistakes are in
 * case_told, a line each, without the name of the file.
 */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/conf.h"

/* Ended by the next load; freed by nobody else. */
extern char *case_told;

/* Frames that leave room for what a case is about, on line 2. */
#define IN_TABLE(table, ranges)                               \
	"{ \"devices\": { \"d\": { \"" table "\": [\n" ranges \
	"\n] } }, \"transports\": {} }"
#define IN_DEVICE(members) \
	"{ \"devices\": { \"d\": {\n" members "\n} }, \"transports\": {} }"
#define IN_TRANSPORT(members)                                                \
	"{ \"devices\": { \"d\": {}, \"e\": {} }, \"transports\": { \"t\": " \
	"{\n" members "\n} } }"
#define IN_TRANSPORTS(members) \
	"{ \"devices\": { \"d\": {} }, \"transports\": {\n" members "\n} }"
#define IN_TOP(members) \
	"{ \"devices\": { \"d\": {} }, \"transports\": {},\n" members "\n}"
#define TCP "\"type\": \"tcp\", \"listen\": \"127.0.0.1:0\""

/* Loads a file; what is told keeps its name unless path is cut off. */
struct conf *case_load_file(const char *path, const char *cut);

/* Loads a text; errno is conf_load()'s. */
struct conf *case_load(const char *text);

/* What one of the dumps says, to be freed. */
char *case_dump(const struct conf *c, void (*how)(const struct conf *, FILE *));

/* Loads what must be right. */
struct conf *case_right(const char *text);

/* ---- several files, in a directory of the suite ---- */

extern char case_dir[64];

/* Each test of the case finds in case_dir an empty directory "more". The suite
 * takes it away, not the test, which may fail. */
void case_in_dir(TCase *tc);

/* Lays a file in case_dir. */
void case_put(const char *name, const char *text);

/* Loads main.json, which lies there. */
struct conf *case_load_main(void);

#endif
