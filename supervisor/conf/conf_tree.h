/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_TREE_H
#define SUPERVISOR_CONF_TREE_H

/*
 * One file of the configuration: from a descriptor to a tree.
 */

#include "supervisor/conf/conf_read.h"

/* The whole of fd, which it closes, with a NUL behind it: mem_wipe() it. NULL
 * with errno. */
char *conf_tree_slurp(int fd, size_t *len);

/* Takes a tree into ctx->docs. */
void conf_tree_keep(struct conf_ctx *, struct jsonc_doc *);

/* Reads the whole of fd, which it closes, and parses it; mistakes are told
 * with path. The tree is one of ctx->docs, with root NULL if the text is no
 * JSON. NULL with errno if it cannot be read. */
struct jsonc_doc *conf_tree_read(struct conf_ctx *, int fd, const char *path);

#endif
