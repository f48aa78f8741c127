/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for transports. Runs in the supervisor.
 */
#include "supervisor/reload/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/inherit.h"
#include "supervisor/listen.h"
#include "supervisor/places.h"
#include "supervisor/reload/leaving.h"
#include "supervisor/secret.h"
#include "supervisor/segs.h"
#include "supervisor/super.h"
#include "supervisor/user.h"

/* What is ready for each in the plan. */
struct next {
	/* what is added, or stands in the place of what is laid out otherwise;
	 * or NULL */
	struct service *sv;
	int fd; /* where it listens from now on, if elsewhere; or -1 */
	const struct service *from; /* who gives that up; or NULL */
	char real[LISTEN_ADDR_MAX];
};

struct apply_transports {
	struct next *next;
	size_t n;
};

/* ---- what may fail ---- */

static bool
same_kind(const struct conf_transport *a, const struct conf_transport *b)
{
	return a->type == b->type && conf_same_text(a->type_name, b->type_name);
}

/* The objects of a view are those of its prefix and user: who leaves some is
 * the one that removes them. */
static bool
same_view(const struct conf_transport *was, const struct conf_transport *is)
{
	return is->type != CONF_SHM ||
	    (conf_same_text(was->shm.prefix, is->shm.prefix) &&
		conf_same_text(was->user, is->user));
}

/* What its workers' memory has been laid out for. */
static bool
same_layout(const struct conf_transport *was, const struct conf_transport *is)
{
	return same_kind(was, is) && same_view(was, is) &&
	    was->workers == is->workers &&
	    was->max_connections == is->max_connections &&
	    was->trace_kib == is->trace_kib;
}

static bool
listens(const struct conf_transport *t)
{
	return t->listen != NULL && t->type != CONF_PLUGIN &&
	    t->type != CONF_SHM && t->serial.port == NULL;
}

/* Who listens there now and will not any more, or is the same transport. */
static const struct service *
giver(const struct super *s, const struct plan *p, const struct plan_item *item,
    const struct conf_transport *t)
{
	for (size_t i = 0; i < p->ntransports; i++) {
		const struct plan_item *other = &p->transports[i];
		const struct service *sv = other->fate == PLAN_ADDED
		    ? NULL
		    : super_service(s, other->name);

		if (sv == NULL || sv->listen_fd < 0 ||
		    (sv->conf->type == CONF_UDP) != (t->type == CONF_UDP))
			continue;
		if (other == item) {
			if (!plan_moves(sv->conf, t))
				return sv;
		} else if (strcmp(sv->listen, t->listen) == 0 &&
		    (other->fate == PLAN_REMOVED ||
			plan_moves(sv->conf, &p->next->transports[other->is])))
			return sv;
	}
	return NULL;
}

static int
open_at(const struct super *s, const struct plan *p,
    const struct plan_item *item, struct next *n, char *why, size_t size)
{
	const struct conf_transport *t = &p->next->transports[item->is];

	n->from = giver(s, p, item, t);
	if (n->from != NULL) {
		snprintf(n->real, sizeof(n->real), "%s", n->from->listen);
		n->fd = fcntl(n->from->listen_fd, F_DUPFD_CLOEXEC, 0);
	} else {
		n->fd = listen_open(
		    t->listen, t->type == CONF_UDP, n->real, sizeof(n->real));
	}
	if (n->fd >= 0)
		return 0;
	snprintf(why, size, "transport %s: cannot listen on %s: %s", t->name,
	    t->listen, strerror(errno));
	return -1;
}

/* One that is there goes on with other keys, but perhaps elsewhere. */
static int
ready_same(const struct super *s, const struct plan *p,
    const struct plan_item *item, struct next *n, char *why, size_t size)
{
	const struct conf_transport *t = &p->next->transports[item->is];
	const struct service *sv = super_service(s, item->name);

	snprintf(n->real, sizeof(n->real), "%s", conf_where(t));
	if (!plan_moves(sv->conf, t) || !listens(t) || sv->listen_fd < 0)
		return 0;
	if (inherit_lent(sv->listen_fd)) {
		snprintf(why, size,
		    "transport %s: its listener is the service manager's",
		    t->name);
		return -1;
	}
	return open_at(s, p, item, n, why, size);
}

static int
out_of_memory(const struct service *sv, char *why, size_t size)
{
	snprintf(why, size, "transport %s: out of memory: %s", sv->conf->name,
	    strerror(errno));
	return -1;
}

/* Its key of session tickets is its predecessor's, so that they stay good. */
static int
fill_in(struct service *sv, const struct service *was)
{
	if (was != NULL)
		memcpy(sv->ticket, was->ticket, sizeof(sv->ticket));
	else if (secret_ticket(sv->ticket) < 0)
		return -1;
	for (unsigned w = 0; w < sv->nworkers; w++)
		if (process_init(&sv->workers[w], sv, w, sv->slot + w) < 0 ||
		    segs_worker(sv, w, was != NULL) < 0)
			return -1;
	return 0;
}

/* Stopped is what somebody has ordered, unless it never was to begin. */
static bool
is_wanted(const struct service *was, const struct conf_transport *t)
{
	return was->wanted || (!was->conf->autostart && t->autostart);
}

