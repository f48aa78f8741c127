/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connections wait, for what and for how long, and which are idle for too
 * long. Runs in the workers. Closes nobody and arms no timer on its own.
 */
#include "workers/conns_wait.h"

void
conns_slow(struct conns *cs, struct conn *c)
{
	conns_not_slow(cs, c);
	c->since_ns = cs->worker->now_ns;
	TAILQ_INSERT_TAIL(&cs->slow, c, by_wait);
}

void
conns_not_slow(struct conns *cs, struct conn *c)
{
	if (c->held != NULL || c->since_ns == 0)
		return;
	TAILQ_REMOVE(&cs->slow, c, by_wait);
	c->since_ns = 0;
}

void
conns_rest(struct conns *cs, struct conn *c)
{
	if (c->held == NULL || c->since_ns == 0)
		return;
	TAILQ_REMOVE(&cs->parked, c, by_wait);
	c->since_ns = 0;
}

void
conns_park(struct conns *cs, struct conn *c, struct shm_batch *b)
{
	conns_not_slow(cs, c);
	conns_rest(cs, c);
	c->held = b;
	c->since_ns = cs->worker->now_ns;
	TAILQ_INSERT_TAIL(&cs->parked, c, by_wait);
}

struct conn *
conns_deafest(const struct conns *cs)
{
	struct conn *c;

	TAILQ_FOREACH (c, &cs->parked, by_wait)
		if (!c->priority)
			return c;
	return TAILQ_FIRST(&cs->parked);
}

void
conns_unpark(struct conns *cs, struct conn *c)
{
	conns_rest(cs, c);
	c->held = NULL;
}

static uint64_t
idle_ns(const struct conns *cs)
{
	unsigned s = cs->worker->conf->idle_timeout_s;

	return (uint64_t)(s != 0 ? s : cs->idle_s) * 1000000000;
}

static uint64_t
frame_ns(const struct conns *cs)
{
	return (uint64_t)cs->worker->conf->frame_timeout_ms * 1000000;
}

/* The one of a class that is idle for longest, if such may be closed for that:
 * priority connections are not, but what a transport with an idle time of its
 * own has are no connections. */
static struct conn *
idlest(const struct conns *cs, int class)
{
	if (idle_ns(cs) == 0 || (class == CONN_PRIORITY && cs->idle_s == 0))
		return NULL;
	return TAILQ_FIRST(&cs->use[class]);
}

struct conn *
conns_expired(const struct conns *cs, bool *idle)
{
	uint64_t now = cs->worker->now_ns;
	struct conn *c = TAILQ_FIRST(&cs->slow);

	*idle = false;
	if (frame_ns(cs) != 0 && c != NULL && now >= c->since_ns + frame_ns(cs))
		return c;
	*idle = true;
	for (int i = 0; i < CONN_CLASSES; i++) {
		c = idlest(cs, i);
		if (c != NULL && now >= c->used_ns + idle_ns(cs))
			return c;
	}
	return NULL;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t
conns_next_ns(const struct conns *cs)
{
	const struct conn *c = TAILQ_FIRST(&cs->slow);
	uint64_t next = 0;

	if (frame_ns(cs) != 0 && c != NULL)
		next = c->since_ns + frame_ns(cs);
	for (int i = 0; i < CONN_CLASSES; i++) {
		c = idlest(cs, i);
		if (c != NULL)
			next = earlier(next, c->used_ns + idle_ns(cs));
	}
	return next;
}
