/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has asked over UDP, each with a record among the connections. Runs in the
 * workers of type udp. Never reads or sends a datagram.
 */
#include "workers/peers.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "workers/conns_wait.h"
#include "workers/resume.h"

enum { PEER_IDLE_S = 300 }; /* where idle_timeout_s is 0 */

static struct shm_stats *
stats(const struct peers *ps)
{
	return &ps->worker->shm->stats;
}

/* Peers come and go without a line: nobody has hung up on anybody. */
static void
forget(struct peers *ps, struct conn *c, const char *why,
    _Atomic uint64_t *counter)
{
	worker_count(counter, 1);
	conns_close(&ps->conns, c, why, NULL);
}

/* Who is forgotten first: the longest unused, of those with priority only
 * when nobody else is left. NULL if this worker has no peers. */
static struct conn *
oldest(const struct conns *cs)
{
	struct conn *c = NULL;

	for (int i = 0; c == NULL && i < CONN_CLASSES; i++)
		c = TAILQ_FIRST(&cs->use[i]);
	return c;
}

/*
 * A record for a peer that has none. One over the limit of its own address
 * takes the place of the longest unused from there, one over the transport's
 * that of the longest unused. Nobody is turned away: unlike a connection, a
 * peer that is forgotten can ask as before. So a worker without peers may have
 * one, too, however many the others have: a datagram cannot be left to them.
 */
static struct conn *
admit(struct peers *ps, const struct acl_peer *p)
{
	const struct conf_transport *conf = ps->worker->conf;
	struct shm_stats *s = stats(ps);
	struct conns *cs = &ps->conns;
	struct conn *c = NULL;
	unsigned n = 0;

	if (conf->max_connections_per_peer != 0)
		c = conns_oldest_of(cs, p, &n);
	if (c != NULL && n >= conf->max_connections_per_peer)
		forget(ps, c, "replaced by a newer one of its peer",
		    &s->conns_evicted);
	if (conns_full(cs) && (c = oldest(cs)) != NULL)
		forget(ps, c, "evicted for a newer one", &s->conns_evicted);
	return conns_open(cs, -1, p, acl_match(&conf->priority, p));
}

/* Arms the one timer for the peer that will be due first. It is a descriptor:
 * an event with a time-out would have every wait of the loop set a timer in the
 * kernel, for something that happens once in minutes. */
static void
sweep_arm(struct peers *ps)
{
	uint64_t next = conns_next_ns(&ps->conns);
	struct itimerspec at = { .it_value = {
				     .tv_sec = (time_t)(next / 1000000000),
				     .tv_nsec = (long)(next % 1000000000),
				 } };

	if (next == 0 || ps->armed)
		return;
	ps->armed = true;
	timerfd_settime(ps->sweep_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
sweep(evutil_socket_t fd, short what, void *arg)
{
	struct peers *ps = arg;
	struct conn *c;
	uint64_t times;
	bool idle;

	(void)what;
	worker_turn(ps->worker);
	if (read(fd, &times, sizeof(times)) == -1)
		return;
	ps->armed = false;
	while ((c = conns_expired(&ps->conns, &idle)) != NULL)
		forget(ps, c, "idle", &stats(ps)->conns_idle);
	sweep_arm(ps);
}

int
peers_init(struct peers *ps, struct worker *w)
{
	ps->worker = w;
	if (conns_init(&ps->conns, w) == -1 ||
	    resume_wipe(&ps->conns, NULL, -1) == -1 ||
	    conns_find_init(&ps->conns) == -1)
		return -1;
	ps->conns.idle_s = PEER_IDLE_S;
	ps->sweep_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (ps->sweep_fd != -1 &&
	    event_assign(&ps->sweep, w->base, ps->sweep_fd,
		EV_READ | EV_PERSIST, sweep, ps) == 0 &&
	    event_add(&ps->sweep, NULL) == 0)
		return 0;
	w->why = "cannot watch a timer";
	return -1;
}

void
peers_fini(struct peers *ps)
{
	struct conn *c;

	event_del(&ps->sweep);
	close(ps->sweep_fd);
	while ((c = oldest(&ps->conns)) != NULL)
		conns_close(&ps->conns, c, "stopped", NULL);
	conns_fini(&ps->conns);
}

struct conn *
peers_get(struct peers *ps, const struct acl_peer *p)
{
	struct conn *c = conns_find(&ps->conns, p);

	if (c != NULL)
		return c;
	c = admit(ps, p);
	if (c == NULL) /* somebody is always there to be forgotten */
		fatal(70, "no record for a peer");
	sweep_arm(ps);
	return c;
}

bool
peers_kick(struct peers *ps, uint64_t serial)
{
	struct conn *c = conns_by_serial(&ps->conns, serial);

	if (c == NULL)
		return false;
	conns_close(
	    &ps->conns, c, "closed by an operator", &stats(ps)->conns_kicked);
	return true;
}
