/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SERVE_H
#define WORKERS_SERVE_H

/*
 * What link.c has found is carried out here: one request at a time, of a run
 * over the input of one peer.
 */

#include "workers/link.h"

/* One run over the input of one peer. */
struct run {
	struct link *link;
	struct shm_conn *conn;
	struct frame frame;
	uint64_t op; /* the last that was given out */
	uint8_t delimiter;
	bool trace;
	bool together; /* what has come is recorded as a whole */
	uint64_t asked; /* where that lies; 0: not known */
	bool plain; /* no hook looks, no fault can hit */
	bool straight; /* devices answer into what is sent; else: */
	uint8_t *reply; /* where they do */
	bool faulty; /* some fault can */
	bool late; /* the reply in hand is sent as faults.late says */
	bool spoiled; /* a fault has had its way with it */
	bool wary; /* some request is not to be carried out: poison.h */
	bool shut; /* one was met whose connection is to end; late, too */
	const uint8_t *suspect; /* workers have died of the request that lies
				 * here, or NULL; so many */
	unsigned died;
	struct shm_poison *watched; /* what is known of the one in hand */
	bool busy; /* whatever is outstanding */
	unsigned refused; /* the exception that the request in hand got from us
			   * and not from its device; not if it is plain */
	unsigned before; /* requests that are outstanding along with these */
	unsigned requests;
	uint8_t last_fc; /* if there were any */
};

/* The reply PDU to the frame in hand, in pdu, which has room for MB_PDU_MAX;
 * its length, 0 for none. Counts r->op on. */
size_t serve_request(struct run *, uint8_t *pdu);

/* The same for a request that is not to be carried out, since workers die of
 * it, and which neither hooks nor faults get to see: an exception 04, or what
 * had been answered if a dead worker has carried out all that it asks for. */
size_t serve_spared(struct run *, uint8_t *pdu);

/* Counts a reply if it is an exception. */
void serve_count_reply(struct shm_stats *, const uint8_t *pdu);

/* On a bus every station hears the good messages to the others: all devices
 * but mine (NULL: all) count one. mb_serve() counts those to itself (SL
 * 2.4). */
void serve_heard(struct link *, const struct bind_device *mine);

#endif
