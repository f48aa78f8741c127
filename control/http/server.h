/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

/*
 * The http process: its loop, its connections and what they are bounded by.
 */

#include <event2/event.h>
#include <sys/queue.h>

#include "control/events.h"
#include "control/http/http.h"
#include "control/state.h"

struct web_conn;
struct sse_hub;
struct tokens;
struct evconnlistener;

enum {
	SERVER_IDLE_MS = 75000, /* between requests */
	SERVER_FRESH_MS = 20000, /* before the first one */
	SERVER_HEAD_MS = 10000, /* from its first byte to its last */
	SERVER_BODY_MS = 10000, /* and so long for each 160 kB of it */
	SERVER_REPLY_MS = 30000, /* the same of what is to be read */
	SERVER_LINGER_MS = 2000,
	SERVER_BYTES_A_SECOND = 16384,
	SERVER_IN_MAX = 32 << 20, /* bodies on their way, all together */
	SERVER_OUT_MAX = 64 << 20, /* answers on their way */
	/* one turn of the loop answers requests with bodies so long, and then
	 * those without come first */
	SERVER_TURN_MS = 5,
};

struct server {
	struct control control;
	struct events events;
	struct event_base *base;
	struct evconnlistener *listener;
	struct web_conn *conns; /* the newest first */
	unsigned nconns;
	TAILQ_HEAD(, web_conn) waiting; /* whole requests, the oldest first */
	uint64_t turn_ns; /* the first one of this turn began; 0 */
	size_t in_bytes, out_bytes; /* of SERVER_IN_MAX, SERVER_OUT_MAX */
	struct tokens *tokens, *next_tokens;
	struct sse_hub *sse;
	uint64_t deaf_ns; /* since when nothing is accepted; 0 */
	struct shm_door *stats;
	char host[256]; /* that this machine calls itself */
};

#endif
