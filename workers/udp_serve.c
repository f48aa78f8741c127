/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One datagram over UDP: whose request it is, whether it comes again, and what
 * becomes of the reply. Runs in the workers of type udp; never receives or
 * sends, allocates nothing, takes no lock.
 *
 * Operation numbers: last_op() (conns.c) begins a successor's BATCH_OPS_MAX
 * behind those in the half of the record that is in force. The half is moved
 * on after each datagram, so a worker that dies anywhere has given out no more
 * numbers behind it than one datagram takes: one, or one for each device when
 * it is a broadcast, or as many as function codes of plugins may use
 * (link.ops_max). So none is given out twice.
 */
#include <string.h>

#include "workers/hooks/hooks.h"
#include "workers/save.h"
#include "workers/udp.h"

_Static_assert((int)CONF_UNITS <= (int)BATCH_OPS_MAX,
    "a successor begins behind the numbers of one datagram");

enum { FC_READS = 4 }; /* up to this one, function codes read and no more */

#define TELL_AGAIN_NS 60000000000ull /* between two lines of a kind */

bool
udp_may_tell(struct udp *u, int kind)
{
	uint64_t now = u->worker->now_ns;

	if (u->told_ns[kind] != 0 && now - u->told_ns[kind] < TELL_AGAIN_NS)
		return false;
	u->told_ns[kind] = now;
	return true;
}

static struct udp_asked *
asked_of(struct udp *u, struct conn *c)
{
	struct udp_asked *asked = c->session;

	if (asked == NULL) {
		c->session = asked = &u->asked[c->rec.index];
		memset(asked, 0, sizeof(*asked));
	}
	return asked;
}

/* Whether the request in u->frame may be known again, and would then have to be
 * answered as before. */
static bool
may_repeat(const struct udp *u)
{
	return u->numbered && u->frame.pdu[0] > FC_READS;
}

/*
 * The reply that datagram i has waits for the disk: 0, it is kept back; or it
 * has been waited for here, since it is put off by a rule as well, or a worker
 * that has died had more of them than there is room for: its length.
 */
static size_t
keep_back(struct udp *u, struct link_peer *p, unsigned i, const uint8_t *in,
    size_t len, const struct late *late)
{
	struct shm_dgram *d = &u->dgrams->at[i];

	if (late == NULL && udp_save(u, i, in, len)) {
		d->wrote = 0; /* what is kept back is remembered later */
		return 0;
	}
	return bind_durable_wait(&u->worker->bind)
	    ? len
	    : save_refuse(&u->link, p->shm, &u->frame, d->out);
}

/*
 * Serves the frame of a peer, which lies at in: the length of the reply, and
 * how it is sent. One that a predecessor has begun goes on in the name and with
 * the number that it has there; those of the peer's record are not touched by
 * that.
 */
static size_t
answer(struct udp *u, struct conn *c, unsigned i, const struct acl_peer *from,
    const uint8_t *in, const struct late **late)
{
	struct shm_dgram *d = &u->dgrams->at[i];
	struct udp_asked *asked = asked_of(u, c);
	bool resumed = u->dgrams->prog.begun;
	uint64_t op = batch_half(c->rec.shm)->op;
	struct link_peer p = { .shm = c->rec.shm,
		.author = resumed ? d->author : c->author,
		.op = resumed ? d->op : op,
		.parks = true,
		.died = u->died,
		.reply = u->dgrams->shm->reply,
		.aside = &u->dgrams->shm->aside };
	size_t len;

	if (asked->round == u->round)
		p.asked = asked->n;
	if (!resumed) {
		d->author = p.author;
		d->op = p.op;
		d->run = u->numbered
		    ? repeats_count(&u->repeats, from, u->frame.tid)
		    : 0;
		dgrams_begin(u->dgrams);
	}
	u->worker->bind.resumed = u->worker->bind.begun = resumed;
	u->worker->bind.crowded = u->nsaves == SHM_DGRAM_WAITS;
	len = link_answer(&u->link, &p, &u->frame, in, d->out, late);
	u->worker->bind.resumed = false;
	d->wrote = may_repeat(u) && (u->worker->bind.wrote || resumed);
	batch_count(&c->rec, u->dgrams->is[i].len, len, resumed ? op : p.op);
	asked->round = u->round;
	asked->n = p.asked;
	conns_used(&u->peers.conns, c);
	return p.saving ? keep_back(u, &p, i, in, len, *late) : len;
}

