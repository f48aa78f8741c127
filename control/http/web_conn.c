/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of the http process: the states that they go through, how
 * long each may last, and how answers leave. One request at a time; whatever
 * comes behind it waits in a buffer that is bounded, and then in the kernel's.
 * What is in a request: web_request.c. Runs in the http process.
 */
#include "control/http/web_conn.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/http/call.h"
#include "control/http/sse.h"
#include "control/http/web_request.h"

/* ---- states ---- */

/* How long a state may last; 0: for ever. */
static unsigned
time_of(const struct web_conn *c)
{
	size_t more = 0;

	switch (c->state) {
	case WEB_IDLE:
		return c->fresh ? SERVER_FRESH_MS : SERVER_IDLE_MS;
	case WEB_HEAD:
		return SERVER_HEAD_MS;
	case WEB_BODY:
		more = c->call->head.length;
		break;
	case WEB_REPLY:
		more = c->out_bytes;
		break;
	case WEB_LINGER:
		return SERVER_LINGER_MS;
	case WEB_BUSY: /* commands have limits of their own */
	case WEB_STREAM: /* and streams */
		return 0;
	}
	return (c->state == WEB_BODY ? SERVER_BODY_MS : SERVER_REPLY_MS) +
	    (unsigned)(more * 1000 / SERVER_BYTES_A_SECOND);
}

/* Input that is taken in: never more than the state has use for. */
static size_t
mark_of(const struct web_conn *c)
{
	return c->state == WEB_BODY && c->call->head.length > HEAD_MAX
	    ? c->call->head.length
	    : HEAD_MAX;
}

void
web_conn_set_state(struct web_conn *c, enum web_state next)
{
	struct timeval tv;
	unsigned ms;

	if (c->state == next)
		return;
	c->state = next;
	c->since_ns = c->server->control.now_ns;
	ms = time_of(c);
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	if (ms == 0)
		event_del(c->timer);
	else
		event_add(c->timer, &tv);
	bufferevent_setwatermark(c->bev, EV_READ, 0, mark_of(c));
	if (next != WEB_BUSY && next != WEB_REPLY)
		bufferevent_enable(c->bev, EV_READ); /* see on_read() */
}

/* ---- the end ---- */

static void
forget_request(struct web_conn *c)
{
	c->server->in_bytes -= c->in_bytes;
	c->in_bytes = 0;
	if (c->call != NULL) {
		if (c->state == WEB_BUSY && !c->waits)
			c->call->conn = NULL; /* it is answered to nobody */
		else
			call_free(c->call);
		c->call = NULL;
	}
	c->seen = 0;
}

void
web_conn_close(struct web_conn *c)
{
	struct server *s = c->server;

	if (c->stream != NULL)
		sse_gone(c->stream);
	forget_request(c);
	if (c->waits)
		TAILQ_REMOVE(&s->waiting, c, waiting);
	s->out_bytes -= c->out_bytes;
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	s->stats->conns_open = --s->nconns;
	event_free(c->timer);
	bufferevent_free(c->bev);
	free(c);
}

bool
web_conns_leaving(const struct server *s)
{
	for (const struct web_conn *c = s->conns; c != NULL; c = c->next)
		if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
			return true;
	return false;
}

/* All is said. Who closes while something unread lies in the socket makes the
 * other side's system throw away what it has not read yet: so not at once. */
static void
linger(struct web_conn *c)
{
	if (c->ended) {
		web_conn_close(c);
		return;
	}
	web_conn_set_state(c, WEB_LINGER);
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	bufferevent_disable(c->bev, EV_WRITE);
	bufferevent_enable(c->bev, EV_READ);
	web_request_turn(c);
}

/* ---- answers ---- */

