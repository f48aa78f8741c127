/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that carry a stream: accepts, reads straight into batch records,
 * has them served, writes the replies. Runs in the workers of every transport
 * that has connections; how bytes are moved is the transport's. A request
 * costs its share of one epoll_wait, one read and one write, no allocation and
 * no lock.
 */
#include "workers/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "workers/conns_wait.h"
#include "workers/stream_late.h"
#include "workers/stream_save.h"
#include "workers/stream_wait.h"

enum {
	DRAIN_IN = 16 * BATCH_IN, /* of one connection, as the worker drains */
	DISCARD_BYTES = 1 << 20, /* of input that nobody is going to read */
	OPENS_A_TURN = 1, /* steps of beginnings, which may be long */
	READS_A_TURN = 8, /* of a connection, while others wait */
};

static void writable(evutil_socket_t, short, void *);
static void in_time(evutil_socket_t, short, void *);
static void opening(evutil_socket_t, short, void *);

static void
unhold(struct stream *st, struct conn *c)
{
	struct shm_batch *b = late_end(st, c);

	stream_save_end(st, c);
	if (b != NULL)
		st->batch[st->nbatches++] = b;
	c->resumed = c->begun = false;
	conns_unpark(&st->conns, c);
	if (st->starving && st->nbatches != 0)
		stream_feed(st);
}

/* The beginning of a request that has not come whole. */
static void
tell_left(struct stream *st, struct conn *c)
{
	const struct shm_conn_half *h = batch_half(c->rec.shm);
	uint64_t seq =
	    atomic_load_explicit(&c->rec.shm->seq, memory_order_relaxed);

	if (c->held == NULL && h->left <= CONN_LEFT_MAX)
		link_left(
		    &st->link, c->rec.shm, c->rec.cold->in[seq & 1], h->left);
}

void
stream_drop(
    void *arg, struct conn *c, const char *why, _Atomic uint64_t *counter)
{
	struct stream *st = arg;

	tell_left(st, c);
	/* before any of its bytes are lost: nobody may take it over then */
	conns_doom(c);
	if (c->held != NULL) {
		batch_void(c->held);
		unhold(st, c);
	}
	event_del(&c->ev);
	if (!c->ready)
		st->conns.unready--;
	if (st->ops->close != NULL)
		st->ops->close(c);
	/* unread, it would have the kernel take our last words back */
	recv(c->fd, NULL, DISCARD_BYTES, MSG_TRUNC | MSG_DONTWAIT);
	conns_close(&st->conns, c, why, counter);
	if (st->worker->draining && st->conns.open == 0)
		worker_done(st->worker);
	else if (st->worker->shedding && st->conns.open <= st->worker->room)
		worker_yields(st->worker);
}

/* The same for one whose descriptor failed, or whose transport has a reason of
 * its own. */
static void
drop_failed(struct stream *st, struct conn *c)
{
	if (c->why != NULL)
		stream_drop(st, c, c->why, &stream_stats(st)->conns_bad);
	else
		stream_drop(st, c, strerror(errno), NULL);
}

/* What the event of a connection waits for; nothing fails here that would not
 * have failed when the connection was opened. */
static void
await(struct stream *st, struct conn *c, short what, event_callback_fn then)
{
	event_del(&c->ev);
	event_assign(
	    &c->ev, st->worker->base, c->fd, what | EV_PERSIST, then, c);
	event_add(&c->ev, NULL);
}

/* Sends what is valid in out[], and may leave by now, from *sent on. */
static enum io
flush(struct stream *st, struct conn *c, const struct shm_batch *b,
    unsigned *sent)
{
	unsigned out = late_gate(c, batch_prog_get(b).out);
	enum io io = IO_DONE;
	size_t n;

	while (*sent < out) {
		io = st->ops->send(c, b->out + *sent, out - *sent, &n);
		if (io != IO_DONE)
			break;
		*sent += (unsigned)n;
		worker_count(&stream_stats(st)->bytes_out, n);
	}
	return io;
}

/* Output waits: the record stays with the connection, which is not read from
 * before all has gone. */
