/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_TRANSPORT_H
#define HOLDFAST_TRANSPORT_H

/*
 * Transports of one's own: part of holdfast.h. What clients come by, brought by
 * a plugin or by the program whose server this is.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hf_host; /* plugin.h */

enum { HF_PEER_TEXT = 64, HF_PEER_KEY = 16 };

/* What clients come in by. */
struct hf_listener {
	const struct hf_host *host;
	int fd; /* the plugin sets it; the host makes it non-blocking, waits for
		 * it with epoll until somebody can be accepted, closes it */
	void *state; /* the plugin's own */
};

/* Who has been accepted; all zero before. */
struct hf_peer {
	char text[HF_PEER_TEXT]; /* for logs and lists: "uid:0/pid:4711" */
	uint8_t key[HF_PEER_KEY]; /* connections with the same bytes come from
				   * one peer (max_connections_per_peer,
				   * quarantine_s); zeroes: from nobody
				   * that could be kept out */
};

/* A connection, from its acceptance to close(). */
struct hf_conn {
	const struct hf_host *host;
	struct hf_listener *listener;
	int fd; /* as accept() gave it; the host closes it after close() */
	void *session; /* the plugin's own, NULL at first */
};

/* What a step has come to, or what must be possible on the connection's
 * descriptor before it is taken again. */
enum hf_io {
	HF_IO_DONE,
	HF_IO_WANT_READ,
	HF_IO_WANT_WRITE,
	HF_IO_EOF, /* the peer has ended it */
	HF_IO_FAIL, /* it is broken: fail(), or errno */
};

/*
 * A transport that carries streams of bytes over descriptors. Framing, units,
 * limits, time-outs, back-pressure, statistics and traces are the host's.
 */
struct hf_transport {
	size_t size; /* sizeof(struct hf_transport) */
	const char *name; /* what "type" says in the configuration */
	/* Opens the listener: sets fd, and state if it likes. 0; -1 with errno
	 * or fail(). EINVAL: the configuration is wrong, and nobody tries
	 * again; after all else the host tries again, in growing intervals. */
	int (*listen)(struct hf_listener *);
	/* Takes one connection that waits: its descriptor, which the host makes
	 * non-blocking; -1 with errno, EAGAIN if nobody waits. It may be closed
	 * at once, without close(), if the transport is full. */
	int (*accept)(struct hf_listener *, struct hf_peer *);
	/* Puts what there is into buf, 1 to room bytes: DONE and *n. Or
	 * WANT_READ, WANT_WRITE, EOF, FAIL. */
	enum hf_io (*recv)(
	    struct hf_conn *, uint8_t *buf, size_t room, size_t *n);
	/* Takes 1 to len bytes of buf: DONE and *n. Or WANT_WRITE, after which
	 * it gets the same bytes again; EOF, FAIL. */
	enum hf_io (*send)(
	    struct hf_conn *, const uint8_t *buf, size_t len, size_t *n);
	/* The rest may be NULL. */
	/* Begins a connection, before anything is read: called until DONE,
	 * within frame_timeout_ms. */
	enum hf_io (*open)(struct hf_conn *);
	/* Not 0 if recv() has bytes that the descriptor no longer announces. */
	int (*pending)(const struct hf_conn *);
	/* Ends a connection: gives session back. Its descriptor is open. */
	void (*close)(struct hf_conn *);
	/* Nobody is to come in any more: gives state back. Connections may
	 * live on for as long as a drain lasts; the descriptor is open. */
	void (*unlisten)(struct hf_listener *);
};

#ifdef __cplusplus
}
#endif

#endif
