/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_REPEATS_H
#define WORKERS_REPEATS_H

/*
 * Requests that a peer sends again because their replies are lost or late. What
 * one has changed is not changed again: for REPEAT_MS it is answered as it was
 * the first time. The last SHM_REPEATS of them lie in the worker's segment, so
 * this holds across its death.
 *
 * A request over again is known by its peer and by all of its bytes, of which
 * the transaction number is a part. But there are peers that give all requests
 * the same number, or those of a kind, and mean each of them: some write the
 * same value every second, to show that they are alive. So only peers are
 * believed that count: once REPEAT_RUN numbers in a row were each one more than
 * the last, and until that is no longer so. How a peer counts is remembered for
 * SHM_RUNS of them, those that asked last. All peers are believed about what
 * waited while nobody served, and what a dead worker had in hand: whoever sends
 * something twice before it is answered, sends it again. Frames without
 * numbers, RTU and ASCII, are all new.
 */

#include "shm/layout_dgram.h"
#include "workers/acl.h"

enum { REPEAT_MS = 2000, REPEAT_RUN = 8 };

struct repeats {
	struct shm_dgrams *shm;
	bool late; /* a worker has died, and what is served now has waited */
};

/* What makes a request the same as another. */
struct repeats_key {
	const struct acl_peer *peer;
	uint64_t hash;
};

/* Of a worker's tables. heir: of one that succeeds another. */
void repeats_init(struct repeats *, struct shm_dgrams *, bool heir);

/* Nothing more has waited. */
void repeats_caught_up(struct repeats *);

/* Of the bytes as they came. */
uint64_t repeats_hash(const uint8_t *, size_t);

/* What has been answered to it, or NULL if it is to be carried out. */
const struct shm_repeat *repeats_find(
    const struct repeats *, const struct repeats_key *, uint64_t now_ns);

/* A request is about to be carried out: the run that it is of, 0 if its peer is
 * not known to count. */
uint32_t repeats_count(struct repeats *, const struct acl_peer *, uint16_t tid);

/* It has been, and has changed something. Twice is as good as once. */
void repeats_put(struct repeats *, const struct repeats_key *, uint32_t run,
    const uint8_t *reply, size_t len, uint64_t now_ns);

#endif
