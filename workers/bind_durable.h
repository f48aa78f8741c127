/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_BIND_DURABLE_H
#define WORKERS_BIND_DURABLE_H

/*
 * Writes to durable ranges: carried out at once, answered once they are on the
 * disk. Whoever commits one finds bind.saving set; it is he who keeps the reply
 * back, with a ticket (shm/durable.h), and serves others meanwhile: streams
 * (stream_save.h) and UDP (dgram_save.h). A serial line has nobody else to
 * serve: its worker waits.
 */

#include "workers/bind.h"

/* Finds the durable ranges of the device. 0, or -1: not enough memory. */
int bind_durable_init(struct bind_device *);
void bind_durable_fini(struct bind_device *);

/* True if a step writes to one of them. Only where there are some. */
bool bind_durable_touched(
    const struct bind_device *, const struct store_step *, unsigned n);

/* True while a write had better not be carried out: saving fails, or what was
 * waited for in vain (bind.late_ticket) is not on the disk yet. */
bool bind_durable_fails(struct bind *);

/* Waits until what has been committed is on the disk, for as long as a request
 * may take at most; false if it is not then. */
bool bind_durable_wait(struct bind *);

/* How long a reply is kept back at most. */
static inline uint64_t
bind_durable_ns(const struct bind *b)
{
	return b->proc->conf->snapshot.durable_ms * UINT64_C(1000000);
}

#endif
