/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies over UDP that wait for the disk: copies in the worker's segment, so
 * that a successor, who takes a ticket of its own for them, sends what its
 * predecessor has not. Runs in the workers of type udp, for writes to durable
 * ranges alone. Never blocks, allocates nothing.
 *
 *	put	the datagram, its reply; then used; then it is done (dgram.h)
 *	sent	once it is saved, and the kernel has room for it: sent; what it
 *		was is remembered; used 0
 *
 * Killed before it is done, the successor carries it out again, finds that it
 * has been, and puts it where it is already, by author and number.
 */
#include <errno.h>
#include <string.h>

#include "shm/durable.h"
#include "workers/save.h"
#include "workers/udp.h"

static struct shm_saved *
saved(const struct udp *u)
{
	return &u->worker->proc->env.control->saved;
}

static bool
is_used(const struct udp *u, unsigned i)
{
	return atomic_load_explicit(
		   &u->dgrams->shm->wait[i].used, memory_order_relaxed) != 0;
}

/* ---- putting ---- */

static void
await(struct udp *u, unsigned i, uint64_t ticket)
{
	u->save[i].ticket = ticket;
	u->save[i].until_ns =
	    u->worker->now_ns + bind_durable_ns(&u->worker->bind);
	if (u->nsaves++ == u->nrooms) /* the first that waits for the disk */
		waits_for(&u->waits, ticket, u->save[i].until_ns);
}

/* Where datagram d is already, or may be put; SHM_DGRAM_WAITS: nowhere. */
static unsigned
find_room(const struct udp *u, const struct shm_dgram *d)
{
	unsigned room = SHM_DGRAM_WAITS;

	for (unsigned i = 0; i < SHM_DGRAM_WAITS; i++) {
		const struct shm_dgram *other = &u->dgrams->shm->wait[i].d;

		if (!is_used(u, i))
			room = i;
		else if (other->author == d->author && other->op == d->op)
			return i;
	}
	return room;
}

bool
udp_save(struct udp *u, unsigned i, const uint8_t *in, size_t len)
{
	struct shm_dgram *d = &u->dgrams->at[i];
	unsigned at = find_room(u, d);
	struct shm_dgram_wait *w;
	struct msghdr m = { 0 };
	bool again;

	if (at == SHM_DGRAM_WAITS)
		return false;
	w = &u->dgrams->shm->wait[at];
	again = is_used(u, at);
	dgrams_answer(u->dgrams, i, &m);
	w->d = *d;
	w->d.out_len = (uint32_t)len;
	w->in_len = u->frame.used < SHM_DGRAM_IN ? (uint32_t)u->frame.used
						 : SHM_DGRAM_IN;
	memcpy(w->d.in, in, w->in_len);
	w->namelen = m.msg_namelen;
	w->controllen = (uint32_t)m.msg_controllen;
	atomic_store_explicit(&w->used, 1, memory_order_release);
	if (!again || u->save[at].ticket == 0)
		await(u, at, durable_take(saved(u)));
	return true;
}

bool
udp_save_knows(const struct udp *u, uint64_t hash, const struct acl_peer *from)
{
	struct acl_peer other;

	for (unsigned i = 0; u->nsaves != 0 && i < SHM_DGRAM_WAITS; i++) {
		const struct shm_dgram *d = &u->dgrams->shm->wait[i].d;

		if (!is_used(u, i) || d->hash != hash)
			continue;
		acl_peer_set(&other, &d->from);
		if (other.port == from->port && acl_same_host(&other, from))
			return true;
	}
	return false;
}

/* ---- sending ---- */

