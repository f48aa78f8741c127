/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_PLUGIN_H
#define HOLDFAST_PLUGIN_H

/*
 * Plugins, and transports of one's own: part of holdfast.h. A plugin is a
 * shared object that the workers of a transport load; holdfast-plugin(7) says
 * how to write, build and configure one.
 *
 * How this grows. HF_PLUGIN_ABI changes when what is here or in hooks.h changes
 * its place or meaning; a plugin of another number is refused. Else structs
 * only get new members where nothing was. Those that a plugin gives say their
 * size: what it has not filled in is NULL, so an older plugin goes on working,
 * and a newer one that uses what the host does not know is refused. What those
 * that the host gives have gained, host->revision counts.
 */

#include <stddef.h>
#include <stdint.h>

#include "hooks.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HF_PLUGIN_ABI = 1, HF_PLUGIN_REVISION = 3 };
enum { HF_PEER_TEXT = 64, HF_PEER_KEY = 16 };

#define HF_EXPORT __attribute__((__visibility__("default")))
#define HF_PRINTF(a, b) __attribute__((__format__(__printf__, a, b)))

enum hf_level { HF_ERROR, HF_WARN, HF_INFO, HF_DEBUG };

/* What the host is to a plugin. It and its texts stay until the worker ends. */
struct hf_host {
	uint32_t abi, revision;
	void *self; /* the host's own */
	const char *version; /* of holdfastd: "0.1.0" */
	const char *transport; /* its name in the configuration */
	const char *type; /* what the configuration calls its type */
	const char *listen; /* as it stands there; NULL without */
	const char *folder; /* where relative paths begin */
	/* The value that "options" has for a name, NULL without. Numbers and
	 * true and false come as text. An option that nobody has asked for
	 * once the transport listens is a mistake of the configuration. */
	const char *(*option)(const struct hf_host *, const char *name);
	/* A line of the log: lower case, no full stop, no line feed. */
	void (*log)(const struct hf_host *, enum hf_level, const char *fmt, ...)
	    HF_PRINTF(3, 4);
	/* Says in words why the call in hand is about to fail; without it the
	 * words are errno's. */
	void (*fail)(const struct hf_host *, const char *fmt, ...)
	    HF_PRINTF(2, 3);
	/* CLOCK_MONOTONIC in ns, as of the batch in hand; costs nothing. */
	uint64_t (*now_ns)(const struct hf_host *);
};

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
				   * one peer (max_connections_per_peer) */
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

struct hf_plugin {
	uint32_t abi; /* HF_PLUGIN_ABI; stays at the front for ever */
	size_t size; /* sizeof(struct hf_plugin) */
	const char *name; /* of the plugin, for the log */
	const struct hf_transport *const *transports; /* NULL behind the last */
	const struct hf_hooks *hooks; /* whose arg stays as it is; or NULL */
};

/*
 * What a plugin exports. Called once, before the worker serves. What it returns
 * stays as it is until the worker ends; NULL, after fail(): this plugin cannot
 * be used, and nobody tries again.
 */
HF_EXPORT const struct hf_plugin *holdfast_plugin(const struct hf_host *);

#ifdef __cplusplus
}
#endif

#endif
