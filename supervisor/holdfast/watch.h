/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_WATCH_H
#define HOLDFAST_WATCH_H

/*
 * Being told what has changed, by whom, from what to what: part of holdfast.h.
 *
 * A watch has a descriptor that can be read while there may be changes, for
 * poll(), epoll or any event loop. Nobody waits for a watcher: one that is
 * slower than the writers for long misses changes, and is told so. A write
 * that changes nothing is no change. Writes of a client, of another program
 * and of this one are all told.
 */

#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_watch;

struct hf_change {
	struct hf_device *device;
	enum hf_table table;
	uint32_t addr, count;
	const uint16_t *was, *is; /* count of each; stay until the next call */
	uint64_t seq; /* number of the commit; a transaction's have the same */
	const char *who; /* "tcp1", a program's name; "?" if it has gone */
};

enum { HF_WATCH_MOST = 10000 };

typedef void hf_change_fn(void *arg, const struct hf_change *);

/* Changes from now on of a device; NULL: of every one. NULL with errno;
 * EINVAL: it is of another store. */
struct hf_watch *hf_watch_new(struct hf_store *, struct hf_device *);

/* Only those that touch these addresses; may be called several times for
 * several runs of them. 0, or -1: EADDRNOTAVAIL none of them exists, EINVAL. */
int hf_watch_only(
    struct hf_watch *, enum hf_table, uint32_t addr, uint32_t count);

/* The descriptor; it stays the watch's. */
int hf_watch_fd(const struct hf_watch *);

/* The next change: 1; 0: there is none now; -1 with errno EOVERFLOW: some were
 * missed, and what is there should be read anew; ESTALE: the store has gone, or
 * one of the devices: attach again. */
int hf_watch_next(struct hf_watch *, struct hf_change *);

/* Calls fn for each change that there is, also for those that come while it
 * does, but for no more than HF_WATCH_MOST. How many, or -1 as above. */
int hf_watch_dispatch(struct hf_watch *, hf_change_fn *fn, void *arg);

void hf_watch_free(struct hf_watch *);

#ifdef __cplusplus
}
#endif

#endif
