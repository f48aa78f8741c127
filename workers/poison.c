/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has asked for what workers died of. Runs in the workers: as one begins,
 * and on the request path while something is known. Carries nothing out and
 * closes nobody itself; allocates nothing.
 */
#include "workers/poison.h"

#include <stdio.h>
#include <string.h>

#include "shm/log.h"
#include "shm/notice.h"
#include "workers/who.h"

enum {
	THRICE = 3,
	SHOWN = 96, /* bytes that are logged, at most */
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

/* ---- hosts ---- */

struct host {
	uint32_t family;
	uint64_t net[2];
};

static struct host
host_of(unsigned family, const uint8_t addr[16])
{
	struct host h = { .family = family };

	memcpy(h.net, addr, family == AF_INET6 ? NET_V6 : sizeof(h.net));
	return h;
}

static bool
is_of(const struct shm_poison *e, const struct host *h, uint64_t now)
{
	return load(&e->until_ns) > now && load32(&e->family) == h->family &&
	    load(&e->net[0]) == h->net[0] && load(&e->net[1]) == h->net[1];
}

static struct shm_poison *
find(struct shm_worker *w, const struct host *h, uint64_t now)
{
	for (unsigned i = 0; i < POISON_PEERS; i++)
		if (is_of(&w->poison[i], h, now))
			return &w->poison[i];
	return NULL;
}

/* Its entry, if need be in place of the one that is forgotten first. */
static struct shm_poison *
enter(struct shm_worker *w, const struct host *h, uint64_t now)
{
	struct shm_poison *e = find(w, h, now);

	if (e != NULL)
		return e;
	e = &w->poison[0];
	for (unsigned i = 1; i < POISON_PEERS; i++)
		if (load(&w->poison[i].until_ns) < load(&e->until_ns))
			e = &w->poison[i];
	atomic_store_explicit(&e->until_ns, 0, memory_order_release);
	set32(&e->count, 0);
	set32(&e->shut, 0);
	set32(&e->known, 0);
	e->len = 0;
	set32(&e->family, h->family);
	atomic_store_explicit(&e->net[0], h->net[0], memory_order_relaxed);
	atomic_store_explicit(&e->net[1], h->net[1], memory_order_relaxed);
	return e;
}

/* How often over all workers. */
static unsigned
times(const struct conns *cs, const struct host *h, uint64_t now)
{
	struct shm_poison *e = find(cs->worker->shm, h, now);
	unsigned n = e != NULL ? load32(&e->count) : 0;

	for (unsigned i = 0; i < cs->nsiblings; i++) {
		e = find(seg_worker(&cs->sibling[i]), h, now);
		if (e != NULL && load32(&e->count) <= THRICE)
			n += load32(&e->count);
	}
	return n;
}

/* Once more, and remembered from now on. */
static void
count(struct worker *w, struct shm_poison *e)
{
	uint64_t until = w->now_ns + w->conf->quarantine_s * NS_A_S;
	uint32_t n = load32(&e->count);

	set32(&e->count, n < THRICE ? n + 1 : THRICE);
	atomic_store_explicit(&e->until_ns, until, memory_order_release);
}

static enum poison
shut(struct worker *w, struct shm_poison *e)
{
	if (load32(&e->family) == AF_UNSPEC) /* that may be anybody */
		return POISON_CLOSE;
	set32(&e->shut, 1);
	atomic_store_explicit(
	    &w->shm->shut_ns, load(&e->until_ns), memory_order_release);
	return POISON_SHUT;
}

static bool
shuts(struct shm_worker *w, const struct host *h, uint64_t now)
{
	const struct shm_poison *e;

	if (load(&w->shut_ns) <= now)
		return false;
	e = find(w, h, now);
	return e != NULL && load32(&e->shut) != 0;
}

bool
poison_shuts(const struct conns *cs, const struct acl_peer *p)
{
	struct host h = host_of((unsigned)p->family, p->addr);
	uint64_t now = cs->worker->now_ns;

	if (cs->worker->conf->quarantine_s == 0)
		return false;
	for (unsigned i = 0; i < cs->nsiblings; i++)
		if (shuts(seg_worker(&cs->sibling[i]), &h, now))
			return true;
	return shuts(cs->worker->shm, &h, now);
}

void
poison_forgive(struct worker *w, const struct shm_conn *c)
{
	struct host h = host_of(c->family, c->addr);
	struct shm_poison *e = find(w->shm, &h, w->now_ns);

	if (e != NULL && load32(&e->count) > 0)
		set32(&e->count, load32(&e->count) - 1);
}

/* ---- requests ---- */

static bool
same(const struct shm_poison *e, const struct frame *f)
{
	return f->pdu_len != 0 && e->unit == f->unit && e->len == f->pdu_len &&
	    memcmp(e->pdu, f->pdu, f->pdu_len) == 0;
}

static void
keep(struct shm_poison *e, const struct frame *f)
{
	e->unit = f->unit;
	memcpy(e->pdu, f->pdu, f->pdu_len);
	e->len = (uint8_t)f->pdu_len;
}

/* Somebody has asked for it that it is known of, or another; NULL: nobody. Once
 * nothing is known any more nobody needs to look. */
static struct shm_poison *
known(struct worker *w, const struct frame *f, const struct host *h)
{
	struct shm_poison *found = NULL;
	bool any = false;

	for (unsigned i = 0; i < POISON_PEERS; i++) {
		struct shm_poison *e = &w->shm->poison[i];

		if (load32(&e->known) == 0 || load(&e->until_ns) <= w->now_ns)
			continue;
		any = true;
		if (same(e, f) && (found == NULL || is_of(e, h, w->now_ns)))
			found = e;
	}
	set32(&w->shm->wary, any);
	return found;
}

/* ---- telling ---- */

static void
hex(char *buf, const uint8_t *bytes, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len && i < SHOWN; i++) {
		*buf++ = digit[bytes[i] >> 4];
		*buf++ = digit[bytes[i] & 15];
	}
	*buf = '\0';
}

