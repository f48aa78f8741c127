/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the http process. It waits for the parent, for connections and
 * for changes of registers. Nothing that a client sends ends it, and if it
 * ends, nobody but those who read the page notices.
 */
#include "control/http/server.h"

#include <errno.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "control/http/rpc_http.h"
#include "control/http/sse.h"
#include "control/http/tokens.h"
#include "control/http/web_accept.h"
#include "control/http/web_conn.h"
#include "control/http/web_request.h"
#include "control/rpc.h"
#include "control/saves.h"
#include "control/work.h"
#include "shm/log.h"

enum { FAREWELL_MS = 500, ACCEPT_AGAIN_MS = 100, WAKES = 5 };

proc_main_fn http_main;

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	(void)l;
	(void)len;
	web_accept(arg, fd, sa);
}

/* No descriptor is free, say: not asked again before the next turn's end. */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	struct server *s = arg;

	log_warn("cannot accept connections");
	evconnlistener_disable(l);
	s->deaf_ns = s->control.now_ns;
}

static void
wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* How long to sleep, in ms, given when something is due and what the events
 * allow: never so long that the parent could take it for a hang. */
static uint64_t
sleep_ms(const struct server *s, uint64_t due_ns, int events_ms)
{
	const struct control *c = &s->control;
	uint64_t ms = proc_beat_ms(c->proc);

	if (events_ms >= 0 && (uint64_t)events_ms < ms)
		ms = (uint64_t)events_ms;
	if (s->deaf_ns != 0 && ms > ACCEPT_AGAIN_MS)
		ms = ACCEPT_AGAIN_MS;
	if (due_ns <= c->now_ns)
		return 0;
	if ((due_ns - c->now_ns) / 1000000 < ms)
		ms = (due_ns - c->now_ns) / 1000000 + 1;
	return ms;
}

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
loop(struct server *s, struct event *timer)
{
	struct control *c = &s->control;
	bool more = false, waiting = false, go_on = true;
	uint64_t due_ns = UINT64_MAX, ms;
	struct timeval tv;

	while (go_on) {
		ms = sleep_ms(
		    s, due_ns, more || waiting ? 0 : events_arm(&s->events));
		tv = (struct timeval){ (time_t)(ms / 1000),
			(suseconds_t)(ms % 1000 * 1000) };
		event_add(timer, &tv);
		event_base_loop(s->base, EVLOOP_ONCE);
		events_disarm(&s->events);
		control_beat(c);
		waiting = web_request_turns(s);
		go_on = rpc_orders(c);
		work_turn(c);
		if (s->deaf_ns != 0 &&
		    c->now_ns - s->deaf_ns > ACCEPT_AGAIN_MS * 1000000ull) {
			evconnlistener_enable(s->listener);
			s->deaf_ns = 0;
		}
		more = events_pump(&s->events);
		control_beat(c);
		due_ns = saves_turn(c);
		due_ns = min_u64(due_ns, rpc_expire(c));
		due_ns = min_u64(due_ns, sse_hub_tick(s->sse));
	}
}

/* ---- another configuration ---- */

static int
look(struct control *c, const struct conf *next, char *why, size_t size)
{
	struct server *s = c->server;
	const char *file = next->http.token_file;
	char words[200];

	tokens_close(s->next_tokens);
	s->next_tokens = NULL;
	if (file == NULL)
		return 0;
	s->next_tokens = tokens_open(file, words, sizeof(words));
	if (s->next_tokens != NULL)
		return 0;
	snprintf(why, size, "%s: %s", file, words);
	return -1;
}

/* Tokens of a file that nobody has looked into before are none until it can be
 * read. */
static void
force(struct control *c, const struct conf *was)
{
	struct server *s = c->server;
	const char *now = c->proc->conf->http.token_file;
	const char *then = was->http.token_file;
	char why[400];

	if (now != NULL && then != NULL && strcmp(now, then) == 0)
		return; /* it is read again whenever it changes */
	if (now != NULL && s->next_tokens == NULL &&
	    look(c, c->proc->conf, why, sizeof(why)) < 0)
		log_error("%s", why);
	tokens_close(s->tokens);
	s->tokens = s->next_tokens;
	s->next_tokens = NULL;
}

static void
abandon(struct control *c)
{
	struct server *s = c->server;

	tokens_close(s->next_tokens);
	s->next_tokens = NULL;
}

