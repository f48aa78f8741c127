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
 * What comes while a worker is replaced waits in the socket, which is the
 * parent's; what the worker that died had taken lies in its segment (dgram.h),
 * and its successor goes on with it before all else: what was begun has author
 * and number noted, so that it is not carried out twice. What a peer sends
 * again is not either (repeats.h).
 *
 * Replies that do not fit into the socket wait for room, and so do the requests
 * behind them: room depends on the network card alone, not on any peer.
 */
#include <stdlib.h>

#include "workers/transport.h"
#include "workers/udp.h"

enum {
	ROUNDS = 8, /* in one turn of the loop */
	/* when draining: more than a socket's buffer holds */
	DRAIN_ROUNDS = 512,
	MANY = 12, /* datagrams that wait: enough to take them together */
	LOOK_AFTER = 256, /* rounds of one */
	PAUSE_MS = 50, /* after nothing but errors */
};

/* What a round has come to. */
enum round {
	ROUND_FULL, /* there may be more */
	ROUND_LAST, /* there is no more */
	ROUND_WAITS, /* replies wait for room */
	ROUND_FAILED, /* nothing but an error */
};

/* ---- rounds ---- */

static void
count_sent(struct udp *u, uint64_t bytes, uint64_t lost)
{
	worker_count(&udp_stats(u)->bytes_out, bytes);
	if (lost != 0) {
		worker_count(&udp_stats(u)->replies_lost, lost);
		if (udp_may_tell(u, UDP_FAILED))
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
	udp_arm_late(u);
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

/* Those in hand that are not done. */
static void
serve_all(struct udp *u)
{
	u->round++;
	while (u->dgrams->prog.done < u->dgrams->n) {
		/* each may wait for a device, and is judged by when it began */
		worker_tick(u->worker);
		udp_serve(u, u->dgrams->prog.done);
	}
}

static enum round
take_round(struct udp *u)
{
	unsigned most = u->dgrams->most;
	uint64_t bytes;
	int n = dgrams_take(u->dgrams, &bytes);

	if (n == 0) {
		repeats_caught_up(&u->repeats);
		return ROUND_LAST;
	}
	/* such as what a router said of an earlier reply: told once, and then
	 * the socket is as good as before */
	if (n == -1)
		return ROUND_FAILED;
	worker_count(&udp_stats(u)->bytes_in, bytes);
	worker_count(&udp_stats(u)->batches, 1);
	serve_all(u);
	if ((unsigned)n < most)
		repeats_caught_up(&u->repeats);
	pace(u, (unsigned)n);
	if (!flush(u))
		return ROUND_WAITS;
	return (unsigned)n == most ? ROUND_FULL : ROUND_LAST;
}

static void
wait_for_room(struct udp *u)
{
	worker_count(&udp_stats(u)->backpressured, 1);
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
	if (udp_may_tell(u, UDP_FAILED))
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

/* Nothing more is taken. */
static void
end(struct udp *u)
{
	u->finished = true;
	if (u->nsaves == 0)
		worker_done(u->worker);
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
			end(u);
			return;
		case ROUND_WAITS:
			wait_for_room(u);
			return;
		default:
			break;
		}
	}
	end(u);
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

/* ---- after a predecessor ---- */

/* If it died of itself, it was of the one that was next. That is carried out
 * once more, or answered, or else left out: it may come again. */
static void
judge(struct udp *u)
{
	struct dgrams *ds = u->dgrams;
	unsigned next = ds->prog.done;
	const struct shm_deaths *n = &ds->shm->deaths;
	uint32_t hand;
	unsigned suspect = poison_heir(u->worker, &hand);

	if (next >= ds->n)
		return;
	u->died = n->at == next + 1 ? n->died : 0;
	if (suspect == SUSPECT_NO || hand == 0 || udp_judge(u, suspect))
		return;
	u->died = 0;
	ds->at[next].out_len = ds->at[next].wrote = 0;
	dgrams_done(ds);
	log_warnx("a request is left out why=\"the last worker died of it\"");
}

/* Goes on with what it had in hand. Of the record of what was done last nothing
 * is known: it is made once more. */
static void
inherit(struct udp *u)
{
	struct dgrams *ds = u->dgrams;
	struct acl_peer from;
	uint64_t bytes;
	int n = dgrams_inherit(ds, u->worker->proc->kept, &bytes);

	worker_tick(u->worker);
	judge(u);
	if (n == 0)
		return;
	log_info("datagrams taken over from the last worker n=%d done=%u", n,
	    ds->prog.done);
	for (unsigned i = 0; i < ds->prog.done; i++) {
		acl_peer_set(&from, &ds->at[i].from);
		udp_remember(u, i, &from);
	}
	u->inherited = true;
	serve_all(u);
	u->inherited = false;
	if (!flush(u))
		wait_for_room(u);
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

/* The tables in the worker's segment, and what lies there. 0, or -1. */
static int
find_dgrams(struct udp *u)
{
	struct shm_dgrams *shm = seg_dgrams(u->worker->shm);

	if (shm == NULL)
		return -1;
	u->dgrams = dgrams_new(u->worker->proc->listen_fd, shm);
	repeats_init(&u->repeats, shm, u->worker->proc->kept);
	return u->dgrams != NULL ? 0 : -1;
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
	u->numbered =
	    u->link.framer == &frame_mbap || u->link.framer == &frame_tls;
	u->asked = calloc(u->peers.conns.nconns, sizeof(*u->asked));
	if (u->asked == NULL || find_dgrams(u) == -1)
		return -1;
	w->why = "cannot watch the socket";
	if (events_add(u, w->proc->listen_fd) == -1)
		return -1;
	udp_save_init(u);
	inherit(u);
	return 0;
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
	event_del(&u->room);
	waits_fini(&u->waits);
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