/* f->pdu_len is 0 if nobody knows what the bytes ask for. */
static void
tell(struct worker *w, const struct shm_conn *c, const struct frame *f,
    const uint8_t *bytes, size_t len, unsigned n, enum poison what)
{
	const struct proc *p = w->proc;
	char peer[ACL_TEXT_MAX], shown[2 * SHOWN + 1], of[32] = "";
	char text[sizeof(peer) + sizeof(shown)];
	unsigned fc = f->pdu_len != 0 ? f->pdu[0] : 0;

	who_text(w->shm, c, peer);
	hex(shown, bytes, len);
	if (f->pdu_len != 0)
		snprintf(of, sizeof(of), " unit=%u fc=%u", f->unit, fc);
	log_warnx("request that workers die of peer=%s%s count=%u then=%s "
		  "bytes=%s%s",
	    peer, of, n, notice_poison_name(what), shown,
	    len > SHOWN ? "..." : "");
	snprintf(text, sizeof(text), "%s%s", peer, shown);
	notice_post(&p->env, NOTICE_POISON, p->transport_index,
	    CONN_ID(p->transport_index, p->worker,
		atomic_load_explicit(&c->serial, memory_order_relaxed)),
	    NOTICE_POISON_B(f->unit, fc, n, what, strlen(peer)), text);
}

/* ---- deaths ---- */

/* The request that b says was in hand, as far as its bytes tell without asking
 * anybody who may have been what its worker died in: *bytes, how many. */
static size_t
in_hand(const struct link *l, const struct shm_batch *b, struct frame *f,
    const uint8_t **bytes)
{
	unsigned done = batch_prog_get(b).done;
	unsigned len = atomic_load_explicit(&b->in_len, memory_order_relaxed);

	*bytes = b->in;
	if (len > BATCH_IN || done >= len)
		return 0;
	*bytes += done;
	if (l->framer->arg != NULL ||
	    l->framer->stream(&l->fcs, link_delimiter(l), *bytes, len - done,
		f) != FRAME_OK) {
		f->pdu_len = 0;
		return len - done;
	}
	return f->used;
}

/* How many workers have died of it. */
static unsigned
die(struct shm_batch *b)
{
	unsigned done = batch_prog_get(b).done;

	if (b->died_at != done)
		b->died = 0;
	b->died_at = done;
	return ++b->died;
}

/* The host's part of it. deaths: of this very request, 0 if it is not kept. */
static enum poison
blame(struct conns *cs, const struct shm_conn *c, const struct frame *f,
    unsigned deaths, unsigned *n)
{
	struct worker *w = cs->worker;
	struct host h = host_of(c->family, c->addr);
	struct shm_poison *e = enter(w->shm, &h, w->now_ns);
	bool again = deaths >= 2 || (deaths == 0 && same(e, f));

	if (f->pdu_len != 0) {
		set32(&e->known, 0);
		keep(e, f);
		set32(&e->known, again);
	}
	count(w, e);
	if (again && f->pdu_len != 0)
		set32(&w->shm->wary, 1);
	*n = times(cs, &h, w->now_ns);
	return *n >= THRICE ? shut(w, e) : POISON_NONE;
}

enum poison
poison_judge(struct conns *cs, const struct link *l, unsigned i,
    struct shm_batch *b, unsigned suspect, bool resumes)
{
	struct worker *w = cs->worker;
	const struct shm_conn *c = seg_conn(w->shm, i);
	struct frame f = { .pdu_len = 0 };
	const uint8_t *bytes = NULL;
	size_t len = b != NULL ? in_hand(l, b, &f, &bytes) : 0;
	unsigned deaths = 0, n;
	enum poison what = POISON_CLOSE, host = POISON_NONE;

	worker_count(&w->shm->stats.fatal, 1);
	if (resumes && len != 0 && suspect == SUSPECT_FAULT) {
		deaths = die(b);
		what = deaths == 1 ? POISON_AGAIN
		    : deaths == 2  ? POISON_REFUSE
				   : POISON_CLOSE;
	}
	n = deaths;
	if (w->conf->quarantine_s != 0)
		host = blame(cs, c, &f, deaths, &n);
	if (host != POISON_NONE)
		what = host;
	tell(w, c, &f, bytes, len, n, what);
	return what;
}

enum poison
poison_meet(struct worker *w, const struct shm_conn *c, const struct frame *f,
    unsigned died)
{
	struct host h = host_of(c->family, c->addr);
	enum poison what = POISON_REFUSE;
	struct shm_poison *e = NULL;

	if (died < 2) {
		e = known(w, f, &h);
		if (e == NULL)
			return POISON_NONE;
	}
	if (e != NULL && is_of(e, &h, w->now_ns)) {
		count(w, e);
		if (load32(&e->count) >= THRICE)
			what = shut(w, e);
		tell(w, c, f, f->pdu, f->pdu_len, load32(&e->count), what);
	}
	if (what == POISON_REFUSE)
		worker_count(&w->shm->stats.poisoned, 1);
	return what;
}
