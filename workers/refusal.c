/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells of refused requests. Runs in the workers of transports whose clients
 * have certificates. Allocates nothing; a flood of refusals does not become a
 * flood of lines.
 */
#include "workers/refusal.h"

#include <stdio.h>
#include <string.h>

#include "shm/log.h"
#include "shm/notice.h"
#include "workers/acl.h"
#include "workers/proto/role.h"
#include "workers/who.h"

_Static_assert((int)CONN_ROLE_MAX == (int)MB_ROLE_MAX &&
	(int)CONF_ROLE_MAX == (int)MB_ROLE_MAX,
    "a role is shown, and can be given rights, up to its last byte");

/* Its role as it is shown; the length, -1 if there is no telling. */
static int
role_of(const struct shm_conn_who *who, char role[CONN_ROLE_MAX])
{
	int len = who != NULL
	    ? atomic_load_explicit(&who->role_len, memory_order_acquire)
	    : 0;

	if (len > CONN_ROLE_MAX + 1)
		len = 0;
	if (len > 1)
		memcpy(role, who->role, (size_t)len - 1);
	return len - 1;
}

void
refusal_tell(
    struct worker *w, const struct shm_conn *c, uint8_t unit, uint8_t fc)
{
	const struct proc *p = w->proc;
	const struct shm_conn_who *who = who_find(w->shm, c);
	char peer[ACL_TEXT_MAX], role[CONN_ROLE_MAX];
	char text[CONN_ROLE_MAX + ACL_TEXT_MAX];
	int len = role_of(who, role), shown = len > 0 ? len : 0;

	worker_count(&w->shm->stats.refused, 1);
	who_text(w->shm, c, peer);
	snprintf(text, sizeof(text), "%.*s%s", shown, role, peer);
	notice_post(&p->env, NOTICE_REFUSED, p->transport_index,
	    CONN_ID(p->transport_index, p->worker,
		atomic_load_explicit(&c->serial, memory_order_relaxed)),
	    NOTICE_REFUSED_B(unit, fc, len), text);
	if (worker_may_log(w))
		log_info("request refused peer=%s role=\"%.*s\" unit=%u fc=%u",
		    peer, shown, role, unit, fc);
}
