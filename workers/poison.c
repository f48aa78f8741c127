/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of requests that workers died of, and of who asks for them. Runs
 * in the workers: as one begins, and on the request path while something is
 * known. Carries nothing out and closes nobody itself; allocates nothing.
 */
#include "workers/poison.h"

#include <stdio.h>
#include <string.h>

#include "shm/log.h"
#include "shm/notice.h"
#include "workers/who.h"

enum {
	TWICE = 2,
	THRICE = 3,
	SHOWN = 96, /* bytes that are logged, at most */
};

_Static_assert((int)SHM_POISON_PEER == CONN_PEER_MAX, "a peer's words");

static struct host
host_of(const struct shm_conn *c, const struct frame *f)
{
	return quarantine_host(c->family, c->addr, f);
}

/* One that is let in, whatever it asks. */
static bool
is_spared(const struct worker *w, const struct shm_conn *c)
{
	struct acl_peer p = { .family = c->family, .port = c->port };

	memcpy(p.addr, c->addr, sizeof(p.addr));
	return acl_match(&w->conf->priority, &p);
}

void
poison_forgive(struct worker *w, const struct shm_conn *c)
{
	const struct frame none = { .pdu_len = 0 };
	struct host h = host_of(c, &none);
	struct shm_poison *e = quarantine_find(w->shm, &h, w->now_ns);

	if (e != NULL)
		quarantine_uncount(e);
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

/* The host's part of it: POISON_SHUT or _NONE. *n: how often it has been to
 * blame, or of a line, the request. */
static enum poison
blame(struct conns *cs, const struct poison_death *d, unsigned *n)
{
	struct worker *w = cs->worker;
	struct host h = host_of(d->conn, d->frame);
	char peer[ACL_TEXT_MAX];
	struct shm_poison *e = quarantine_enter(w->shm, &h,
	    h.family == AF_UNSPEC ? who_text(w->shm, d->conn, peer) : "",
	    w->now_ns);
	bool again = d->deaths >= TWICE ||
	    (d->deaths == 0 && quarantine_same(e, d->frame));

	quarantine_keep(w, e, d->frame, again);
	quarantine_count(w, e, true);
	*n = quarantine_times(cs, &h, w->now_ns);
	if (!quarantine_named(&h) || d->way == POISON_LINE ||
	    is_spared(w, d->conn) ||
	    (*n < THRICE && !(again && d->way == POISON_DGRAM)))
		return POISON_NONE;
	quarantine_shut(w, e, *n >= THRICE ? SHUT_ALL : SHUT_NEW);
	return POISON_SHUT;
}

/* What becomes of the request as such, n as of blame(). */
static enum poison
weigh(const struct poison_death *d, unsigned n)
{
	if (d->way == POISON_LINE)
		return n < TWICE ? POISON_AGAIN : POISON_REFUSE;
	return d->deaths == 1 ? POISON_AGAIN
	    : d->deaths == 2  ? POISON_REFUSE
			      : POISON_CLOSE;
}

enum poison
poison_died(struct conns *cs, const struct poison_death *d)
{
	struct worker *w = cs->worker;
	enum poison what, host = POISON_NONE;
	unsigned n = d->deaths;

	worker_count(&w->shm->stats.fatal, 1);
	if (w->conf->quarantine_s != 0)
		host = blame(cs, d, &n);
	what = host != POISON_NONE ? host : weigh(d, n);
	tell(w, d->conn, d->frame, d->bytes, d->len, n, what);
	return what;
}

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

enum poison
poison_judge(struct conns *cs, const struct link *l, unsigned i,
    struct shm_batch *b, unsigned suspect, bool resumes)
{
	struct frame f = { .pdu_len = 0 };
	struct poison_death d = { .conn = seg_conn(cs->worker->shm, i),
		.frame = &f };

	if (b != NULL)
		d.len = in_hand(l, b, &f, &d.bytes);
	if (resumes && d.len != 0 && suspect == SUSPECT_FAULT)
		d.deaths = die(b);
	return poison_died(cs, &d);
}

/* ---- requests ---- */

/* A host asks for what it has killed workers with: the third time in all. */
static enum poison
ask_again(struct worker *w, const struct shm_conn *c, const struct frame *f,
    const struct host *h, struct shm_poison *e)
{
	enum poison what = POISON_REFUSE;
	bool spared = !quarantine_named(h) || is_spared(w, c);
	unsigned n = quarantine_counted(e);

	/* who is not kept out may ask that for ever: it is told once, and
	 * after quarantine_s it is tried what has become of it */
	if (spared && n >= THRICE)
		return what;
	quarantine_count(w, e, !spared);
	n = quarantine_counted(e);
	if (!spared && n >= THRICE) {
		quarantine_shut(w, e, SHUT_NEW);
		what = POISON_SHUT;
	}
	tell(w, c, f, f->pdu, f->pdu_len, n, what);
	return what;
}

enum poison
poison_meet(struct worker *w, const struct shm_conn *c, const struct frame *f,
    unsigned died)
{
	struct host h = host_of(c, f);
	enum poison what = POISON_REFUSE;
	struct shm_poison *e;

	if (died < TWICE) {
		e = quarantine_known(w, f, &h);
		if (e == NULL)
			return POISON_NONE;
		if (quarantine_is_of(e, &h, w->now_ns))
			what = ask_again(w, c, f, &h, e);
	}
	worker_count(&w->shm->stats.poisoned, 1);
	return what;
}
