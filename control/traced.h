/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_TRACED_H
#define CONTROL_TRACED_H

/*
 * A frame of a worker's trace, taken apart: as fields for a filter, and as the
 * object that trace.read tells. The record is bytes from outside.
 */

#include "control/filter.h"
#include "control/view.h"
#include "shm/trace.h"
#include "workers/proto/decode.h"

struct traced {
	struct trace_frame f;
	const struct conf_transport *conf;
	bool is_frame; /* it has a PDU; else only bytes */
	struct mb_adu adu;
	struct mb_decoded d;
	const char *name; /* of the function; NULL */
	char connection[SHM_NAME_MAX + 32];
	char peer[2 * CONN_PEER_MAX]; /* "" if there is no telling */
	/* the request of a reply, as far as it is still there */
	struct trace_frame asked;
	struct mb_adu asked_adu;
	struct mb_decoded asked_d;
};

/* Reads the frame at *pos of an attached view and what it takes to tell of it.
 * 1, or what trace_next() returns instead. */
int traced_read(
    struct control *, const struct view *, uint64_t *pos, struct traced *);

/* What a filter looks at; goes with t. */
void traced_fields(const struct traced *, struct filter_frame *);

/* A new object, as holdfast-control(7) has it. */
json_t *traced_json(const struct traced *);

#endif
