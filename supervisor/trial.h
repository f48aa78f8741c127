/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TRIAL_H
#define SUPERVISOR_TRIAL_H

/*
 * Whether a transport could begin with what its configuration names, before
 * anybody is to serve it: its plugins, its certificates and keys.
 */

#include <stdbool.h>
#include <stdio.h>

#include "supervisor/proc.h"

struct super;

struct trial {
	const struct conf *conf; /* the transport's */
	const struct proc_roles *roles;
	struct super *super; /* whose child this is; or NULL: it is none */
	bool files; /* certificates and keys, too */
	FILE *out; /* mistakes go there, a line each */
};

/* Looks in a process of its own, which has the rights of the transport's
 * workers, and not for ever. True if there is no mistake. Waits for it. */
bool trial_transport(const struct trial *, const struct conf_transport *);

#endif
