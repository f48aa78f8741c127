/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_STREAM_H
#define WORKERS_STREAM_H

/*
 * What every transport with connections has in common: they are admitted,
 * read, served, written and closed in one way, and stay in their limits. The
 * transport itself says how bytes get in and out.
 */

#include "workers/door.h"
#include "workers/link.h"
#include "workers/transport.h"
#include "workers/waits.h"

/* What a step of a connection has come to, or what it waits for. */
enum io { IO_DONE, IO_WANT_READ, IO_WANT_WRITE, IO_EOF, IO_FAIL };

struct stream;

/*
 * How a transport moves bytes. Nothing here may block. On IO_FAIL conn->why
 * has the words, or is NULL where errno says it all.
 */
struct stream_ops {
	/* Begins a connection that was admitted: called again each time what
	 * it waits for has come, until IO_DONE; only then requests are read.
	 * It has frame_timeout_ms for that, and takes turns with requests.
	 * NULL: nothing is to be done. */
	enum io (*open)(struct conn *);
	/* Reads what there is, up to room bytes: IO_DONE and *n > 0. */
	enum io (*recv)(struct conn *, uint8_t *buf, size_t room, size_t *n);
	/* Sends: IO_DONE and *n > 0. After IO_WANT_WRITE it is called again
	 * with the same bytes. */
	enum io (*send)(
	    struct conn *, const uint8_t *buf, size_t len, size_t *n);
	/* Takes one connection that waits at the listener, as accept4() would,
	 * non-blocking and CLOEXEC, and says who it is, who was set to nobody.
	 * NULL: accept4(). */
	int (*accept)(struct stream *, int listen_fd, struct acl_peer *);
	/* True if recv would give out bytes that the descriptor does not
	 * announce any more. NULL: never. */
	bool (*pending)(const struct conn *);
	/* True if a connection is its socket and nothing more: the successor of
	 * a worker that was killed goes on with it. Else it ends then. */
	bool resumes;
	/* Ends what open() began; the descriptor is closed after it. NULL:
	 * nothing is to be done. Called once for each admitted connection. */
	void (*close)(struct conn *);
};

struct stream {
	struct worker *worker;
	const struct stream_ops *ops;
	void *arg; /* the transport's own */
	struct link link;
	struct conns conns;
	struct door door;
	struct shm_batch **batch; /* free records; the last is the warmest */
	unsigned nbatches;
	bool starving; /* some connection waits for one */
	bool copies; /* there may be some */
	unsigned ncopies; /* of records, in memory of our own: stream_late.h */
	size_t taken; /* bytes of input since somebody has set it to 0 */
	struct event sweep;
	uint64_t sweep_ns; /* when the sweep is due, 0 never */
	unsigned turn, opens; /* beginnings in this turn of the loop */
	struct event unread; /* while draining: who does not read */
	unsigned spare; /* records that these leave to others */
	struct conn_list saving; /* wait for the disk, by ticket */
	struct waits waits;
	struct event resume; /* once: what a dead predecessor had in hand */
};

/*
 * Begins to serve what is accepted on a listener, which stays the caller's.
 * The stream becomes worker->state. 0, or -1 after worker->why was set.
 */
int stream_start(
    struct worker *, const struct stream_ops *, int listen_fd, void *arg);

/* The other rows of a transport whose worker->state is a stream. */
void stream_drain(struct worker *);
bool stream_yield(struct worker *);
bool stream_kick(struct worker *, uint64_t serial);
void stream_stop(struct worker *);

#endif
