/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_VIEW_H
#define CONTROL_VIEW_H

/*
 * The workers' segments as this process sees them: mapped read-only, and read
 * as bytes from outside, since a worker may have scribbled on its own. Where
 * the parts lie is seg.h's knowledge, from when it was mapped; what they say is
 * copied, then looked at.
 */

#include "control/state.h"

struct view {
	unsigned transport, worker; /* transport: in the configuration */
	unsigned place; /* of the transport in the control segment */
	struct seg seg; /* at NULL: not there yet */
};

/* One connection, copied. */
struct view_conn {
	uint64_t serial;
	uint64_t requests;
	uint64_t since_ms; /* unix time */
	unsigned last_fc; /* 0: none yet */
	char peer[CONN_PEER_MAX]; /* "10.0.0.7:4021", "[::1]:4021", or what a
				   * worker has written, whatever that is */
	char role[CONN_ROLE_MAX];
	int role_len; /* 0: the NULL role; -1: there is no telling */
};

/* Makes c->views, one per configured worker; maps nothing yet. 0, or -1 with
 * errno. */
int view_init(struct control *);
void view_fini(struct control *);

/* The same for a configuration that is not in force yet, at those places; it
 * takes the place of what there is. NULL with errno. */
struct view *view_new(const struct conf *, const unsigned *places, unsigned *n);
void view_replace(struct control *, struct view *, unsigned n);

/* Maps what is not yet mapped. False if the worker's segment is not there. */
bool view_attach(struct control *, struct view *);

/* How many connections an attached view has room for. */
unsigned view_conns(const struct view *);

/* Connection i of an attached view; false if it is not in use. */
bool view_conn(const struct view *, unsigned i, struct view_conn *);

/* True if there is a connection of that CONN_ID now. */
bool view_is_open(struct control *, uint64_t id);

/* A role of so many bytes as JSON: null if there is no telling. */
json_t *view_role(const char *role, int len);

/* The counters of an attached view: relaxed loads only. */
const struct shm_stats *view_stats(const struct view *);

/* Adds up what a transport's workers have counted. */
struct view_sums {
	uint64_t connections, requests, exceptions, errors;
};
void view_sum(struct control *, unsigned transport, struct view_sums *);

/* "tcp1.0.17": transport, worker, serial. Text precise in every language,
 * as 64 bits in a JSON number are not. */
void view_format_id(struct control *, unsigned transport, unsigned worker,
    uint64_t serial, char *text, size_t size);

/* And back, as CONN_ID has it. False if it is none of ours. */
bool view_parse_id(struct control *, const char *text, uint64_t *id);

#endif
