/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a worker's connections end, or become its successor's. Runs in the
 * workers that have streams, once they are told to drain or to give way.
 */
#include "workers/conns_wait.h"
#include "workers/stream.h"
#include "workers/stream_late.h"
#include "workers/stream_wait.h"

/* Has a reply that is put off leave now. True if there was one. */
static bool
hurry(struct stream *st, struct conn *c)
{
	if (c->fd == -1 || !late_waits(c))
		return false;
	late_hurry(c);
	if (c->since_ns == 0)
		stream_go_on(st, c);
	return true;
}

void
stream_drain(struct worker *w)
{
	struct stream *st = w->state;
	struct conns *cs = &st->conns;

	door_close(&st->door);
	if (cs->open == 0)
		worker_done(w);
	stream_unread_arm(st);
	/* a connection that has gone leaves a pool entry without descriptor */
	for (unsigned i = 0; i < cs->fresh; i++) {
		struct conn *c = &cs->pool[i];

		if (!hurry(st, c) && c->fd != -1 && c->held == NULL)
			stream_last_turns(st, c);
	}
}

/* The longest unused one that has nothing in hand. */
static struct conn *
idle(const struct stream *st)
{
	struct conn *c;

	for (unsigned k = 0; k < CONN_CLASSES; k++)
		TAILQ_FOREACH (c, &st->conns.use[k], by_use)
			if (c->held == NULL)
				return c;
	return NULL;
}

bool
stream_yield(struct worker *w)
{
	struct stream *st = w->state;
	struct conn *c;

	/* what waits for a time may be in memory of our own */
	for (unsigned i = 0; i < st->conns.fresh; i++)
		hurry(st, &st->conns.pool[i]);
	/* what has come of theirs is answered */
	while (st->conns.open > w->room && (c = idle(st)) != NULL)
		stream_last_turns(st, c);
	if (st->conns.open <= w->room)
		return true;
	door_close(&st->door);
	stream_unread_arm(st);
	return false;
}
