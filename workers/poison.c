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
#include "workers/hooks/plugin.h"
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

/* Whose code ran as the worker died, as a word of a line; "" if it was none of
 * a plugin's. */
static void
name_plugin(const struct worker *w, char *buf, size_t size)
{
	uint32_t n = w->died_within;

	buf[0] = '\0';
	if (n != 0 && w->plugins != NULL && n <= w->plugins->n)
		snprintf(
		    buf, size, " plugin=\"%s\"", w->plugins->at[n - 1].file);
}

static const char *const by[] = {
	[SUSPECT_NO] = "",
	[SUSPECT_ENDED] = " by=end",
	[SUSPECT_FAULT] = " by=fault",
	[SUSPECT_KILLED] = " by=kill",
};

/* d->frame->pdu_len is 0 if nobody knows what the bytes ask for; d->suspect is
 * SUSPECT_NO if nobody has died of it just now. */
static void
tell(struct worker *w, const struct poison_death *d, unsigned n,
    enum poison what)
{
	const struct proc *p = w->proc;
	const struct frame *f = d->frame;
	char peer[ACL_TEXT_MAX], shown[2 * SHOWN + 1], of[32] = "";
	char text[sizeof(peer) + sizeof(shown)], plugin[96] = "";
	unsigned fc = f->pdu_len != 0 ? f->pdu[0] : 0;

	who_text(w->shm, d->conn, peer);
	hex(shown, d->bytes, d->len);
	if (f->pdu_len != 0)
		snprintf(of, sizeof(of), " unit=%u fc=%u", f->unit, fc);
	if (d->suspect != SUSPECT_NO)
		name_plugin(w, plugin, sizeof(plugin));
	log_warnx("request that workers die of peer=%s%s count=%u%s then=%s%s "
		  "bytes=%s%s",
	    peer, of, n, by[d->suspect], notice_poison_name(what), plugin,
	    shown, d->len > SHOWN ? "..." : "");
	snprintf(text, sizeof(text), "%s%s", peer, shown);
	notice_post(&p->env, NOTICE_POISON, p->transport_index,
	    CONN_ID(p->transport_index, p->worker,
		atomic_load_explicit(&d->conn->serial, memory_order_relaxed)),
	    NOTICE_POISON_B(f->unit, fc, n, what, strlen(peer)), text);
}

/* ---- deaths ---- */

unsigned
poison_heir(struct worker *w, uint32_t *hand)
{
	struct shm_worker *shm = w->shm;

	w->died_within = atomic_exchange(&shm->within, 0);
	/* first this: who dies from here on has had nothing in hand */
	*hand = atomic_exchange(&shm->hand, 0);
	return atomic_exchange(&shm->suspect, SUSPECT_NO);
}

static struct shm_poison *
enter(struct worker *w, const struct shm_conn *c, const struct host *h)
{
	char peer[ACL_TEXT_MAX];

	return quarantine_enter(w->shm, h,
	    h->family == AF_UNSPEC ? who_text(w->shm, c, peer) : "", w->now_ns);
}

/* How many workers have died of the request, now with this one: 0, nobody is
 * blamed for those that were killed; and if nobody goes on with it. */
static unsigned
die(const struct poison_death *d)
{
	struct shm_deaths *n = d->deaths;
	unsigned kills = d->gone ? POISON_KILLS_GONE : POISON_KILLS;

	if (n->at != d->at)
		n->died = n->killed = 0;
	n->at = d->at;
	if (d->suspect != SUSPECT_KILLED)
		return ++n->died;
	if (++n->killed < kills)
		return 0;
	kills = d->gone ? THRICE : TWICE;
	n->died = n->died < kills ? kills : n->died + 1;
	return n->died;
}

/* Whether somebody has killed so many with the request in hand that it is to
 * blame itself. */
static bool
is_killer(struct worker *w, const struct poison_death *d)
{
	struct host h = host_of(d->conn, d->frame);

	return w->conf->quarantine_s != 0 && d->frame->pdu_len != 0 &&
	    quarantine_killed(w, enter(w, d->conn, &h)) >= POISON_KILLS;
}

/* The host's part of it: POISON_SHUT or _NONE. *n: how often it has been to
 * blame, or of a line, the request. *again: others have died of that. */
