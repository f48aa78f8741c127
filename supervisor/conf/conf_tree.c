/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file of the configuration: from a descriptor to a tree. Runs before the
 * first fork, and in the throw-away child of a reload.
 */
#include "supervisor/conf/conf_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/mem.h"

enum { FILE_BYTES_MAX = 64 << 20, READ_BYTES = 65536 };

static char *
slurp(int fd, size_t *len)
{
	char *text = NULL;
	size_t size = 0, n = 0;
	ssize_t got;

	for (;;) {
		if (size - n <= READ_BYTES) {
			size = 2 * size + 2 * READ_BYTES;
			text = mem_move(text, n, size);
		}
		got = read(fd, text + n, READ_BYTES);
		if (got == -1 && errno == EINTR)
			continue;
		if (got > 0 && n > FILE_BYTES_MAX) {
			errno = EFBIG;
			got = -1;
		}
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (got == -1) {
		mem_wipe(text);
		return NULL;
	}
	text[n] = '\0';
	*len = n;
	return text;
}

char *
conf_tree_slurp(int fd, size_t *len)
{
	char *text = slurp(fd, len);
	int saved = errno;

	close(fd);
	errno = saved;
	return text;
}

void
conf_tree_keep(struct conf_ctx *ctx, struct jsonc_doc *doc)
{
	ctx->docs = mem_more(ctx->docs, ctx->ndocs, sizeof(*ctx->docs));
	ctx->docs[ctx->ndocs++] = doc;
}

struct jsonc_doc *
conf_tree_read(struct conf_ctx *ctx, int fd, const char *path)
{
	struct jsonc_doc *doc;
	size_t len = 0;
	char *text = conf_tree_slurp(fd, &len);

	if (text == NULL)
		return NULL;
	doc = jsonc_parse(path, text, len, conf_fault_at, ctx);
	mem_wipe(text);
	conf_tree_keep(ctx, doc);
	return doc;
}
