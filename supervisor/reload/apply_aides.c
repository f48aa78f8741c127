/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for the aides and the keys of the top level. Runs in the
 * supervisor.
 */
#include "supervisor/reload/apply.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/aide.h"
#include "supervisor/super.h"

/* Keys that nobody needs to be told of. */
static bool
is_free(const char *key)
{
	return strcmp(key, "drain_timeout_s") == 0;
}

static int
prepare(struct super *s, struct plan *p, char *why, size_t size)
{
	(void)s;
	for (size_t i = 0; i < p->nkeys; i++) {
		if (is_free(p->keys[i]))
			continue;
		snprintf(why, size, "key %s cannot change while it serves",
		    p->keys[i]);
		return -1;
	}
	return 0;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* True if some transport's workers run as somebody else from now on. */
static bool
users_change(const struct plan *p)
{
	for (size_t i = 0; i < p->ntransports; i++) {
		const struct plan_item *t = &p->transports[i];

		if (t->fate == PLAN_ADDED ||
		    (t->fate == PLAN_CHANGED &&
			!same_text(p->now->transports[t->was].user,
			    p->next->transports[t->is].user)))
			return true;
	}
	return false;
}

static void
commit(struct super *s, const struct plan *p)
{
	aides_follow(s);
	if (users_change(p)) /* who may call it */
		aides_restart(s, AIDE_ACTIONS);
}

static void
end(struct super *s, const struct plan *p, bool told)
{
	(void)s;
	(void)p;
	(void)told;
}

const struct apply_part apply_aides = {
	.name = "aides",
	.prepare = prepare,
	.commit = commit,
	.end = end,
};
