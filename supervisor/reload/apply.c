/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration takes the place of another one. Runs in the supervisor. What
 * it reads was written by its own reader, sealed, and read by that before.
 */
#include "supervisor/reload/apply.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/aide.h"
#include "supervisor/boot.h"
#include "supervisor/inherit.h"
#include "supervisor/reload/sealed.h"
#include "supervisor/super.h"

/* ---- what may fail ---- */

static int
find_user(
    const struct conf_transport *t, struct passwd *out, char *why, size_t size)
{
	const struct passwd *pw = getpwnam(t->user);

	if (pw == NULL) {
		snprintf(why, size, "transport %s: no user \"%s\"", t->name,
		    t->user);
		return -1;
	}
	if (geteuid() != 0 && pw->pw_uid != geteuid()) {
		snprintf(why, size,
		    "transport %s: only root may run it as user \"%s\"",
		    t->name, t->user);
		return -1;
	}
	*out = *pw;
	return 0;
}

/* Where it is to listen from now on, if that changes and it listens at all. */
static int
open_next(struct super *s, size_t i, char *why, size_t size)
{
	struct apply *a = &s->apply;
	const struct conf_transport *t = &a->next->transports[i];
	struct service *sv = &s->services[i];
	struct apply_listener *l = &a->listeners[i];

	snprintf(l->real, sizeof(l->real), "%s", conf_where(t));
	if (!plan_moves(sv->conf, t) || t->listen == NULL || sv->listen_fd < 0)
		return 0;
	if (inherit_lent(sv->listen_fd)) {
		snprintf(why, size,
		    "transport %s: its listener is the service manager's",
		    t->name);
		return -1;
	}
	l->fd = listen_open(
	    t->listen, t->type == CONF_UDP, l->real, sizeof(l->real));
	if (l->fd >= 0)
		return 0;
	snprintf(why, size, "transport %s: cannot listen on %s: %s", t->name,
	    t->listen, strerror(errno));
	return -1;
}

