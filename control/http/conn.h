/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONN_H
#define CONTROL_CONN_H

/*
 * A connection: requests one after the other, an answer to each. What one side
 * may take of time and memory is bounded in every state.
 */

#include <event2/bufferevent.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "control/http/head.h"
#include "control/http/server.h"

enum conn_state {
	CONN_IDLE, /* nothing of a request has come */
	CONN_HEAD, /* some of its head has */
	CONN_BODY, /* its body is coming */
	CONN_BUSY, /* it is being answered */
	CONN_REPLY, /* the answer is leaving */
	CONN_STREAM, /* one that does not end */
	CONN_LINGER, /* all is said; what still comes is thrown away */
};

struct conn {
	struct server *server;
	struct conn *next, **at; /* in server->conns */
	struct bufferevent *bev;
	struct event *timer;
	enum conn_state state;
	bool local; /* the other end is on this machine */
	bool fresh; /* it has asked nothing yet */
	bool ended; /* the other side says no more */
	bool keep; /* after this answer */
	bool head_only; /* a HEAD */
	bool waits; /* among server->waiting */
	TAILQ_ENTRY(conn) waiting;
	uint64_t since_ns; /* in this state */
	size_t seen; /* of the head, looked at */
	size_t in_bytes, out_bytes; /* counted in the server's */
	struct http_call *call; /* from its head to its answer */
	struct stream *stream; /* in CONN_STREAM */
	char peer[64];
};

/* Takes a connection that was accepted over. */
void conn_open(struct server *, int fd, const struct sockaddr *);

/* Ends it now; what it had asked is answered to nobody. */
void conn_close(struct conn *);

/* Begins a turn of the loop: answers of the requests that wait as many as there
 * is time for, one at least. True if some are left. */
bool conns_turn(struct server *);

/* True while something that was said has not left. */
bool conns_leaving(const struct server *);

/* Puts an answer on its way. Its body may be NULL: then it is a stream, which
 * the caller writes and conn_close() ends. */
void conn_answer(
    struct conn *, int status, const char *type, const char *text, size_t len);

/* Adds the head of an answer; of a stream its length is not told. */
void conn_head(struct conn *, struct evbuffer *, int status, const char *type,
    bool stream, size_t len);

/* "Not Found" */
const char *conn_reason(int status);

#endif
