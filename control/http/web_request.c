/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes on a connection, step by step: a head, its body, and then a call.
 * It decides when a request's turn is: short ones pass those that may be a
 * thousand commands. Runs in the http process.
 */
#include "control/http/web_request.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/call.h"
#include "shm/clock.h"

enum {
	BODY_FREE = 16384, /* not counted */
	TLS_HANDSHAKE = 22 /* what a client of TLS says first */
};

static bool
turn_is_over(struct server *s)
{
	uint64_t now = clock_mono_ns();

	if (s->turn_ns == 0)
		s->turn_ns = now;
	return now - s->turn_ns > SERVER_TURN_MS * 1000000ull;
}

/* What has a body is a command, or a thousand of them: it waits for the next
 * turn if this one was long, so that short requests are served in between. */
static void
begin_call(struct web_conn *c)
{
	struct http_call *call = c->call;
	struct server *s = c->server;

	web_conn_set_state(c, WEB_BUSY);
	s->stats->pages++;
	if (s->control.on_hold || (call->head.length > 0 && turn_is_over(s))) {
		c->waits = true;
		TAILQ_INSERT_TAIL(&s->waiting, c, waiting);
		return;
	}
	call_run(call); /* may have answered, may be long gone */
}

bool
web_request_turns(struct server *s)
{
	struct web_conn *c;

	if (s->control.on_hold)
		return false; /* whoever holds it tells when it is over */
	s->turn_ns = 0;
	while ((c = TAILQ_FIRST(&s->waiting)) != NULL && !turn_is_over(s)) {
		TAILQ_REMOVE(&s->waiting, c, waiting);
		c->waits = false;
		call_run(c->call);
	}
	s->turn_ns = 0;
	return c != NULL;
}

/* The body has come, all of it. */
static void
take_body(struct web_conn *c, struct evbuffer *in)
{
	struct http_call *call = c->call;
	size_t len = call->head.length;

	call->body_text = malloc(2 * (len + 1));
	if (call->body_text == NULL) {
		web_conn_refuse(c, 503, "Out of memory.");
		return;
	}
	evbuffer_remove(in, call->body_text, len);
	call->body_text[len] = '\0';
	memcpy(call->body_text + len + 1, call->body_text, len + 1);
	call->body = call->body_text;
	call->len = len;
	begin_call(c);
}

/* The head says that there is a body. False: it is not taken. */
static bool
await_body(struct web_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct server *s = c->server;
	size_t len = c->call->head.length;

	if (len > BODY_FREE) {
		if (s->in_bytes + len > SERVER_IN_MAX) {
			web_conn_refuse(
			    c, 503, "Too many bodies are on their way.");
			return false;
		}
		c->in_bytes = len;
		s->in_bytes += len;
	}
	web_conn_set_state(c, WEB_BODY);
	if (c->call->head.expects &&
	    evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
		bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
	return true;
}

/* True: there may be more to do, and the connection is still there. */
static bool
take_head(struct web_conn *c, struct evbuffer *in, size_t len)
{
	char *text = malloc(len + 1);
	const char *why;
	size_t limit;
	int status;

	c->call = text != NULL ? call_new(c, text) : NULL;
	if (c->call == NULL) {
		web_conn_close(c);
		return false;
	}
	evbuffer_remove(in, text, len);
	text[len] = '\0';
	c->fresh = c->keep = c->head_only = false;
	status = head_parse(text, len, &c->call->head, &why);
	if (status != 0) {
		web_conn_refuse(c, status, why);
		return false;
	}
	c->head_only = strcmp(c->call->head.method, "HEAD") == 0;
	if (!call_admit(c->call, &limit))
		return false;
	if (c->call->head.length > 0)
		return await_body(c);
	begin_call(c);
	return false;
}

/* One step with what has come. False when there is nothing more to do. */
static bool
step(struct web_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in), n;
	char first[2];

	switch (c->state) {
	case WEB_IDLE:
		if (evbuffer_copyout(in, first, 1) == 1 &&
		    first[0] == TLS_HANDSHAKE) {
			web_conn_refuse(
			    c, 400, "This is plain HTTP, without TLS.");
			return false;
		}
		/* an empty line may stand before a request */
		while (evbuffer_copyout(in, first, 2) == 2 &&
		    memcmp(first, "\r\n", 2) == 0)
			evbuffer_drain(in, 2);
		if (evbuffer_get_length(in) == 0)
			return false;
		web_conn_set_state(c, WEB_HEAD);
		return true;
	case WEB_HEAD:
		n = len < HEAD_MAX ? len : HEAD_MAX;
		n = head_end(
		    (char *)evbuffer_pullup(in, (ssize_t)n), n, &c->seen);
		if (n > 0)
			return take_head(c, in, n);
		if (len >= HEAD_MAX)
			web_conn_refuse(c, 431, "The headers are too large.");
		return false; /* the connection may be gone */
	case WEB_BODY:
		if (len >= c->call->head.length)
			take_body(c, in);
		return false;
	case WEB_LINGER:
		evbuffer_drain(in, len);
		return false;
	case WEB_BUSY:
	case WEB_REPLY:
		return false;
	case WEB_STREAM: /* it has nothing more to say */
		evbuffer_drain(in, len);
		return false;
	}
	return false;
}

void
web_request_turn(struct web_conn *c)
{
	while (step(c))
		;
}
