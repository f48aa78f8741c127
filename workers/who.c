/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the record of a connection to the words for its peer. Runs in the
 * workers. Only looks: what lies in shared memory is as good as bytes from
 * outside.
 */
#include "workers/who.h"

#include <string.h>

const struct shm_conn_who *
who_find(struct shm_worker *shm, const struct shm_conn *c)
{
	const struct shm_conn *pool = seg_conn(shm, 0);
	size_t i = pool != NULL && c >= pool ? (size_t)(c - pool) : SIZE_MAX;

	return i < seg_conns(shm) ? seg_who(shm, (unsigned)i) : NULL;
}

const char *
who_text(
    struct shm_worker *shm, const struct shm_conn *c, char text[ACL_TEXT_MAX])
{
	const struct shm_conn_who *who = who_find(shm, c);
	struct acl_peer p = { .family = c->family, .port = c->port };

	memcpy(p.addr, c->addr, sizeof(p.addr));
	p.text = who != NULL ? who->peer : NULL;
	return acl_peer_text(&p, text);
}
