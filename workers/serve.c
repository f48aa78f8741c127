/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request PDU to the device or devices that it is for: who may ask it, who
 * is busy, who is not there. Runs in the workers. Knows no frames and no
 * sockets, allocates nothing.
 */
#include "workers/serve.h"

#include <stdio.h>

#include "shm/notice.h"
#include "workers/hooks/hooks.h"
#include "workers/proto/fc.h"
#include "workers/refusal.h"
#include "workers/rights.h"

enum { FC_DIAGNOSTICS = 8 };

/* On a bus every station hears the good messages to the others; mb_serve()
 * counts those to itself (SL 2.4). */
void
serve_heard(struct link *l, const struct bind_device *mine)
{
	struct bind *b = &l->worker->bind;

	for (unsigned i = 0; i < b->ndevices; i++)
		if (&b->device[i] != mine)
			mb_diag_count(
			    b->device[i].unit.diag, MB_CPT_BUS_MESSAGES);
}

static size_t
refuse(const struct run *r, enum mb_ex ex, uint8_t *pdu)
{
	pdu[0] = r->frame.pdu[0] | 0x80;
	pdu[1] = ex;
	return 2;
}

/* Whether the peer's role lets it ask that of a device, NULL for a unit that
 * is not served. */
static bool
allowed(const struct run *r, const struct bind_device *d)
{
	const struct conf_role *rights = r->link->rights;

	return rights == NULL ||
	    rights_allow(rights, d != NULL ? (int)d->index : CONF_NO_DEVICE,
		r->frame.pdu, r->frame.pdu_len);
}

static void
tell_refused(const struct run *r)
{
	refusal_tell(r->link->worker, r->conn, r->frame.unit, r->frame.pdu[0]);
}

/* Has a device carry out the request in hand, under a number that has just been
 * given out; it may have used more. */
static size_t
carry_out(struct run *r, struct bind_device *d, bool broadcast, uint8_t *pdu)
{
	struct bind *b = &r->link->worker->bind;
	size_t len;

	b->unit = r->frame.unit;
	len = mb_serve(&r->link->fcs, &d->unit, broadcast, r->frame.pdu,
	    r->frame.pdu_len, pdu);
	r->op = b->who.op;
	return len;
}

/* Whether a hook keeps all devices from a broadcast. */
static bool
unwanted(const struct run *r)
{
	struct worker *w = r->link->worker;

	return !r->plain && (w->traced & HOOK_REFUSE) != 0 &&
	    hooks_refuse(w, r->conn, &r->frame, true) != MB_EX_NONE;
}

/* Unit 0 where broadcasts are on: carried out by every device that the peer's
 * role lets it ask that of, unanswered. Each device's write has an operation
 * number of its own. */
static size_t
serve_all(struct run *r, uint8_t *pdu)
{
	struct bind *b = &r->link->worker->bind;
	bool refused = false, asked = false, kept = false;

	worker_count(&r->link->worker->shm->stats.broadcasts, 1);
	for (unsigned i = 0; i < b->ndevices; i++) {
		b->who.op = ++r->op;
		if (!allowed(r, &b->device[i])) {
			refused = true;
			continue;
		}
		if (!asked)
			kept = !bind_done(b) && unwanted(r);
		asked = true;
		if (!kept)
			carry_out(r, &b->device[i], true, pdu);
	}
	if (refused)
		tell_refused(r);
	return 0;
}

/* Whether more is outstanding than the configuration allows: what came along
 * with this request and was not answered by then (Messaging on TCP/IP Guide
 * V1.0b, 4.4.1). */
static bool
busy(const struct run *r)
{
	unsigned max = r->link->worker->conf->max_transactions;

	return r->busy || (max != 0 && r->before + r->requests >= max);
}

/* The exception that a fault has in place of the request's being carried out, 0
 * for none. A device that listens only is not answered by a fault either. */
static unsigned
fault(const struct run *r, const struct bind_device *d)
{
	if (!r->faulty || (d != NULL && mb_diag_listening(d->unit.diag)))
		return 0;
	return faults_exception(&r->link->faults, r->link->worker);
}

/* The same for whatever else keeps the device from it. Hooks come last: they
 * are the device's, as far as its master can see. What a predecessor has
 * carried out is not refused any more. */
static unsigned
withheld(struct run *r, const struct bind_device *d)
{
	struct worker *w = r->link->worker;
	unsigned ex = fault(r, d);

	if (ex == 0 && busy(r))
		ex = MB_EX_BUSY;
	if (ex != 0 && bind_done(&w->bind))
		ex = 0;
	if (r->plain)
		return ex;
	r->refused = ex;
	if (ex == 0 && (w->traced & HOOK_REFUSE) != 0 && !bind_done(&w->bind))
		ex = hooks_refuse(w, r->conn, &r->frame, false);
	return ex;
}

