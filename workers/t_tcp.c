/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over TCP: accepts, reads straight into batch records, has them
 * served, writes the replies. Runs in the workers of type tcp. A request costs
 * its share of one epoll_wait, one recv and one send, no allocation and no
 * lock. Options of the sockets come with the listener, which the parent made.
 */
#include "workers/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "workers/door.h"
#include "workers/link.h"

enum {
	DRAIN_READS = 16, /* of one connection, when the worker drains */
	DISCARD_BYTES = 1 << 20, /* of input behind what is hopeless */
	UNREAD_S = 1, /* a draining worker waits for one that takes nothing */
	UNREAD_LOOK_MS = 100,
};

enum io { IO_DONE, IO_WANT_WRITE, IO_FAIL };

struct tcp {
	struct worker *worker;
	struct link link;
	struct conns conns;
	struct shm_batch **batch; /* free records; the last is the warmest */
	unsigned nbatches;
	struct event sweep;
	uint64_t sweep_ns; /* when the sweep is due, 0 never */
	struct event unread; /* while draining: who does not read */
	struct door door;
};

static void writable(evutil_socket_t, short, void *);
static void readable(evutil_socket_t, short, void *);

static void
unhold(struct tcp *t, struct conn *c)
{
	t->batch[t->nbatches++] = c->held;
	conns_unpark(&t->conns, c);
}

/* Ends a connection. */
static void
drop(void *arg, struct conn *c, const char *why, _Atomic uint64_t *counter)
{
	struct tcp *t = arg;

	if (c->held != NULL) {
		batch_void(c->held);
		unhold(t, c);
	}
	event_del(&c->ev);
	conns_close(&t->conns, c, why, counter);
	if (t->worker->draining && t->conns.open == 0)
		worker_done(t->worker);
}

/* Arms the one timer for the connection that will be due first. */
static void
sweep_arm(struct tcp *t)
{
	uint64_t next = conns_next_ns(&t->conns), ns;
	struct timeval tv;

	if (next == 0 || (t->sweep_ns != 0 && t->sweep_ns <= next))
		return;
	t->sweep_ns = next;
	ns = next > t->worker->now_ns ? next - t->worker->now_ns : 0;
	ns += 1000; /* a microsecond late rather than early */
	tv.tv_sec = (time_t)(ns / 1000000000);
	tv.tv_usec = (suseconds_t)(ns % 1000000000 / 1000);
	event_add(&t->sweep, &tv);
}

static void
sweep(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	struct shm_stats *s = &t->worker->shm->stats;
	struct conn *c;
	bool idle;

	(void)fd;
	(void)what;
	worker_turn(t->worker);
	t->sweep_ns = 0;
	while ((c = conns_expired(&t->conns, &idle)) != NULL) {
		if (idle)
			drop(t, c, "idle", &s->conns_idle);
		else
			drop(t, c, "request not finished in time",
			    &s->conns_slow);
	}
	sweep_arm(t);
}

/* A draining worker has only connections left whose output waits. Those that
 * have taken nothing for a while do not hold it up any longer. */
static void
unread(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	struct timeval tv = { .tv_usec = UNREAD_LOOK_MS * 1000 };
	struct conn *c;

	(void)fd;
	(void)what;
	worker_turn(t->worker);
	while ((c = TAILQ_FIRST(&t->conns.parked)) != NULL &&
	    t->worker->now_ns >= c->since_ns + UNREAD_S * 1000000000ull)
		drop(t, c, "does not read", &t->worker->shm->stats.conns_slow);
	if (c != NULL)
		event_add(&t->unread, &tv);
}

/* What the event of a connection waits for; nothing fails here that would not
 * have failed when the connection was opened. */
static void
await(struct tcp *t, struct conn *c, short what)
{
	event_del(&c->ev);
	event_assign(&c->ev, t->worker->base, c->fd, what | EV_PERSIST,
	    what == EV_WRITE ? writable : readable, c);
	event_add(&c->ev, NULL);
}