void
web_conn_answer(struct web_conn *c, int status, const char *type,
    const char *text, size_t len)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct server *s = c->server;
	bool stream = text == NULL;

	/* who does not read is not written to without limit */
	if (s->out_bytes + len > SERVER_OUT_MAX) {
		static const char full[] =
		    "Too many answers wait to be read; try again.\n";

		status = 503;
		type = HTTP_TEXT;
		text = full;
		len = sizeof(full) - 1;
	}
	s->stats->pages_failed += status >= 400;
	c->keep = c->keep && !stream && !c->ended;
	web_conn_head(c, out, status, type, stream, len);
	if (!stream && !c->head_only && status != 204 && status != 304)
		evbuffer_add(out, text, len);
	/* a stream has bounds of its own */
	c->out_bytes = stream ? 0 : evbuffer_get_length(out);
	s->out_bytes += c->out_bytes;
	web_conn_set_state(c, stream ? WEB_STREAM : WEB_REPLY);
	if (stream) /* it has nothing more to say */
		evbuffer_drain(in, evbuffer_get_length(in));
	forget_request(c);
	bufferevent_enable(c->bev, EV_WRITE);
}

/* Answers a request that never became a call. */
void
web_conn_refuse(struct web_conn *c, int status, const char *why)
{
	char text[300];
	int n = snprintf(text, sizeof(text), "%s\n", why);

	c->keep = false;
	c->server->stats->pages++;
	web_conn_answer(c, status, HTTP_TEXT, text, (size_t)n);
}

/* ---- what libevent calls ---- */

/* Behind a request whose answer is not taken, no more is read than there is
 * room for. libevent calls again and again for input at its mark, so reading
 * is off until the answer has left. */
static void
on_read(struct bufferevent *bev, void *arg)
{
	struct web_conn *c = arg;

	if ((c->state == WEB_BUSY || c->state == WEB_REPLY) &&
	    evbuffer_get_length(bufferevent_get_input(bev)) >= HEAD_MAX)
		bufferevent_disable(bev, EV_READ);
	else
		web_request_turn(c);
}

/* All that was to be said has left. */
static void
on_written(struct bufferevent *bev, void *arg)
{
	struct web_conn *c = arg;

	if (c->state != WEB_REPLY ||
	    evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		return;
	c->server->out_bytes -= c->out_bytes;
	c->out_bytes = 0;
	if (!c->keep) {
		linger(c);
		return;
	}
	web_conn_set_state(c, WEB_IDLE);
	web_request_turn(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct web_conn *c = arg;

	(void)bev;
	/* who has said all may still want to hear the answer */
	if ((what & BEV_EVENT_EOF) &&
	    (c->state == WEB_BUSY || c->state == WEB_REPLY)) {
		c->ended = true;
		c->keep = false;
		return;
	}
	web_conn_close(c);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct web_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == WEB_HEAD || c->state == WEB_BODY) {
		c->server->stats->conns_slow++;
		web_conn_refuse(c, 408, "The request takes too long to come.");
		return;
	}
	c->server->stats->conns_slow += c->state == WEB_REPLY;
	web_conn_close(c);
}

/* ---- the beginning ---- */

struct web_conn *
web_conn_open(struct server *s, int fd)
{
	struct timeval tv = { SERVER_FRESH_MS / 1000, 0 };
	struct web_conn *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->bev =
		    bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		free(c);
		close(fd);
		return NULL;
	}
	c->timer = evtimer_new(s->base, on_time, c);
	if (c->timer == NULL || event_add(c->timer, &tv) < 0) {
		if (c->timer != NULL)
			event_free(c->timer);
		bufferevent_free(c->bev);
		free(c);
		return NULL;
	}
	c->server = s;
	c->fresh = true;
	c->since_ns = s->control.now_ns;
	c->next = s->conns;
	c->at = &s->conns;
	if (c->next != NULL)
		c->next->at = &c->next;
	s->conns = c;
	s->stats->conns_open = ++s->nconns;
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HEAD_MAX);
	bufferevent_enable(c->bev, EV_READ);
	return c;
}
