/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over UDP: a datagram is one frame or nothing. Runs in the workers of
 * type udp; several share one socket. A round takes what has come, serves it
 * and sends all replies, with two system calls, no allocation and no lock.
 *
 * Datagrams that are no frame, or of nobody who may ask, are counted and
 * forgotten. Whoever has sent a frame is a peer and has a record among the
 * connections: it is listed, numbers what it writes, and is forgotten when it
 * asks nothing for long or when others need the room. Being forgotten costs a
 * peer nothing, its next request is answered like the first.
 *
 * A worker that dies takes at most the round in hand with it. What comes while
 * it is replaced waits in the socket, which is the parent's.
 *
 * Replies that do not fit into the socket wait for room, and so do the requests
 * behind them: room depends on the network card alone, not on any peer.
 *
 * Operation numbers: last_op() (conns.c) begins a successor's BATCH_OPS_MAX
 * behind those in the half of the record that is in force. The half is moved
 * on after each datagram, so a worker that dies anywhere has given out no more
 * numbers behind it than one datagram takes: one, or one for each device when
 * it is a broadcast, or as many as function codes of plugins may use
 * (link.ops_max). So none is given out twice.
 */
#include <stdlib.h>

#include "workers/dgram_late.h"
#include "workers/hooks/hooks.h"
#include "workers/link.h"
#include "workers/peers.h"
#include "workers/transport.h"

_Static_assert((int)CONF_UNITS <= (int)BATCH_OPS_MAX,
    "a successor begins behind the numbers of one datagram");

enum {
	ROUNDS = 8, /* in one turn of the loop */
	/* when draining: more than a socket's buffer holds */
	DRAIN_ROUNDS = 512,
	MANY = 12, /* datagrams that wait: enough to take them together */
	LOOK_AFTER = 256, /* rounds of one */
	PAUSE_MS = 50, /* after nothing but errors */
};

#define TELL_AGAIN_NS 60000000000ull /* between two lines of a kind */

/* What may go on for long, and is told now and then. */
enum { DENIED, FAILED, TOLD_KINDS };

/* What a peer has asked in a round. */
struct asked {
	uint64_t round;
	unsigned n;
};

struct udp {
	struct worker *worker;
	struct link link;
	struct peers peers;
	struct dgrams *dgrams;
	struct asked *asked; /* by index of the connection, its session */
	uint64_t round;
	unsigned singles; /* rounds of one since all were taken */
	struct frame frame;
	struct event readable, writable, pause;
	struct dgrams_late *late; /* NULL until there has been one */
	struct event in_time;
	uint64_t told_ns[TOLD_KINDS]; /* 0: never */
	unsigned drained; /* rounds, while draining */
};

/* What a round has come to. */
enum round {
	ROUND_FULL, /* there may be more */
	ROUND_LAST, /* there is no more */
	ROUND_WAITS, /* replies wait for room */
	ROUND_FAILED, /* nothing but an error */
};

static struct shm_stats *
stats(const struct udp *u)
{
	return &u->worker->shm->stats;
}

/* True, once a minute, if there should be a line of that kind. */
static bool
may_tell(struct udp *u, int kind)
{
	uint64_t now = u->worker->now_ns;

	if (u->told_ns[kind] != 0 && now - u->told_ns[kind] < TELL_AGAIN_NS)
		return false;
	u->told_ns[kind] = now;
	return true;
}

/* ---- one datagram ---- */

/* Serves a frame of a peer: the length of the reply, and how it is sent. */
static size_t
answer(struct udp *u, struct conn *c, struct dgram *d, const struct late **late)
{
	struct asked *asked = c->session;
	struct link_peer p = { .shm = c->rec.shm,
		.author = c->author,
		.op = batch_half(c->rec.shm)->op };
	size_t len;

	if (asked == NULL) {
		c->session = asked = &u->asked[c->rec.index];
		asked->round = 0;
	}
	if (asked->round == u->round)
		p.asked = asked->n;
	len = link_answer(&u->link, &p, &u->frame, d->in, d->out, late);
	batch_count(&c->rec, d->len, len, p.op);
	asked->round = u->round;
	asked->n = p.asked;
	conns_used(&u->peers.conns, c);
	return len;
}

/* Arms the timer for what is due first. Loops have milliseconds: rather late
 * than early. */
