/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepting: who may come in, and who has to go for it. Runs in the workers
 * of transports that listen. Never blocks, and survives the want of
 * descriptors and of memory.
 */
#include "workers/door.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "workers/resume.h"

enum {
	ACCEPTS_ALONE = 32, /* connections taken in one turn */
	ACCEPTS_SHARED = 4, /* so that the other workers get theirs */
	PAUSE_MS = 50, /* away from the listener while it is of no use */
	LEFT_MAX = 3, /* pauses in a row in favour of the other workers */
};

#define STARVED_AGAIN_NS 60000000000ull /* between two lines about it */

static void
refuse(struct door *d, int fd, const struct acl_peer *peer)
{
	char text[ACL_TEXT_MAX];

	close(fd);
	worker_count(&d->worker->shm->stats.conns_refused, 1);
	if (conns_may_log(d->conns))
		log_info("connection refused peer=%s why=full",
		    acl_peer_text(peer, text));
}

static void
admit(struct door *d, int fd, const struct acl_peer *peer)
{
	const struct conf_transport *conf = d->worker->conf;
	struct shm_stats *s = &d->worker->shm->stats;
	bool priority = acl_match(&conf->priority, peer);
	struct conn *c;
	bool room;
	unsigned n;

	c = conns_oldest_of(d->conns, peer, &n);
	if (conf->max_connections_per_peer != 0 &&
	    n >= conf->max_connections_per_peer)
		d->leave(d->arg, c, "replaced by a newer one of its peer",
		    &s->conns_evicted);
	/* who has made room may use it, whatever the other workers do */
	room = !conns_full(d->conns);
	if (!room && (c = conns_oldest(d->conns)) != NULL) {
		d->leave(
		    d->arg, c, "evicted for a newer one", &s->conns_evicted);
		room = true;
	}
	c = room ? conns_open(d->conns, fd, peer, priority) : NULL;
	if (c == NULL)
		refuse(d, fd, peer);
	else if (!d->enter(d->arg, c))
		conns_close(
		    d->conns, c, "not enough memory", &s->conns_refused);
}

/* The kernel looks for a descriptor before it looks for a connection. */
static bool
somebody_waits(const struct door *d)
{
	struct pollfd p = { .fd = d->listen_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
tell_starved(struct door *d)
{
	if (d->starved_ns == 0 ||
	    d->worker->now_ns - d->starved_ns >= STARVED_AGAIN_NS)
		log_warn("cannot accept");
	d->starved_ns = d->worker->now_ns;
}

/* This process has no descriptor for the connection that waits: an unused one
 * makes room, if that has been of use before; else the newcomer is turned away
 * with the one kept for that. True if it is worth trying again. */
static bool
make_room(struct door *d)
{
	struct shm_stats *s = &d->worker->shm->stats;
	struct conn *c = conns_oldest(d->conns);
	int fd;

	if (d->evicted)
		return false;
	if (c != NULL && !d->in_vain) {
		d->evicted = true;
		d->in_vain = true;
		d->leave(d->arg, c, "evicted for want of descriptors",
		    &s->conns_evicted);
		return true;
	}
	if (d->reserve_fd == -1)
		return false;
	close(d->reserve_fd);
	fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd != -1) {
		worker_count(&s->conns_refused, 1);
		close(fd);
	}
	d->reserve_fd = fcntl(d->listen_fd, F_DUPFD_CLOEXEC, 0);
	return fd != -1;
}

static void
pause_accepting(struct door *d)
{
	struct timeval tv = { .tv_usec = PAUSE_MS * 1000 };

	event_del(&d->listener);
	event_add(&d->pause, &tv);
}

static void
resume_accepting(evutil_socket_t fd, short what, void *arg)
{
	struct door *d = arg;

	(void)fd;
	(void)what;
	worker_turn(d->worker);
	event_add(&d->listener, NULL);
}

/* After a failed accept(): true if another may succeed. */
static bool
retry(struct door *d)
{
	int why;

	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED:
		return true;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		why = errno;
		if (!somebody_waits(d))
			return false;
		tell_starved(d);
		/* what the whole machine lacks is not ours to give */
		if (why == EMFILE && make_room(d))
			return true;
		break;
	case EINVAL:
		break; /* shut down: the order to drain is on its way */
	default:
		if (conns_may_log(d->conns))
			log_warn("cannot accept");
	}
	pause_accepting(d);
	return false;
}

