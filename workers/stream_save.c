/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that wait for the disk, in the order of their tickets, which is
 * that of their time limits, too. Runs in the workers that have streams, for
 * writes to durable ranges alone. Never blocks, allocates nothing.
 */
#include "workers/stream_save.h"

#include "shm/durable.h"
#include "workers/conns_wait.h"
#include "workers/save.h"
#include "workers/stream_late.h"
#include "workers/stream_wait.h"

static struct shm_saved *
saved(const struct stream *st)
{
	return &st->worker->proc->env.control->saved;
}

void
stream_save_end(struct stream *st, struct conn *c)
{
	if (c->ticket == 0)
		return;
	TAILQ_REMOVE(&st->saving, c, by_wait);
	c->ticket = 0;
}

/* They cannot be saved, or not in time: exceptions leave in their place, and
 * what was to be late is so no more, for its place in the output is another. */
static bool
fail(struct stream *st, struct conn *c)
{
	if (!save_unsaved(&st->link, c->rec.shm, c->held))
		return false;
	late_hurry(c);
	return true;
}

/* What has become of the first one. False if it still waits. */
static bool
settle(struct stream *st, struct conn *c)
{
	enum durable state = durable_state(saved(st), c->ticket);
	bool late = st->worker->now_ns >= c->save_ns, good = true;

	if (state == DURABLE_WAITS && !late)
		return false;
	if (state == DURABLE_WAITS)
		st->worker->bind.late_ticket = c->ticket;
	stream_save_end(st, c);
	if (state == DURABLE_DONE)
		batch_saved(c->held);
	else
		good = fail(st, c);
	if (good)
		stream_go_on(st, c);
	else
		stream_drop(st, c, "its record makes no sense",
		    &stream_stats(st)->conns_bad);
	return true;
}

static void
look(void *arg)
{
	struct stream *st = arg;
	struct conn *c;

	while ((c = TAILQ_FIRST(&st->saving)) != NULL && settle(st, c))
		;
	if (c != NULL)
		waits_for(&st->waits, c->ticket, c->save_ns);
}

void
stream_save_init(struct stream *st)
{
	TAILQ_INIT(&st->saving);
	st->copies = !conf_durable(st->worker->proc->conf);
	if (st->worker->shm->nbatches < st->conns.nconns)
		st->spare = SAVE_SPARE;
	waits_init(&st->waits, st->worker, look, st);
}

void
stream_save_fini(struct stream *st)
{
	waits_fini(&st->waits);
}

bool
stream_save(
    struct stream *st, struct conn *c, struct shm_batch *b, unsigned sent)
{
	bool first = TAILQ_EMPTY(&st->saving);

	if (batch_saves(b) == 0)
		return false;
	event_del(&c->ev);
	if (c->held == NULL) {
		conns_not_slow(&st->conns, c);
		st->nbatches--; /* b was the last of the free ones */
		c->held = b;
	} else {
		conns_rest(&st->conns, c);
	}
	c->sent = sent;
	c->ticket = durable_take(saved(st));
	c->save_ns = st->worker->now_ns + bind_durable_ns(&st->worker->bind);
	TAILQ_INSERT_TAIL(&st->saving, c, by_wait);
	if (first)
		waits_for(&st->waits, c->ticket, c->save_ns);
	return true;
}
