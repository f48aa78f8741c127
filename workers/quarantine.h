/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_QUARANTINE_H
#define WORKERS_QUARANTINE_H

/*
 * Who has asked for what workers died of, and what that was: the table in the
 * worker's segment. poison.h says what follows from it; here it is kept, and
 * forgotten quarantine_s after the last time. An operator may have it forgotten
 * earlier: then until_ns is 0 from one moment to the next.
 *
 * An entry is of a host and one request of its. A host is an address, of IPv6
 * its first 64 bits (but all of one of a link), or what a plugin tells hosts
 * apart by. Where there is neither, on a line, whoever asks is anybody: what is
 * said below of a host is then of the one request.
 *
 * A worker writes to its own table and reads those of its siblings, so what one
 * of them knows they all know.
 */

#include "workers/conns.h"
#include "workers/proto/frame.h"

/* How much of a host is shut out. */
enum { SHUT_NOTHING, SHUT_NEW, SHUT_ALL /* what it had asked before, too */ };

struct host {
	uint32_t family;
	uint64_t net[2];
	const struct frame *asked;
};

struct host quarantine_host(
    unsigned family, const uint8_t addr[16], const struct frame *asked);

/* True if there is somebody to be kept out. */
bool quarantine_named(const struct host *);

/* True if that is the request of an entry; never of one that is not known. */
bool quarantine_same(const struct shm_poison *, const struct frame *);

bool quarantine_is_of(
    const struct shm_poison *, const struct host *, uint64_t now_ns);

/* The entry of it and of what it has asked, NULL: there is none; and made, if
 * need be in place of the one that is forgotten first. peer: its words, if it
 * has no address. One that is new is forgotten unless it is counted next. */
struct shm_poison *quarantine_find(
    struct shm_worker *, const struct host *, uint64_t now_ns);
struct shm_poison *quarantine_enter(struct shm_worker *, const struct host *,
    const char *peer, uint64_t now_ns);

/* What was asked is not to be carried out any more. */
void quarantine_know(struct worker *, struct shm_poison *);

/* Another worker was killed with it in hand: how many that are in a row. It is
 * remembered for quarantine_s. */
unsigned quarantine_killed(struct worker *, struct shm_poison *);

/* Whether workers have died of that request lately, whoever has asked. */
bool quarantine_blamed(const struct worker *, const struct frame *);

/* The entry of that request that says that it is known, the host's own if there
 * is one; NULL. It may be a sibling's: not to be written to. Once nothing is
 * known any more nobody needs to look. */
const struct shm_poison *quarantine_known(
    struct worker *, const struct frame *, const struct host *);

/* Whether any of its siblings knows of something. */
bool quarantine_others_wary(const struct worker *);

/* Once more; longer: and remembered for quarantine_s from now on. */
void quarantine_count(struct worker *, struct shm_poison *, bool longer);
unsigned quarantine_counted(const struct shm_poison *);

/* It was carried out: nobody has been killed for that; died: and a worker has
 * died of it by chance. */
void quarantine_forgive(struct shm_poison *, bool died);

/* How often a host has been to blame, for whatever and over all workers of the
 * transport. */
unsigned quarantine_times(const struct worker *, const struct host *);

/* Keeps an entry's host out for as long as it is remembered: SHUT_*. */
void quarantine_shut(struct worker *, struct shm_poison *, unsigned how);

/* Whether any worker keeps it out: SHUT_*. */
unsigned quarantine_shuts(const struct conns *, const struct acl_peer *);

#endif
