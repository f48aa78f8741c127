/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_APPLY_H
#define SUPERVISOR_RELOAD_APPLY_H

/*
 * Has a new configuration come into force while the old one serves. All that
 * may fail is done before anything is changed; then only the transports whose
 * keys have changed restart. The others, their workers and keepers included,
 * go on with copies that say the same of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/listen.h"
#include "supervisor/reload/plan.h"

struct super;

struct apply {
	struct plan plan; /* of the one that is under way */
	struct conf *next; /* not in force yet */
	struct conf *own; /* in force, if it is not that of the start */
	struct apply_listener {
		int fd; /* of a transport that moves; or -1 */
		char real[LISTEN_ADDR_MAX];
	} * listeners;
	uint64_t until_ms; /* 0: none is under way */
};

/* Begins with what a reader has left in fresh. 0: reload_applied() follows, at
 * once or later. -1: nothing has changed, and why[] says for what reason. */
int apply_start(struct super *, int fresh, char *why, size_t size);

/* Looks whether what had to restart has. time: it passes, so what backs off
 * now does not come back at once. */
void apply_settle(struct super *, bool time);

void apply_free(struct super *);

#endif
