/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's ear: messages of children by a table of kinds, and the
 * requests of aides that are answered only once they have come true. What
 * is in a message is checked here and believed nowhere else.
 */
#include "supervisor/orders.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/log.h"
#include "shm/notice.h"
#include "shm/state.h"
#include "supervisor/aide.h"
#include "supervisor/ready.h"
#include "supervisor/super.h"

enum {
	DRAIN_MAX_MS = 3600 * 1000,
	MARGIN_MS = 1000, /* to answer after the life's own time limit */
	KICK_MS = 2000,
	KICK_POLL_US = 2000,
};

int
orders_init(struct orders *os, struct super *s)
{
	memset(os, 0, sizeof(*os));
	os->super = s;
	return 0;
}

void
orders_fini(struct orders *os)
{
	if (os->poll != NULL)
		event_free(os->poll);
}

void
orders_report(
    struct process *asker, uint32_t tag, bool mistake, const char *line)
{
	struct ipc_msg m = { .kind = IPC_REPORT, .tag = tag, .arg = mistake };

	snprintf(m.text, sizeof(m.text), "%s", line);
	process_send(asker, &m, -1);
}

void
orders_answer(struct process *asker, uint32_t tag, int rc, uint64_t arg,
    const char *fmt, ...)
{
	struct ipc_msg m = {
		.kind = IPC_DONE, .tag = tag, .rc = rc, .arg = arg
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	process_send(asker, &m, -1);
}

static void
finish(struct order *o, int rc, const char *text)
{
	struct service *sv = o->service;

	o->kind = 0;
	orders_answer(
	    o->asker, o->tag, rc, sv != NULL ? sv->state : 0, "%s", text);
}

/* A place for one more; an order that the new one contradicts is over. */
static struct order *
place(struct process *p, const struct ipc_msg *m, struct service *sv)
{
	struct orders *os = &p->super->orders;
	struct order *o, *found = NULL;

	for (o = os->at; o < os->at + ORDERS_MAX; o++) {
		if (sv != NULL && o->service == sv && o->kind != 0 &&
		    o->kind != m->kind && o->kind != IPC_KICK &&
		    m->kind != IPC_KICK)
			finish(o, ECANCELED, "another order came after it");
		if (o->kind == 0 && found == NULL)
			found = o;
	}
	if (found == NULL) {
		orders_answer(
		    p, m->tag, EBUSY, 0, "too many orders are under way");
		return NULL;
	}
	memset(found, 0, sizeof(*found));
	found->kind = m->kind;
	found->tag = m->tag;
	found->asker = p;
	found->service = sv;
	return found;
}

static struct service *
service_of(struct process *p, const struct ipc_msg *m, unsigned at)
{
	struct super *s = p->super;
	struct service *sv;

	if (s->phase != SUPER_SERVES) {
		orders_answer(
		    p, m->tag, ESHUTDOWN, 0, "the daemon is stopping");
		return NULL;
	}
	sv = super_service_at(s, at);
	if (sv == NULL)
		orders_answer(p, m->tag, ENOENT, 0, "no such transport");
	return sv;
}

static void
take_ready(struct process *p, const struct ipc_msg *m)
{
	struct super *s = p->super;

	(void)m;
	p->served = true;
	child_event(&p->child, LIFE_READY);
	/* a keeper of the former program makes workers of that */
	if (s->upgraded && p->keeper.caller != NULL &&
	    p->child.state == LIFE_UP) {
		p->keeper.stale = true;
		p->service->yields = true;
		p->child.drain_ms = s->conf->drain_timeout_s * 1000;
		child_why(&p->child, "the program is another one");
		child_event(&p->child, LIFE_RESTART);
	}
}

static void
take_failed(struct process *p, const struct ipc_msg *m)
{
	char text[sizeof(m->text)], *c;

	memcpy(text, m->text, sizeof(text)); /* ends with NUL: ipc_recv */
	for (c = text; *c != '\0'; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	child_why(&p->child, "%s", text);
}

/* start, stop, restart */
static void
take_life(struct process *p, const struct ipc_msg *m)
{
	static const enum life_event events[IPC_KINDS] = {
		[IPC_START] = LIFE_START,
		[IPC_STOP] = LIFE_STOP,
		[IPC_RESTART] = LIFE_RESTART,
	};
	struct super *s = p->super;
	struct service *sv = service_of(p, m, m->transport);
	unsigned drain_ms = m->arg > DRAIN_MAX_MS ? DRAIN_MAX_MS : m->arg;
	struct order *o;

	if (sv == NULL)
		return;
	/* what a reload has planned is by who is wanted, and what listens */
	if (sv->held || s->apply.looks) {
		orders_answer(p, m->tag, EBUSY, sv->state,
		    sv->held ? "a reload is under way for it"
			     : "a reload is under way");
		return;
	}
	if (m->kind != IPC_STOP && service_open(sv) < 0) {
		orders_answer(p, m->tag, errno, sv->state,
		    "cannot listen on %s: %s", sv->conf->listen,
		    strerror(errno));
		return;
	}
	o = place(p, m, sv);
	if (o == NULL)
		return;
	o->until_ms = super_now_ns() / 1000000 + drain_ms + CHILD_GRACE_MS +
	    MARGIN_MS + (m->kind == IPC_STOP ? 0 : CHILD_START_MS);
	sv->yields = m->kind == IPC_RESTART && m->rc == 0;
	service_want(sv, m->kind != IPC_STOP);
	if (m->kind == IPC_RESTART ||
	    (m->kind == IPC_START && !service_lives(sv)))
		service_afresh(sv);
	for (unsigned i = 0; i < sv->nworkers; i++)
		sv->workers[i].served = false;
	o->kind = 0; /* not to be judged before every worker has been told */
	service_event(sv, events[m->kind], drain_ms, "ordered");
	o->kind = m->kind;
	ready_tell(s); /* the list of who should serve may have changed */
	orders_settle(&s->orders, sv);
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct orders *os = arg;
	struct timeval again = { 0, KICK_POLL_US };
	struct order *o;
	bool more = false;

	(void)fd;
	(void)what;
	for (o = os->at; o < os->at + ORDERS_MAX; o++) {
		if (o->kind != IPC_KICK)
			continue;
		if (atomic_load(&o->conn->used) == CONN_FREE ||
		    atomic_load(&o->conn->serial) != o->serial)
			finish(o, 0, "");
		else
			more = true;
	}
	if (more)
		event_add(os->poll, &again);
}

static struct shm_conn *
find_conn(struct process *p, uint64_t serial)
{
	struct shm_worker *w = seg_worker(&p->seg);
	unsigned i;

	for (i = 0; i < seg_conns(w); i++) {
		struct shm_conn *c = seg_conn(w, i);

		if (atomic_load(&c->used) == CONN_USED &&
		    atomic_load(&c->serial) == serial)
			return c;
	}
	return NULL;
}

static void
take_kick(struct process *p, const struct ipc_msg *m)
{
	struct super *s = p->super;
	struct service *sv = service_of(p, m, CONN_ID_TRANSPORT(m->arg));
	unsigned worker = CONN_ID_WORKER(m->arg);
	struct shm_conn *conn;
	struct order *o;

	if (sv == NULL)
		return;
	conn = worker < sv->nworkers
	    ? find_conn(&sv->workers[worker], CONN_ID_SERIAL(m->arg))
	    : NULL;
	if (conn == NULL || !child_lives(&sv->workers[worker].child)) {
		orders_answer(p, m->tag, ENOENT, 0, "no such connection");
		return;
	}
	if (s->orders.poll == NULL)
		s->orders.poll = evtimer_new(s->base, on_poll, &s->orders);
	o = place(p, m, sv);
	if (o == NULL)
		return;
	o->conn = conn;
	o->serial = CONN_ID_SERIAL(m->arg);
	o->until_ms = super_now_ns() / 1000000 + KICK_MS;
	process_send(&sv->workers[worker], m, -1);
	if (s->orders.poll != NULL)
		on_poll(-1, 0, &s->orders);
}

static void
take_shutdown(struct process *p, const struct ipc_msg *m)
{
	struct super *s = p->super;
	struct order *o = place(p, m, NULL);

	if (o != NULL) {
		o->until_ms = UINT64_MAX;
		log_info("asked to shut down by %s", p->name);
		super_stop(s, false);
	}
}

static void
take_upgrade(struct process *p, const struct ipc_msg *m)
{
	upgrade_start(p->super, p, m->tag);
}

static void
take_reload(struct process *p, const struct ipc_msg *m)
{
	reload_start(p->super, p, m);
}

/* Which kinds are heard, from whom, and by what. */
enum { WORKER = 1, CONTROL = 2, AIDE = 4, ALL = WORKER | CONTROL | AIDE };

static const struct row {
	unsigned from;
	void (*take)(struct process *, const struct ipc_msg *);
} rows[IPC_KINDS] = {
	[IPC_READY] = { ALL, take_ready },
	[IPC_FAILED] = { ALL, take_failed },
	[IPC_START] = { CONTROL, take_life },
	[IPC_STOP] = { CONTROL, take_life },
	[IPC_RESTART] = { CONTROL, take_life },
	[IPC_KICK] = { CONTROL, take_kick },
	[IPC_SHUTDOWN] = { CONTROL, take_shutdown },
	[IPC_RELOAD] = { CONTROL, take_reload },
	[IPC_UPGRADE] = { CONTROL, take_upgrade },
	[IPC_REFRESHED] = { WORKER, refresh_take },
	[IPC_TAKEN] = { CONTROL, aides_taken },
};

static unsigned
kind_of(const struct process *p)
{
	if (p->service != NULL)
		return WORKER;
	return p->aide->orders ? CONTROL : AIDE;
}

bool
orders_take(struct process *p, const struct ipc_msg *m)
{
	const struct row *r = &rows[m->kind]; /* in range: ipc_recv */

	if (r->take == NULL || !(r->from & kind_of(p)))
		return false;
	r->take(p, m);
	return true;
}

void
orders_settle(struct orders *os, struct service *sv)
{
	struct order *o;

	for (o = os->at; o < os->at + ORDERS_MAX; o++) {
		if (o->service != sv || o->kind == 0 || o->kind == IPC_KICK)
			continue;
		if (o->kind == IPC_STOP) {
			if (!service_lives(sv))
				finish(o, 0, "");
		} else if (service_all(sv, LIFE_UP)) {
			finish(o, 0, "");
		} else if (sv->state == SHM_FAILED) {
			finish(o, EIO, sv->why);
		}
	}
}

void
orders_leave(struct orders *os, const struct service *sv)
{
	for (struct order *o = os->at; o < os->at + ORDERS_MAX; o++)
		if (o->service == sv && o->kind != 0)
			finish(o, ECANCELED, "a reload came after it");
}

void
orders_tick(struct orders *os, uint64_t now_ms)
{
	char text[ORDERS_TEXT];
	struct order *o;

	for (o = os->at; o < os->at + ORDERS_MAX; o++) {
		if (o->kind == 0)
			continue;
		if ((o->kind == IPC_START || o->kind == IPC_RESTART) &&
		    o->service->state == SHM_BACKOFF) {
			snprintf(text, sizeof(text),
			    "it dies again and again: "
			    "%.60s",
			    o->service->why);
			finish(o, EAGAIN, text);
		} else if (now_ms > o->until_ms) {
			snprintf(text, sizeof(text),
			    "not done in time; it is %s",
			    o->service != NULL
				? shm_state_name(o->service->state)
				: "stopping");
			finish(o, ETIMEDOUT, text);
		}
	}
}

void
orders_ended(struct orders *os)
{
	struct order *o;

	for (o = os->at; o < os->at + ORDERS_MAX; o++)
		if (o->kind == IPC_SHUTDOWN)
			finish(o, 0, "");
		else if (o->kind != 0)
			finish(o, ESHUTDOWN, "the daemon is stopping");
}

void
orders_forget(struct process *p)
{
	struct order *o;

	if (kind_of(p) != CONTROL)
		return;
	upgrade_forget(p->super, p);
	if (p->super->reload.asker == p)
		p->super->reload.asker = NULL;
	for (o = p->super->orders.at; o < p->super->orders.at + ORDERS_MAX; o++)
		if (o->asker == p)
			o->kind = 0;
}
