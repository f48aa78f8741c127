/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the control process. It waits for the parent, for clients and
 * for changes in one zmq_poll, which asks each socket's state anew every turn
 * (a ZMQ_FD only tells edges). Nothing that a client sends ends it.
 */

#include "control/zmq/control.h"

#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "control/zmq/endpoints.h"
#include "control/zmq/sockets.h"
#include "control/rpc.h"
#include "control/saves.h"
#include "control/work.h"

enum {
	POLL_PARENT,
	POLL_BELL,
	POLL_WORK,
	POLL_SAVED,
	POLL_EVENTS,
	POLL_ZAP,
	POLL_ROUTER,
	POLL_ITEMS = POLL_ROUTER + SOCKETS_ROUTERS,
	FAREWELL_MS = 500, /* for the last answers to leave */
};

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How long to sleep, in ms, given when something is due and what the events
 * allow: never so long that the parent could take it for a hang. */
static long
sleep_ms(const struct control *c, uint64_t due_ns, int events_ms)
{
	long ms = (long)proc_beat_ms(c->proc);

	if (events_ms >= 0 && events_ms < ms)
		ms = events_ms;
	if (due_ns <= c->now_ns)
		return 0;
	if ((due_ns - c->now_ns) / 1000000 < (uint64_t)ms)
		ms = (long)((due_ns - c->now_ns) / 1000000) + 1;
	return ms;
}

static int
fill_items(struct sockets *d, const struct events *ev,
    zmq_pollitem_t item[POLL_ITEMS], int router[])
{
	const struct proc *proc = d->control->proc;
	int n = POLL_ROUTER;

	memset(item, 0, POLL_ITEMS * sizeof(item[0]));
	item[POLL_PARENT].fd = proc->chan;
	/* without a bell the parent once more */
	item[POLL_BELL].fd = ev->bell.fd != -1 ? ev->bell.fd : proc->chan;
	item[POLL_WORK].fd =
	    d->control->work_fd != -1 ? d->control->work_fd : proc->chan;
	item[POLL_SAVED].fd = d->control->saved_bell.fd != -1
	    ? d->control->saved_bell.fd
	    : proc->chan;
	item[POLL_EVENTS].socket = d->events;
	/* without keys there is nobody to ask: the parent once more */
	item[POLL_ZAP].socket = d->zap.socket;
	item[POLL_ZAP].fd = proc->chan;
	/* who asks while nothing is to be asked for waits in the socket */
	for (int r = 0; r < SOCKETS_ROUTERS; r++) {
		if (d->router[r] == NULL || d->control->on_hold)
			continue;
		router[n] = r;
		item[n++].socket = d->router[r];
	}
	for (int i = 0; i < n; i++)
		item[i].events = ZMQ_POLLIN;
	return n;
}

static void
loop(struct control *c, struct sockets *d, struct events *ev)
{
	zmq_pollitem_t item[POLL_ITEMS];
	int router[POLL_ITEMS] = { 0 }, n;
	bool more = false, go_on = true;
	uint64_t due_ns = UINT64_MAX;
	int events_ms;

	while (go_on) {
		n = fill_items(d, ev, item, router);
		events_ms = more ? 0 : events_arm(ev);
		if (zmq_poll(item, n, sleep_ms(c, due_ns, events_ms)) == -1)
			for (int i = 0; i < n; i++)
				item[i].revents = 0;
		events_disarm(ev);
		control_beat(c);
		go_on = rpc_orders(c);
		work_turn(c);
		if (item[POLL_EVENTS].revents != 0)
			sockets_take_subscriptions(d);
		if (d->zap.socket != NULL && item[POLL_ZAP].revents != 0)
			zap_serve(&d->zap);
		for (int i = POLL_ROUTER; i < n; i++) {
			if (item[i].revents != 0 && !c->on_hold)
				sockets_serve(
				    d, (enum sockets_router)router[i]);
		}
		due_ns = saves_turn(c);
		due_ns = min_u64(due_ns, rpc_expire(c));
		due_ns = min_u64(due_ns, endpoints_turn(d));
		more = events_pump(ev);
		control_beat(c);
	}
}

/* ---- another configuration ---- */

static int
look(struct control *c, const struct conf *next, char *why, size_t size)
{
	return endpoints_look(c->server, next, why, size);
}

static void
force(struct control *c, const struct conf *was)
{
	(void)was;
	endpoints_force(c->server);
}

static void
abandon(struct control *c)
{
	endpoints_abandon(c->server);
}

/* The parent alone decides when we end: a terminal's ^C reaches all of us. */
static void
ignore_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
		SIGPIPE };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		signal(sigs[i], SIG_IGN);
}

int
control_main(struct proc *proc)
{
	struct control c;
	struct events ev = { 0 };
	struct sockets sockets = { 0 };
	char why[256];
	int code;

	ignore_signals();
	if (control_init(&c, proc) == -1 || events_init(&ev, &c) == -1)
		return proc_failed(proc, EX_SOFTWARE, "out of memory");
	control_beat(&c);
	c.reply = sockets_reply;
	c.drop = sockets_drop;
	c.server = &sockets;
	c.take = (struct take_ops){
		.look = look, .force = force, .abandon = abandon
	};
	ev.send = sockets_publish;
	ev.arg = &sockets;
	code = sockets_open(&sockets, &c, &ev, why, sizeof(why));
	if (code != 0) {
		code = proc_failed(proc, code, "%s", why);
	} else {
		proc_ready(proc);
		loop(&c, &sockets, &ev);
	}
	rpc_drop_all(&c);
	sockets_close(&sockets, code == 0 ? FAREWELL_MS : 0);
	events_fini(&ev);
	control_fini(&c);
	return code;
}
