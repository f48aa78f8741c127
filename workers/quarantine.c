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
		if (quarantine_is_of(&w->poison[i], h, now_ns))
			return &w->poison[i];
	return NULL;
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
	set32(&e->shut, SHUT_NOTHING);
	set32(&e->known, 0);
	e->len = 0;
	set32(&e->family, h->family);
	atomic_store_explicit(&e->net[0], h->net[0], memory_order_relaxed);
	atomic_store_explicit(&e->net[1], h->net[1], memory_order_relaxed);
	snprintf(e->peer, sizeof(e->peer), "%s", peer);
	return e;
}

void
quarantine_keep(
    struct worker *w, struct shm_poison *e, const struct frame *f, bool known)
{
	if (f->pdu_len == 0)
		return;
	set32(&e->known, 0);
	e->unit = f->unit;
	memcpy(e->pdu, f->pdu, f->pdu_len);
	e->len = (uint8_t)f->pdu_len;
	set32(&e->known, known);
	if (known)
		set32(&w->shm->wary, 1);
}

struct shm_poison *
quarantine_known(struct worker *w, const struct frame *f, const struct host *h)
{
	struct shm_poison *found = NULL;
	bool any = false;

	for (unsigned i = 0; i < POISON_PEERS; i++) {
		struct shm_poison *e = &w->shm->poison[i];

		if (load32(&e->known) == 0 || load(&e->until_ns) <= w->now_ns)
			continue;
		any = true;
		if (quarantine_same(e, f) &&
		    (found == NULL || quarantine_is_of(e, h, w->now_ns)))
			found = e;
	}
	set32(&w->shm->wary, any);
	return found;
}

void
quarantine_count(struct worker *w, struct shm_poison *e, bool longer)
{
	uint64_t until = w->now_ns + w->conf->quarantine_s * NS_A_S;
	uint32_t n = load32(&e->count);

	set32(&e->count, n < COUNT_MAX ? n + 1 : COUNT_MAX);
	if (longer)
		atomic_store_explicit(
		    &e->until_ns, until, memory_order_release);
}

unsigned
quarantine_counted(const struct shm_poison *e)
{
	return load32(&e->count);
}

void
quarantine_uncount(struct shm_poison *e)
{
	if (load32(&e->count) > 0)
		set32(&e->count, load32(&e->count) - 1);
}

unsigned
quarantine_times(const struct conns *cs, const struct host *h, uint64_t now_ns)
{
	struct shm_poison *e = quarantine_find(cs->worker->shm, h, now_ns);
	unsigned n = e != NULL ? load32(&e->count) : 0;

	for (unsigned i = 0; i < cs->nsiblings; i++) {
		e = quarantine_find(seg_worker(&cs->sibling[i]), h, now_ns);
		if (e != NULL && load32(&e->count) <= COUNT_MAX)
			n += load32(&e->count);
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
shuts(struct shm_worker *w, const struct host *h, uint64_t now_ns)
{
	const struct shm_poison *e;

	if (load(&w->shut_ns) <= now_ns)
		return SHUT_NOTHING;
	e = quarantine_find(w, h, now_ns);
	return e != NULL ? load32(&e->shut) : SHUT_NOTHING;
}

unsigned
quarantine_shuts(const struct conns *cs, const struct acl_peer *p)
{
	const struct frame none = { .pdu_len = 0 };
	struct host h = quarantine_host((unsigned)p->family, p->addr, &none);
	uint64_t now_ns = cs->worker->now_ns;
	unsigned how = SHUT_NOTHING, n;

	if (cs->worker->conf->quarantine_s == 0)
		return how;
	how = shuts(cs->worker->shm, &h, now_ns);
	for (unsigned i = 0; i < cs->nsiblings; i++) {
		n = shuts(seg_worker(&cs->sibling[i]), &h, now_ns);
		if (n > how)
			how = n;
	}
	/* a network may be shut out whose one host is not to be */
	if (how != SHUT_NOTHING && acl_match(&cs->worker->conf->priority, p))
		return SHUT_NOTHING;
	return how;
}
