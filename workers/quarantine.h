/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_QUARANTINE_H
#define WORKERS_QUARANTINE_H

/*
 * Who has asked for what workers died of, and what that was: the table in the
 * worker's segment. poison.h says what follows from it; here it is kept, and
 * forgotten quarantine_s after the last time. An operator may have it forgotten
 * earlier: then until_ns is 0 from one moment to the next.
 *
 * An entry is of a host: an address, of IPv6 its first 64 bits (but all of one
 * of a link), or what a plugin tells hosts apart by. Where there is neither, on
 * a line, whoever asks is anybody: there an entry is of one request.
 */

#include "workers/conns.h"
#include "workers/proto/frame.h"

/* How much of a host is shut out. */
enum { SHUT_NOTHING, SHUT_NEW, SHUT_ALL /* what it had asked before, too */ };

struct host {
	uint32_t family;
	uint64_t net[2];
	const struct frame *asked; /* tells those apart that have no name */
};

struct host quarantine_host(
    unsigned family, const uint8_t addr[16], const struct frame *asked);

/* True if there is somebody to be kept out. */
bool quarantine_named(const struct host *);

/* True if that is the request of an entry; never of one that is not known. */
bool quarantine_same(const struct shm_poison *, const struct frame *);

bool quarantine_is_of(
    const struct shm_poison *, const struct host *, uint64_t now_ns);

/* Its entry, NULL: there is none; and made, if need be in place of the one that
 * is forgotten first. peer: its words, if it has no address. */
struct shm_poison *quarantine_find(
    struct shm_worker *, const struct host *, uint64_t now_ns);
struct shm_poison *quarantine_enter(struct shm_worker *, const struct host *,
    const char *peer, uint64_t now_ns);

/* Notes what was asked; known: it is not to be carried out any more. */
void quarantine_keep(
    struct worker *, struct shm_poison *, const struct frame *, bool known);

/* The entry of that request that says that it is known, the host's own if there
 * is one; NULL. Once nothing is known any more nobody needs to look. */
struct shm_poison *quarantine_known(
    struct worker *, const struct frame *, const struct host *);

/* Once more; longer: and remembered for quarantine_s from now on. */
void quarantine_count(struct worker *, struct shm_poison *, bool longer);
unsigned quarantine_counted(const struct shm_poison *);

/* One time less. */
void quarantine_uncount(struct shm_poison *);

/* How often, over all workers of the transport. */
unsigned quarantine_times(
    const struct conns *, const struct host *, uint64_t now_ns);

/* Keeps an entry's host out for as long as it is remembered: SHUT_*. */
void quarantine_shut(struct worker *, struct shm_poison *, unsigned how);

/* Whether any worker keeps it out: SHUT_*. */
unsigned quarantine_shuts(const struct conns *, const struct acl_peer *);

#endif
