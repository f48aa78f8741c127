/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_TRACE_H
#define SHM_TRACE_H

/*
 * The last frames of a worker, in its segment, where they outlive it: on while
 * shm_worker.trace_on is set. A record holds all that is to be told of a frame,
 * since the connection's own record may be somebody else's by then.
 */

#include <stdbool.h>

#include "shm/layout_worker.h"

enum {
	TRACE_SENT = 1, /* it went out; else it came in */
	TRACE_STRAY = 2, /* bytes that are answered by nobody here */
	TRACE_MANY = 4, /* frames with MBAP, one behind the other, each of a
			 * unit of its own; the last may be cut, and is none
			 * then */
	TRACE_SPOILED = 8, /* a fault rule has had its way with this reply;
			    * without a byte if it was dropped */
};

/* What the bytes are framed by; TRACE_OWN: a plugin knows. */
enum trace_framer {
	TRACE_OWN,
	TRACE_SOCKET,
	TRACE_TLS,
	TRACE_RTU,
	TRACE_ASCII,
};

enum {
	TRACE_BACK_BITS = 23, /* the largest ring, in words */
	TRACE_FIRST_BITS = 9, /* the shortest frames that fit into a record */
};

/* The fixed part of a record. Behind it lie the peer, filled up to whole words,
 * and the frame. */
struct trace_head {
	uint64_t unix_us;
	uint64_t conn; /* serial of the connection; 0: nobody's */
	uint32_t us; /* of a reply: since its request was read */
	union {
		struct {
			/* of a reply: so many words of 8 bytes before this
			 * record lies that of its request; 0: there is none
			 * to be found */
			uint32_t back : TRACE_BACK_BITS;
			/* and the how manieth in that it is; of replies that
			 * are one record, the request of the first, the
			 * others' lie right behind it */
			uint32_t first : TRACE_FIRST_BITS;
		};
		uint32_t request; /* the two as one */
	};
	uint16_t len; /* bytes of the frame */
	uint16_t port; /* of the peer */
	uint8_t flags; /* TRACE_* */
	uint8_t framer; /* enum trace_framer */
	uint8_t unit;
	uint8_t peer_len; /* bytes: 4 IPv4, 16 IPv6, else words; 0: no telling.
			   * Words of these lengths are never there. */
};

/* One frame. Written by the worker, read by anybody. */
struct trace_frame {
	struct trace_head head;
	uint8_t peer[CONN_PEER_MAX];
	uint8_t adu[BATCH_IN];
};

/* Appends a frame of head->len bytes (cut at BATCH_IN) from a peer of
 * head->peer_len bytes (no more than CONN_PEER_MAX). Returns its position. */
uint64_t trace_put(struct shm_ring *, const struct trace_head *head,
    const void *peer, const uint8_t *adu);

/* The same for who knows how large the ring is, and where it ends. */
void trace_write(struct shm_ring *, uint32_t size,
    const struct trace_head *head, const void *peer, const uint8_t *adu);

/* The next frame at *pos: 1 one, 0 none, -1 some were overwritten. */
int trace_next(const struct shm_ring *, uint64_t *pos, struct trace_frame *);

/* The same for its fixed part alone. *pos becomes where the frame itself lies,
 * and *end what lies behind it. */
int trace_peek(
    const struct shm_ring *, uint64_t *pos, uint64_t *end, struct trace_head *);

#endif
