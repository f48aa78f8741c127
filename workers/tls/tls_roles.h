/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_ROLES_H
#define WORKERS_TLS_TLS_ROLES_H

/*
 * The rights of roles as their file has them. Fresh ones take the place of old
 * ones that connections still point to.
 */

#include <stddef.h>

#include "supervisor/proc.h"

struct tls_roles {
	unsigned refs;
	const struct conf_roles *now; /* own, or the configuration's */
	struct conf_roles own;
};

/*
 * Reads the file of the transport, if it has one. NULL after words were put
 * into why. first: a worker that starts takes what its parent has read if it
 * cannot read the file itself: it may be for the parent's eyes only, or
 * somebody is writing there. The result has one reference, the caller's.
 */
struct tls_roles *tls_roles_load(
    const struct proc *, bool first, char *why, size_t size);

struct tls_roles *tls_roles_ref(struct tls_roles *);

/* Gives one reference back; the last one frees it. May be NULL. */
void tls_roles_unref(struct tls_roles *);

#endif
