/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration takes the place of another one. Runs in the supervisor. What
 * it reads was written by its own reader, sealed, and read by that before.
 */
#include "supervisor/reload/apply.h"

#include <stdio.h>

#include "shm/log.h"
#include "supervisor/boot.h"
#include "supervisor/reload/sealed.h"
#include "supervisor/super.h"

/* Workers are told to go when devices know what is to become of them; aides
 * hear of it last. */
static const struct apply_part *const parts[] = {
	&apply_devices,
	&apply_transports,
	&apply_aides,
};

enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void
end(struct super *s, bool told)
{
	struct apply *a = &s->apply;

	for (size_t i = 0; i < PARTS; i++)
		parts[i]->end(s, &a->plan, told);
	plan_free(&a->plan);
	a->until_ms = 0;
	/* nobody here has anything of it any more; the one of the start is not
	 * ours */
	if (a->former != NULL)
		conf_free(a->former);
	a->former = NULL;
}

static int
prepare(struct super *s, char *why, size_t size)
{
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i]->prepare(s, &s->apply.plan, why, size) < 0)
			return -1;
	return 0;
}

static void
put_in_force(struct super *s)
{
	struct apply *a = &s->apply;

	a->former = a->own;
	s->conf = a->own = a->next;
	a->next = NULL;
	a->until_ms = super_now_ns() / 1000000 +
	    s->conf->drain_timeout_s * 1000ull + CHILD_GRACE_MS +
	    CHILD_START_MS;
	for (size_t i = 0; i < PARTS; i++)
		parts[i]->commit(s, &a->plan);
}

int
apply_start(struct super *s, int fresh, char *why, size_t size)
{
	struct apply *a = &s->apply;

	a->next = sealed_get(fresh, s->conf->path, s->conf->pick);
	if (a->next == NULL) {
		snprintf(why, size, "it cannot be taken over as it is");
		return -1;
	}
	if (plan_make(&a->plan, s->conf, a->next) < 0) {
		snprintf(why, size, "it could not be compared");
	} else if (prepare(s, why, size) == 0) {
		put_in_force(s);
		apply_settle(s, false);
		return 0;
	}
	end(s, false);
	conf_free(a->next);
	a->next = NULL;
	return -1;
}

static bool
settled(struct super *s, bool time)
{
	bool all = true;

	for (size_t i = 0; i < PARTS; i++)
		if (parts[i]->settled != NULL)
			all &= parts[i]->settled(s, &s->apply.plan, time);
	return all;
}

void
apply_settle(struct super *s, bool time)
{
	struct apply *a = &s->apply;
	bool late = super_now_ns() / 1000000 > a->until_ms;

	/* a part that is being asked may change a child's state */
	if (a->until_ms == 0 || a->asking || s->phase != SUPER_SERVES)
		return;
	a->asking = true;
	late |= settled(s, time);
	a->asking = false;
	if (!late)
		return;
	/* from now on a successor of ours finds what its own files say */
	s->control->conf_hash = boot_hash(s->conf);
	end(s, true);
	reload_applied(s);
}

void
apply_free(struct super *s)
{
	struct apply *a = &s->apply;

	end(s, false);
	if (a->own != NULL)
		conf_free(a->own);
	a->own = NULL;
}