/* Sends what is valid in out[] from *sent on. */
static enum io
flush(struct tcp *t, struct conn *c, const struct shm_batch *b, unsigned *sent)
{
	unsigned out = batch_prog_get(b).out;
	ssize_t n;

	while (*sent < out) {
		n = send(c->fd, b->out + *sent, out - *sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			*sent += (unsigned)n;
			worker_count(
			    &t->worker->shm->stats.bytes_out, (uint64_t)n);
		} else if (errno == EAGAIN) {
			return IO_WANT_WRITE;
		} else if (errno != EINTR) {
			return IO_FAIL;
		}
	}
	return IO_DONE;
}

/* Output waits: the record stays with the connection, which is not read from
 * before all has gone. */
static void
park(struct tcp *t, struct conn *c, struct shm_batch *b, unsigned sent)
{
	if (c->held == NULL) {
		t->nbatches--; /* b was the last of the free ones */
		worker_count(&t->worker->shm->stats.backpressured, 1);
		await(t, c, EV_WRITE);
	} else if (c->sent == sent) {
		return;
	}
	conns_park(&t->conns, c, b);
	c->sent = sent;
}

/* All of a batch has been served and sent. */
static void
finish(struct tcp *t, struct conn *c, struct shm_batch *b)
{
	bool served = batch_prog_get(b).ops != 0;
	unsigned left = batch_end(b, &c->rec);

	if (c->held != NULL) {
		unhold(t, c);
		await(t, c, EV_READ);
	}
	if (served)
		conns_used(&t->conns, c);
	if (left == 0) {
		conns_not_slow(&t->conns, c);
	} else if (served || c->since_ns == 0) {
		conns_slow(&t->conns, c);
		sweep_arm(t);
	}
}

/* Hopeless bytes: what was asked for before them has been answered. Input
 * that is left unread would take those answers along as the socket closes. */
static void
reject(struct tcp *t, struct conn *c, const char *why)
{
	recv(c->fd, NULL, DISCARD_BYTES, MSG_TRUNC | MSG_DONTWAIT);
	drop(t, c, why, &t->worker->shm->stats.conns_bad);
}

/* Serves and sends a batch that is in force, from wherever it has got to.
 * True if all of it is done and the connection is still there. */
static bool
serve(struct tcp *t, struct conn *c, struct shm_batch *b, unsigned sent)
{
	const char *why = NULL;

	for (;;) {
		enum link_rc rc =
		    link_run(&t->link, c->rec.shm, c->author, b, &why);

		switch (flush(t, c, b, &sent)) {
		case IO_DONE:
			break;
		case IO_WANT_WRITE:
			park(t, c, b, sent);
			return false;
		case IO_FAIL:
			drop(t, c, strerror(errno), NULL);
			return false;
		}
		if (rc == LINK_BAD) {
			reject(t, c, why);
			return false;
		}
		if (rc == LINK_MORE)
			break;
		batch_flip(b);
		sent = 0;
	}
	finish(t, c, b);
	return true;
}

/* The warmest free record. When every one waits for a socket, the one that
 * has waited longest gives way. */
static struct shm_batch *
batch_get(struct tcp *t)
{
	if (t->nbatches == 0)
		drop(t, TAILQ_FIRST(&t->conns.parked), "does not read",
		    &t->worker->shm->stats.conns_slow);
	return t->batch[t->nbatches - 1];
}

/* Reads once and serves all that has come. True if there may be more. */
static bool
turn(struct tcp *t, struct conn *c)
{
	struct shm_stats *s = &t->worker->shm->stats;
	struct shm_batch *b = batch_get(t);
	unsigned pre = batch_begin(b, &c->rec);
	size_t room = t->link.in_max - pre;
	ssize_t n = recv(c->fd, b->in + pre, room, MSG_DONTWAIT);

	if (n > 0) {
		worker_tick(t->worker);
		atomic_store_explicit(
		    &b->in_len, pre + (uint32_t)n, memory_order_relaxed);
		worker_count(&s->bytes_in, (uint64_t)n);
		worker_count(&s->batches, 1);
		return serve(t, c, b, 0) && (size_t)n == room;
	}
	batch_void(b);
	if (n == 0)
		drop(t, c, "closed by peer", NULL);
	else if (errno != EAGAIN && errno != EINTR)
		drop(t, c, strerror(errno), NULL);
	return false;
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct tcp *t = c->owner;

	(void)fd;
	(void)what;
	turn(t, c);
}