static int
open_listener(struct server *s, int fd)
{
	s->listener = evconnlistener_new(
	    s->base, on_accept, s, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (s->listener == NULL)
		return -1;
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	return 0;
}

/* Who came to the former one is let in. */
static void
listen_at(struct control *c, int fd)
{
	struct server *s = c->server;
	struct evconnlistener *former = s->listener;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int last;

	if (open_listener(s, fd) < 0) {
		log_warnx("cannot listen where http.listen says now");
		s->listener = former;
		close(fd);
		return;
	}
	while ((last = accept4(c->proc->listen_fd, (struct sockaddr *)&sa, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		web_accept(s, last, (struct sockaddr *)&sa);
		len = sizeof(sa);
	}
	evconnlistener_free(former);
	close(c->proc->listen_fd);
	c->proc->listen_fd = fd;
	s->deaf_ns = 0;
}

/* The last answers leave, if those that they are for read them. */
static void
say_farewell(struct server *s, struct event *timer)
{
	struct control *c = &s->control;
	uint64_t until;
	struct timeval tv = { 0, FAREWELL_MS * 1000 };

	evconnlistener_disable(s->listener);
	rpc_drop_all(c);
	control_beat(c);
	until = c->now_ns + FAREWELL_MS * 1000000ull;
	event_add(timer, &tv);
	while (web_conns_leaving(s) && c->now_ns < until) {
		event_base_loop(s->base, EVLOOP_ONCE);
		control_beat(c);
	}
	while (s->conns != NULL)
		web_conn_close(s->conns);
}

static int
open_all(struct server *s, struct event *wakes[WAKES], char *why, size_t size)
{
	struct proc *proc = s->control.proc;
	const char *file = proc->conf->http.token_file;

	if (file != NULL) {
		char words[200];

		s->tokens = tokens_open(file, words, sizeof(words));
		if (s->tokens == NULL) {
			snprintf(why, size, "%s: %s", file, words);
			return EX_CONFIG;
		}
	}
	snprintf(why, size, "out of memory");
	if (s->sse == NULL)
		return EX_SOFTWARE;
	if (gethostname(s->host, sizeof(s->host) - 1) < 0)
		s->host[0] = '\0';
	s->base = event_base_new();
	if (s->base == NULL)
		return EX_SOFTWARE;
	if (open_listener(s, proc->listen_fd) < 0)
		return EX_SOFTWARE;
	wakes[0] = evtimer_new(s->base, wake, NULL);
	wakes[1] =
	    event_new(s->base, proc->chan, EV_READ | EV_PERSIST, wake, NULL);
	wakes[2] = event_new(
	    s->base, s->events.bell.fd, EV_READ | EV_PERSIST, wake, NULL);
	wakes[3] = event_new(
	    s->base, s->control.work_fd, EV_READ | EV_PERSIST, wake, NULL);
	wakes[4] = event_new(s->base, s->control.saved_bell.fd,
	    EV_READ | EV_PERSIST, wake, NULL);
	if (wakes[0] == NULL || wakes[1] == NULL || wakes[2] == NULL ||
	    wakes[3] == NULL || wakes[4] == NULL ||
	    event_add(wakes[1], NULL) < 0 ||
	    (s->control.saved_bell.fd >= 0 && event_add(wakes[4], NULL) < 0) ||
	    (s->control.work_fd >= 0 && event_add(wakes[3], NULL) < 0) ||
	    (s->events.bell.fd >= 0 && event_add(wakes[2], NULL) < 0))
		return EX_SOFTWARE;
	return 0;
}

static void
close_all(struct server *s, struct event *wakes[WAKES])
{
	for (int i = 0; i < WAKES; i++)
		if (wakes[i] != NULL)
			event_free(wakes[i]);
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	if (s->base != NULL)
		event_base_free(s->base);
	tokens_close(s->tokens);
	tokens_close(s->next_tokens);
}

int
http_main(struct proc *proc)
{
	static struct server s;
	struct event *wakes[WAKES] = { NULL };
	char why[400];
	int code;

	if (control_init(&s.control, proc) == -1 ||
	    events_init(&s.events, &s.control) == -1)
		return proc_failed(proc, EX_SOFTWARE, "out of memory");
	control_beat(&s.control);
	TAILQ_INIT(&s.waiting);
	s.control.reply = rpc_http_reply;
	s.control.drop = rpc_http_drop;
	s.control.one_frame = true;
	s.control.server = &s;
	s.control.take = (struct take_ops){ .look = look,
		.force = force,
		.abandon = abandon,
		.listen = listen_at };
	s.stats = s.control.stats;
	s.stats->conns_open = s.stats->streams = 0;
	s.sse = sse_hub_new(&s);
	s.events.send = sse_hub_send;
	s.events.arg = s.sse;
	code = open_all(&s, wakes, why, sizeof(why));
	if (code != 0) {
		code = proc_failed(proc, code, "%s", why);
	} else {
		proc_ready(proc);
		loop(&s, wakes[0]);
		say_farewell(&s, wakes[0]);
	}
	sse_hub_free(s.sse);
	close_all(&s, wakes);
	events_fini(&s.events);
	control_fini(&s.control);
	return code;
}
