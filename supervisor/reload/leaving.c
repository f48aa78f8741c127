/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports on their way out. Runs in the supervisor.
 */
#include "supervisor/reload/leaving.h"

#include <string.h>
#include <sys/mman.h>

#include "supervisor/places.h"
#include "supervisor/reload/moving.h"
#include "supervisor/super.h"

static void
unlink_from(struct service **list, const struct service *sv)
{
	while (*list != NULL && *list != sv)
		list = &(*list)->next;
	if (*list != NULL)
		*list = sv->next;
}

/* Those that are to be there no longer have their objects' names removed; an
 * heir's have taken theirs already. */
static void
drop_objects(const struct service *sv)
{
	unsigned kept = sv->heir != NULL ? sv->heir->nworkers : 0;

	for (unsigned w = kept; w < sv->nworkers; w++)
		if (sv->workers[w].seg.at != NULL)
			shm_unlink(sv->workers[w].seg.object);
}

void
leaving_begin(struct service *sv, struct service *heir, struct service *host)
{
	struct super *s = sv->super;
	unsigned drain_ms = s->conf->drain_timeout_s * 1000;

	unlink_from(&s->services, sv);
	sv->next = s->leaving;
	s->leaving = sv;
	sv->heir = heir;
	sv->host = host;
	orders_leave(&s->orders, sv);
	if (heir != NULL) {
		/* the entry is the heir's now */
		sv->shm = &sv->sink;
		heir->held = true;
	} else {
		service_want(sv, false);
		memset(sv->shm->name, 0, sizeof(sv->shm->name));
	}
	if (host != NULL)
		host->held = true;
	sv->wanted = false;
	drop_objects(sv);
	for (unsigned w = 0; host != NULL && w < sv->nworkers; w++)
		sv->workers[w].passes = w < host->nworkers;
	service_event(sv, LIFE_STOP, drain_ms,
	    heir != NULL ? "its configuration changed"
			 : "it is no longer in the configuration");
}

/* ---- who stays ---- */

/* What a transport may have, all of its workers have together. */
int
leaving_room(const struct process *p)
{
	const struct service *sv = p->service;
	uint64_t all = 0, own, room = sv->host->nconns;

	for (unsigned w = 0; w < sv->nworkers; w++)
		if (sv->workers[w].passes)
			all += atomic_load(
			    &seg_worker(&sv->workers[w].seg)->stats.conns_open);
	own = atomic_load(&seg_worker(&p->seg)->stats.conns_open);
	return all <= room || own > all ? 0 : 1 + (int)(own * room / all);
}

static void
begin(struct process *p)
{
	if (p->service->wanted)
		child_event(&p->child, LIFE_START);
}

/* Worker by worker: who has ended gives what it had to the one of its number,
 * and those that are more begin with nothing. */
static void
pass_on(struct service *sv)
{
	for (unsigned w = 0; w < sv->nworkers; w++) {
		struct process *p = &sv->workers[w];

		if (!p->passes || p->child.state != LIFE_STOPPED)
			continue;
		p->passes = false;
		moving_worker(sv, sv->host, w);
		begin(&sv->host->workers[w]);
	}
}

bool
leaving_feeds(const struct process *p)
{
	const struct service *sv = p->super->leaving;

	for (; sv != NULL; sv = sv->next)
		if (sv->host == p->service && p->worker < sv->nworkers &&
		    sv->workers[p->worker].passes)
			return true;
	return false;
}

static bool
ended(const struct service *sv)
{
	for (unsigned w = 0; w < sv->nworkers; w++)
		if (sv->workers[w].passes ||
		    sv->workers[w].child.state != LIFE_STOPPED)
			return false;
	return true;
}

/* One that it has waited for has gone; others may not have. */
static void
release(struct service *sv)
{
	if (sv == NULL)
		return;
	sv->held = false;
	for (const struct service *l = sv->super->leaving; l != NULL;
	     l = l->next)
		sv->held |= l->heir == sv || l->host == sv;
	for (unsigned w = 0; w < sv->nworkers; w++)
		if (sv->workers[w].child.state == LIFE_STOPPED &&
		    !leaving_feeds(&sv->workers[w]))
			begin(&sv->workers[w]);
}

static void
conclude(struct service *sv)
{
	struct super *s = sv->super;

	places_leave(s, sv);
	unlink_from(&s->leaving, sv);
	sv->next = s->gone;
	s->gone = sv;
	release(sv->heir);
	if (sv->host != sv->heir)
		release(sv->host);
}

void
leaving_settle(struct super *s)
{
	struct service *sv, *next;

	if (s->settling)
		return;
	s->settling = true; /* an heir that begins changes its state */
	for (sv = s->leaving; sv != NULL; sv = next) {
		next = sv->next;
		if (sv->host != NULL && s->phase == SUPER_SERVES)
			pass_on(sv);
		if (ended(sv))
			conclude(sv);
	}
	s->settling = false;
}

void
leaving_free(struct super *s)
{
	service_free_all(&s->gone);
	apply_forget(s);
}

bool
leaving_named(const struct super *s, const char *name)
{
	const struct service *sv = s->leaving;

	while (sv != NULL && strcmp(sv->conf->name, name) != 0)
		sv = sv->next;
	return sv != NULL;
}
