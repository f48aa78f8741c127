/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WIDE_H
#define WORKERS_WIDE_H

/*
 * Counting and drawing in whole numbers of 64 bits, of which a double can say
 * only some. A bound at or beyond the end of the type is that end.
 */

#include <stdbool.h>

#include "supervisor/holdfast.h"

/* True of uint64 and int64; what follows is for values of these alone. */
bool wide_is(enum hf_type);

/* One more; what would be beyond max, or, unless min is 0, below min, is
 * min. */
enum hf_exception wide_increment(struct hf_cell *, double min, double max);

/* Any value from min to max, both included, each as likely. */
enum hf_exception wide_random(struct hf_cell *, double min, double max);

#endif
