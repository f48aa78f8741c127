/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_PEERS_H
#define WORKERS_PEERS_H

/*
 * Who has asked lately, where nobody connects. A peer has a record among the
 * connections from its first frame until it has asked nothing for long, or
 * others need the room. Nothing here allocates but peers_init().
 */

#include "workers/conns.h"

/* By value, not moved while in use; from zeroes. */
struct peers {
	struct worker *worker;
	struct conns conns;
	struct event sweep;
	int sweep_fd;
	bool armed; /* sweep_fd is */
};

/* 0, or -1 after worker->why was set; then the worker ends. */
int peers_init(struct peers *, struct worker *);

/* Forgets them all. */
void peers_fini(struct peers *);

/* The record of somebody who has sent a frame; never NULL. conn->session is
 * NULL if it is new. The next call may make it somebody else's. */
struct conn *peers_get(struct peers *, const struct acl_peer *);

/* As the row of a transport. */
bool peers_kick(struct peers *, uint64_t serial);

#endif
