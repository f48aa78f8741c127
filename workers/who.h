/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WHO_H
#define WORKERS_WHO_H

/*
 * Who a connection's record is of, for those who have nothing else of it.
 */

#include "shm/seg.h"
#include "workers/acl.h"

/* What goes with a record, NULL if it is none of the pool. */
const struct shm_conn_who *who_find(
    struct shm_worker *, const struct shm_conn *);

/* "10.0.0.7:4021", or what its transport calls it; lies in text. */
const char *who_text(
    struct shm_worker *, const struct shm_conn *, char text[ACL_TEXT_MAX]);

#endif