static int
prepare(struct super *s, char *why, size_t size)
{
	struct apply *a = &s->apply;
	struct passwd pw;
	size_t n = s->conf->ntransports;

	a->listeners = calloc(n + 1, sizeof(*a->listeners));
	if (a->listeners == NULL) {
		snprintf(why, size, "out of memory");
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		a->listeners[i].fd = -1;
	for (size_t i = 0; i < n; i++) {
		const struct conf_transport *t = &a->next->transports[i];

		if (!a->plan.changed[i])
			continue;
		if (t->user != NULL && find_user(t, &pw, why, size) < 0)
			return -1;
		if (open_next(s, i, why, size) < 0)
			return -1;
	}
	return 0;
}

static void
end(struct apply *a, size_t n)
{
	for (size_t i = 0; a->listeners != NULL && i < n; i++)
		if (a->listeners[i].fd >= 0)
			close(a->listeners[i].fd);
	free(a->listeners);
	a->listeners = NULL;
	plan_free(&a->plan);
	a->until_ms = 0;
}

/* ---- what does not ---- */

static void
take_user(struct service *sv)
{
	const struct passwd *pw;

	sv->uid = 0;
	sv->gid = 0;
	if (sv->conf->user == NULL || (pw = getpwnam(sv->conf->user)) == NULL)
		return;
	sv->uid = pw->pw_uid;
	sv->gid = pw->pw_gid;
}

/* Its next keeper has the new image; whoever dies of what until then. */
static void
renew_workers(struct service *sv)
{
	const struct conf_transport *t = sv->conf;

	for (unsigned w = 0; w < t->workers; w++) {
		struct process *p = &sv->workers[w];

		p->keeper.stale = true;
		p->served = false;
		p->child.limits = (struct retry_limits){
			.min_ms = t->restart.min_backoff_ms,
			.max_ms = t->restart.max_backoff_ms,
			.max_in_window = t->restart.max_in_window,
			.window_s = t->restart.window_s,
		};
		atomic_store(&seg_worker(p->seg)->trace_on, t->trace);
	}
}

static void
change(struct super *s, size_t i, const struct conf_transport *was)
{
	struct apply *a = &s->apply;
	struct service *sv = &s->services[i];
	bool stays = plan_keeps(was, sv->conf);
	unsigned drain_ms = s->conf->drain_timeout_s * 1000;

	take_user(sv);
	renew_workers(sv);
	if (plan_moves(was, sv->conf))
		service_move(sv, a->listeners[i].fd, a->listeners[i].real);
	a->listeners[i].fd = -1;
	if (!was->autostart && sv->conf->autostart && !sv->wanted &&
	    service_open(sv) == 0)
		service_want(sv, true);
	if (!sv->wanted)
		return;
	log_info("transport %s restarts with what has changed%s",
	    sv->conf->name, stays ? "; connections stay" : "");
	sv->yields = stays;
	service_event(sv, LIFE_RESTART, drain_ms, "its configuration changed");
}

static void
put_in_force(struct super *s)
{
	struct apply *a = &s->apply;
	const struct conf *was = s->conf;
	struct conf *former = a->own;

	s->conf = a->own = a->next;
	a->next = NULL;
	a->plan.now = a->plan.next = NULL;
	for (size_t i = 0; i < s->conf->ntransports; i++)
		s->services[i].conf = &s->conf->transports[i];
	aides_follow(s);
	for (size_t i = 0; i < s->conf->ntransports; i++)
		if (a->plan.changed[i])
			change(s, i, &was->transports[i]);
	if (a->plan.users) /* who may call it */
		aides_restart(s, AIDE_ACTIONS);
	/* nobody here has anything of it any more; the one of the start is not
	 * ours */
	if (former != NULL)
		conf_free(former);
}

int
apply_start(struct super *s, int fresh, char *why, size_t size)
{
	struct apply *a = &s->apply;
	uint64_t now_ms = super_now_ns() / 1000000;
	size_t n = s->conf->ntransports;

	a->next = sealed_get(fresh, s->conf->path, s->conf->pick);
	if (a->next == NULL) {
		snprintf(why, size, "it cannot be taken over as it is");
		return -1;
	}
	if (plan_make(&a->plan, s->conf, a->next) < 0) {
		snprintf(why, size, "%s", a->plan.why);
	} else if (prepare(s, why, size) == 0) {
		put_in_force(s);
		a->until_ms = now_ms + s->conf->drain_timeout_s * 1000ull +
		    CHILD_GRACE_MS + CHILD_START_MS;
		apply_settle(s, false);
		return 0;
	}
	end(a, n);
	conf_free(a->next);
	a->next = NULL;
	return -1;
}

static bool
settled(const struct service *sv, bool time)
{
	return !sv->wanted || service_all(sv, LIFE_UP) ||
	    sv->state == SHM_FAILED || (time && sv->state == SHM_BACKOFF);
}

void
apply_settle(struct super *s, bool time)
{
	struct apply *a = &s->apply;
	bool late = super_now_ns() / 1000000 > a->until_ms;

	if (a->until_ms == 0 || s->phase != SUPER_SERVES)
		return;
	for (size_t i = 0; !late && i < s->conf->ntransports; i++)
		if (a->plan.changed[i] && !settled(&s->services[i], time))
			return;
	/* from now on a successor of ours finds what its own files say */
	s->control->conf_hash = boot_hash(s->conf);
	for (size_t i = 0; i < s->conf->ntransports; i++)
		if (a->plan.changed[i])
			reload_restarted(s, &s->services[i]);
	end(a, s->conf->ntransports);
	reload_applied(s);
}

void
apply_free(struct super *s)
{
	struct apply *a = &s->apply;

	end(a, s->conf->ntransports);
	if (a->own != NULL)
		conf_free(a->own);
	a->own = NULL;
}