/* One that is not there, or not like that. */
static int
ready_new(struct super *s, const struct plan *p, const struct plan_item *item,
    struct next *n, char *why, size_t size)
{
	const struct conf_transport *t = &p->next->transports[item->is];
	const struct service *was =
	    item->fate == PLAN_ADDED ? NULL : super_service(s, item->name);
	struct service *sv = service_new(s, t);
	bool serves = was != NULL ? is_wanted(was, t) : t->autostart;

	if (sv == NULL) {
		snprintf(why, size, "out of memory");
		return -1;
	}
	n->sv = sv;
	if (places_find(s, sv, was, why, size) < 0)
		return -1;
	sv->next = s->coming;
	s->coming = sv;
	if (fill_in(sv, was) < 0)
		return out_of_memory(sv, why, size);
	return listens(t) && serves ? open_at(s, p, item, n, why, size) : 0;
}

static int
make_ready(
    struct super *s, const struct plan *p, size_t i, char *why, size_t size)
{
	const struct plan_item *item = &p->transports[i];
	struct next *n = &s->apply.transports->next[i];
	const struct conf_transport *t;
	char who[SHM_NAME_MAX + 16];
	uid_t uid;
	gid_t gid;

	if (item->fate == PLAN_SAME || item->fate == PLAN_REMOVED)
		return 0;
	t = &p->next->transports[item->is];
	snprintf(who, sizeof(who), "transport %s", t->name);
	if (user_find(who, t->user, &uid, &gid, why, size) < 0)
		return -1;
	if (item->fate == PLAN_CHANGED &&
	    same_layout(&p->now->transports[item->was], t))
		return ready_same(s, p, item, n, why, size);
	return ready_new(s, p, item, n, why, size);
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
	if (!sv->wanted || open_again(sv) < 0)
		return;
	log_info("transport %s restarts with what has changed%s",
	    sv->conf->name, stays ? "; connections stay" : "");
	sv->yields = stays;
	service_event(sv, LIFE_RESTART, drain_ms, "its configuration changed");
}

/* Into the list in force, and the control segment. */
static void
enter(struct super *s, struct next *next)
{
	struct service *sv = next->sv, **at = &s->coming;

	while (*at != sv)
		at = &(*at)->next;
	*at = sv->next;
	for (at = &s->services; *at != NULL; at = &(*at)->next)
		;
	*at = sv;
	sv->next = NULL;
	next->sv = NULL;
	take_user(sv);
	if (next->fd >= 0) {
		sv->listen_fd = next->fd;
		snprintf(sv->listen, sizeof(sv->listen), "%s", next->real);
		next->fd = -1;
	}
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

static void
add(struct super *s, struct next *next)
{
	struct service *sv = next->sv;

	enter(s, next);
	open_kept(sv);
	service_afresh(sv);
	log_info("transport %s is new", sv->conf->name);
	if (sv->wanted)
		service_event(sv, LIFE_START, 0, "");
}

/* Laid out otherwise: what it is in the eyes of others stays. */
static void
replace(struct super *s, struct service *was, struct next *next)
{
	struct service *sv = next->sv;
	bool moves =
	    plan_keeps(was->conf, sv->conf) && same_kind(was->conf, sv->conf);

	sv->wanted = is_wanted(was, sv->conf);
	sv->listen_round = was->listen_round;
	sv->survived = service_survived(was);
	log_info("transport %s is laid out anew%s", sv->conf->name,
	    moves ? "; connections stay as far as there is room" : "");
	enter(s, next);
	leaving_begin(was, sv, moves);
	open_kept(sv); /* now that the other one is forgotten */
}

static void
follow(struct super *s, const struct plan *p, size_t i)
{
	const struct plan_item *item = &p->transports[i];
	struct next *next = &s->apply.transports->next[i];
	struct service *sv =
	    item->fate == PLAN_ADDED ? NULL : super_service(s, item->name);

	if (item->fate == PLAN_REMOVED) {
		leaving_begin(sv, NULL, false);
	} else if (item->fate == PLAN_ADDED) {
		add(s, next);
	} else if (next->sv != NULL) {
		replace(s, sv, next);
	} else {
		sv->conf = &p->next->transports[item->is];
		if (item->restarts)
			change(s, sv, &p->now->transports[item->was], next);
	}
}

static void
commit(struct super *s, const struct plan *p)
{
	give_up_listeners(p, s->apply.transports);
	for (size_t i = 0; i < p->ntransports; i++)
		follow(s, p, i);
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

/* What has not come into force. */
static void
drop(struct service *sv)
{
	struct service **at = &sv->super->coming;

	while (*at != NULL && *at != sv)
		at = &(*at)->next;
	if (*at != NULL)
		*at = sv->next;
	for (unsigned w = 0; w < sv->nworkers; w++)
		if (sv->workers[w].seg.at != NULL)
			shm_unlink(sv->workers[w].seg.object);
	sv->next = NULL;
	service_free_all(&sv);
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
	for (size_t i = 0; a != NULL && i < a->n; i++) {
		if (a->next[i].fd >= 0)
			close(a->next[i].fd);
		if (a->next[i].sv != NULL)
			drop(a->next[i].sv);
	}
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
