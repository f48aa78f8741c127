/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of those who have asked for what workers died of. Runs in the
 * workers: as one begins, and on the request path while something is known.
 * Decides nothing, tells nobody, allocates nothing.
 */
#include "workers/quarantine.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	COUNT_MAX = 3, /* nobody asks for more */
	NET_V6 = 8, /* bytes of an address that make a host */
};

#define NS_A_S 1000000000ull

static uint64_t
load(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static uint32_t
load32(const _Atomic uint32_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void
set32(_Atomic uint32_t *v, uint32_t to)
{
	atomic_store_explicit(v, to, memory_order_relaxed);
}

/* True if all addresses of a network are one host: not those of a link, which
 * have the same first 64 bits. */
static bool
is_network(unsigned family, const uint8_t addr[16])
{
	struct in6_addr a;

	memcpy(&a, addr, sizeof(a));
	return family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&a);
}

struct host
quarantine_host(
    unsigned family, const uint8_t addr[16], const struct frame *asked)
{
	struct host h = { .family = family, .asked = asked };

	memcpy(h.net, addr, is_network(family, addr) ? NET_V6 : sizeof(h.net));
	return h;
}

bool
quarantine_named(const struct host *h)
{
	return h->family != AF_UNSPEC || h->net[0] != 0 || h->net[1] != 0;
}

bool
quarantine_same(const struct shm_poison *e, const struct frame *f)
{
	return f->pdu_len != 0 && e->unit == f->unit && e->len == f->pdu_len &&
	    memcmp(e->pdu, f->pdu, f->pdu_len) == 0;
}

static bool
is_about(const struct shm_poison *e, const struct frame *f)
{
	return f->pdu_len == 0 ? e->len == 0 : quarantine_same(e, f);
}

bool
quarantine_is_of(
    const struct shm_poison *e, const struct host *h, uint64_t now_ns)
{
	return load(&e->until_ns) > now_ns && load32(&e->family) == h->family &&
	    load(&e->net[0]) == h->net[0] && load(&e->net[1]) == h->net[1] &&
	    (quarantine_named(h) || is_about(e, h->asked));
}

struct shm_poison *
quarantine_find(struct shm_worker *w, const struct host *h, uint64_t now_ns)
{
	for (unsigned i = 0; i < POISON_PEERS; i++)
		if (quarantine_is_of(&w->poison[i], h, now_ns) &&
		    is_about(&w->poison[i], h->asked))
			return &w->poison[i];
	return NULL;
}

/* The tables of a transport's workers: the own one is 0; NULL behind the
 * last. */
static struct shm_worker *
table(const struct worker *w, unsigned i)
{
	if (i == 0)
		return w->shm;
	return w->conns != NULL && i <= w->conns->nsiblings
	    ? seg_worker(&w->conns->sibling[i - 1])
	    : NULL;
}

struct shm_poison *
quarantine_enter(struct shm_worker *w, const struct host *h, const char *peer,
    uint64_t now_ns)
{
	struct shm_poison *e = quarantine_find(w, h, now_ns);

	if (e != NULL)
		return e;
	e = &w->poison[0];
	for (unsigned i = 1; i < POISON_PEERS; i++)
		if (load(&w->poison[i].until_ns) < load(&e->until_ns))
			e = &w->poison[i];
	atomic_store_explicit(&e->until_ns, 0, memory_order_release);
	set32(&e->count, 0);
	set32(&e->killed, 0);
	set32(&e->shut, SHUT_NOTHING);
	set32(&e->known, 0);
	e->unit = h->asked->unit;
	e->len = (uint8_t)h->asked->pdu_len;
	if (e->len != 0)
		memcpy(e->pdu, h->asked->pdu, e->len);
	set32(&e->family, h->family);
	atomic_store_explicit(&e->net[0], h->net[0], memory_order_relaxed);
	atomic_store_explicit(&e->net[1], h->net[1], memory_order_relaxed);
	snprintf(e->peer, sizeof(e->peer), "%s", peer);
	return e;
}

/* Requests are to be compared with those of the table while it is in there. */
static void
be_wary(struct worker *w, const struct shm_poison *e)
{
	uint64_t until = load(&e->until_ns);

	if (load(&w->shm->wary_ns) < until)
		atomic_store_explicit(
		    &w->shm->wary_ns, until, memory_order_relaxed);
}

static void
remember(struct worker *w, struct shm_poison *e)
{
	atomic_store_explicit(&e->until_ns,
	    w->now_ns + w->conf->quarantine_s * NS_A_S, memory_order_release);
}

void
quarantine_know(struct worker *w, struct shm_poison *e)
{
	if (e->len == 0)
		return;
	set32(&e->known, 1);
	be_wary(w, e);
}

unsigned
quarantine_killed(struct worker *w, struct shm_poison *e)
{
	set32(&e->killed, load32(&e->killed) + 1);
	remember(w, e);
	be_wary(w, e);
	return load32(&e->killed);
}

bool
quarantine_blamed(const struct worker *w, const struct frame *f)
{
	const struct shm_worker *t;

	for (unsigned k = 0; (t = table(w, k)) != NULL; k++)
		for (unsigned i = 0; i < POISON_PEERS; i++)
			if (load(&t->poison[i].until_ns) > w->now_ns &&
			    load32(&t->poison[i].count) != 0 &&
			    quarantine_same(&t->poison[i], f))
				return true;
	return false;
}

const struct shm_poison *
quarantine_known(struct worker *w, const struct frame *f, const struct host *h)
{
	const struct shm_poison *found = NULL;
	const struct shm_worker *t;
	bool any = false;

	for (unsigned k = 0; (t = table(w, k)) != NULL; k++) {
		for (unsigned i = 0; i < POISON_PEERS; i++) {
			const struct shm_poison *e = &t->poison[i];

			if (load(&e->until_ns) <= w->now_ns)
				continue;
			any |= k == 0 &&
			    (load32(&e->known) | load32(&e->killed)) != 0;
			if (load32(&e->known) != 0 && quarantine_same(e, f) &&
			    (found == NULL ||
				(!quarantine_is_of(found, h, w->now_ns) &&
				    quarantine_is_of(e, h, w->now_ns))))
				found = e;
		}
	}
	if (!any)
		atomic_store_explicit(
		    &w->shm->wary_ns, 0, memory_order_relaxed);
	return found;
}

bool
quarantine_others_wary(const struct worker *w)
{
	const struct shm_worker *t;

	for (unsigned k = 1; (t = table(w, k)) != NULL; k++)
		if (load(&t->wary_ns) > w->now_ns)
			return true;
	return false;
}

void
quarantine_count(struct worker *w, struct shm_poison *e, bool longer)
{
	uint32_t n = load32(&e->count);

	set32(&e->count, n < COUNT_MAX ? n + 1 : COUNT_MAX);
	if (longer)
		remember(w, e);
}

unsigned
quarantine_counted(const struct shm_poison *e)
{
	return load32(&e->count);
}

void
quarantine_forgive(struct shm_poison *e, bool died)
{
	set32(&e->killed, 0);
	if (died && load32(&e->count) > 0)
		set32(&e->count, load32(&e->count) - 1);
	if (load32(&e->count) == 0 && load32(&e->shut) == SHUT_NOTHING)
		atomic_store_explicit(&e->until_ns, 0, memory_order_release);
}

unsigned
quarantine_times(const struct worker *w, const struct host *h)
{
	const struct shm_worker *t;
	unsigned n = 0, one;

	for (unsigned k = 0; (t = table(w, k)) != NULL; k++)
		for (unsigned i = 0; i < POISON_PEERS; i++) {
			if (!quarantine_is_of(&t->poison[i], h, w->now_ns))
				continue;
			one = load32(&t->poison[i].count);
			n += one < COUNT_MAX ? one : COUNT_MAX;
		}
	return n;
}

void
quarantine_shut(struct worker *w, struct shm_poison *e, unsigned how)
{
	uint64_t until = load(&e->until_ns);

	if (load32(&e->shut) < how)
		set32(&e->shut, how);
	/* others may be shut out for longer, or this one just be forgotten */
	if (load(&w->shm->shut_ns) < until)
		atomic_store_explicit(
		    &w->shm->shut_ns, until, memory_order_release);
}

static unsigned
shuts(const struct shm_worker *t, const struct host *h, uint64_t now_ns)
{
	unsigned how = SHUT_NOTHING;

	if (load(&t->shut_ns) <= now_ns)
		return how;
	for (unsigned i = 0; i < POISON_PEERS; i++)
		if (quarantine_is_of(&t->poison[i], h, now_ns) &&
		    load32(&t->poison[i].shut) > how)
			how = load32(&t->poison[i].shut);
	return how;
}

unsigned
quarantine_shuts(const struct conns *cs, const struct acl_peer *p)
{
	const struct frame none = { .pdu_len = 0 };
	struct host h = quarantine_host((unsigned)p->family, p->addr, &none);
	const struct worker *w = cs->worker;
	const struct shm_worker *t;
	unsigned how = SHUT_NOTHING, n;

	if (w->conf->quarantine_s == 0)
		return how;
	for (unsigned k = 0; (t = table(w, k)) != NULL; k++) {
		n = shuts(t, &h, w->now_ns);
		if (n > how)
			how = n;
	}
	/* a network may be shut out whose one host is not to be */
	if (how != SHUT_NOTHING && acl_match(&w->conf->priority, p))
		return SHUT_NOTHING;
	return how;
}
