/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload has to do. Pure: runs in the supervisor, touches nothing of it.
 */
#include "supervisor/reload/plan.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/reload/differ.h"

static struct plan_item *
find(struct plan_item *at, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(at[i].name, name) == 0)
			return &at[i];
	return NULL;
}

static void
note_key(struct plan *p, const char *name)
{
	char **more = realloc(p->keys, (p->nkeys + 1) * sizeof(*more));

	if (more != NULL)
		p->keys = more;
	if (more == NULL || (p->keys[p->nkeys] = strdup(name)) == NULL)
		p->failed = true;
	else
		p->nkeys++;
}

static void
note(void *arg, const char *kind, const char *name, enum differ_change change)
{
	struct plan *p = arg;
	struct plan_item *item;

	if (strcmp(kind, DIFFER_KEY) == 0) {
		note_key(p, name);
		return;
	}
	item = strcmp(kind, DIFFER_TRANSPORT) == 0
	    ? find(p->transports, p->ntransports, name)
	    : find(p->devices, p->ndevices, name);
	/* what was added or has gone is told by the lists themselves */
	if (item != NULL && change == DIFFER_OTHER)
		item->fate = PLAN_CHANGED;
}

/* Enters one of next: with its like of now, or behind them. */
static void
enter(struct plan_item *at, size_t *n, const char *name, size_t is)
{
	struct plan_item *item = find(at, *n, name);

	if (item == NULL) {
		item = &at[(*n)++];
		*item =
		    (struct plan_item){ .was = PLAN_NONE, .fate = PLAN_ADDED };
	} else {
		item->fate = PLAN_SAME;
	}
	item->name = name;
	item->is = is;
}

static struct plan_item
of_now(const char *name, size_t was)
{
	return (struct plan_item){
		.name = name,
		.was = was,
		.is = PLAN_NONE,
		.fate = PLAN_REMOVED,
	};
}

static int
list(struct plan *p)
{
	const struct conf *now = p->now, *next = p->next;

	p->transports = calloc(
	    now->ntransports + next->ntransports + 1, sizeof(*p->transports));
	p->devices =
	    calloc(now->ndevices + next->ndevices + 1, sizeof(*p->devices));
	if (p->transports == NULL || p->devices == NULL)
		return -1;
	for (size_t i = 0; i < now->ntransports; i++)
		p->transports[p->ntransports++] =
		    of_now(now->transports[i].name, i);
	for (size_t i = 0; i < next->ntransports; i++)
		enter(p->transports, &p->ntransports, next->transports[i].name,
		    i);
	for (size_t i = 0; i < now->ndevices; i++)
		p->devices[p->ndevices++] = of_now(now->devices[i].name, i);
	for (size_t i = 0; i < next->ndevices; i++)
		enter(p->devices, &p->ndevices, next->devices[i].name, i);
	return 0;
}

static bool
uses(const struct conf_transport *t, size_t device)
{
	if (t->type == CONF_SHM && t->shm.plain == (int)device)
		return true;
	for (unsigned u = 0; u < CONF_UNITS; u++)
		if (t->units[u] == (int)device)
			return true;
	return false;
}

bool
plan_serves(
    const struct plan *p, const struct plan_item *t, const struct plan_item *d)
{
	return (t->was != PLAN_NONE && d->was != PLAN_NONE &&
		   uses(&p->now->transports[t->was], d->was)) ||
	    (t->is != PLAN_NONE && d->is != PLAN_NONE &&
		uses(&p->next->transports[t->is], d->is));
}

/* Whoever serves a device that changes has to see what it is now; and two keys
 * are read by whoever is born. */
static bool
restarts(const struct plan *p, const struct plan_item *t)
{
	if (t->fate != PLAN_SAME)
		return t->fate == PLAN_CHANGED;
	if (plan_key(p, "hang_timeout_ms") || plan_key(p, "actions"))
		return true;
	for (size_t i = 0; i < p->ndevices; i++)
		if (p->devices[i].fate != PLAN_SAME &&
		    plan_serves(p, t, &p->devices[i]))
			return true;
	return false;
}

int
plan_make(struct plan *p, const struct conf *now, const struct conf *next)
{
	*p = (struct plan){ .now = now, .next = next };
	if (list(p) < 0 || differ_walk(now, next, note, p) < 0 || p->failed)
		return -1;
	for (size_t i = 0; i < p->ntransports; i++)
		p->transports[i].restarts = restarts(p, &p->transports[i]);
	return 0;
}

void
plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->nkeys; i++)
		free(p->keys[i]);
	free(p->keys);
	free(p->transports);
	free(p->devices);
	*p = (struct plan){ .now = NULL };
}

bool
plan_key(const struct plan *p, const char *key)
{
	for (size_t i = 0; i < p->nkeys; i++)
		if (strcmp(p->keys[i], key) == 0)
			return true;
	return false;
}

static struct plan_item *
of_next(struct plan_item *at, size_t n, size_t is)
{
	for (size_t i = 0; i < n; i++)
		if (at[i].is == is)
			return &at[i];
	return NULL;
}

struct plan_item *
plan_device(const struct plan *p, size_t is)
{
	return of_next(p->devices, p->ndevices, is);
}

struct plan_item *
plan_transport(const struct plan *p, size_t is)
{
	return of_next(p->transports, p->ntransports, is);
}

static bool
same_cidrs(const struct conf_cidrs *a, const struct conf_cidrs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->at[i].family != b->at[i].family ||
		    a->at[i].bits != b->at[i].bits ||
		    memcmp(a->at[i].addr, b->at[i].addr,
			sizeof(a->at[i].addr)) != 0)
			return false;
	return true;
}

bool
plan_moves(const struct conf_transport *was, const struct conf_transport *is)
{
	return strcmp(conf_where(was), conf_where(is)) != 0;
}

bool
plan_keeps(const struct conf_transport *was, const struct conf_transport *is)
{
	return !plan_moves(was, is) && plan_alike(was, is);
}

bool
plan_alike(const struct conf_transport *was, const struct conf_transport *is)
{
	return was->type == CONF_TCP &&
	    conf_same_text(was->framer, is->framer) &&
	    same_cidrs(&was->allow, &is->allow) &&
	    same_cidrs(&was->deny, &is->deny) &&
	    is->max_connections_per_peer == was->max_connections_per_peer;
}
