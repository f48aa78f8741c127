/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What transports become in a reload, as far as it may fail: places, memory,
 * listeners. Runs in the supervisor.
 */
#include "supervisor/reload/coming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/inherit.h"
#include "supervisor/places.h"
#include "supervisor/secret.h"
#include "supervisor/segs.h"
#include "supervisor/super.h"
#include "supervisor/user.h"

bool
coming_wanted(const struct service *was, const struct conf_transport *t)
{
	return was->wanted || (!was->conf->autostart && t->autostart);
}

static bool
will_serve(const struct super *s, const struct plan_item *item,
    const struct conf_transport *t)
{
	return item->fate == PLAN_ADDED
	    ? t->autostart
	    : coming_wanted(super_service(s, item->name), t);
}

bool
coming_kind(const struct conf_transport *a, const struct conf_transport *b)
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
	return coming_kind(was, is) && same_view(was, is) &&
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
    const struct plan_item *item, struct coming *n, char *why, size_t size)
{
	const struct conf_transport *t = &p->next->transports[item->is];
	const struct service *sv =
	    item->fate == PLAN_ADDED ? NULL : super_service(s, item->name);

	if (sv != NULL && plan_moves(sv->conf, t) &&
	    inherit_lent(sv->listen_fd)) {
		snprintf(why, size,
		    "transport %s: its listener is the service manager's",
		    t->name);
		return -1;
	}
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
    const struct plan_item *item, struct coming *n, char *why, size_t size)
{
	const struct conf_transport *t = &p->next->transports[item->is];
	const struct service *sv = super_service(s, item->name);

	snprintf(n->real, sizeof(n->real), "%s", conf_where(t));
	if (!plan_moves(sv->conf, t) || !listens(t) || sv->listen_fd < 0)
		return 0;
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

/* One that is not there, or not like that. */
static int
ready_new(struct super *s, const struct plan *p, const struct plan_item *item,
    struct coming *n, char *why, size_t size)
{
	const struct conf_transport *t = &p->next->transports[item->is];
	const struct service *was =
	    item->fate == PLAN_ADDED ? NULL : super_service(s, item->name);
	struct service *sv = service_new(s, t);
	bool serves = will_serve(s, item, t);

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

int
coming_make(struct super *s, const struct plan *p, struct coming *all, size_t i,
    char *why, size_t size)
{
	const struct plan_item *item = &p->transports[i];
	struct coming *n = &all[i];
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
	if (item->fate == PLAN_CHANGED && n->guests == PLAN_NONE &&
	    n->host == PLAN_NONE &&
	    same_layout(&p->now->transports[item->was], t))
		return ready_same(s, p, item, n, why, size);
	return ready_new(s, p, item, n, why, size);
}

/* Whoever serves there, so that the connections that it has there can go over:
 * another transport, to which they are what they were to this one. */
static void
pair(const struct super *s, const struct plan *p, struct coming *all, size_t i)
{
	const struct plan_item *item = &p->transports[i];
	const struct conf_transport *t;
	const struct service *from;

	if (item->fate == PLAN_SAME || item->fate == PLAN_REMOVED)
		return;
	t = &p->next->transports[item->is];
	if (t->type != CONF_TCP || !will_serve(s, item, t))
		return;
	from = giver(s, p, item, t);
	for (size_t k = 0; from != NULL && k < p->ntransports; k++)
		if (k != i &&
		    strcmp(p->transports[k].name, from->conf->name) == 0 &&
		    !inherit_lent(from->listen_fd) &&
		    plan_alike(from->conf, t)) {
			all[i].guests = k;
			all[k].host = i;
		}
}

void
coming_init(const struct super *s, const struct plan *p, struct coming *all)
{
	for (size_t i = 0; i < p->ntransports; i++)
		all[i] = (struct coming){
			.fd = -1,
			.host = PLAN_NONE,
			.guests = PLAN_NONE,
		};
	for (size_t i = 0; i < p->ntransports; i++)
		pair(s, p, all, i);
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

void
coming_free(struct coming *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (all[i].fd >= 0)
			close(all[i].fd);
		if (all[i].sv != NULL && !all[i].entered)
			drop(all[i].sv);
	}
}
