/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a configuration may name, and has named. Runs before the first
 * fork and in the throw-away child of a reload.
 */
#include "supervisor/conf/conf_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/conf/conf_read.h"
#include "supervisor/mem.h"

static bool
known(const struct conf_files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->n; i++)
		if (files->at[i].dev == st->st_dev &&
		    files->at[i].ino == st->st_ino)
			return true;
	return false;
}

bool
conf_may_open(const struct conf_ctx *ctx, const char *path)
{
	struct stat st;

	if (ctx->files == NULL || !ctx->files->closed)
		return true;
	/* looked at first: opening a device may do something already */
	if (stat(path, &st) == 0 && known(ctx->files, &st))
		return true;
	errno = EACCES;
	return false;
}

int
conf_opened(struct conf_ctx *ctx, int fd)
{
	struct conf_files *files = ctx->files;
	struct stat st;

	if (fd == -1 || files == NULL || fstat(fd, &st) == -1)
		return fd;
	if (known(files, &st))
		return fd;
	if (files->closed) {
		close(fd);
		errno = EACCES;
		return -1;
	}
	files->at = mem_more(files->at, files->n, sizeof(*files->at));
	files->at[files->n++] = (struct conf_file_id){ st.st_dev, st.st_ino };
	return fd;
}

int
conf_open(struct conf_ctx *ctx, const char *path)
{
	if (!conf_may_open(ctx, path))
		return -1;
	return conf_opened(ctx, open(path, O_RDONLY | O_CLOEXEC));
}
