/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_LINK_H
#define WORKERS_LINK_H

/*
 * From bytes to replies: every complete frame of an input is found, its unit
 * looked up, served and answered into an output. Knows no sockets.
 */

#include "workers/proto/frame.h"
#include "workers/worker.h"

struct link {
	struct worker *worker;
	const struct framer *framer;
	size_t in_max; /* most bytes of one batch's input */
	const struct conf_role
	    *rights; /* of whose bytes come next; NULL: all */
	bool bus; /* other stations' messages are heard, too */
	struct mb_fcs fcs;
};

enum link_rc {
	LINK_MORE, /* all complete frames are done; the rest is unfinished */
	LINK_FULL, /* out has no room for another reply: send, then go on */
	LINK_BAD, /* hopeless: send what there is, then close */
};

/* Prepares a worker's link: framer by name, function codes. 0, or -1 after
 * worker->why was set. */
int link_init(struct link *, struct worker *);

/*
 * Serves requests of b->in[done..in_len) as of b->prog for connection c, one
 * prog store a request, until one of enum link_rc holds. The worker's clock
 * has been read for this batch. author: in whose
 * name it writes; the operation numbers go on from the half in force of c.
 * why: words for LINK_BAD. Of what came in one read the configuration's
 * max_transactions are served and the rest answered 06; there a broadcast
 * counts once for each device.
 */
enum link_rc link_run(struct link *, struct shm_conn *c, unsigned author,
    struct shm_batch *b, const char **why);

/* Somebody who sends datagrams. */
struct link_peer {
	struct shm_conn *shm;
	unsigned author; /* in whose name it writes */
	uint64_t op; /* the last operation number that it was given */
};

/*
 * Serves one datagram: in is exactly one frame, or nothing. Returns the length
 * of the reply in out, which has room for the framer's adu_max; 0 for none:
 * *why then has words if the datagram was no frame. Counts p->op on.
 */
size_t link_datagram(struct link *, struct link_peer *p, const uint8_t *in,
    size_t len, uint8_t *out, const char **why);

#endif
