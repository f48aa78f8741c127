/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_ORACLE_H
#define TESTS_LIB_TORTURE_ORACLE_H

/*
 * The requests that a victim of the kill harnesses carries out, and an oracle
 * that says what each of them does: a plain array of registers and bits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shm/store.h"

enum {
	LOW_N = 40, /* holding registers 0.. */
	HIGH_AT = 100, /* and HIGH_AT.. */
	HIGH_N = 24,
	COILS = 128,
	PEER_AT = HIGH_AT + 16, /* the peer writes only here */
	PEER_N = 4,
	ORACLE_REQUESTS = 9,
};

/* All that a reader can see of the device. */
struct picture {
	uint8_t hr[(LOW_N + HIGH_N) * 2];
	uint8_t co[COILS / 8];
	uint64_t seq;
};

/* A request. wraps: it is made when the event ring is about to wrap. */
struct request {
	const char *name;
	struct store_step step[4];
	unsigned n;
	bool wraps;
};

extern const struct request oracle_requests[ORACLE_REQUESTS];

/* Values that they write. */
extern const uint8_t oracle_fresh[80];

/* True if a list, parted by spaces or commas, holds a name. */
bool oracle_names(const char *list, const char *name);

/* Copies a range of a picture out into wire form, or in from it; one of out
 * and in is NULL. */
void oracle_move(struct picture *, enum store_table, uint32_t addr,
    uint32_t count, uint8_t *out, const uint8_t *in);

/* Carries out a request; read gets what its last READ step reads. */
enum store_rc oracle_apply(
    struct picture *, const struct store_step *, unsigned n, uint8_t *read);

/* What world_peer_write() does. */
void oracle_peer_write(struct picture *);

/* The same values; the number is another matter, since undoing a write that
 * was not committed uses up one, too. */
bool oracle_same(const struct picture *, const struct picture *);

#endif
