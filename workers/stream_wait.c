/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream waits for only so long: requests, the rest of them, clients
 * that do not read while a worker drains. Runs in the workers that have
 * connections.
 */
#include "workers/stream_wait.h"

#include "workers/conns_wait.h"
#include "workers/stream_late.h"
#include "workers/stream_save.h"

enum {
	UNREAD_S = 1, /* a draining worker waits for one that takes nothing */
	UNREAD_LOOK_MS = 100,
};

void
stream_sweep_arm(struct stream *st)
{
	uint64_t next = conns_next_ns(&st->conns), ns;
	struct timeval tv;

	if (next == 0 || (st->sweep_ns != 0 && st->sweep_ns <= next))
		return;
	st->sweep_ns = next;
	ns = next > st->worker->now_ns ? next - st->worker->now_ns : 0;
	ns += 1000; /* a microsecond late rather than early */
	tv.tv_sec = (time_t)(ns / 1000000000);
	tv.tv_usec = (suseconds_t)(ns % 1000000000 / 1000);
	event_add(&st->sweep, &tv);
}

static void
sweep(evutil_socket_t fd, short what, void *arg)
{
	struct stream *st = arg;
	struct conn *c;
	bool idle;

	(void)fd;
	(void)what;
	worker_turn(st->worker);
	st->sweep_ns = 0;
	while ((c = conns_expired(&st->conns, &idle)) != NULL) {
		if (idle && (late_waits(c) || stream_saves(c) || c->starved))
			conns_used(&st->conns, c); /* it is us who are slow */
		else if (idle)
			stream_drop(
			    st, c, "idle", &stream_stats(st)->conns_idle);
		else
			stream_drop(st, c,
			    c->ready ? "request not finished in time"
				     : "handshake not finished in time",
			    &stream_stats(st)->conns_slow);
	}
	stream_sweep_arm(st);
}

void
stream_starve(struct stream *st, struct conn *c)
{
	event_del(&c->ev);
	conns_not_slow(&st->conns, c);
	c->starved = true;
	st->starving = true;
}

void
stream_feed(struct stream *st)
{
	st->starving = false;
	for (unsigned i = 0; i < st->conns.fresh; i++) {
		struct conn *c = &st->conns.pool[i];

		if (c->fd == -1 || !c->starved)
			continue;
		c->starved = false;
		/* also what no descriptor announces */
		event_assign(&c->ev, st->worker->base, c->fd,
		    EV_READ | EV_WRITE | EV_PERSIST, stream_readable, c);
		event_add(&c->ev, NULL);
	}
}

/* A worker that drains, or is about to give way, waits for connections whose
 * output waits. Those that have taken nothing for a while do not hold it up any
 * longer. */
static void
unread(evutil_socket_t fd, short what, void *arg)
{
	struct stream *st = arg;
	struct timeval tv = { .tv_usec = UNREAD_LOOK_MS * 1000 };
	struct conn *c;

	(void)fd;
	(void)what;
	worker_turn(st->worker);
	while ((c = TAILQ_FIRST(&st->conns.parked)) != NULL &&
	    !st->worker->yields &&
	    st->worker->now_ns >= c->since_ns + UNREAD_S * 1000000000ull)
		stream_drop(
		    st, c, "does not read", &stream_stats(st)->conns_slow);
	if (c != NULL && !st->worker->yields)
		event_add(&st->unread, &tv);
}

void
stream_unread_arm(struct stream *st)
{
	struct timeval tv = { .tv_sec = UNREAD_S };

	event_add(&st->unread, &tv);
}

void
stream_wait_init(struct stream *st)
{
	event_assign(&st->sweep, st->worker->base, -1, 0, sweep, st);
	event_assign(&st->unread, st->worker->base, -1, 0, unread, st);
}

void
stream_wait_fini(struct stream *st)
{
	event_del(&st->sweep);
	event_del(&st->unread);
	event_del(&st->resume);
}