/* A request that has been carried out already: the reply is what it was. */
static size_t
answer_again(struct udp *u, struct conn *c, unsigned i, const uint8_t *in,
    const struct shm_repeat *e)
{
	struct shm_dgram *d = &u->dgrams->at[i];

	memcpy(d->out, e->reply, e->len);
	link_repeat(&u->link, c->rec.shm, &u->frame, in, d->out, e->len);
	batch_count(
	    &c->rec, u->dgrams->is[i].len, e->len, batch_half(c->rec.shm)->op);
	worker_count(&udp_stats(u)->repeats, 1);
	conns_used(&u->peers.conns, c);
	return e->len;
}

/* Arms the timer for what is due first. Loops have milliseconds: rather late
 * than early. */
void
udp_arm_late(struct udp *u)
{
	uint64_t next = dgrams_late_next_ns(u->late), ns;
	struct timeval tv;

	if (next == 0)
		return;
	ns = next > u->worker->now_ns ? next - u->worker->now_ns : 0;
	tv.tv_sec = (time_t)(ns / 1000000000);
	tv.tv_usec = (suseconds_t)(ns % 1000000000 / 1000 + 1);
	event_add(&u->in_time, &tv);
}

/* Keeps a reply for later if it is late, or if one to the same peer is. False
 * if it is to go at once. */
static bool
put_off(struct udp *u, unsigned i, size_t len, const struct late *late)
{
	if (u->late == NULL && late == NULL)
		return false;
	if (u->late == NULL)
		u->late = dgrams_late_new(u->dgrams);
	if (u->late == NULL)
		return false;
	switch (dgrams_late_put(u->late, i, len, late, u->worker->now_ns)) {
	case LATE_NOT:
		return false;
	case LATE_LOST:
		worker_count(&udp_stats(u)->replies_lost, 1);
		return true;
	case LATE_WAITS:
		break;
	}
	udp_arm_late(u);
	return true;
}

/* What has been carried out, and has changed something, is not carried out
 * again. */
void
udp_remember(struct udp *u, unsigned i, const struct acl_peer *from)
{
	const struct shm_dgram *d = &u->dgrams->at[i];
	struct repeats_key key = { .peer = from, .hash = d->hash };
	uint32_t wrote = d->wrote;

	if (wrote != 0 && wrote - 1 <= sizeof(d->out))
		repeats_put(&u->repeats, &key, d->run, d->out, wrote - 1,
		    u->worker->now_ns);
}

/* Should the worker die of it, udp_judge() says what becomes of it. */
static void
hand(const struct udp *u, unsigned datagram)
{
	atomic_store_explicit(
	    &u->worker->shm->hand, datagram, memory_order_relaxed);
}

/* Whether somebody's datagrams are looked at. */
static bool
may_ask(struct udp *u, const struct acl_peer *from)
{
	bool denied = !acl_allows(u->worker->conf, from);
	char text[ACL_TEXT_MAX];

	if (!denied &&
	    quarantine_shuts(&u->peers.conns, from) <=
		(u->inherited ? SHUT_NEW : SHUT_NOTHING))
		return true;
	worker_count(denied ? &udp_stats(u)->conns_denied
			    : &udp_stats(u)->conns_quarantined,
	    1);
	if (udp_may_tell(u, denied ? UDP_DENIED : UDP_SHUT))
		log_info("datagrams denied peer=%s%s",
		    acl_peer_text(from, text),
		    denied ? "" : " why=quarantined");
	return false;
}

/* Whether a datagram is somebody's request: in u->frame, which may point into
 * *in, the bytes of it. */
