/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_PLAN_H
#define SUPERVISOR_RELOAD_PLAN_H

/*
 * What a new configuration changes, and whether that can be done while
 * serving. Decides, does nothing.
 */

#include <stdbool.h>

#include "supervisor/conf.h"

enum { PLAN_WHY = 200 };

struct plan {
	const struct conf *now, *next;
	bool *changed; /* of each transport: some key of its own */
	bool users; /* one of them changes the user that it runs as */
	bool aides; /* keys of the top level */
	char why[PLAN_WHY]; /* it cannot be done so; "": it can */
};

/* Compares. 0 if it can be done, -1 with words in why if not. plan_free() in
 * both cases. */
int plan_make(struct plan *, const struct conf *now, const struct conf *next);
void plan_free(struct plan *);

/* True if a transport's open connections can stay as the new keys begin to
 * hold for it: plain TCP at the same address, framed alike, and nobody who was
 * let in could be shut out now. */
bool plan_keeps(
    const struct conf_transport *was, const struct conf_transport *is);

/* True if it is to listen elsewhere. */
bool plan_moves(
    const struct conf_transport *was, const struct conf_transport *is);

#endif
