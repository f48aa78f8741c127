/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations that a test has as strings, and files of them in a directory
 * that goes away with the suite. Runs in tests.
 */
#include "tests/lib/conf_case.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

char *case_told;
char case_dir[64];

struct conf *
case_load_file(const char *path, const char *cut)
{
	size_t size = 0, len = strlen(cut);
	FILE *err;
	struct conf *conf;
	char *from, *to;
	int saved;

	free(case_told);
	case_told = NULL;
	err = open_memstream(&case_told, &size);
	conf = conf_load(path, err);
	saved = errno; /* which a sanitizer's fclose() does not leave alone */
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
	errno = saved;
	return conf;
}

struct conf *
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

char *
case_dump(const struct conf *c, void (*how)(const struct conf *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	how(c, f);
	fclose(f);
	return text;
}

struct conf *
case_right(const char *text)
{
	struct conf *conf = case_load(text);

	ck_assert_msg(conf != NULL, "%s", case_told);
	ck_assert_str_eq(case_told, "");
	return conf;
}

static void
dir_make(void)
{
	snprintf(case_dir, sizeof(case_dir), "/tmp/check_conf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(case_dir));
}

static void
dir_remove(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf '%s'", case_dir);
	ck_assert_int_eq(system(command), 0);
}

/* Without what the last test has left there. */
static void
dir_clear(void)
{
	char more[80];

	dir_remove();
	snprintf(more, sizeof(more), "%s/more", case_dir);
	ck_assert_int_eq(mkdir(case_dir, 0700), 0);
	ck_assert_int_eq(mkdir(more, 0700), 0);
}

void
case_in_dir(TCase *tc)
{
	tcase_add_unchecked_fixture(tc, dir_make, dir_remove);
	tcase_add_checked_fixture(tc, dir_clear, NULL);
}

void
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

struct conf *
case_load_main(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/main.json", case_dir);
	return case_load_file(path, "");
}
