/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_REFUSAL_H
#define WORKERS_REFUSAL_H

/*
 * Requests that somebody's role does not allow: each is counted and told of.
 */

#include "workers/worker.h"

/* Counts the refusal of a request from a connection, which is a record of the
 * worker's own segment, and posts NOTICE_REFUSED; logs it unless there have
 * been too many lines. Never blocks. */
void refusal_tell(
    struct worker *, const struct shm_conn *, uint8_t unit, uint8_t fc);

#endif
