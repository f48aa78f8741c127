/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration takes the place of another one. Runs in the supervisor. What
 * it reads was written by its own reader, sealed, and read by that before.
 */
#include "supervisor/reload/apply.h"

#include <stdio.h>

#include "shm/log.h"
#include "supervisor/boot.h"
#include "supervisor/reload/leaving.h"
#include "supervisor/reload/sealed.h"
#include "supervisor/secret.h"
#include "supervisor/super.h"

/* Workers are told to go when devices know what is to become of them; aides
 * hear of it last. */
static const struct apply_part *const parts[] = {
	&apply_devices,
	&apply_transports,
	&apply_aides,
};

enum {
	PARTS = sizeof(parts) / sizeof(parts[0]),
	LOOK_MS = 6000, /* that control, http and Python may take */
};

static void
end(struct super *s, bool told)
{
	struct apply *a = &s->apply;

	for (size_t i = 0; i < PARTS; i++)
		parts[i]->end(s, &a->plan, told);
	plan_free(&a->plan);
	a->until_ms = 0;
	a->looks = false;
}

/* Once nobody here has anything of it any more. The one of the start is not
 * ours. */
void
apply_forget(struct super *s)
{
	struct apply *a = &s->apply;

	if (a->own == NULL || a->until_ms != 0 || s->leaving != NULL ||
	    s->gone != NULL)
		return;
	secret_retire(s->start);
	s->start = NULL;
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

	/* until all is as it says, no successor of ours is to find either of
	 * the two in what there is: apply_settle() */
	s->control->conf_hash = 0;
	a->former = a->own;
	s->conf = a->own = a->next;
	a->next = NULL;
	a->until_ms = super_now_ns() / 1000000 +
	    s->conf->drain_timeout_s * 1000ull + CHILD_GRACE_MS +
	    CHILD_START_MS;
	for (size_t i = 0; i < PARTS; i++)
		parts[i]->commit(s, &a->plan);
}

/* Nothing has come of it. */
static void
abandon(struct super *s)
{
	end(s, false);
	if (s->apply.next != NULL)
		conf_free(s->apply.next);
	s->apply.next = NULL;
}

int
apply_start(struct super *s, int fresh, char *why, size_t size)
{
	struct apply *a = &s->apply;

	leaving_free(s); /* those that have gone, and what they had of it */
	if (s->leaving != NULL) {
		snprintf(why, size, "transport %s of the last one still drains",
		    s->leaving->conf->name);
		return -1;
	}
	a->next = sealed_get(fresh, s->conf->path, s->conf->pick);
	if (a->next == NULL) {
		snprintf(why, size, "it cannot be taken over as it is");
		return -1;
	}
	if (plan_make(&a->plan, s->conf, a->next) < 0) {
		snprintf(why, size, "it could not be compared");
	} else if (prepare(s, why, size) == 0) {
		a->looks = true;
		a->until_ms = super_now_ns() / 1000000 + LOOK_MS;
		apply_settle(s, false);
		return 0;
	}
	abandon(s);
	return -1;
}

/* 1: all are; 0: not yet. */
static int
ready(struct super *s, char *why, size_t size)
{
	int rc, all = 1;

	for (size_t i = 0; i < PARTS; i++) {
		rc =
		    parts[i]->ready != NULL ? parts[i]->ready(s, why, size) : 1;
		if (rc < 0)
			return -1;
		all &= rc;
	}
	return all;
}

/* True if it is in force. */
static bool
look(struct super *s, bool late)
{
	struct apply *a = &s->apply;
	char why[PLAN_WHY] = "who is to serve it takes too long";
	int rc = ready(s, why, sizeof(why));

	if (rc == 0 && !late)
		return false;
	a->looks = false;
	if (rc == 1) {
		put_in_force(s);
		return true;
	}
	abandon(s);
	reload_refused(s, why);
	return false;
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

	/* a part that is being asked, or ends, may change a child's state */
	if (a->until_ms == 0 || a->asking || s->phase != SUPER_SERVES)
		return;
	a->asking = true;
	if (a->looks) {
		if (!look(s, late)) {
			a->asking = false;
			return;
		}
		late = false;
	}
	late |= settled(s, time);
	if (late) {
		/* from now on a successor of ours finds what its own files
		 * say */
		s->control->conf_hash = boot_hash(s->conf);
		end(s, true);
	}
	a->asking = false;
	if (late)
		reload_applied(s);
}

void
apply_stop(struct super *s)
{
	abandon(s);
}

void
apply_free(struct super *s)
{
	struct apply *a = &s->apply;

	if (a->former != NULL)
		conf_free(a->former);
	if (a->own != NULL)
		conf_free(a->own);
	a->former = a->own = NULL;
}
