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
#include <sys/stat.h>
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

/* What one of the dumps says. */
static inline char *
case_dump(const struct conf *c, void (*how)(const struct conf *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	how(c, f);
	fclose(f);
	return text;
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

/* ---- several files, in a directory of the suite ---- */

static char case_dir[64];

static inline void
case_dir_make(void)
{
	snprintf(case_dir, sizeof(case_dir), "/tmp/check_conf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(case_dir));
}

static inline void
case_dir_remove(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf '%s'", case_dir);
	ck_assert_int_eq(system(command), 0);
}

/* Without what the last test has left there. */
static inline void
case_dir_clear(void)
{
	char more[80];

	case_dir_remove();
	snprintf(more, sizeof(more), "%s/more", case_dir);
	ck_assert_int_eq(mkdir(case_dir, 0700), 0);
	ck_assert_int_eq(mkdir(more, 0700), 0);
}

/* Each test of the case finds in case_dir an empty directory "more". The suite
 * takes it away, not the test, which may fail. */
static inline void
case_in_dir(TCase *tc)
{
	tcase_add_unchecked_fixture(tc, case_dir_make, case_dir_remove);
	tcase_add_checked_fixture(tc, case_dir_clear, NULL);
}

static inline void
case_put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", case_dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* Loads main.json, which lies there. */
static inline struct conf *
case_load_main(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/main.json", case_dir);
	return case_load_file(path, "");
}

#endif
