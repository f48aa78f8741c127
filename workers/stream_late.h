/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_STREAM_LATE_H
#define WORKERS_STREAM_LATE_H

/*
 * Connections whose reply is put off by a fault: it stands in the batch that
 * the connection holds, and nothing of it leaves before its time. Such a
 * connection is not read from and waits for a timer of its own, so nobody else
 * waits for it; what its client asks meanwhile stays in the kernel, and replies
 * keep their order.
 *
 * Batch records are few, and others need them. Once few are free, a connection
 * that waits holds a copy in memory of its own instead, up to LATE_COPIES of a
 * worker at a time; a reply that finds no room even there goes at once. Where
 * ranges are durable there are no copies: a reply that waits for the disk, too,
 * has to outlive its worker.
 *
 * Such a copy dies with the worker: the reply and what was read behind it are
 * in no shared memory, the record is void. The connection says so in its half
 * in force (batch_move_out()) until the copy has ended.
 */

#include <limits.h>

#include "workers/stream.h"

enum {
	LATE_SPARE = 16, /* records that are left to who does not wait */
	LATE_COPIES = 1024,
};

struct conn_late {
	struct event timer;
	uint64_t due_ns;
	unsigned gate; /* so much of out[] may be sent now */
	unsigned part; /* and so much after a delay; 0: all */
	uint32_t split_ms;
	bool due; /* the time is over */
	bool copy; /* what the connection holds is no record of the worker's */
};

/*
 * Puts the sending of b off, which link_run() has just left with LINK_LATE;
 * then c holds b, or the copy of it that is returned. over is called, with c,
 * when the time is over. Where it cannot be put off, b is returned and
 * late_waits() is false.
 */
struct shm_batch *late_begin(struct stream *, struct conn *c,
    struct shm_batch *b, event_callback_fn over);

/* True while some of what c holds waits for a time. */
static inline bool
late_waits(const struct conn *c)
{
	return c->late != NULL && c->late->gate != UINT_MAX;
}

/* How much of a batch's out bytes may be sent now. */
static inline unsigned
late_gate(const struct conn *c, unsigned out)
{
	return c->late != NULL && c->late->gate < out ? c->late->gate : out;
}

/* The timer has gone off: true if it is really time. */
bool late_due(struct stream *, struct conn *);

/* All that might be sent has been sent. True if there is more now, false if
 * that has to wait for its time. */
bool late_next(struct stream *, struct conn *);

/* What is held waits for no time any more: late_next() has all of it. */
void late_hurry(struct conn *);

/* The connection holds nothing any more, or goes; what it held is a record that
 * is free, or gone with its copy: NULL. */
struct shm_batch *late_end(struct stream *, struct conn *);

#endif
