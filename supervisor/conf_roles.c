/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the file of roles. Runs before the first fork.
 */
#include "supervisor/conf_roles.h"

#include <stdlib.h>

void
conf_roles_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	t->tls.roles.path = conf_absolute(node->doc, node->text);
}

void
conf_roles_free(struct conf_roles *roles)
{
	free(roles->path);
}
