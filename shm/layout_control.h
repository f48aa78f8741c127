/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_CONTROL_H
#define SHM_LAYOUT_CONTROL_H

/*
 * The control segment: who is alive, what the transports are doing, which
 * operations are done. See layout.h for the whole.
 */

#include "shm/layout.h"
#include "shm/layout_fault.h"
#include "shm/layout_saved.h"

enum {
	SHM_SLOTS_MAX = 1023,
	SHM_MAKER_SLOT = 0, /* the supervisor's, or the program's */
	SHM_WORKER_SLOT = 8, /* the first; before it the daemon's own */
	SHM_KEEPER_BYTE = 2048, /* + a worker's slot: of the lock file */
	SHM_EXTERNALS = 256, /* the last slots, for programs that attach */
	SHM_WORKERS_MAX = SHM_SLOTS_MAX - SHM_WORKER_SLOT - SHM_EXTERNALS,
	SHM_AUTHORS_MAX = 65535,
	SHM_RING_BYTES = 16384, /* notices of one slot; a power of two */
	SHM_DIAG_BYTES = 256, /* line counters of a device on a transport */
};

enum shm_role {
	SHM_FREE,
	SHM_SUPERVISOR,
	SHM_CONTROLLER, /* the ZeroMQ process */
	SHM_WORKER_ROLE,
	SHM_EXTERNAL, /* a program that attached */
	SHM_AIDE, /* another process of the daemon's */
};

/* One process. Its identity is slot.h's SLOT_ID(index, gen). */
struct shm_slot {
	/* compare-and-swap by whoever has proof of a death; read acquire */
	_Alignas(SHM_LINE) _Atomic uint64_t gen;
	_Atomic uint32_t pid; /* the occupant, relaxed */
	_Atomic uint32_t role; /* enum shm_role; the supervisor, relaxed */
	_Atomic uint32_t transport; /* index; workers only */
	_Atomic uint32_t worker; /* index within the transport */
	_Atomic uint64_t since_ms; /* unix time of birth */
	/* workers: pid of the keeper, who shares the descriptors, and with
	 * them the lock on the byte; the supervisor, relaxed */
	_Atomic uint32_t keeper;
	char name[SHM_NAME_MAX]; /* for logs; set before the birth */
	/* the beat: written by the occupant alone, relaxed */
	_Alignas(SHM_LINE) _Atomic uint64_t beat_ns; /* monotonic, each turn */
	_Atomic uint64_t busy_ns; /* when the request in hand began, 0 none */
	_Atomic uint64_t keeper_ns; /* workers: the beat of their keeper's */
	/* times that it reached for a device << 32 | 1 + the device that it is
	 * about to own or owns, 0 none */
	_Atomic uint64_t claim;
	_Atomic uint64_t op; /* last operation number that it gave out */
	/* its notices: from the segment's start; 0 none yet; the supervisor,
	 * once they can be read */
	_Atomic uint64_t ring_off;
};

enum shm_state { /* a transport's life, as CONTRACT's state words name it */
	SHM_STOPPED,
	SHM_STARTING,
	SHM_UP,
	SHM_DRAINING,
	SHM_BACKOFF,
	SHM_FAILED,
	SHM_STATES
};

/* One transport, as the supervisor tells it. Only the supervisor writes. */
struct shm_transport {
	_Alignas(SHM_LINE) char name[SHM_NAME_MAX];
	char type[16];
	char listen[SHM_NAME_MAX]; /* ADDRESS:PORT with the real port */
	_Atomic uint32_t state; /* enum shm_state; release */
	_Atomic uint32_t wanted; /* it should serve */
	_Atomic uint32_t pid; /* of the first worker that lives */
	_Atomic uint32_t restarts; /* deaths survived since the start */
	_Atomic int32_t last_exit; /* wait status of the last death, -1 none */
	_Atomic uint64_t since_ms; /* unix time of the last change of state */
	uint32_t nworkers;
	uint32_t first_slot; /* worker i lives in slot first_slot + i */
	uint32_t first_author; /* worker i, connection c writes as author */
	uint32_t nconns; /*   first_author + i * nconns + c */
};

/* What a process that serves commands counts; it alone writes, relaxed. */
struct shm_door {
	_Alignas(SHM_LINE) _Atomic uint64_t requests; /* calls, each of a
						       * batch */
	_Atomic uint64_t errors; /* of them answered with an error */
	_Atomic uint64_t denied; /* of those for want of a role */
	_Atomic uint64_t bad_messages; /* thrown away unanswered */
	_Atomic uint64_t auth_refused; /* keys and tokens that are none */
	_Atomic uint64_t events; /* published */
	_Atomic uint64_t events_dropped; /* a subscriber was too slow for */
	_Atomic uint64_t events_lost; /* gaps in the rings they come from */
	/* http: */
	_Atomic uint64_t pages; /* requests for whatever */
	_Atomic uint64_t pages_failed; /* of them answered 4xx or 5xx */
	_Atomic uint64_t conns_opened;
	_Atomic uint64_t conns_open; /* now */
	_Atomic uint64_t conns_evicted; /* for a newer one */
	_Atomic uint64_t conns_refused; /* full, none to evict */
	_Atomic uint64_t conns_slow; /* that took too long */
	_Atomic uint64_t streams; /* now */
	_Atomic uint64_t streams_dropped; /* that did not read */
};

/*
 * The control segment. Mapped read-write by every process of the daemon and by
 * read-write attachers; what is in it is bytes from outside to the supervisor.
 */
struct shm_control {
	struct shm_head head;
	char boot[40]; /* kernel's boot id: what survived a reboot is void */
	uint32_t nslots, ntransports, ndevices, nauthors;
	uint32_t nrings; /* the first slots have room for notices */
	/* 1: all devices that it begins with are there, and a place without a
	 * name is nobody's; the maker, release */
	_Atomic uint32_t devices_made;
	uint64_t slots_off; /* struct shm_slot[nslots] */
	uint64_t transports_off; /* struct shm_transport[ntransports] */
	uint64_t diag_off; /* SHM_DIAG_BYTES[ntransports][ndevices] */
	/* char[ndevices][SHM_NAME_MAX]; the maker, once the device is there */
	uint64_t devices_off;
	uint64_t done_off; /* _Atomic uint64_t[nauthors] */
	uint64_t started_ms; /* unix time */
	/* of the configuration in force; 0: of none, one is being changed */
	uint64_t conf_hash;
	/* monotonic: when the first of those began who have taken over from one
	 * another; values that are functions of the time count from then */
	uint64_t began_ns;
	/* of the address where workers without a keeper call their supervisor,
	 * another one for each: nobody can have taken it before; the
	 * supervisor, once it listens */
	_Atomic uint64_t widow;
	char http[64]; /* ADDRESS:PORT of the page, with the real port, or "";
			* the supervisor, before the first birth */
	struct shm_door door[SHM_WORKER_SLOT]; /* by slot */
	struct shm_saved saved;
	struct shm_bells bells; /* of who waits for registers to change */
	struct shm_faults faults;
};

_Static_assert(sizeof(struct shm_slot) % SHM_LINE == 0, "slot");

#endif