static size_t
serve_none(struct run *r, uint8_t *pdu)
{
	struct worker *w = r->link->worker;
	unsigned ex;

	worker_count(&w->shm->stats.unknown_units, 1);
	if (w->conf->silent_units)
		return 0;
	r->refused = ex = fault(r, NULL);
	return refuse(r, ex != 0 ? (enum mb_ex)ex : MB_EX_NO_REPLY, pdu);
}

/* Diagnostics, which may have a unit fall silent for everybody, or end that:
 * who wonders why nobody is answered finds it in the log and the events. */
static size_t
serve_diagnostics(struct run *r, struct bind_device *d, uint8_t *pdu)
{
	const struct proc *p = r->link->worker->proc;
	bool before = mb_diag_listening(d->unit.diag), after;
	size_t len = carry_out(r, d, false, pdu);
	char text[64];

	after = mb_diag_listening(d->unit.diag);
	if (after == before)
		return len;
	snprintf(text, sizeof(text), "unit %u %s", r->frame.unit,
	    after ? "listens only" : "answers again");
	log_warnx("%s why=\"asked to by function code 8\"", text);
	notice_post(&p->env, NOTICE_TRANSPORT, p->transport_index, SHM_UP,
	    SHM_UP, text);
	return len;
}

/* True if all that a request asks for has been carried out by a worker that has
 * died since, if it is one of those that write once; what it has read for its
 * reply stands there. */
static bool
carried_out(const struct run *r)
{
	const struct mb_fc *row = r->link->fcs.row[r->frame.pdu[0] & 0x7f];

	return row != NULL && row->arg == NULL && row->subs == NULL &&
	    (row->flags & FC_WRITE) != 0 && bind_done(&r->link->worker->bind);
}

size_t
serve_spared(struct run *r, uint8_t *pdu)
{
	struct worker *w = r->link->worker;
	struct bind_device *d = w->bind.by_unit[r->frame.unit];
	uint64_t last = r->op + r->link->ops_max;
	size_t len;

	w->bind.who.op = r->op + 1;
	if (r->frame.unit == 0 && w->conf->broadcast) {
		len = 0;
	} else if (d == NULL) {
		len = w->conf->silent_units ? 0 : refuse(r, MB_EX_FAILURE, pdu);
	} else if (carried_out(r)) {
		w->bind.bare = true;
		len = carry_out(r, d, false, pdu);
		w->bind.bare = false;
	} else {
		len = mb_refuse(&d->unit, MB_EX_FAILURE, r->frame.pdu,
		    r->frame.pdu_len, pdu);
	}
	/* behind all that it may have used up as it was carried out */
	r->op = last;
	return len;
}

void
serve_count_reply(struct shm_stats *s, const uint8_t *pdu)
{
	if ((pdu[0] & 0x80) == 0)
		return;
	worker_count(&s->exceptions[pdu[1] % SHM_EX], 1);
	if (pdu[1] == MB_EX_BUSY)
		worker_count(&s->busy, 1);
}

size_t
serve_request(struct run *r, uint8_t *pdu)
{
	struct worker *w = r->link->worker;
	struct bind_device *d = w->bind.by_unit[r->frame.unit];
	unsigned ex;

	if (r->frame.unit == 0 && w->conf->broadcast)
		return serve_all(r, pdu);
	w->bind.who.op = ++r->op;
	if (r->link->bus)
		serve_heard(r->link, d);
	/* before whatever else is wrong (MODBUS/TCP Security v3.6, R-31) */
	if (!allowed(r, d)) {
		tell_refused(r);
		r->refused = MB_EX_FUNCTION;
		if (d == NULL)
			return refuse(r, MB_EX_FUNCTION, pdu);
		/* counted by the device, which may be in listen-only mode */
		return mb_refuse(&d->unit, MB_EX_FUNCTION, r->frame.pdu,
		    r->frame.pdu_len, pdu);
	}
	if (d == NULL)
		return serve_none(r, pdu);
	ex = withheld(r, d);
	if (ex != 0)
		return mb_refuse(&d->unit, (enum mb_ex)ex, r->frame.pdu,
		    r->frame.pdu_len, pdu);
	if (r->frame.pdu[0] == FC_DIAGNOSTICS)
		return serve_diagnostics(r, d, pdu);
	return carry_out(r, d, false, pdu);
}