static bool
is_asked(
    struct udp *u, unsigned i, const struct acl_peer *from, const uint8_t **in)
{
	struct shm_dgram *d = &u->dgrams->at[i];
	size_t len = u->dgrams->is[i].len;

	*in = d->in;
	if (!may_ask(u, from))
		return false;
	if ((u->worker->traced & HOOK_PACKET) != 0 && u->died < 2) {
		/* a successor shows it what has come */
		memcpy(u->shown, d->in, len);
		*in = u->shown;
		len = hooks_packet(u->worker, NULL, from, false, u->shown, len,
		    sizeof(u->shown));
		if (len == 0)
			return false;
	}
	if (!link_frame(&u->link, from, *in, len, &u->frame))
		return false;
	if (!dgrams_own(u->dgrams, i))
		return true;
	worker_count(&udp_stats(u)->frames_bad, 1);
	return false;
}

bool
udp_judge(struct udp *u, unsigned suspect)
{
	struct shm_dgrams *shm = u->dgrams->shm;
	unsigned i = u->dgrams->prog.done;
	struct frame f = { .arg = u->link.framer->arg };
	/* its record was the dead worker's */
	struct shm_conn nobody = { .fd = -1 };
	struct poison_death d = { .way = POISON_DGRAM,
		.conn = &nobody,
		.frame = &f,
		.bytes = shm->at[i].in,
		.len = u->dgrams->is[i].len,
		.suspect = suspect,
		.at = i + 1 };
	struct acl_peer from;
	enum poison what;

	acl_peer_set(&from, &shm->at[i].from);
	nobody.family = (uint16_t)from.family;
	nobody.port = from.port;
	memcpy(nobody.addr, from.addr, sizeof(nobody.addr));
	/* what a plugin takes a frame to be is not asked: it may have died in
	 * that */
	if (f.arg != NULL ||
	    u->link.framer->datagram(&u->link.fcs, link_delimiter(&u->link),
		d.bytes, d.len, &f) != FRAME_OK)
		f.pdu_len = 0;
	if (suspect != SUSPECT_ENDED)
		d.deaths = &shm->deaths;
	what = poison_died(&u->peers.conns, &d);
	u->died = d.deaths != NULL ? d.deaths->died : 0;
	/* else it has been shut out for this one, or for others */
	return what == POISON_AGAIN || what == POISON_REFUSE || u->died == 2;
}

void
udp_serve(struct udp *u, unsigned i)
{
	struct shm_dgram *d = &u->dgrams->at[i];
	const struct shm_repeat *e = NULL;
	const struct late *late = NULL;
	struct repeats_key key;
	struct acl_peer from;
	const uint8_t *in;
	struct conn *c;
	bool waits = false;
	size_t len;

	acl_peer_set(&from, &d->from);
	d->out_len = d->wrote = 0;
	hand(u, i + 1);
	if (is_asked(u, i, &from, &in)) {
		c = peers_get(&u->peers, &from);
		hand(u, i + 1); /* hooks may have been told of the peer */
		if (may_repeat(u)) {
			d->hash = repeats_hash(d->in, u->dgrams->is[i].len);
			key = (struct repeats_key){ &from, d->hash };
			if (!u->dgrams->prog.begun)
				e = repeats_find(
				    &u->repeats, &key, u->worker->now_ns);
			waits = !u->dgrams->prog.begun && e == NULL &&
			    udp_save_knows(u, d->hash, &from);
		}
		if (waits) /* its reply comes */
			worker_count(&udp_stats(u)->repeats, 1);
		len = waits     ? 0
		    : e != NULL ? answer_again(u, c, i, in, e)
				: answer(u, c, i, &from, in, &late);
		if (d->wrote != 0)
			d->wrote = 1 + (uint32_t)len;
		d->out_len = (uint32_t)len;
		if (len != 0 && put_off(u, i, len, late))
			d->out_len = 0;
	}
	hand(u, 0);
	u->died = 0;
	dgrams_done(u->dgrams);
	udp_remember(u, i, &from);
	if (d->out_len != 0)
		dgrams_reply(u->dgrams, i);
}
