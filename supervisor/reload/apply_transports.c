/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for transports. Runs in the supervisor.
 */
#include "supervisor/reload/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/inherit.h"
#include "supervisor/reload/coming.h"
#include "supervisor/reload/leaving.h"
#include "supervisor/segs.h"
#include "supervisor/super.h"
#include "supervisor/user.h"

struct apply_transports {
	struct coming *next; /* of each in the plan */
	size_t n;
};

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
	coming_init(s, p, a->next);
	for (size_t i = 0; i < a->n; i++)
		if (coming_make(s, p, a->next, i, why, size) < 0)
			return -1;
	return 0;
}

/* ---- what does not ---- */

/* Who does not exist any more has been looked for before. */
static void
take_user(struct service *sv)
{
	char why[256];

	(void)!user_find(
	    "", sv->conf->user, &sv->uid, &sv->gid, why, sizeof(why));
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

/* A listener that another transport takes over is not shut down. */
static void
give_up_listeners(const struct plan *p, struct apply_transports *a)
{
	for (size_t i = 0; i < p->ntransports; i++) {
		struct service *sv =
		    (struct service *)(uintptr_t)a->next[i].from;

		if (sv == NULL)
			continue;
		if (sv->listen_fd < 0) { /* stopped meanwhile: it is shut */
			close(a->next[i].fd);
			a->next[i].fd = -1;
			continue;
		}
		inherit_forget(sv->conf->name);
		close(sv->listen_fd);
		sv->listen_fd = -1;
	}
}

/* One that has failed has lost its listener: who begins again needs one. */
static int
open_again(struct service *sv)
{
	if (service_open(sv) == 0)
		return 0;
	snprintf(
	    sv->why, sizeof(sv->why), "cannot listen: %s", strerror(errno));
	return -1;
}

static void
change(struct super *s, struct service *sv, const struct conf_transport *was,
    struct coming *next)
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
	if (!sv->wanted || open_again(sv) < 0)
		return;
	log_info("transport %s restarts with what has changed%s",
	    sv->conf->name, stays ? "; connections stay" : "");
	sv->yields = stays;
	service_event(sv, LIFE_RESTART, drain_ms, "its configuration changed");
}

/* Into the list in force, and the control segment. */
static void
enter(struct super *s, struct coming *next)
{
	struct service *sv = next->sv, **at = &s->coming;

	while (*at != sv)
		at = &(*at)->next;
	*at = sv->next;
	for (at = &s->services; *at != NULL; at = &(*at)->next)
		;
	*at = sv;
	sv->next = NULL;
	next->entered = true;
	take_user(sv);
	if (next->fd >= 0) {
		sv->listen_fd = next->fd;
		snprintf(sv->listen, sizeof(sv->listen), "%s", next->real);
		next->fd = -1;
	}
	if (next->from != NULL) /* for the keepers that it gets */
		sv->listen_round = next->from->listen_round;
	for (unsigned w = 0; w < sv->nworkers; w++)
		seg_take_name(&sv->workers[w].seg);
	segs_enter(sv);
}

/* What listens is kept by the service manager; who lost its listener meanwhile
 * gets another one. */
static void
open_kept(struct service *sv)
{
	if (sv->listen_fd >= 0 && !inherit_lent(sv->listen_fd))
		inherit_keep(sv->conf->name, sv->listen_fd);
	else if (sv->listen_fd < 0 && sv->wanted && service_open(sv) < 0)
		log_warn("transport %s: cannot listen on %s", sv->conf->name,
		    conf_where(sv->conf));
}

/* In force with what it is in the eyes of others if it was there. */
static void
arrive(struct super *s, const struct plan_item *item, struct coming *next)
{
	struct service *sv = next->sv;
	const struct service *was =
	    item->fate == PLAN_ADDED ? NULL : super_service(s, item->name);

	if (was != NULL) {
		sv->wanted = coming_wanted(was, sv->conf);
		sv->listen_round = was->listen_round;
		sv->survived = service_survived(was);
	}
	enter(s, next);
	if (was == NULL) {
		service_afresh(sv);
		log_info("transport %s is new", sv->conf->name);
	}
}

/* Who is to have what it serves: another one that has its listener, or itself
 * laid out otherwise. */
static struct service *
host_of(const struct apply_transports *a, const struct coming *next,
    const struct service *was)
{
	if (next->host != PLAN_NONE)
		return a->next[next->host].sv;
	if (next->sv != NULL && next->guests == PLAN_NONE &&
	    plan_keeps(was->conf, next->sv->conf) &&
	    coming_kind(was->conf, next->sv->conf))
		return next->sv;
	return NULL;
}

static void
depart(struct super *s, const struct plan *p, size_t i)
{
	const struct plan_item *item = &p->transports[i];
	struct coming *next = &s->apply.transports->next[i];
	struct service *sv = super_service(s, item->name); /* the former */
	struct service *host;

	if (item->fate == PLAN_REMOVED || next->sv != NULL) {
		host = host_of(s->apply.transports, next, sv);
		log_info("transport %s %s%s", sv->conf->name,
		    next->sv != NULL ? "is laid out anew"
				     : "is there no longer",
		    host != NULL ? "; connections stay as far as there is room"
				 : "");
		leaving_begin(sv, next->sv, host);
	} else {
		sv->conf = &p->next->transports[item->is];
		if (item->restarts)
			change(s, sv, &p->now->transports[item->was], next);
	}
}

/* Now that those before it are forgotten: but for what waits for these. */
static void
settle_in(const struct plan_item *item, struct service *sv)
{
	open_kept(sv);
	for (unsigned w = 0; item->fate == PLAN_ADDED && w < sv->nworkers; w++)
		if (sv->wanted && !leaving_feeds(&sv->workers[w]) &&
		    sv->workers[w].child.state == LIFE_STOPPED)
			child_event(&sv->workers[w].child, LIFE_START);
}

static void
commit(struct super *s, const struct plan *p)
{
	struct coming *next = s->apply.transports->next;

	give_up_listeners(p, s->apply.transports);
	for (size_t i = 0; i < p->ntransports; i++)
		if (next[i].sv != NULL)
			arrive(s, &p->transports[i], &next[i]);
	for (size_t i = 0; i < p->ntransports; i++)
		if (p->transports[i].fate != PLAN_ADDED)
			depart(s, p, i);
	for (size_t i = 0; i < p->ntransports; i++)
		if (next[i].sv != NULL)
			settle_in(&p->transports[i], next[i].sv);
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
	for (size_t i = 0; i < p->ntransports; i++) {
		const struct plan_item *item = &p->transports[i];

		if (leaving_named(s, item->name) ||
		    ((item->restarts || item->fate == PLAN_ADDED) &&
			!at_rest(super_service(s, item->name), time)))
			return false;
	}
	return true;
}

static void
end(struct super *s, const struct plan *p, bool told)
{
	struct apply_transports *a = s->apply.transports;

	for (size_t i = 0; told && i < p->ntransports; i++) {
		const struct plan_item *item = &p->transports[i];

		if (item->restarts || item->fate == PLAN_ADDED)
			reload_restarted(s, super_service(s, item->name),
			    item->fate == PLAN_ADDED);
	}
	if (a != NULL) {
		coming_free(a->next, a->n);
		free(a->next);
	}
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