static void
park(struct stream *st, struct conn *c, struct shm_batch *b, unsigned sent)
{
	if (c->held == NULL)
		st->nbatches--; /* b was the last of the free ones */
	else if (c->since_ns != 0 && c->sent == sent)
		return;
	if (c->held == NULL || c->since_ns == 0) {
		worker_count(&stream_stats(st)->backpressured, 1);
		await(st, c, EV_WRITE, writable);
	}
	conns_park(&st->conns, c, b);
	c->sent = sent;
}

/* What is left of the output waits for its time, and nothing is read before it
 * has gone. */
static void
rest(struct stream *st, struct conn *c, unsigned sent)
{
	event_del(&c->ev);
	conns_rest(&st->conns, c);
	c->sent = sent;
}

/* All of a batch has been served and sent. */
static void
finish(struct stream *st, struct conn *c, struct shm_batch *b)
{
	bool served = batch_prog_get(b).ops != 0;
	unsigned left = batch_end(b, &c->rec);

	if (c->held != NULL) {
		unhold(st, c);
		await(st, c, EV_READ, stream_readable);
	}
	if (served)
		conns_used(&st->conns, c);
	if (left == 0) {
		conns_not_slow(&st->conns, c);
	} else if (served || c->since_ns == 0) {
		conns_slow(&st->conns, c);
		stream_sweep_arm(st);
	}
}

/* Hopeless bytes: what was asked for before them has been answered. */
static void
reject(struct stream *st, struct conn *c)
{
	stream_drop(st, c, c->hopeless, &stream_stats(st)->conns_bad);
}

/* Serves and sends a batch that is in force, from wherever it has got to.
 * True if all of it is done and the connection is still there. */
static bool
serve(struct stream *st, struct conn *c, struct shm_batch *b, unsigned sent)
{
	st->link.rights = c->rights;
	st->worker->bind.resumed = c->resumed;
	st->worker->bind.begun = c->begun;
	st->worker->bind.crowded = st->nbatches < st->spare;
	for (;;) {
		enum link_rc rc;

		conns_hand(&st->conns, c);
		rc =
		    link_run(&st->link, c->rec.shm, c->author, b, &c->hopeless);
		conns_hand(&st->conns, NULL);
		c->begun = st->worker->bind.begun;
		if (rc == LINK_LATE)
			b = late_begin(st, c, b, in_time);
		if (stream_save(st, c, b, sent))
			return false;
		switch (flush(st, c, b, &sent)) {
		case IO_DONE:
			break;
		case IO_WANT_WRITE:
			park(st, c, b, sent);
			return false;
		default:
			drop_failed(st, c);
			return false;
		}
		if (late_waits(c)) {
			rest(st, c, sent);
			return false;
		}
		if (rc == LINK_BAD) {
			reject(st, c);
			return false;
		}
		if (rc == LINK_MORE)
			break;
		if (rc == LINK_LATE)
			continue;
		batch_flip(b);
		sent = 0;
	}
	finish(st, c, b);
	return true;
}

/* The warmest free record. When there is none, who has kept one waiting for
 * its socket for longest gives way. NULL: all wait for something else, such as
 * the disk, and c is not read from until one comes back. */
static struct shm_batch *
batch_get(struct stream *st, struct conn *c)
{
	while (st->nbatches == 0) {
		struct conn *deafest = conns_deafest(&st->conns);

		if (deafest == NULL) {
			stream_starve(st, c);
			return NULL;
		}
		stream_drop(st, deafest, "does not read",
		    &stream_stats(st)->conns_slow);
	}
	return st->batch[st->nbatches - 1];
}

/* Nothing was read. */
static void
nothing(struct stream *st, struct conn *c, enum io io)
{
	switch (io) {
	case IO_EOF:
		stream_drop(st, c, "closed by peer", NULL);
		return;
	case IO_FAIL:
		drop_failed(st, c);
		return;
	case IO_WANT_WRITE: /* reading may need to say something first */
		await(st, c, EV_WRITE, stream_readable);
		return;
	default:
		return;
	}
}