static void
arm_late(struct udp *u)
{
	uint64_t next = dgrams_late_next_ns(u->late), ns;
	struct timeval tv;

	if (next == 0)
		return;
	ns = next > u->worker->now_ns ? next - u->worker->now_ns : 0;
	tv.tv_sec = (time_t)(ns / 1000000000);
	tv.tv_usec = (suseconds_t)(ns % 1000000000 / 1000 + 1);
	event_add(&u->in_time, &tv);
}

/* Keeps a reply for later if it is late, or if one to the same peer is. False
 * if it is to go at once. */
static bool
put_off(struct udp *u, unsigned i, size_t len, const struct late *late)
{
	if (u->late == NULL && late == NULL)
		return false;
	if (u->late == NULL)
		u->late = dgrams_late_new(u->dgrams);
	if (u->late == NULL)
		return false;
	switch (dgrams_late_put(u->late, i, len, late, u->worker->now_ns)) {
	case LATE_NOT:
		return false;
	case LATE_LOST:
		worker_count(&stats(u)->replies_lost, 1);
		return true;
	case LATE_WAITS:
		break;
	}
	arm_late(u);
	return true;
}

static void
serve(struct udp *u, unsigned i)
{
	const struct late *late;
	struct dgram *d = &u->dgrams->at[i];
	struct acl_peer from;
	char text[ACL_TEXT_MAX];
	size_t len;

	acl_peer_set(&from, &d->from);
	if (!acl_allows(u->worker->conf, &from)) {
		worker_count(&stats(u)->conns_denied, 1);
		if (may_tell(u, DENIED))
			log_info("datagrams denied peer=%s",
			    acl_peer_text(&from, text));
		return;
	}
	if ((u->worker->traced & HOOK_PACKET) != 0) {
		d->len = hooks_packet(u->worker, NULL, &from, false, d->in,
		    d->len, sizeof(d->in));
		if (d->len == 0)
			return;
	}
	if (!link_frame(&u->link, &from, d->in, d->len, &u->frame))
		return;
	if (dgrams_own(u->dgrams, i)) {
		worker_count(&stats(u)->frames_bad, 1);
		return;
	}
	len = answer(u, peers_get(&u->peers, &from), d, &late);
	if (len != 0 && !put_off(u, i, len, late))
		dgrams_reply(u->dgrams, i, len);
}

/* ---- rounds ---- */

static void
count_sent(struct udp *u, uint64_t bytes, uint64_t lost)
{
	worker_count(&stats(u)->bytes_out, bytes);
	if (lost != 0) {
		worker_count(&stats(u)->replies_lost, lost);
		if (may_tell(u, FAILED))
			log_warn("cannot send");
	}
}

/* Sends what there is to send. False if some of it waits for room. */
static bool
flush(struct udp *u)
{
	uint64_t bytes = 0, lost = 0;
	bool all = dgrams_send(u->dgrams, &bytes, &lost);

	count_sent(u, bytes, lost);
	return all;
}

static void
in_time(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;
	uint64_t bytes = 0, lost = 0;

	(void)fd;
	(void)what;
	worker_turn(u->worker);
	dgrams_late_send(u->late, u->worker->now_ns, &bytes, &lost);
	count_sent(u, bytes, lost);
	arm_late(u);
}

/* What waits for its time when the worker drains has waited long enough. */
static void
hurry(struct udp *u)
{
	uint64_t bytes = 0, lost = 0;

	if (u->late == NULL)
		return;
	event_del(&u->in_time);
	dgrams_late_hurry(u->late, &bytes, &lost);
	count_sent(u, bytes, lost);
}

/*
 * How many the next round takes. Few that wait are best served one by one: each
 * peer has its answer at once, and works on it while the next one is served.
 * Many are cheaper together. How many wait is told by nothing but taking them,
 * so now and then a round takes all. Limits of what a peer may ask at once are
 * kept by round: where there are any, every round takes all.
 */
static void
pace(struct udp *u, unsigned n)
{
	struct dgrams *d = u->dgrams;

	if (d->most == 1 && ++u->singles < LOOK_AFTER)
		return;
	u->singles = 0;
	if (d->most == 1 || n >= MANY || u->worker->draining ||
	    u->worker->conf->max_transactions != 0)
		d->most = DGRAM_BATCH;
	else
		d->most = 1;
}

