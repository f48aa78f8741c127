/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supervisor for fuzz targets. Its objects in shared memory have lost their
 * names by the time that it is there.
 */
#include "tests/lib/fuzz_super.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/places.h"
#include "supervisor/segs.h"
#include "supervisor/tick.h"
#include "tests/lib/fuzz_frame.h"

struct super fuzz_super;

/* By process: fuzz_peers[i] is the other end of its channel. */
enum { PEERS = FUZZ_SERVICES * FUZZ_WORKERS + AIDES };
static struct peer {
	struct process *process;
	int fd;
} peers[PEERS];

static const char text[] =
    "{ 'store': { 'name': '%s' }, 'devices': { 'plc1': {"
    " 'coils': [ { 'addr': 3, 'count': 70 } ], 'holding_registers': ["
    " { 'addr': 0, 'count': 40 }, { 'addr': 60, 'count': 9 } ] } },"
    " 'transports': { 'one': { %s, 'max_connections': 4 },"
    " 'two': { %s, 'max_connections': 3 } } }\n";
static const char transport[] =
    "'type': 'tcp', 'listen': '127.0.0.1:0', 'workers': 2,"
    " 'units': { '*': 'plc1' }";

/* ---- lives without processes ---- */

static struct process *
process_of(struct child *c)
{
	return (struct process *)c;
}

static int
spawn(struct child *c)
{
	(void)c;
	return 0;
}

static void
nothing(struct child *c)
{
	(void)c;
}

static void
no_timer(struct child *c, int64_t ms)
{
	(void)c;
	(void)ms;
}

static void
changed(struct child *c, enum life from)
{
	struct process *p = process_of(c);

	(void)from;
	if (p->service != NULL) {
		service_settle(p->service, c->why);
		orders_settle(&p->super->orders, p->service);
	}
	super_progress(p->super);
}

static uint64_t
now_ms(void)
{
	return super_now_ns() / 1000000;
}

static uint32_t
no_random(void)
{
	return 0;
}

static const struct child_ops ops = {
	.spawn = spawn,
	.drain = nothing,
	.kill = nothing,
	.timer = no_timer,
	.changed = changed,
	.now_ms = now_ms,
	.random = no_random,
};

/* ---- making it ---- */

static const struct conf *
make_conf(void)
{
	char name[32], line[sizeof(text) + 2 * sizeof(transport) + 64];
	struct conf *conf;

	snprintf(name, sizeof(name), "fuzz%d", (int)getpid());
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(line, sizeof(line), text, name, transport, transport);
#pragma GCC diagnostic pop
	for (char *c = line; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	conf = conf_load_text("fuzz.json", NULL, line, stderr);
	HOLDS(conf != NULL);
	return conf;
}

static void
make_workers(struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		for (unsigned w = 0; w < sv->nworkers; w++)
			HOLDS(process_init(
				  &sv->workers[w], sv, w, sv->slot + w) == 0);
}

static void
never(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void
fuzz_super_make(void)
{
	static const struct proc_roles roles = { .mortal = true };
	struct super *s = &fuzz_super;
	struct service **end = &s->services;

	log_set_level(LOG_ERROR);
	signal(SIGPIPE, SIG_IGN);
	s->conf = s->start = make_conf();
	s->roles = &roles;
	s->signal_fd = s->reload.fd = s->reload.fresh = s->control_seg.fd = -1;
	s->berth.lock_fd = s->actions_fd = s->adopt_fd = s->widow_fd = -1;
	claim_init(&s->claim);
	s->base = event_base_new();
	HOLDS(s->base != NULL && tick_init(s) == 0);
	orders_init(&s->orders, s);
	for (size_t i = 0; i < s->conf->ntransports; i++) {
		*end = service_new(s, &s->conf->transports[i]);
		HOLDS(*end != NULL);
		end = &(*end)->next;
	}
	HOLDS(segs_control(s) == 0 && segs_devices(s) == 0 &&
	    segs_workers(s) == 0);
	seg_unlink_store(s->conf->store);
	make_workers(s);
	HOLDS(aides_make(s) == 0);
	for (struct process *p = s->processes; p != NULL; p = p->next)
		p->child.ops = &ops;
}

static struct peer *
peer_of(const struct process *p)
{
	struct peer *at = peers;

	while (at->process != NULL && at->process != p)
		at++;
	return at;
}

int
fuzz_super_peer(struct process *p)
{
	struct peer *at = peer_of(p);
	int fd[2];

	if (p->chan >= 0)
		return at->fd;
	if (at->process != NULL)
		close(at->fd);
	HOLDS(ipc_pair(fd) == 0);
	at->process = p;
	at->fd = fd[1];
	p->chan = fd[0];
	p->chan_event = event_new(p->super->base, -1, EV_PERSIST, never, NULL);
	HOLDS(p->chan_event != NULL);
	return fd[1];
}

static void
again(struct process *p)
{
	struct ipc_msg m;
	int fd;

	fd = fuzz_super_peer(p);
	while (ipc_recv(fd, &m) == 1)
		;
	while (ipc_recv(p->chan, &m) != 0)
		;
	p->child.state = LIFE_STOPPED;
	p->child.retry = (struct retry){ .row = 0 };
	p->pid = 0;
	p->unborn = p->doomed = p->held = p->served = false;
	p->owes = p->refresh = 0;
	p->mute_ms = p->ready_ms = 0;
	/* nobody is forked to replace one */
	p->keeper.awaited = true;
}

void
fuzz_super_again(void)
{
	struct super *s = &fuzz_super;

	s->phase = SUPER_SERVES;
	memset(s->orders.at, 0, sizeof(s->orders.at));
	/* so no reader is forked, and no program looked at */
	s->reload.pid = INT_MAX;
	s->reload.ended = true;
	for (struct process *p = s->processes; p != NULL; p = p->next)
		again(p);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next) {
		sv->wanted = true;
		sv->refreshing = 0;
	}
}

void
fuzz_super_tick(unsigned n)
{
	while (n-- > 0) {
		event_active(fuzz_super.tick, EV_TIMEOUT, 1);
		event_base_loop(fuzz_super.base, EVLOOP_NONBLOCK);
	}
}