/* Reads once and serves all that has come. True if there may be more: where
 * bytes come in records, a short read says nothing about the next one. */
static bool
turn(struct stream *st, struct conn *c)
{
	struct shm_batch *b = batch_get(st, c);
	unsigned pre;
	size_t room, n;
	enum io io;

	if (b == NULL)
		return false;
	pre = batch_begin(b, &c->rec);
	room = st->link.in_max - pre;
	io = st->ops->recv(c, b->in + pre, room, &n);
	if (io != IO_DONE) {
		batch_void(b);
		nothing(st, c, io);
		return false;
	}
	worker_tick(st->worker);
	st->taken += n;
	worker_count(&stream_stats(st)->bytes_in, n);
	worker_count(&stream_stats(st)->batches, 1);
	stream_got(st, c, b, n);
	return serve(st, c, b, 0) && (n == room || st->ops->pending != NULL);
}

/*
 * Bytes that the descriptor does not announce are read at once. A peer that
 * sends without end gets no more than its share: what is left is for the next
 * turn of the loop, which comes as soon as the descriptor can be written to.
 */
static void
turn_pending(struct stream *st, struct conn *c, unsigned reads)
{
	int fd = c->fd;

	if (st->ops->pending == NULL || fd == -1) /* it has just ended */
		return;
	while (c->fd == fd && c->held == NULL && st->ops->pending(c)) {
		if (reads++ >= READS_A_TURN) {
			await(st, c, EV_READ | EV_WRITE, stream_readable);
			return;
		}
		if (!turn(st, c))
			return;
	}
}

void
stream_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct stream *st = c->owner;

	(void)fd;
	if ((what & EV_WRITE) != 0)
		await(st, c, EV_READ, stream_readable);
	if (turn(st, c))
		turn_pending(st, c, 1);
}

void
stream_last_turns(struct stream *st, struct conn *c)
{
	int fd = c->fd;

	st->taken = 0;
	while (c->ready && st->taken < DRAIN_IN && turn(st, c))
		;
	if (c->fd == fd && c->held == NULL)
		stream_drop(st, c, "draining", NULL);
}

/* Those that are shed are the first that have nothing in hand. */
static bool
leaves(const struct stream *st)
{
	const struct worker *w = st->worker;

	return w->draining || (w->shedding && st->conns.open > w->room);
}

void
stream_go_on(struct stream *st, struct conn *c)
{
	unsigned sent = c->sent;

	if (stream_saves(c))
		return;
	batch_saves_trim(c->held);
	/* what a predecessor has begun ends before anybody else begins
	 * something: it is noted for one at a time how far that has got */
	if (c->begun && batch_saves(c->held) != 0) {
		serve(st, c, c->held, sent);
		return;
	}
	if (stream_save(st, c, c->held, sent))
		return;
	do {
		switch (flush(st, c, c->held, &sent)) {
		case IO_DONE:
			break;
		case IO_WANT_WRITE:
			park(st, c, c->held, sent);
			return;
		default:
			drop_failed(st, c);
			return;
		}
	} while (late_waits(c) && late_next(st, c));
	if (late_waits(c)) {
		rest(st, c, sent);
		return;
	}
	if (c->hopeless != NULL) {
		reject(st, c);
		return;
	}
	if (!serve(st, c, c->held, sent))
		return;
	if (leaves(st))
		stream_last_turns(st, c);
	else
		turn_pending(st, c, 0);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct stream *st = c->owner;

	(void)fd;
	(void)what;
	worker_tick(st->worker);
	stream_go_on(st, c);
}

/* It is time for what is held, unless that waits for room anyway: what has been
 * offered to a transport stays as it was until it is taken. */
static void
in_time(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct stream *st = c->owner;

	(void)fd;
	(void)what;
	worker_tick(st->worker);
	if (late_due(st, c) && c->since_ns == 0)
		stream_go_on(st, c);
}

/* One more step of the transport's own beginning. True while the connection
 * is there. */
