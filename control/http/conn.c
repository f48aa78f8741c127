/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of the http process: from bytes to calls and from answers to
 * bytes. One request at a time; whatever comes behind it waits in a buffer
 * that is bounded, and then in the kernel's. Runs in the http process.
 */
#include "control/http/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/http/call.h"
#include "control/http/stream.h"
#include "shm/clock.h"

enum {
	BODY_FREE = 16384, /* not counted */
	TLS_HANDSHAKE = 22 /* what a client of TLS says first */
};

static void turn(struct conn *);

/* ---- states ---- */

/* How long a state may last; 0: for ever. */
static unsigned
time_of(const struct conn *c)
{
	size_t more = 0;

	switch (c->state) {
	case CONN_IDLE:
		return c->fresh ? SERVER_FRESH_MS : SERVER_IDLE_MS;
	case CONN_HEAD:
		return SERVER_HEAD_MS;
	case CONN_BODY:
		more = c->call->head.length;
		break;
	case CONN_REPLY:
		more = c->out_bytes;
		break;
	case CONN_LINGER:
		return SERVER_LINGER_MS;
	case CONN_BUSY: /* commands have limits of their own */
	case CONN_STREAM: /* and streams */
		return 0;
	}
	return (c->state == CONN_BODY ? SERVER_BODY_MS : SERVER_REPLY_MS) +
	    (unsigned)(more * 1000 / SERVER_BYTES_A_SECOND);
}

/* Input that is taken in: never more than the state has use for. */
static size_t
mark_of(const struct conn *c)
{
	return c->state == CONN_BODY && c->call->head.length > HEAD_MAX
	    ? c->call->head.length
	    : HEAD_MAX;
}

static void
set_state(struct conn *c, enum conn_state next)
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
	if (next != CONN_BUSY && next != CONN_REPLY)
		bufferevent_enable(c->bev, EV_READ); /* see on_read() */
}

/* ---- the end ---- */

static void
forget_request(struct conn *c)
{
	c->server->in_bytes -= c->in_bytes;
	c->in_bytes = 0;
	if (c->call != NULL) {
		if (c->state == CONN_BUSY && !c->waits)
			c->call->conn = NULL; /* it is answered to nobody */
		else
			call_free(c->call);
		c->call = NULL;
	}
	c->seen = 0;
}

void
conn_close(struct conn *c)
{
	struct server *s = c->server;

	if (c->stream != NULL)
		stream_gone(c->stream);
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
conns_leaving(const struct server *s)
{
	for (const struct conn *c = s->conns; c != NULL; c = c->next)
		if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
			return true;
	return false;
}

/* All is said. Who closes while something unread lies in the socket makes the
 * other side's system throw away what it has not read yet: so not at once. */
static void
linger(struct conn *c)
{
	if (c->ended) {
		conn_close(c);
		return;
	}
	set_state(c, CONN_LINGER);
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	bufferevent_disable(c->bev, EV_WRITE);
	bufferevent_enable(c->bev, EV_READ);
	turn(c);
}

/* ---- answers ---- */

void
conn_answer(
    struct conn *c, int status, const char *type, const char *text, size_t len)
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
	conn_head(c, out, status, type, stream, len);
	if (!stream && !c->head_only && status != 204 && status != 304)
		evbuffer_add(out, text, len);
	/* a stream has bounds of its own */
	c->out_bytes = stream ? 0 : evbuffer_get_length(out);
	s->out_bytes += c->out_bytes;
	set_state(c, stream ? CONN_STREAM : CONN_REPLY);
	if (stream) /* it has nothing more to say */
		evbuffer_drain(in, evbuffer_get_length(in));
	forget_request(c);
	bufferevent_enable(c->bev, EV_WRITE);
}

/* Answers a request that never became a call. */
static void
refuse(struct conn *c, int status, const char *why)
{
	char text[300];
	int n = snprintf(text, sizeof(text), "%s\n", why);

	c->keep = false;
	c->server->stats->pages++;
	conn_answer(c, status, HTTP_TEXT, text, (size_t)n);
}

/* ---- requests ---- */

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
begin_call(struct conn *c)
{
	struct http_call *call = c->call;
	struct server *s = c->server;

	set_state(c, CONN_BUSY);
	s->stats->pages++;
	if (call->head.length > 0 && turn_is_over(s)) {
		c->waits = true;
		TAILQ_INSERT_TAIL(&s->waiting, c, waiting);
		return;
	}
	call_run(call); /* may have answered, may be long gone */
}

