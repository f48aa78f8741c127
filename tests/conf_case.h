/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONF_CASE_H
#define TESTS_CONF_CASE_H

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
#include <unistd.h>

#include "supervisor/conf.h"

static char *case_told;

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
static inline struct conf *
case_load_file(const char *path, const char *cut)
{
	size_t size = 0, len = strlen(cut);
	FILE *err;
	struct conf *conf;
	char *from, *to;

	free(case_told);
	case_told = NULL;
	err = open_memstream(&case_told, &size);
	conf = conf_load(path, err);
	fclose(err);
	/* "PATH:1:2: x\n" becomes "1:2: x\n" */
	for (from = to = case_told; *from != '\0';)
		if (len > 0 && strncmp(from, cut, len) == 0 && from[len] == ':')
			from += len + 1;
		else
			*to++ = *from++;
	if (to > case_told && to[-1] == '\n')
		to--;
	*to = '\0';
	return conf;
}

static inline struct conf *
case_load(const char *text)
{
	char path[32];
	struct conf *conf;
	size_t len = strlen(text);
	int saved, fd = memfd_create("conf", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	conf = case_load_file(path, path);
	saved = errno;
	close(fd);
	errno = saved;
	return conf;
}

/* Loads what must be right. */
static inline struct conf *
case_right(const char *text)
{
	struct conf *conf = case_load(text);

	ck_assert_msg(conf != NULL, "%s", case_told);
	ck_assert_str_eq(case_told, "");
	return conf;
}

#endif
