/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_WORKER_H
#define SHM_LAYOUT_WORKER_H

/*
 * The segment of one worker: its connections, batches and counters. They lie
 * in shared memory so that they outlive the worker. See layout.h for the whole.
 */

#include "shm/layout.h"
#include "shm/layout_poison.h"

enum {
	SHM_FC = 128,
	SHM_EX = 16,
	CONN_LEFT_MAX = 520, /* the longest unfinished request: one ADU */
	CONN_ROLE_MAX = 64,
	CONN_PEER_MAX = 64,
	SHM_DURATIONS = 17, /* classes of how long a request took */
};

/* The upper bounds of those classes in microseconds; the last has none. */
static const uint32_t shm_duration_us[SHM_DURATIONS - 1] = { 10, 25, 50, 100,
	250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000 };

/* Counters; written by the worker alone (relaxed), read by all. */
struct shm_stats {
	_Atomic uint64_t requests[SHM_FC]; /* by function code */
	_Atomic uint64_t exceptions[SHM_EX];
	_Atomic uint64_t bytes_in, bytes_out;
	_Atomic uint64_t frames_bad; /* CRC, LRC, header */
	_Atomic uint64_t unknown_units; /* requests to units not served */
	_Atomic uint64_t broadcasts;
	_Atomic uint64_t refused; /* requests that a role does not allow */
	_Atomic uint64_t conns_opened;
	_Atomic uint64_t conns_open; /* now */
	_Atomic uint64_t conns_denied; /* by allow and deny */
	_Atomic uint64_t conns_evicted; /* for a newer one */
	_Atomic uint64_t conns_refused; /* full, none to evict */
	_Atomic uint64_t conns_idle; /* closed by idle_timeout_s */
	_Atomic uint64_t conns_slow; /* closed by frame_timeout_ms */
	_Atomic uint64_t conns_bad; /* closed for hopeless bytes */
	_Atomic uint64_t conns_kicked;
	_Atomic uint64_t conns_quarantined; /* refused: of killers' hosts */
	_Atomic uint64_t handshakes; /* of TLS that were finished */
	_Atomic uint64_t handshakes_resumed; /* those of them */
	_Atomic uint64_t handshakes_failed;
	_Atomic uint64_t backpressured; /* times that a socket was full */
	_Atomic uint64_t replies_lost; /* the system would not send them */
	_Atomic uint64_t repeats; /* answered as before, not carried out */
	_Atomic uint64_t busy, faults; /* answered 06; spoiled by rules */
	_Atomic uint64_t fatal; /* requests that a worker has died of */
	_Atomic uint64_t poisoned; /* answered 04 for that */
	_Atomic uint64_t batches; /* reads that brought something */
	/* shm: registers and bits from the view, into it, put back in it */
	_Atomic uint64_t view_in, view_out, view_refused;
	_Atomic uint64_t semaphore_misses; /* done without it */
	/* requests by how long they took, from when they were read until the
	 * reply was ready to be sent, each in one class; and all of it */
	_Atomic uint64_t durations[SHM_DURATIONS];
	_Atomic uint64_t duration_ns;
};

/*
 * What a successor needs of a connection: how many bytes it had taken in and
 * given out and how many requests it had served when its last batch ended.
 * There are two; the low bit of conn.seq says which is in force, so that one
 * store of seq advances them all, and the left-over input with them.
 */
struct shm_conn_half {
	uint64_t rx, tx; /* bytes consumed, bytes sent */
	uint64_t op; /* operation number of the last request */
	uint32_t left; /* bytes of an unfinished request, in shm_conn_cold */
	uint32_t apart; /* 1: see batch_move_out(): not to be adopted */
};

enum { CONN_FREE, CONN_USED, CONN_CLOSING };

struct shm_conn {
	/* never reset, so it is a generation too; the worker, release */
	_Alignas(SHM_LINE) _Atomic uint64_t seq;
	_Atomic uint32_t used; /* CONN_*; the worker, release */
	int32_t fd;
	_Atomic uint64_t serial; /* of the connection; never used twice */
	_Atomic uint64_t requests; /* the worker, relaxed, as are all below */
	_Atomic uint64_t since_ms; /* unix time */
	_Atomic uint32_t last_fc;
	uint16_t port;
	uint16_t family; /* AF_INET, AF_INET6; AF_UNSPEC: see who.peer */
	uint8_t addr[16]; /* network order; 4 or 16 bytes of it */
	struct shm_conn_half half[2];
};

/* Apart from shm_conn, because an idle connection never touches it. */
struct shm_conn_cold {
	uint8_t in[2][CONN_LEFT_MAX];
};

/* Who is there, for those who list connections. Apart from both, because most
 * connections never touch it, and those of TLS this alone, all of them: within
 * shm_conn_cold it would take a page of memory for every three. */
struct shm_conn_who {
	/* what its certificate says that it is (MODBUS/TCP Security); the
	 * worker, release, after role[]: 1 + the length, 0: there is no
	 * telling */
	_Atomic uint8_t role_len;
	char role[CONN_ROLE_MAX]; /* not ended */
	char peer[CONN_PEER_MAX]; /* in words, if it has no IP address */
};

struct shm_worker {
	struct shm_head head;
	uint32_t transport, worker /* indices */, nconns, nbatches;
	uint64_t conns_off; /* struct shm_conn[nconns] */
	uint64_t colds_off; /* struct shm_conn_cold[nconns] */
	uint64_t whos_off; /* struct shm_conn_who[nconns] */
	uint64_t batches_off; /* struct shm_batch[nbatches] */
	uint64_t trace_off; /* SHM_TRACE_OFF: struct shm_ring and its data */
	_Atomic uint64_t next_serial;
	/* 1: a connection may be without a record; the worker, release */
	_Atomic uint32_t accepting;
	/* 1 + the connection, over UDP the datagram, whose bytes are being
	 * looked at, 0: none; the worker, who clears it first of all. And
	 * SUSPECT_*: how its last occupant ended with that; who reaps it */
	_Atomic uint32_t hand, suspect;
	/* 1 + the plugin whose code runs, 0: none's; the worker */
	_Atomic uint32_t within;
	_Atomic uint32_t trace_on; /* set by control, read once a batch */
	uint32_t trace_bytes; /* of the trace's data, a power of two */
	uint32_t ndgrams; /* struct shm_dgrams: 1 of type udp, else 0 */
	_Alignas(SHM_LINE) struct shm_stats stats;
	struct shm_journal journal;
	struct shm_came came;
	struct shm_unsaved unsaved;
	_Atomic uint64_t shut_ns; /* until when some host may not connect */
	/* until when requests are compared with those below: its siblings look
	 * at it, too */
	_Atomic uint64_t wary_ns;
	struct shm_poison poison[POISON_PEERS];
	struct shm_asked asked; /* of a line */
};

/* The trace ring lies right behind, so that its size can be had from it. */
#define SHM_TRACE_OFF \
	((sizeof(struct shm_worker) + SHM_LINE - 1) & ~(size_t)(SHM_LINE - 1))

_Static_assert(sizeof(struct shm_conn) == 128, "two lines a connection");

#endif