static enum round
take_round(struct udp *u)
{
	unsigned most = u->dgrams->most;
	uint64_t bytes;
	int n = dgrams_take(u->dgrams, &bytes);

	if (n == 0)
		return ROUND_LAST;
	/* such as what a router said of an earlier reply: told once, and then
	 * the socket is as good as before */
	if (n == -1)
		return ROUND_FAILED;
	worker_count(&stats(u)->bytes_in, bytes);
	worker_count(&stats(u)->batches, 1);
	u->round++;
	for (unsigned i = 0; i < u->dgrams->n; i++) {
		/* each may wait for a device, and is judged by when it began */
		worker_tick(u->worker);
		serve(u, i);
	}
	pace(u, (unsigned)n);
	if (!flush(u))
		return ROUND_WAITS;
	return (unsigned)n == most ? ROUND_FULL : ROUND_LAST;
}

static void
wait_for_room(struct udp *u)
{
	worker_count(&stats(u)->backpressured, 1);
	event_del(&u->readable);
	event_add(&u->writable, NULL);
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;
	struct timeval tv = { .tv_usec = PAUSE_MS * 1000 };
	unsigned failed = 0;

	(void)fd;
	(void)what;
	for (int i = 0; i < ROUNDS; i++) {
		switch (take_round(u)) {
		case ROUND_LAST:
			return;
		case ROUND_WAITS:
			wait_for_room(u);
			return;
		case ROUND_FAILED:
			failed++;
			break;
		case ROUND_FULL:
			break;
		}
	}
	if (failed < ROUNDS)
		return;
	worker_turn(u->worker);
	if (may_tell(u, FAILED))
		log_warn("cannot receive");
	event_del(&u->readable);
	event_add(&u->pause, &tv);
}

static void
resume(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;

	(void)fd;
	(void)what;
	worker_turn(u->worker);
	event_add(&u->readable, NULL);
}

/* Answers what has come before the order, then ends: more than that is the
 * successor's, or nobody's. */
static void
finish(struct udp *u)
{
	u->dgrams->most = DGRAM_BATCH;
	while (u->drained++ < DRAIN_ROUNDS) {
		switch (take_round(u)) {
		case ROUND_LAST:
			worker_done(u->worker);
			return;
		case ROUND_WAITS:
			wait_for_room(u);
			return;
		default:
			break;
		}
	}
	worker_done(u->worker);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;

	(void)fd;
	(void)what;
	worker_turn(u->worker);
	if (!flush(u))
		return;
	event_del(&u->writable);
	if (u->worker->draining)
		finish(u);
	else
		event_add(&u->readable, NULL);
}

/* ---- the transport ---- */

static int
events_add(struct udp *u, int fd)
{
	struct event_base *base = u->worker->base;

	event_assign(&u->readable, base, fd, EV_READ | EV_PERSIST, readable, u);
	event_assign(
	    &u->writable, base, fd, EV_WRITE | EV_PERSIST, writable, u);
	event_assign(&u->pause, base, -1, 0, resume, u);
	event_assign(&u->in_time, base, -1, 0, in_time, u);
	return event_add(&u->readable, NULL);
}

static int
start(struct worker *w)
{
	struct udp *u = calloc(1, sizeof(*u));

	w->why = "not enough memory";
	if (u == NULL)
		return -1;
	w->state = u;
	u->worker = w;
	if (link_init(&u->link, w) == -1 || peers_init(&u->peers, w) == -1)
		return -1;
	u->dgrams = dgrams_new(w->proc->listen_fd);
	u->asked = calloc(u->peers.conns.nconns, sizeof(*u->asked));
	if (u->dgrams == NULL || u->asked == NULL)
		return -1;
	w->why = "cannot watch the socket";
	return events_add(u, w->proc->listen_fd);
}

static void
drain(struct worker *w)
{
	struct udp *u = w->state;
	bool waits = event_pending(&u->writable, EV_WRITE, NULL) != 0;

	event_del(&u->readable);
	event_del(&u->pause);
	hurry(u);
	if (!waits)
		finish(u);
}

static bool
kick(struct worker *w, uint64_t serial)
{
	struct udp *u = w->state;

	return peers_kick(&u->peers, serial);
}

static void
stop(struct worker *w)
{
	struct udp *u = w->state;

	event_del(&u->readable);
	event_del(&u->writable);
	event_del(&u->pause);
	event_del(&u->in_time);
	dgrams_late_free(u->late);
	link_fini(&u->link);
	peers_fini(&u->peers);
	dgrams_free(u->dgrams);
	free(u->asked);
	free(u);
}

const struct transport_ops transport_udp = {
	.name = "udp",
	.start = start,
	.drain = drain,
	.kick = kick,
	.stop = stop,
};
