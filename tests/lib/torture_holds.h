/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_HOLDS_H
#define TESTS_LIB_TORTURE_HOLDS_H

/*
 * The promises of the store that the kill harnesses look after: nothing is
 * lost, torn or done twice, and whoever lives gets on.
 */

#include "tests/lib/torture_world.h"

/* Every change that a reader can see belongs to what it can read, and the
 * other way round. */
bool holds_changes(struct world *, const struct picture *seen);

/* At rest: free, available, and the same on both sides. NULL, or what is
 * wrong. */
const char *holds_rest(struct world *);

/* After recovery: `was` is what readers saw before it, NULL if nobody looked;
 * peer: its write has been carried out, too. NULL, or what is wrong. The
 * request has been carried out again thereafter, and others besides. */
const char *holds_recovered(struct world *, const struct request *,
    const struct picture *was, bool peer);

#endif
