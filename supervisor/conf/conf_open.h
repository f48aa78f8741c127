/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_OPEN_H
#define SUPERVISOR_CONF_OPEN_H

/*
 * Opening what a configuration names. A configuration that is only looked at
 * comes from somebody who may be far away and need not be allowed to read
 * what the supervisor may: it opens only what the one on disk does, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf_ctx;

struct conf_file_id {
	dev_t dev;
	ino_t ino;
};

/* Files that were opened, whatever they were called. */
struct conf_files {
	struct conf_file_id *at;
	size_t n;
	bool closed; /* no others are opened */
};

/* Whether path may be opened; if not, errno is EACCES, also where there is no
 * such file. */
bool conf_may_open(const struct conf_ctx *, const char *path);

/* What open() gave, noted in ctx->files: the descriptor, or -1 with errno if
 * it was that or is of a file that may not be opened, and then closed. */
int conf_opened(struct conf_ctx *, int fd);

/* Opens a file for reading by both rules. -1 with errno. */
int conf_open(struct conf_ctx *, const char *path);

#endif
