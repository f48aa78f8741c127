/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TWIN_TWIN_WAYS_H
#define WORKERS_TWIN_TWIN_WAYS_H

/*
 * The steps of a pass: what is noted and carried out, and the two ways. Only
 * twin*.c include this. Each is false if a device was busy.
 */

#include "workers/twin/twin.h"

/* twin_stage.c: carries out what is noted in the control object, which may
 * have been begun, or done, by another process. */
bool twin_stage_finish(struct twin *);
/* The same for the steps that stand there, which go that way from now on. */
bool twin_stage_go(struct twin *, enum mirror_way);

/* twin_pull.c: store -> view, along the changes of the set's device. */
bool twin_pull(struct twin *, unsigned set);

/* twin_push.c: view -> store, whatever others have changed in the set. */
bool twin_push(struct twin *, unsigned set);

/* Index of the next 64-bit word from w on that is not as its shadow; n if
 * there is none. What lies behind the last cell in its word belongs to nobody
 * and may differ for ever. */
uint32_t twin_next_word(
    const struct mirror_set *, unsigned t, uint32_t w, uint32_t n);

/* True if address i exists on both sides. *at, 0 at first, moves along with
 * addresses that ascend. */
bool twin_exists(const struct twin_set *, unsigned t, uint32_t i, unsigned *at);

#endif
