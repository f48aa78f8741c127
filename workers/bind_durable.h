/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_BIND_DURABLE_H
#define WORKERS_BIND_DURABLE_H

/*
 * Writes to durable ranges: carried out and answered once they are on the
 * disk. The request waits for that within the commit, so a reply is recorded,
 * by whatever transport and in whatever batch, only when it is true; and a
 * successor that carries a request out again waits again.
 */

#include "workers/bind.h"

/* Finds the durable ranges of the device. 0, or -1: not enough memory. */
int bind_durable_init(struct bind_device *);
void bind_durable_fini(struct bind_device *);

/* True if a step writes to one of them. Only where there are some. */
bool bind_durable_touched(
    const struct bind_device *, const struct store_step *, unsigned n);

/* True while a write had better not be carried out: it would not be saved. */
bool bind_durable_fails(const struct bind_device *);

/* Waits until what has been committed is on the disk: STORE_OK; STORE_UNSAVED
 * if it cannot be saved, or not in the time that a request has. */
enum store_rc bind_durable_wait(struct bind_device *);

#endif