/* Reads what has already come, then closes: the end of a drain. */
static void
last_turns(struct tcp *t, struct conn *c)
{
	int fd = c->fd;
	int reads = 0;

	while (reads++ < DRAIN_READS && turn(t, c))
		;
	if (c->fd == fd && c->held == NULL)
		drop(t, c, "draining", NULL);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct tcp *t = c->owner;
	unsigned before = c->sent;
	enum io io;

	(void)fd;
	(void)what;
	worker_tick(t->worker);
	io = flush(t, c, c->held, &c->sent);
	if (io == IO_FAIL) {
		drop(t, c, strerror(errno), NULL);
		return;
	}
	if (io == IO_WANT_WRITE) {
		if (c->sent != before)
			conns_park(&t->conns, c, c->held);
		return;
	}
	if (serve(t, c, c->held, c->sent) && t->worker->draining)
		last_turns(t, c);
}

static bool
enter(void *arg, struct conn *c)
{
	struct tcp *t = arg;

	c->owner = t;
	event_assign(
	    &c->ev, t->worker->base, c->fd, EV_READ | EV_PERSIST, readable, c);
	if (event_add(&c->ev, NULL) == -1)
		return false;
	sweep_arm(t);
	return true;
}

static int
start(struct worker *w)
{
	struct tcp *t = calloc(1, sizeof(*t));
	unsigned n = w->shm->nbatches;

	w->why = "not enough memory";
	if (t == NULL)
		return -1;
	w->state = t;
	t->worker = w;
	t->batch = calloc(n, sizeof(struct shm_batch *));
	if (t->batch == NULL || n == 0)
		return -1;
	if (link_init(&t->link, w) == -1 || conns_init(&t->conns, w) == -1)
		return -1;
	while (t->nbatches < n) {
		t->batch[t->nbatches] = seg_batch(w->shm, t->nbatches);
		t->nbatches++;
	}
	event_assign(&t->sweep, w->base, -1, 0, sweep, t);
	event_assign(&t->unread, w->base, -1, 0, unread, t);
	t->door.worker = w;
	t->door.conns = &t->conns;
	t->door.arg = t;
	t->door.enter = enter;
	t->door.leave = drop;
	return door_open(&t->door);
}

static void
drain(struct worker *w)
{
	struct tcp *t = w->state;
	struct conns *cs = &t->conns;
	struct timeval tv = { .tv_sec = UNREAD_S };

	door_close(&t->door);
	if (cs->open == 0)
		worker_done(w);
	event_add(&t->unread, &tv);
	/* a connection that has gone leaves a pool entry without descriptor */
	for (unsigned i = 0; i < cs->fresh; i++)
		if (cs->pool[i].fd != -1 && cs->pool[i].held == NULL)
			last_turns(t, &cs->pool[i]);
}

static bool
kick(struct worker *w, uint64_t serial)
{
	struct tcp *t = w->state;
	struct conn *c = conns_by_serial(&t->conns, serial);

	if (c == NULL)
		return false;
	drop(t, c, "closed by an operator", &w->shm->stats.conns_kicked);
	return true;
}

static void
stop(struct worker *w)
{
	struct tcp *t = w->state;
	struct conns *cs = &t->conns;

	door_close(&t->door);
	event_del(&t->sweep);
	event_del(&t->unread);
	for (unsigned i = 0; i < cs->fresh; i++)
		if (cs->pool[i].fd != -1)
			drop(t, &cs->pool[i], "stopped", NULL);
	conns_fini(cs);
	free(t->batch);
	free(t);
}

const struct transport_ops transport_tcp = {
	.name = "tcp",
	.start = start,
	.drain = drain,
	.kick = kick,
	.stop = stop,
};
