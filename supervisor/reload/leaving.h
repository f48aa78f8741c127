/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_LEAVING_H
#define SUPERVISOR_RELOAD_LEAVING_H

/*
 * Transports that a reload has ended: they drain as if they had been stopped,
 * and what they had in the control segment is free once they have. One may
 * leave for another one's sake, its heir, which is the same transport laid out
 * otherwise: that begins when the former has ended, or, worker by worker, with
 * the connections that those had (moves).
 */

#include <stdbool.h>

struct service;
struct super;

/* Takes one that is in force out of the list and ends it. heir: NULL, or what
 * stands there instead, and then has its listener. */
void leaving_begin(struct service *, struct service *heir, bool moves);

/* Looks who has ended, and lets heirs begin. */
void leaving_settle(struct super *);

/* Frees what has gone: not to be called by what happens to a child. */
void leaving_free(struct super *);

/* True if one of that name is still there. */
bool leaving_named(const struct super *, const char *name);

#endif
