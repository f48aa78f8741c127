/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_DOOR_H
#define WORKERS_DOOR_H

/*
 * The way in: a listener whose connections are admitted by address and by the
 * limits of the configuration, older ones giving way to newer ones (Messaging
 * on TCP/IP Guide V1.0b, 4.2.1 and 4.2.3).
 */

#include "workers/conns.h"

struct door {
	struct worker *worker;
	struct conns *conns;
	void *arg; /* of the two calls below */
	/* A connection has been opened: its transport begins to serve it and
	 * sets owner. false: it cannot, and the connection is closed again. */
	bool (*enter)(void *arg, struct conn *);
	/* Ends a connection that gives way, as conns_close() would. */
	void (*leave)(void *arg, struct conn *, const char *why,
	    _Atomic uint64_t *counter);
	/* As in struct stream_ops. NULL: accept4(). */
	int (*accept)(void *arg, int listen_fd, struct acl_peer *);
	int listen_fd;
	struct event listener, pause;
	int reserve_fd; /* given up to turn somebody away */
	unsigned left; /* pauses in favour of the other workers */
	bool evicted; /* somebody for want of a descriptor, in this turn */
	bool in_vain; /* so it was, and nobody has come in since */
	uint64_t starved_ns; /* when no descriptor was to be had, 0 never */
};

/* Begins to accept on listen_fd. worker, conns, listen_fd and the calls have
 * been set. 0, or -1 after worker->why was set. */
int door_open(struct door *);

/* Accepts nobody any more. The listener itself stays as it is. */
void door_close(struct door *);

#endif
