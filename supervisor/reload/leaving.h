/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_LEAVING_H
#define SUPERVISOR_RELOAD_LEAVING_H

/*
 * Transports that a reload has ended: they drain as if they had been stopped,
 * and what they had in the control segment is free once they have. One may
 * leave for another one's sake, its heir, which is the same transport laid out
 * otherwise. If somebody, its host, is to serve where it has listened, which is
 * the heir or another transport, that begins with the connections, worker by
 * worker as those end; otherwise the heir begins when all have.
 */

#include <stdbool.h>

struct process;
struct service;
struct super;

/* Takes one that is in force out of the list and ends it. heir, host: as above,
 * or NULL; in force already. */
void leaving_begin(
    struct service *, struct service *heir, struct service *host);

/* True if that worker of a host gets connections from one that has not ended.
 * It is not to begin before. */
bool leaving_feeds(const struct process *);

/* 1 + how many of a worker's connections there is room for at its host, as far
 * as can be told now; 0: all. */
int leaving_room(const struct process *);

/* Looks who has ended, and lets heirs begin. */
void leaving_settle(struct super *);

/* Frees what has gone: not to be called by what happens to a child. */
void leaving_free(struct super *);

/* True if one of that name is still there. */
bool leaving_named(const struct super *, const char *name);

#endif
