/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_STREAM_H
#define CONTROL_STREAM_H

/*
 * GET /api/v1/stream?topics=A,B: events as text/event-stream, for those topics
 * that begin with one of the words; all without any. Whoever does not read is
 * dropped; whoever comes back soon goes on where it stopped.
 */

#include "control/http/server.h"

enum {
	STREAM_OUT_MAX = 256 << 10, /* unread, then it is dropped */
	STREAM_TOPICS_MAX = 32,
	STREAM_BEAT_MS = 10000, /* a comment, if there is nothing to say */
	STREAM_BACK_MS = 15000, /* so long it may be away */
	STREAM_KEPT = 1024, /* events for those who come back */
	STREAM_KEPT_BYTES = 1 << 20,
};

struct stream;
struct streams;

/* NULL with errno. */
struct streams *streams_new(struct server *);
void streams_free(struct streams *);

/* The handler. */
http_fn stream_open;

/* A stream's connection has ended. */
void stream_gone(struct stream *);

/* One event to all that want it; an events_send_fn, arg is the streams. */
void streams_send(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq);

/* Beats, and forgets those who did not come back; returns when to look again,
 * in nanoseconds of the loop's clock, or UINT64_MAX. */
uint64_t streams_tick(struct streams *);

#endif
