/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_CONNS_H
#define WORKERS_CONNS_H

/*
 * The connections of a worker: a pool over the records of its segment, in the
 * order of their last use, by peer, and by what they wait for. Sized once by
 * the configuration; opening and closing allocates nothing.
 */

#include <sys/queue.h>

#include "workers/acl.h"
#include "workers/batch.h"
#include "workers/worker.h"

struct conn {
	struct event ev; /* the transport's */
	void *owner; /* the transport's state */
	struct batch_conn rec;
	struct shm_conn_who *who;
	unsigned author; /* in whose name it writes */
	bool ours; /* this worker has numbered its author's operations */
	struct shm_batch *held; /* waits for room in the socket, or for a
				 * time; or NULL */
	bool resumed, begun; /* held is another worker's; the request, too */
	unsigned sent; /* bytes of held->out that have been sent */
	struct conn_late *late; /* what is held waits for a time, or NULL */
	uint64_t ticket, save_ns; /* it waits for the disk, until then; or 0 */
	int fd; /* -1: none, or it is closed */
	bool ready, starved; /* requests may come; there is no record for it */
	const char *why; /* its transport cannot go on, in words */
	const char *hopeless; /* why it ends once held is sent, or NULL */
	void *session; /* its transport's own */
	const struct conf_role *rights; /* NULL: may do anything */
	bool priority; /* never evicted */
	uint64_t used_ns; /* last request, or the opening */
	uint64_t since_ns; /* has been waiting since; 0: is not waiting */
	TAILQ_ENTRY(conn) by_use;
	TAILQ_ENTRY(conn)
	by_wait; /* in slow, or in parked if held; in neither if since_ns is
		  * 0, but in the stream's saving if there is a ticket */
	TAILQ_ENTRY(conn) by_peer; /* or in free */
	struct conn_list *peers; /* the list that by_peer is in */
	LIST_ENTRY(conn) by_end; /* if there are ends */
};

TAILQ_HEAD(conn_list, conn);
LIST_HEAD(conn_ends, conn);

enum { CONN_USUAL, CONN_PRIORITY, CONN_CLASSES };

struct conns {
	struct worker *worker;
	struct conn *pool;
	unsigned nconns; /* of the pool; as read once, as is the author: what
			  * lies in shared memory may be scribbled on */
	unsigned author; /* of the first connection */
	unsigned fresh; /* those from here on were never used */
	struct conn_list free;
	struct conn_list use[CONN_CLASSES]; /* longest unused first */
	struct conn_list slow; /* unfinished requests, oldest first */
	struct conn_list parked; /* output waits, longest first */
	struct conn_list *peers; /* by hash of the address */
	unsigned npeers; /* a power of two */
	struct conn_ends *ends; /* by hash of address and port, or NULL */
	unsigned nends; /* a power of two */
	uint64_t seed; /* of that hash: nobody can choose a list to crowd */
	unsigned idle_s; /* idle_timeout_s where that says 0; 0 never */
	unsigned open, unready; /* of those; see conn.ready */
	unsigned max; /* over all workers of the transport */
	struct seg *sibling; /* the other workers' segments */
	unsigned nsiblings;
};

/* Makes the pool. What a dead predecessor has left in the records is for
 * resume.h, before anybody is opened. 0, or -1 after worker->why was set. */
int conns_init(struct conns *, struct worker *);
void conns_fini(struct conns *);

/* Takes over what stands in record i, whose socket is fd: everything there
 * stays as it is, nothing is counted, and nobody but hooks is told. It counts
 * as used just now. Before anybody is opened, and each but once. */
struct conn *conns_take_over(
    struct conns *, unsigned i, int fd, const struct acl_peer *, bool priority);

/* From now on those that are opened can be found by conns_find(). 0, or -1
 * after worker->why was set. */
int conns_find_init(struct conns *);

/* The one with exactly that address and port, or NULL. */
struct conn *conns_find(const struct conns *, const struct acl_peer *);

/* True if no more may be opened before one has been closed. */
bool conns_full(const struct conns *);

/* The longest unused one that may be evicted, or NULL. Once a quarter of all is
 * not ready, one of these: newcomers may not drive out who is served. */
struct conn *conns_oldest(const struct conns *);

/* The same among those of a peer; n gets how many the peer has. Priority
 * connections count and may be chosen: their own peer replaces them. */
struct conn *conns_oldest_of(
    const struct conns *, const struct acl_peer *, unsigned *n);

/* Takes a record for an accepted socket, fills it in, puts it in force and
 * tells of it. NULL if there is none. fd: -1 for one that has no socket of its
 * own. */
struct conn *conns_open(
    struct conns *, int fd, const struct acl_peer *, bool priority);

/* To be closed: no successor may go on with it. */
void conns_doom(struct conn *);

/* Tells that the connection in a record has ended. */
void conns_tell_end(
    const struct conns *, const struct shm_conn *, const char *why);

/*
 * Closes the socket, gives the record back and tells why. The event must not
 * be pending, a batch that is held must have been taken back. counter: the
 * statistic that counts it, NULL for what the peer did by itself, which is
 * not worth a line.
 */
void conns_close(
    struct conns *, struct conn *, const char *why, _Atomic uint64_t *counter);

/* worker_may_log(). */
bool conns_may_log(struct conns *);

/* Shows the role of a connection, "" for the NULL role; cuts it at a whole
 * character if it is too long to be shown. Once a connection. */
void conns_role(struct conn *, const char *role);

/* The peer of a connection; its words are the record's. */
void conns_peer(const struct conn *, struct acl_peer *);
struct conn *conns_by_serial(const struct conns *, uint64_t serial);

/* A request has been served. */
static inline void
conns_used(struct conns *cs, struct conn *c)
{
	c->used_ns = cs->worker->now_ns;
	if (TAILQ_NEXT(c, by_use) == NULL)
		return;
	TAILQ_REMOVE(&cs->use[c->priority], c, by_use);
	TAILQ_INSERT_TAIL(&cs->use[c->priority], c, by_use);
}

#endif