static enum poison
blame(struct worker *w, const struct poison_death *d, bool *again, unsigned *n)
{
	struct host h = host_of(d->conn, d->frame);
	struct shm_poison *e = enter(w, d->conn, &h);

	*again = *again || quarantine_blamed(w, d->frame);
	quarantine_count(w, e, true);
	if (*again)
		quarantine_know(w, e);
	*n = quarantine_times(w, &h);
	if (!quarantine_named(&h) || d->way == POISON_LINE ||
	    is_spared(w, d->conn) ||
	    *n < (*again && d->way == POISON_DGRAM ? TWICE : THRICE))
		return POISON_NONE;
	quarantine_shut(w, e, *n >= THRICE ? SHUT_ALL : SHUT_NEW);
	return POISON_SHUT;
}

/* What becomes of the request as such. */
static enum poison
weigh(const struct poison_death *d, unsigned died, bool again)
{
	if (d->way == POISON_LINE || died == 1)
		return again ? POISON_REFUSE : POISON_AGAIN;
	return died == TWICE ? POISON_REFUSE : POISON_CLOSE;
}

enum poison
poison_died(struct conns *cs, const struct poison_death *d)
{
	struct worker *w = cs->worker;
	enum poison what, host = POISON_NONE;
	unsigned n, died = d->deaths != NULL ? die(d) : 0;
	bool killed = d->suspect == SUSPECT_KILLED, again = died >= TWICE;

	if (killed && died == 0) {
		if (d->deaths != NULL || !is_killer(w, d))
			return POISON_AGAIN;
		again = true;
	}
	n = died;
	worker_count(&w->shm->stats.fatal, 1);
	if (w->conf->quarantine_s != 0)
		host = blame(w, d, &again, &n);
	what = host != POISON_NONE ? host : weigh(d, died, again);
	if (what == POISON_REFUSE && died == 1)
		d->deaths->died = TWICE;
	tell(w, d, n, what);
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

enum poison
poison_judge(struct conns *cs, const struct link *l, struct poison_death *d,
    struct shm_batch *b, bool resumes)
{
	struct frame f = { .pdu_len = 0 };
	bool killed = d->suspect == SUSPECT_KILLED;

	d->frame = &f;
	if (b != NULL)
		d->len = in_hand(l, b, &f, &d->bytes);
	if (b != NULL && resumes &&
	    (killed || (d->len != 0 && d->suspect == SUSPECT_FAULT))) {
		d->deaths = &b->deaths;
		d->at = batch_prog_get(b).done;
	}
	return poison_died(cs, d);
}

/* ---- requests ---- */

static bool
is_own(const struct worker *w, const struct shm_poison *e)
{
	return e >= w->shm->poison && e < w->shm->poison + POISON_PEERS;
}

/* A host asks for what it has killed workers with: the third time in all. */
static enum poison
ask_again(struct worker *w, const struct shm_conn *c, const struct frame *f,
    const struct host *h, const struct shm_poison *known)
{
	enum poison what = POISON_REFUSE;
	bool spared = !quarantine_named(h) || is_spared(w, c);
	const struct poison_death d = {
		.conn = c, .frame = f, .bytes = f->pdu, .len = f->pdu_len
	};
	struct shm_poison *e;
	unsigned n;

	/* who is not kept out may ask that for ever: it is told once, and
	 * after quarantine_s it is tried what has become of it */
	if (spared &&
	    (!is_own(w, known) || quarantine_counted(known) >= THRICE))
		return what;
	e = enter(w, c, h);
	quarantine_count(w, e, !spared);
	quarantine_know(w, e);
	n = quarantine_times(w, h);
	if (!spared && n >= THRICE) {
		quarantine_shut(w, e, SHUT_NEW);
		what = POISON_SHUT;
	}
	tell(w, &d, n, what);
	return what;
}

enum poison
poison_meet(struct worker *w, const struct shm_conn *c, const struct frame *f,
    unsigned died, struct shm_poison **watched)
{
	struct host h = host_of(c, f);
	enum poison what = POISON_REFUSE;
	const struct shm_poison *e;

	*watched = NULL;
	if (died < TWICE) {
		e = quarantine_known(w, f, &h);
		if (e == NULL) {
			*watched = quarantine_find(w->shm, &h, w->now_ns);
			return POISON_NONE;
		}
		if (died == 0 && quarantine_is_of(e, &h, w->now_ns))
			what = ask_again(w, c, f, &h, e);
	}
	worker_count(&w->shm->stats.poisoned, 1);
	return what;
}
