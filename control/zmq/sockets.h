/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SOCKETS_H
#define CONTROL_SOCKETS_H

/*
 * The sockets: commands come in and answers leave by ROUTERs, events leave by
 * an XPUB. A loop polls them; nothing here waits.
 */

#include <zmq.h>

#include "control/events.h"
#include "control/state.h"
#include "control/zmq/zap.h"

enum sockets_router {
	SOCKETS_IPC, /* of this host, by the socket's mode: admin */
	SOCKETS_PLAIN, /* tcp on loopback, no keys configured: admin */
	SOCKETS_CURVE, /* tcp with keys */
	SOCKETS_ROUTERS
};

struct endpoint;

struct sockets {
	void *context;
	void *router[SOCKETS_ROUTERS]; /* NULL: not configured */
	void *events;
	struct zap zap;
	struct control *control;
	struct events *subs; /* who wants what is told to them */
	struct endpoint *endpoints; /* of tcp: endpoints.h */
	size_t nendpoints;
};

/* Binds everything that the configuration asks for. 0, or an exit code with a
 * sentence in why; sockets_close() is then still to be called. */
int sockets_open(struct sockets *, struct control *, struct events *, char *why,
    size_t size);

/* Closes the sockets; answers on their way have linger_ms to leave. */
void sockets_close(struct sockets *, int linger_ms);

/* Takes what has come in to a router, up to a budget. */
void sockets_serve(struct sockets *, enum sockets_router);

/* Takes subscriptions. */
void sockets_take_subscriptions(struct sockets *);

/* What opening them takes: a socket as all of them are; to bind it, 0 or an
 * exit code with a sentence in why; and to close one that there may be. */
void *sockets_make(struct sockets *, int type);
int sockets_bind(void *socket, const char *endpoint, char *why, size_t size);
void sockets_close_one(void *socket, int linger_ms);

/* Answers, and gives an envelope back: control's reply and drop. */
void sockets_reply(struct control *, void *to, const char *text, size_t len,
    const void *raw, size_t raw_len);
void sockets_drop(struct control *, void *to);

/* Publishes one event; an events_send_fn, arg is the sockets. */
void sockets_publish(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq);

#endif
