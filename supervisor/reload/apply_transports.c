/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for transports. Runs in the supervisor.
 */
#include "supervisor/reload/apply.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/inherit.h"
#include "supervisor/listen.h"
#include "supervisor/super.h"

struct apply_transports {
	struct next {
		int fd; /* where one listens from now on that moves; or -1 */
		char real[LISTEN_ADDR_MAX];
	} * next; /* of each in the plan */
	size_t n;
};

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
open_next(const struct service *sv, const struct conf_transport *t,
    struct next *l, char *why, size_t size)
{
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

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What memory has been laid out for. */
static int
look_at(
    const struct plan *p, const struct plan_item *item, char *why, size_t size)
{
	const struct conf_transport *was, *is;
	const char *key;

	if (item->fate == PLAN_ADDED || item->fate == PLAN_REMOVED) {
		snprintf(why, size, "transport %s cannot be %s while it serves",
		    item->name, item->fate == PLAN_ADDED ? "added" : "removed");
		return -1;
	}
	was = &p->now->transports[item->was];
	is = &p->next->transports[item->is];
	key = was->type != is->type || !same_text(was->type_name, is->type_name)
	    ? "type"
	    : was->workers != is->workers                 ? "workers"
	    : was->max_connections != is->max_connections ? "max_connections"
	    : was->trace_kib != is->trace_kib             ? "trace_kib"
							  : NULL;
	if (key == NULL)
		return 0;
	snprintf(why, size, "%s of transport %s cannot change while it serves",
	    key, was->name);
	return -1;
}

static int
make_ready(
    struct super *s, const struct plan *p, size_t i, char *why, size_t size)
{
	const struct plan_item *item = &p->transports[i];
	const struct conf_transport *t;
	struct passwd pw;

	if (item->fate == PLAN_SAME)
		return 0;
	if (look_at(p, item, why, size) < 0)
		return -1;
	t = &p->next->transports[item->is];
	if (t->user != NULL && find_user(t, &pw, why, size) < 0)
		return -1;
	return open_next(super_service(s, item->name), t,
	    &s->apply.transports->next[i], why, size);
}

static int
prepare(struct super *s, struct plan *p, char *why, size_t size)
{
	struct apply_transports *a = calloc(1, sizeof(*a));

	s->apply.transports = a;
	if (a != NULL)
		a->next = calloc(p->ntransports + 1, sizeof(*a->next));
	if (a == NULL || a->next == NULL) {
		snprintf(why, size, "out of memory");
		return -1;
	}
	a->n = p->ntransports;
	for (size_t i = 0; i < a->n; i++)
		a->next[i].fd = -1;
	for (size_t i = 0; i < a->n; i++)
		if (make_ready(s, p, i, why, size) < 0)
			return -1;
	return 0;
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
		p->child.limits = process_limits(t);
		atomic_store(&seg_worker(&p->seg)->trace_on, t->trace);
	}
}

static void
change(struct super *s, struct service *sv, const struct conf_transport *was,
    struct next *next)
{
	bool stays = plan_keeps(was, sv->conf);
	unsigned drain_ms = s->conf->drain_timeout_s * 1000;

	take_user(sv);
	renew_workers(sv);
	if (plan_moves(was, sv->conf))
		service_move(sv, next->fd, next->real);
	next->fd = -1;
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
commit(struct super *s, const struct plan *p)
{
	for (size_t i = 0; i < s->conf->ntransports; i++)
		super_service(s, s->conf->transports[i].name)->conf =
		    &s->conf->transports[i];
	for (size_t i = 0; i < p->ntransports; i++)
		if (p->transports[i].restarts)
			change(s, super_service(s, p->transports[i].name),
			    &p->now->transports[p->transports[i].was],
			    &s->apply.transports->next[i]);
}

static bool
at_rest(const struct service *sv, bool time)
{
	return !sv->wanted || service_all(sv, LIFE_UP) ||
	    sv->state == SHM_FAILED || (time && sv->state == SHM_BACKOFF);
}

static bool
settled(struct super *s, const struct plan *p, bool time)
{
	for (size_t i = 0; i < p->ntransports; i++)
		if (p->transports[i].restarts &&
		    !at_rest(super_service(s, p->transports[i].name), time))
			return false;
	return true;
}

static void
end(struct super *s, const struct plan *p, bool told)
{
	struct apply_transports *a = s->apply.transports;

	for (size_t i = 0; told && i < p->ntransports; i++)
		if (p->transports[i].restarts)
			reload_restarted(
			    s, super_service(s, p->transports[i].name));
	for (size_t i = 0; a != NULL && i < a->n; i++)
		if (a->next[i].fd >= 0)
			close(a->next[i].fd);
	if (a != NULL)
		free(a->next);
	free(a);
	s->apply.transports = NULL;
}

const struct apply_part apply_transports = {
	.name = "transports",
	.prepare = prepare,
	.commit = commit,
	.settled = settled,
	.end = end,
};