bool
conns_turn(struct server *s)
{
	struct conn *c;

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
take_body(struct conn *c, struct evbuffer *in)
{
	struct http_call *call = c->call;
	size_t len = call->head.length;

	call->body_text = malloc(2 * (len + 1));
	if (call->body_text == NULL) {
		refuse(c, 503, "Out of memory.");
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
await_body(struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct server *s = c->server;
	size_t len = c->call->head.length;

	if (len > BODY_FREE) {
		if (s->in_bytes + len > SERVER_IN_MAX) {
			refuse(c, 503, "Too many bodies are on their way.");
			return false;
		}
		c->in_bytes = len;
		s->in_bytes += len;
	}
	set_state(c, CONN_BODY);
	if (c->call->head.expects &&
	    evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
		bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
	return true;
}

/* True: there may be more to do, and the connection is still there. */
static bool
take_head(struct conn *c, struct evbuffer *in, size_t len)
{
	char *text = malloc(len + 1);
	const char *why;
	size_t limit;
	int status;

	c->call = text != NULL ? call_new(c, text) : NULL;
	if (c->call == NULL) {
		conn_close(c);
		return false;
	}
	evbuffer_remove(in, text, len);
	text[len] = '\0';
	c->fresh = c->keep = c->head_only = false;
	status = head_parse(text, len, &c->call->head, &why);
	if (status != 0) {
		refuse(c, status, why);
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
step(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in), n;
	char first[2];

	switch (c->state) {
	case CONN_IDLE:
		if (evbuffer_copyout(in, first, 1) == 1 &&
		    first[0] == TLS_HANDSHAKE) {
			refuse(c, 400, "This is plain HTTP, without TLS.");
			return false;
		}
		/* an empty line may stand before a request */
		while (evbuffer_copyout(in, first, 2) == 2 &&
		    memcmp(first, "\r\n", 2) == 0)
			evbuffer_drain(in, 2);
		if (evbuffer_get_length(in) == 0)
			return false;
		set_state(c, CONN_HEAD);
		return true;
	case CONN_HEAD:
		n = len < HEAD_MAX ? len : HEAD_MAX;
		n = head_end(
		    (char *)evbuffer_pullup(in, (ssize_t)n), n, &c->seen);
		if (n > 0)
			return take_head(c, in, n);
		if (len >= HEAD_MAX)
			refuse(c, 431, "The headers are too large.");
		return false; /* the connection may be gone */
	case CONN_BODY:
		if (len >= c->call->head.length)
			take_body(c, in);
		return false;
	case CONN_LINGER:
		evbuffer_drain(in, len);
		return false;
	case CONN_BUSY:
	case CONN_REPLY:
		return false;
	case CONN_STREAM: /* it has nothing more to say */
		evbuffer_drain(in, len);
		return false;
	}
	return false;
}

static void
turn(struct conn *c)
{
	while (step(c))
		;
}

/* ---- what libevent calls ---- */

/* Behind a request whose answer is not taken, no more is read than there is
 * room for. libevent calls again and again for input at its mark, so reading
 * is off until the answer has left. */
static void
on_read(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if ((c->state == CONN_BUSY || c->state == CONN_REPLY) &&
	    evbuffer_get_length(bufferevent_get_input(bev)) >= HEAD_MAX)
		bufferevent_disable(bev, EV_READ);
	else
		turn(c);
}

/* All that was to be said has left. */
static void
on_written(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (c->state != CONN_REPLY ||
	    evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		return;
	c->server->out_bytes -= c->out_bytes;
	c->out_bytes = 0;
	if (!c->keep) {
		linger(c);
		return;
	}
	set_state(c, CONN_IDLE);
	turn(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	/* who has said all may still want to hear the answer */
	if ((what & BEV_EVENT_EOF) &&
	    (c->state == CONN_BUSY || c->state == CONN_REPLY)) {
		c->ended = true;
		c->keep = false;
		return;
	}
	conn_close(c);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CONN_HEAD || c->state == CONN_BODY) {
		c->server->stats->conns_slow++;
		refuse(c, 408, "The request takes too long to come.");
		return;
	}
	c->server->stats->conns_slow += c->state == CONN_REPLY;
	conn_close(c);
}

/* ---- the beginning ---- */

static void
name_peer(struct conn *c, const struct sockaddr *sa)
{
	char host[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		c->local = ntohl(in.sin_addr.s_addr) >> 24 == 127;
		snprintf(c->peer, sizeof(c->peer), "%s:%u", host,
		    ntohs(in.sin_port));
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		c->local = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
		snprintf(c->peer, sizeof(c->peer), "[%s]:%u", host,
		    ntohs(in6.sin6_port));
	}
}

/* Room for one more: whoever says nothing goes first, then who has been slow
 * to say something. False if all are at work. */
static bool
make_room(struct server *s)
{
	uint64_t now = s->control.now_ns;
	struct conn *idle = NULL, *slow = NULL;

	for (struct conn *c = s->conns; c != NULL; c = c->next)
		if (c->state == CONN_IDLE || c->state == CONN_LINGER)
			idle = c; /* the last one is the oldest */
		else if ((c->state == CONN_HEAD || c->state == CONN_BODY) &&
		    now - c->since_ns > 1000000000)
			slow = c;
	if (idle == NULL)
		idle = slow;
	if (idle == NULL)
		return false;
	s->stats->conns_evicted++;
	conn_close(idle);
	return true;
}

static void
too_many(int fd)
{
	static const char text[] =
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 40\r\nConnection: close\r\nRetry-After: 1\r\n\r\n"
	    "There are too many connections already.\n";

	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

void
conn_open(struct server *s, int fd, const struct sockaddr *sa)
{
	const struct conf_http *conf = &s->control.proc->conf->http;
	struct timeval tv = { SERVER_FRESH_MS / 1000, 0 };
	struct conn *c;

	s->stats->conns_opened++;
	if (s->nconns >= conf->max_connections && !make_room(s)) {
		s->stats->conns_refused++;
		too_many(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c != NULL)
		c->bev =
		    bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		free(c);
		close(fd);
		return;
	}
	c->timer = evtimer_new(s->base, on_time, c);
	if (c->timer == NULL || event_add(c->timer, &tv) < 0) {
		if (c->timer != NULL)
			event_free(c->timer);
		bufferevent_free(c->bev);
		free(c);
		return;
	}
	c->server = s;
	c->fresh = true;
	c->since_ns = s->control.now_ns;
	name_peer(c, sa);
	c->next = s->conns;
	c->at = &s->conns;
	if (c->next != NULL)
		c->next->at = &c->next;
	s->conns = c;
	s->stats->conns_open = ++s->nconns;
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HEAD_MAX);
	bufferevent_enable(c->bev, EV_READ);
}
