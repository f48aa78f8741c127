/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations between processes: written by the reader of a reload and by
 * the supervisor, read by the supervisor and by aides.
 *
 * This is all that the supervisor parses while it runs: never the bytes of a
 * configuration file, but what conf_dump() has printed of a configuration that
 * the reader had parsed, found right, and read back from that very text. Of
 * files that somebody else writes it reads those of roles alone, after the
 * reader has; memory that runs out over either ends no more than the reload.
 */
#include "supervisor/reload/sealed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/conf/conf_dump.h"
#include "supervisor/mem.h"
#include "supervisor/reload/differ.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

enum { TEXT_MAX = 64 << 20 };

struct reading {
	const char *path, *text;
	struct conf *conf;
};

static void
load(void *arg)
{
	struct reading *r = arg;
	FILE *err = fopen("/dev/null", "we");

	if (err == NULL)
		return;
	r->conf = conf_load_dump(r->path, r->text, err);
	fclose(err);
}

static void
nobody(void *arg, const char *kind, const char *name, enum differ_change change)
{
	(void)arg;
	(void)kind;
	(void)name;
	(void)change;
}

/* True if the text means the configuration. What is looked for beside the file
 * is no part of the text. */
static bool
means(const char *text, const struct conf *conf, bool secret)
{
	struct reading r = { .path = conf->path, .text = text };
	bool same;

	if (mem_try(load, &r) < 0 || r.conf == NULL)
		return false;
	same = (!secret || differ_walk(conf, r.conf, nobody, NULL) == 0) &&
	    conf_same_text(conf->actions.folder, r.conf->actions.folder);
	conf_free(r.conf);
	return same;
}

int
sealed_new(void)
{
	return memfd_create("holdfast-conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int
sealed_put(int fd, const struct conf *conf, bool secret)
{
	struct mem_sheet sheet;
	int rc = -1;

	if (mem_sheet_begin(&sheet) < 0)
		return -1;
	if (secret)
		conf_dump_secret(conf, sheet.f);
	else
		conf_dump(conf, sheet.f);
	if (mem_sheet_end(&sheet) == 0 && means(sheet.text, conf, secret) &&
	    write(fd, sheet.text, sheet.len) == (ssize_t)sheet.len)
		rc = fcntl(fd, F_ADD_SEALS, SEALS);
	mem_wipe(sheet.text);
	return rc;
}

struct conf *
sealed_get(int fd, const char *path, const struct conf_pick *pick)
{
	struct reading r = { .path = path };
	struct stat st;
	char *text;

	if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &st) < 0 ||
	    st.st_size == 0 || st.st_size > TEXT_MAX ||
	    (text = calloc(1, (size_t)st.st_size + 1)) == NULL)
		return NULL;
	r.text = text;
	if (pread(fd, text, (size_t)st.st_size, 0) == st.st_size &&
	    mem_try(load, &r) == 0 && r.conf != NULL)
		r.conf->pick = pick;
	explicit_bzero(text, (size_t)st.st_size);
	free(text);
	return r.conf;
}
