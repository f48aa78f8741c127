/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_DURABLE_H
#define SHM_DURABLE_H

/*
 * Between those who write to durable ranges and the process that saves them.
 * Who has committed takes a ticket, and sleeps until that has been saved or, if
 * others wait for him, has a bell rung (bell.h) and looks; who saves reads the
 * last ticket, takes a picture of the registers, which has every commit before
 * it, writes that to the disk, and says so: all who have come meanwhile are
 * served by the next one together. Nobody who reads, or writes elsewhere, takes
 * part.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout_saved.h"
#include "shm/store.h"

/* ---- who writes ---- */

/* True while nothing can be saved: better not to write at all. */
static inline bool
durable_fails(const struct shm_saved *s)
{
	return atomic_load_explicit(&s->durable_error, memory_order_relaxed) !=
	    0;
}

/* A ticket for what the caller has committed, never 0: it is saved as soon as
 * can be, along with what others wait for. No call of more than a moment. */
uint64_t durable_take(struct shm_saved *);

/* What has become of it. What could not be saved is DONE once a later save has
 * been: that has it, too. */
enum durable { DURABLE_WAITS, DURABLE_DONE, DURABLE_FAILED };
enum durable durable_state(const struct shm_saved *, uint64_t ticket);

/* Sleeps until it has become something. 0; or -1 with errno: EIO it could not
 * be saved, ETIMEDOUT it was not in time. */
int durable_wait_for(struct shm_saved *, uint64_t ticket, uint64_t budget_ns);

/* The same for a ticket that is taken here. */
int durable_wait(struct shm_saved *, uint64_t budget_ns);

/* Whether steps write to durable ranges of a device, as its segment has them.
 * Slow where there are many ranges. */
bool durable_touched(
    const struct store *, const struct store_step *, unsigned n);

/* How long it is waited for, by who has no configuration. */
uint64_t durable_budget_ns(const struct shm_saved *);

/* ---- who saves: one ---- */

/* The last ticket that was taken. */
uint64_t durable_asked(const struct shm_saved *);

/* Sleeps until there is one after that, for at most so long. */
void durable_sleep(struct shm_saved *, uint64_t ticket, uint64_t ns);

/* All up to a ticket have been saved; or, with an errno, could not be. */
void durable_tell(struct shm_saved *, uint64_t ticket, int error);

/* Behind that: wakes who has a bell. *fd as for bell_ring(). */
void durable_ring(struct shm_saved *, int *fd);

#endif
