/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SSE_H
#define CONTROL_SSE_H

/*
 * GET /api/v1/stream?topics=A,B: events as text/event-stream, for those topics
 * that begin with one of the words; all without any. Whoever does not read is
 * dropped; whoever comes back soon goes on where it stopped.
 */

#include "control/http/server.h"

enum {
	SSE_OUT_MAX = 256 << 10, /* unread, then it is dropped */
	SSE_TOPICS_MAX = 32,
	SSE_BEAT_MS = 10000, /* a comment, if there is nothing to say */
	SSE_BACK_MS = 15000, /* so long it may be away */
	SSE_KEPT = 1024, /* events for those who come back */
	SSE_KEPT_BYTES = 1 << 20,
};

struct sse;
struct sse_hub;

/* NULL with errno. */
struct sse_hub *sse_hub_new(struct server *);
void sse_hub_free(struct sse_hub *);

/* The handler. */
http_fn sse_open;

/* A stream's connection has ended. */
void sse_gone(struct sse *);

/* One event to all that want it; an events_send_fn, arg is the streams. */
void sse_hub_send(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq);

/* Beats, and forgets those who did not come back; returns when to look again,
 * in nanoseconds of the loop's clock, or UINT64_MAX. */
uint64_t sse_hub_tick(struct sse_hub *);

#endif
