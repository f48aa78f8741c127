/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_WEB_CONN_H
#define CONTROL_WEB_CONN_H

/*
 * A connection: requests one after the other, an answer to each. What one side
 * may take of time and memory is bounded in every state.
 */

#include <event2/bufferevent.h>
#include <sys/queue.h>

#include "control/http/head.h"
#include "control/http/server.h"

enum web_state {
	WEB_IDLE, /* nothing of a request has come */
	WEB_HEAD, /* some of its head has */
	WEB_BODY, /* its body is coming */
	WEB_BUSY, /* it is being answered */
	WEB_REPLY, /* the answer is leaving */
	WEB_STREAM, /* one that does not end */
	WEB_LINGER, /* all is said; what still comes is thrown away */
};

struct web_conn {
	struct server *server;
	struct web_conn *next, **at; /* in server->conns */
	struct bufferevent *bev;
	struct event *timer;
	enum web_state state;
	bool local; /* the other end is on this machine */
	bool fresh; /* it has asked nothing yet */
	bool ended; /* the other side says no more */
	bool keep; /* after this answer */
	bool head_only; /* a HEAD */
	bool waits; /* among server->waiting */
	TAILQ_ENTRY(web_conn) waiting;
	uint64_t since_ns; /* in this state */
	size_t seen; /* of the head, looked at */
	size_t in_bytes, out_bytes; /* counted in the server's */
	struct http_call *call; /* from its head to its answer */
	struct sse *stream; /* in WEB_STREAM */
	char peer[64];
};

/* Begins with a socket, which is its own from here on. NULL, and the socket is
 * closed, if there is no memory. */
struct web_conn *web_conn_open(struct server *, int fd);

/* Ends it now; what it had asked is answered to nobody. */
void web_conn_close(struct web_conn *);

/* The only writer of its state: how long that may last, and what is read. */
void web_conn_set_state(struct web_conn *, enum web_state);

/* True while something that was said has not left. */
bool web_conns_leaving(const struct server *);

/* Puts an answer on its way. Its body may be NULL: then it is a stream, which
 * the caller writes and web_conn_close() ends. */
void web_conn_answer(struct web_conn *, int status, const char *type,
    const char *text, size_t len);

/* Answers a request that never became a call, and ends the connection. */
void web_conn_refuse(struct web_conn *, int status, const char *why);

/* Adds the head of an answer; of a stream its length is not told. */
void web_conn_head(struct web_conn *, struct evbuffer *, int status,
    const char *type, bool stream, size_t len);

/* "Not Found" */
const char *web_conn_reason(int status);

#endif
