/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WARY_H
#define WORKERS_WARY_H

/*
 * What link.c does with requests that workers may die of (poison.h), which is
 * on its slow way: those that are not carried out are seen by no hook and hit
 * by no fault, since that may be what workers have died in.
 */

#include "workers/poison.h"
#include "workers/serve.h"

/* Whether any request of a batch may be one that is not to be carried out:
 * r->wary, and which one is under suspicion. */
void wary_begin(struct run *, const struct shm_batch *);

/* The same for the one request that lies at in, which so many workers have died
 * of. */
void wary_begin_one(struct run *, const uint8_t *in, unsigned died);

/* What becomes of the frame in hand, which lies at in: POISON_NONE, to be
 * carried out, and then wary_done(); any other, see below, and POISON_SHUT ends
 * its connection. */
enum poison wary_meet(struct run *, const uint8_t *in);
void wary_done(const struct run *, const uint8_t *in);

/* Its reply in adu without its being carried out; the length, 0 for none. */
size_t wary_spare(struct run *, uint8_t *adu);

/*
 * What devices answer is not what is sent, or was not earlier in this batch:
 * it is put aside. If a predecessor had the request in hand answered straight
 * into out[], that is put aside first, before the record says so.
 */
void wary_put_aside(struct run *, struct shm_batch *);

#endif
