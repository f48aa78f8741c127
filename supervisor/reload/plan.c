/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload has to do. Pure: runs in the supervisor, touches nothing of it.
 */
#include "supervisor/reload/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/reload/differ.h"

/* The first reason is the one that is told. */
static void __attribute__((__format__(printf, 2, 3)))
refuse(struct plan *p, const char *fmt, ...)
{
	va_list ap;

	if (p->why[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
}

/* Keys of the top level that nobody needs to be told of. */
static bool
is_free(const char *key)
{
	return strcmp(key, "drain_timeout_s") == 0;
}

static void
note(void *arg, const char *kind, const char *name, enum differ_change change)
{
	struct plan *p = arg;

	if (strcmp(kind, DIFFER_TRANSPORT) != 0) {
		if (strcmp(kind, DIFFER_KEY) != 0 || !is_free(name))
			refuse(p, "%s %s cannot change while it serves", kind,
			    name);
		p->aides = true;
		return;
	}
	if (change != DIFFER_OTHER) {
		refuse(p, "%s %s cannot be %s while it serves", kind, name,
		    change == DIFFER_ADDED ? "added" : "removed");
		return;
	}
	for (size_t i = 0; i < p->now->ntransports; i++)
		if (strcmp(p->now->transports[i].name, name) == 0)
			p->changed[i] = true;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What memory has been laid out for. */
static void
look_at(struct plan *p, const struct conf_transport *was,
    const struct conf_transport *is)
{
	const char *key =
	    was->type != is->type || !same_text(was->type_name, is->type_name)
	    ? "type"
	    : was->workers != is->workers                 ? "workers"
	    : was->max_connections != is->max_connections ? "max_connections"
	    : was->trace_kib != is->trace_kib             ? "trace_kib"
							  : NULL;

	if (key != NULL)
		refuse(p, "%s of transport %s cannot change while it serves",
		    key, was->name);
	if (!same_text(was->user, is->user))
		p->users = true;
}

static bool
in_place(const struct conf *now, const struct conf *next)
{
	if (now->ntransports != next->ntransports ||
	    now->ndevices != next->ndevices)
		return false;
	for (size_t i = 0; i < now->ntransports; i++)
		if (strcmp(now->transports[i].name, next->transports[i].name) !=
		    0)
			return false;
	for (size_t i = 0; i < now->ndevices; i++)
		if (strcmp(now->devices[i].name, next->devices[i].name) != 0)
			return false;
	return true;
}

int
plan_make(struct plan *p, const struct conf *now, const struct conf *next)
{
	*p = (struct plan){ .now = now, .next = next };
	p->changed = calloc(now->ntransports + 1, sizeof(*p->changed));
	if (p->changed == NULL || differ_walk(now, next, note, p) < 0)
		refuse(p, "it could not be compared");
	else if (!in_place(now, next))
		refuse(p, "devices in another order take a restart");
	for (size_t i = 0; p->why[0] == '\0' && i < now->ntransports; i++)
		if (p->changed[i])
			look_at(p, &now->transports[i], &next->transports[i]);
	return p->why[0] == '\0' ? 0 : -1;
}

void
plan_free(struct plan *p)
{
	free(p->changed);
	p->changed = NULL;
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
	return was->type == CONF_TCP && !plan_moves(was, is) &&
	    same_text(was->framer, is->framer) &&
	    same_cidrs(&was->allow, &is->allow) &&
	    same_cidrs(&was->deny, &is->deny) &&
	    is->max_connections_per_peer == was->max_connections_per_peer;
}