static bool
open_step(struct stream *st, struct conn *c)
{
	switch (st->ops->open(c)) {
	case IO_DONE:
		c->ready = true;
		st->conns.unready--;
		conns_not_slow(&st->conns, c);
		await(st, c, EV_READ, stream_readable);
		turn_pending(st, c, 0);
		return true;
	case IO_WANT_READ:
		await(st, c, EV_READ, opening);
		return true;
	case IO_WANT_WRITE:
		await(st, c, EV_WRITE, opening);
		return true;
	case IO_EOF:
		stream_drop(st, c, "closed by peer", NULL);
		return false;
	default:
		stream_drop(st, c, c->why != NULL ? c->why : strerror(errno),
		    &stream_stats(st)->conns_bad);
		return false;
	}
}

/* A handshake takes as long as hundreds of requests. So that who is being
 * served does not wait for a crowd of newcomers, few of these get on in a turn
 * of the loop; the others' events are there again in the next one. */
static bool
may_open(struct stream *st)
{
	if (st->turn != st->worker->turn) {
		st->turn = st->worker->turn;
		st->opens = 0;
	}
	return st->opens++ < OPENS_A_TURN;
}

static void
opening(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct stream *st = c->owner;

	(void)fd;
	(void)what;
	if (!may_open(st))
		return;
	worker_tick(st->worker);
	open_step(st, c);
}

static bool
enter(void *arg, struct conn *c)
{
	struct stream *st = arg;

	c->owner = st;
	c->ready = st->ops->open == NULL;
	event_assign(&c->ev, st->worker->base, c->fd, EV_READ | EV_PERSIST,
	    c->ready ? stream_readable : opening, c);
	if (event_add(&c->ev, NULL) == -1)
		return false;
	if (!c->ready) {
		st->conns.unready++;
		conns_slow(&st->conns, c);
		if (may_open(st))
			open_step(st, c);
		else /* whatever it is that it begins with */
			await(st, c, EV_READ | EV_WRITE, opening);
	}
	stream_sweep_arm(st);
	return true;
}

static int
take(void *arg, int listen_fd, struct acl_peer *who)
{
	struct stream *st = arg;

	return st->ops->accept(st, listen_fd, who);
}

int
stream_start(
    struct worker *w, const struct stream_ops *ops, int listen_fd, void *arg)
{
	struct stream *st = calloc(1, sizeof(*st));
	unsigned n = w->shm->nbatches;

	w->why = "not enough memory";
	if (st == NULL)
		return -1;
	w->state = st;
	st->worker = w;
	st->ops = ops;
	st->arg = arg;
	st->batch = calloc(n, sizeof(struct shm_batch *));
	if (st->batch == NULL || n == 0)
		return -1;
	if (link_init(&st->link, w) == -1 || conns_init(&st->conns, w) == -1)
		return -1;
	stream_wait_init(st);
	stream_save_init(st);
	st->door.worker = w;
	st->door.conns = &st->conns;
	st->door.listen_fd = listen_fd;
	st->door.accept = ops->accept != NULL ? take : NULL;
	st->door.arg = st;
	st->door.enter = enter;
	st->door.leave = stream_drop;
	if (stream_inherit(st) == -1)
		return -1;
	return door_open(&st->door);
}

bool
stream_kick(struct worker *w, uint64_t serial)
{
	struct stream *st = w->state;
	struct conn *c = conns_by_serial(&st->conns, serial);

	if (c == NULL)
		return false;
	stream_drop(
	    st, c, "closed by an operator", &w->shm->stats.conns_kicked);
	return true;
}

void
stream_stop(struct worker *w)
{
	struct stream *st = w->state;
	struct conns *cs = &st->conns;

	door_close(&st->door);
	stream_wait_fini(st);
	stream_save_fini(st);
	for (unsigned i = 0; i < cs->fresh; i++)
		if (cs->pool[i].fd != -1)
			stream_drop(st, &cs->pool[i], "stopped", NULL);
	conns_fini(cs);
	link_fini(&st->link);
	free(st->batch);
	free(st);
}
