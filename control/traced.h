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

enum { TRACED_FRAMES = 1 << TRACE_FIRST_BITS }; /* no record has more */

/* A record as it was read last: it may hold several frames. */
struct traced_record {
	const struct view *view;
	uint64_t pos, end; /* where it lies, and what is behind it */
	struct trace_frame f;
	unsigned n; /* frames */
	uint16_t off[TRACED_FRAMES + 1]; /* where each begins, and the last
					  * one ends */
};

struct traced {
	struct traced_record record;
	const struct trace_head *head;
	const uint8_t *bytes; /* the frame, within the record */
	size_t len;
	uint8_t unit;
	bool more; /* another frame is behind it in its record */
	const struct conf_transport *conf;
	bool is_frame; /* it has a PDU; else only bytes */
	struct mb_adu adu;
	struct mb_decoded d;
	const char *name; /* of the function; NULL */
	char connection[SHM_NAME_MAX + 32];
	char peer[2 * CONN_PEER_MAX]; /* "" if there is no telling */
	/* the request of a reply, as far as it is still there */
	struct traced_record asked_record;
	struct mb_adu asked_adu;
	struct mb_decoded asked_d;
};

/* Where a frame is: a record of the ring, and the how manieth in that. */
struct traced_at {
	uint64_t pos;
	unsigned index;
};

/*
 * Reads a frame of an attached view and what it takes to tell of it; t keeps
 * the record, so the next one of the same costs little. 1 it is there, and *at
 * is where the next one is; 0 the record has no more, and *at is behind it; -1
 * it has been overwritten, or contradicts itself.
 */
int traced_read(struct control *, const struct view *, struct traced_at *at,
    struct traced *t);

/* The same as one number, and back. */
uint64_t traced_pack(const struct traced_at *);
struct traced_at traced_unpack(uint64_t);

/* What a filter looks at; goes with t. */
void traced_fields(const struct traced *, struct filter_frame *);

/* A new object, as holdfast-control(7) has it. */
json_t *traced_json(const struct traced *);

#endif
