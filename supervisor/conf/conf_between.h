/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_BETWEEN_H
#define SUPERVISOR_CONF_BETWEEN_H

/*
 * What must hold between the transports: no two on one address or serial port,
 * and no more workers and connections than shared memory has room for.
 */

#include "supervisor/conf/conf_read.h"

/* Which of the first n transports has an address, so that the kernel would not
 * let another listen there; n: none has. */
size_t conf_between_taken(
    const struct conf_ctx *, size_t n, enum conf_type, const char *listen);

/* Notes the mistakes; every transport has been read. */
void conf_between_check(struct conf_ctx *);

#endif