static int
take(struct door *d, struct acl_peer *who)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	int fd;

	memset(who, 0, sizeof(*who));
	if (d->accept != NULL)
		return d->accept(d->arg, d->listen_fd, who);
	fd = accept4(d->listen_fd, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1)
		acl_peer_set(who, &ss);
	return fd;
}

/* What has been accepted comes in, or is sent away. */
static void
let_in(struct door *d, int fd, const struct acl_peer *peer)
{
	struct worker *w = d->worker;
	bool allowed = acl_allows(w->conf, peer);
	char text[ACL_TEXT_MAX];

	if (allowed && quarantine_shuts(d->conns, peer) == SHUT_NOTHING) {
		admit(d, fd, peer);
		return;
	}
	close(fd);
	worker_count(allowed ? &w->shm->stats.conns_quarantined
			     : &w->shm->stats.conns_denied,
	    1);
	if (conns_may_log(d->conns))
		log_info("connection denied peer=%s%s",
		    acl_peer_text(peer, text),
		    allowed ? " why=quarantined" : "");
}

/* Until a record tells of what has been accepted, or it is closed, a successor
 * has to look for it. */
static void
accepting(const struct door *d, bool on)
{
	atomic_store_explicit(
	    &d->worker->shm->accepting, on, memory_order_release);
}

/* Takes one connection; false if there is none, or none for this worker. */
static bool
accept_one(struct door *d)
{
	struct acl_peer peer;
	bool more = true;
	int fd;

	accepting(d, true);
	fd = take(d, &peer);
	if (fd == -1) {
		more = retry(d);
	} else {
		d->in_vain = false;
		let_in(d, fd, &peer);
	}
	accepting(d, false);
	return more;
}

/* A full transport makes room in a worker that has somebody to evict. One that
 * has nobody leaves the newcomer to the others, but not for ever: they may
 * have nobody either. */
static bool
for_others(struct door *d)
{
	struct conns *cs = d->conns;

	if (cs->nsiblings == 0 || !conns_full(cs) || conns_oldest(cs) != NULL ||
	    d->left == LEFT_MAX) {
		d->left = 0;
		return false;
	}
	d->left++;
	return true;
}

static void
acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct door *d = arg;
	int n = d->conns->nsiblings == 0 ? ACCEPTS_ALONE : ACCEPTS_SHARED;

	(void)fd;
	(void)what;
	worker_turn(d->worker);
	if (for_others(d)) {
		pause_accepting(d);
		return;
	}
	d->evicted = false;
	while (n-- > 0 && accept_one(d))
		;
}

/* A predecessor was killed between accept() and the record: its client comes
 * in as if it had just been accepted. */
static void
let_orphan_in(struct door *d)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	struct acl_peer peer;
	int fd = resume_orphan(d->conns, d->listen_fd);

	if (fd == -1)
		return;
	memset(&peer, 0, sizeof(peer));
	if (d->accept == NULL &&
	    getpeername(fd, (struct sockaddr *)&ss, &len) == 0) {
		acl_peer_set(&peer, &ss);
		let_in(d, fd, &peer);
	} else {
		close(fd);
	}
}

int
door_open(struct door *d)
{
	struct worker *w = d->worker;

	d->starved_ns = 0;
	d->left = 0;
	d->in_vain = false;
	if (w->proc->kept &&
	    atomic_load_explicit(&w->shm->accepting, memory_order_relaxed) != 0)
		let_orphan_in(d);
	accepting(d, false);
	d->reserve_fd = fcntl(d->listen_fd, F_DUPFD_CLOEXEC, 0);
	event_assign(&d->pause, w->base, -1, 0, resume_accepting, d);
	event_assign(&d->listener, w->base, d->listen_fd, EV_READ | EV_PERSIST,
	    acceptable, d);
	if (event_add(&d->listener, NULL) == 0)
		return 0;
	w->why = "cannot watch the listener";
	return -1;
}

void
door_close(struct door *d)
{
	event_del(&d->listener);
	event_del(&d->pause);
	if (d->reserve_fd != -1)
		close(d->reserve_fd);
	d->reserve_fd = -1;
}
