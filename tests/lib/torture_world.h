/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_WORLD_H
#define TESTS_LIB_TORTURE_WORLD_H

/*
 * What the kill harnesses share: a store with one small device, on which a
 * victim carries out a request of the oracle's, and others theirs. What a
 * reader sees is always seen through a read-only mapping.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "tests/lib/torture_oracle.h"

enum { /* slots, and authors of the same numbers */
	SUPER, /* the harness; it owns its byte as any other does */
	FORMER, /* generation 0 of it stands for recoverers that died */
	VICTIM,
	PEER, /* lives, and wants the device, too */
	REAPER, /* a supervisor that dies in its turn */
	LATE, /* writes when all is over */
	WARM, /* wrote before */
	SLOTS
};

enum {
	OP_BEFORE = 6, /* the victim's last operation, and the one killed */
	OP = 7,
	NS_PER_MS = 1000000,
	WRITER_MS = 50, /* longest that a writer may have to wait */
};

/* What a victim tells before it dies, in memory that outlives it. */
struct board {
	_Atomic int started; /* the peer is about to ask for the device */
	_Atomic int acked; /* the victim's reply has been sent */
	_Atomic int peer_acked;
	_Atomic int64_t finished_ns; /* when the peer was through */
	uint8_t out[64]; /* READ steps */
	uint8_t read[LOW_N * 2]; /* what a stepped reader saw */
	uint64_t read_seq;
};

struct world {
	char name[32], lock_path[256];
	struct seg control, device, view;
	struct slot_env env;
	struct store store; /* as env.me */
	struct store reader;
	struct board *board;
	uint8_t *base_control, *base_device;
	struct picture before;
	uint64_t victim; /* identity */
	uint64_t events_at;
};

/* Makes the store, in memory that children share, as slot SUPER; removes it.
 * tag: of the harness. */
void world_map(struct world *, const char *tag);
void world_unmake(struct world *);

/* Brings the device into the state in which the request is made; back into
 * it, whatever has happened since. */
void world_prepare(struct world *, const struct request *);
void world_reset(struct world *);

/* Becomes the occupant of a slot: the byte first, as every process does. */
void world_join(struct world *, unsigned slot);

/* Writes in an author's name. */
enum store_rc world_write(struct world *, unsigned author, uint64_t op,
    const struct store_step *, unsigned n, long budget_ms);

/* Carries out a request as the victim; READ steps go to the board. */
enum store_rc world_request(
    struct world *, const struct request *, uint64_t op, long budget_ms);

/* Writes as the peer, where only it does. */
enum store_rc world_peer_write(struct world *, long budget_ms);

/* Declares an identity dead and has the device repaired. */
void world_reap(struct world *, uint64_t id);

/* All that can be read, as of one number. False if a reader was held up. */
bool world_picture(const struct store *, struct picture *);

/* What the picture must be, the victim's request having been committed or
 * not; and the peer's, if it was let. */
void world_expect(struct world *, const struct request *, bool committed,
    bool peer, struct picture *);

/* The victim's last operation that is noted as done. */
uint64_t world_done(struct world *);

#endif