/* False if there is no room for it now. */
static bool
send_reply(struct udp *u, struct shm_dgram_wait *w, size_t len)
{
	struct iovec iov = { .iov_base = w->d.out, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	m.msg_name = &w->d.from;
	m.msg_namelen =
	    w->namelen <= sizeof(w->d.from) ? w->namelen : sizeof(w->d.from);
	if (w->controllen != 0 && w->controllen <= sizeof(w->d.control)) {
		m.msg_control = w->d.control;
		m.msg_controllen = w->controllen;
	}
	for (int i = 0; i < 2; i++) { /* the first error may be another's */
		ssize_t n =
		    sendmsg(u->dgrams->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			worker_count(&udp_stats(u)->bytes_out, (uint64_t)n);
			return true;
		}
		if (errno == EAGAIN)
			return false;
	}
	worker_count(&udp_stats(u)->replies_lost, 1);
	return true;
}

/* The exception in place of a reply; its length. */
static size_t
refuse(struct udp *u, struct shm_dgram_wait *w, const struct acl_peer *from)
{
	size_t len = w->in_len <= SHM_DGRAM_IN ? w->in_len : 0;
	struct frame f = { .arg = u->link.framer->arg };
	struct conn *c;

	if (u->link.framer->datagram(&u->link.fcs, link_delimiter(&u->link),
		w->d.in, len, &f) != FRAME_OK)
		return 0;
	c = peers_get(&u->peers, from);
	return save_refuse(&u->link, c->rec.shm, &f, w->d.out);
}

/* Sends the reply, len bytes long, or has it wait for room. */
static void
finish(struct udp *u, unsigned i, size_t len)
{
	struct shm_dgram_wait *w = &u->dgrams->shm->wait[i];
	struct repeats_key key = { .hash = w->d.hash };
	struct acl_peer from;

	if (len != 0 && !send_reply(u, w, len)) {
		if (u->save[i].len == 0) {
			u->nrooms++;
			worker_count(&udp_stats(u)->backpressured, 1);
		}
		u->save[i].len = len;
		event_add(&u->room, NULL);
		return;
	}
	acl_peer_set(&from, &w->d.from);
	key.peer = &from;
	if (w->d.wrote != 0)
		repeats_put(&u->repeats, &key, w->d.run, w->d.out, len,
		    u->worker->now_ns);
	atomic_store_explicit(&w->used, 0, memory_order_release);
	if (u->save[i].len != 0)
		u->nrooms--;
	u->save[i].ticket = 0;
	u->save[i].len = 0;
	u->nsaves--;
}

static void
answer(struct udp *u, unsigned i, bool good)
{
	struct shm_dgram_wait *w = &u->dgrams->shm->wait[i];
	size_t len = w->d.out_len <= SHM_DGRAM_OUT ? w->d.out_len : 0;
	struct acl_peer from;

	acl_peer_set(&from, &w->d.from);
	if (!good)
		len = refuse(u, w, &from);
	finish(u, i, len);
}

/* Nothing is left to do for a worker that drains. */
static bool
is_over(const struct udp *u)
{
	return u->nsaves == 0 && u->worker->draining && u->finished;
}

static void
room(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;

	(void)fd;
	(void)what;
	worker_tick(u->worker);
	for (unsigned i = 0; i < SHM_DGRAM_WAITS; i++)
		if (u->save[i].len != 0)
			finish(u, i, u->save[i].len);
	if (is_over(u))
		worker_done(u->worker);
}

static void
look(void *arg)
{
	struct udp *u = arg;
	unsigned first = SHM_DGRAM_WAITS;

	for (unsigned i = 0; i < SHM_DGRAM_WAITS; i++) {
		enum durable state;

		if (u->save[i].ticket == 0 || u->save[i].len != 0)
			continue;
		state = durable_state(saved(u), u->save[i].ticket);
		if (state != DURABLE_WAITS) {
			answer(u, i, state == DURABLE_DONE);
		} else if (u->worker->now_ns >= u->save[i].until_ns) {
			u->worker->bind.late_ticket = u->save[i].ticket;
			answer(u, i, false);
		} else if (first == SHM_DGRAM_WAITS ||
		    u->save[i].ticket < u->save[first].ticket) {
			first = i;
		}
	}
	if (first != SHM_DGRAM_WAITS)
		waits_for(
		    &u->waits, u->save[first].ticket, u->save[first].until_ns);
	else if (is_over(u))
		worker_done(u->worker);
}

/* ---- beginning ---- */

void
udp_save_init(struct udp *u)
{
	uint64_t ticket = 0;

	waits_init(&u->waits, u->worker, look, u);
	event_assign(
	    &u->room, u->worker->base, u->dgrams->fd, EV_WRITE, room, u);
	for (unsigned i = 0; i < SHM_DGRAM_WAITS; i++) {
		if (!is_used(u, i))
			continue;
		if (!u->worker->proc->kept) {
			atomic_store_explicit(&u->dgrams->shm->wait[i].used, 0,
			    memory_order_release);
			continue;
		}
		if (ticket == 0)
			ticket = durable_take(saved(u));
		await(u, i, ticket);
	}
}
