/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_SEALED_H
#define SUPERVISOR_RELOAD_SEALED_H

/*
 * A configuration that goes from one process of the daemon to another: what
 * conf_dump() prints, in a memfd that nobody can write to any more. It is read
 * by who trusts its writer, and was read by that before.
 */

#include <stdbool.h>

#include "supervisor/conf.h"

/* An empty one. -1 with errno. */
int sealed_new(void);

/* Writes a configuration there and seals it; secret: with passwords. 0, or -1
 * if it is not there or does not mean the same when it is read again. */
int sealed_put(int fd, const struct conf *, bool secret);

/* What it holds, as the configuration of that path, the caller's to free. NULL:
 * it is not sealed, or none. Files of roles are read; memory that runs out is
 * no end of the process. */
struct conf *sealed_get(int fd, const char *path, const struct conf_pick *);

#endif
