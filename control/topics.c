/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics of a configuration, and who wants them: what is wanted outlives
 * topics that go and is there for those that come. Runs in control and http.
 */

#include "control/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/table.h"

enum {
	SEQ_BITS = 12, /* events in a millisecond, and a double holds the sum */
};

static unsigned
count(const struct conf *conf)
{
	return (
	    unsigned)(conf->ndevices * SHM_TABLES + 2 * conf->ntransports + 2);
}

/* The names, for count() of them. */
static void
name_all(struct topic *topics, const struct conf *conf)
{
	unsigned n = 0;

	for (size_t d = 0; d < conf->ndevices; d++) {
		for (int t = 0; t < SHM_TABLES; t++)
			snprintf(topics[n++].name, sizeof(topics[0].name),
			    "registers.%s.%s", conf->devices[d].name,
			    table_name((enum store_table)t));
	}
	for (size_t i = 0; i < conf->ntransports; i++)
		snprintf(topics[n++].name, sizeof(topics[0].name),
		    "transports.%s", conf->transports[i].name);
	for (size_t i = 0; i < conf->ntransports; i++)
		snprintf(topics[n++].name, sizeof(topics[0].name),
		    "connections.%s", conf->transports[i].name);
	snprintf(topics[n++].name, sizeof(topics[0].name), "faults");
	snprintf(topics[n].name, sizeof(topics[0].name), "log");
}

void
topics_set(struct events *ev, struct topic *topics, const struct conf *conf)
{
	ev->topics = topics;
	ev->ntopics = count(conf);
	ev->first_transport = (unsigned)(conf->ndevices * SHM_TABLES);
	ev->first_connections =
	    ev->first_transport + (unsigned)conf->ntransports;
	ev->faults = ev->ntopics - 2;
	ev->log = ev->ntopics - 1;
}

struct topic *
topics_new(const struct conf *conf)
{
	unsigned n = count(conf);
	struct topic *topics = calloc(n, sizeof(*topics));

	if (topics == NULL)
		return NULL;
	name_all(topics, conf);
	for (unsigned i = 0; i < n; i++)
		topics[i].seq = clock_unix_ms() << SEQ_BITS;
	return topics;
}

/* ---- what is wanted ---- */

/* Kept for topics that a later configuration has. */
static void
note(struct events *ev, const char *prefix, size_t len, bool wanted)
{
	struct wanted *w, *more;

	if (len >= sizeof(w->prefix) || memchr(prefix, '\0', len) != NULL)
		return; /* no topic will ever begin so */
	for (w = ev->wanted; w < ev->wanted + ev->nwanted; w++)
		if (strncmp(w->prefix, prefix, len) == 0 &&
		    w->prefix[len] == '\0')
			break;
	if (w < ev->wanted + ev->nwanted) {
		w->n += wanted ? 1 : -1u;
		if (w->n == 0)
			*w = ev->wanted[--ev->nwanted];
		return;
	}
	if (!wanted || ev->nwanted == EVENTS_WANTED_MAX)
		return;
	more = realloc(ev->wanted, (ev->nwanted + 1) * sizeof(*more));
	if (more == NULL)
		return;
	ev->wanted = more;
	w = &more[ev->nwanted++];
	*w = (struct wanted){ .n = 1 };
	memcpy(w->prefix, prefix, len);
}

static bool
begins(const struct topic *t, const char *prefix, size_t len)
{
	return len <= strlen(t->name) && memcmp(t->name, prefix, len) == 0;
}

void
topics_want(struct events *ev, const char *prefix, size_t len, bool wanted)
{
	for (unsigned i = 0; i < ev->ntopics; i++) {
		struct topic *t = &ev->topics[i];

		if (!begins(t, prefix, len))
			continue;
		if (wanted)
			t->subscriptions++;
		else if (t->subscriptions > 0)
			t->subscriptions--;
	}
	note(ev, prefix, len, wanted);
}

static void
carry_over(const struct events *ev, struct topic *t)
{
	for (unsigned i = 0; i < ev->ntopics; i++)
		if (strcmp(ev->topics[i].name, t->name) == 0)
			t->seq = ev->topics[i].seq;
	for (size_t i = 0; i < ev->nwanted; i++)
		if (begins(
			t, ev->wanted[i].prefix, strlen(ev->wanted[i].prefix)))
			t->subscriptions += ev->wanted[i].n;
}

void
topics_carry(
    const struct events *ev, struct topic *topics, const struct conf *next)
{
	for (unsigned i = 0; i < count(next); i++)
		carry_over(ev, &topics[i]);
}
