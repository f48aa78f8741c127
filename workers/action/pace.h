/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_PACE_H
#define WORKERS_PACE_H

/*
 * What is due when: a heap of things that come round, each with a period of its
 * own. They are due at whole multiples of it since an origin, so that nothing
 * drifts, and things of the same period are due together. What was missed is
 * left out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pace_item {
	uint64_t period_ns, due_ns;
};

struct pace {
	struct pace_item **heap; /* the caller's items; next first */
	size_t n, room;
	uint64_t origin_ns;
};

/* Room for so many items. 0, or -1 without memory. */
int pace_init(struct pace *, size_t room, uint64_t origin_ns);
void pace_fini(struct pace *);

/* Takes one in, due at once, or else when its time comes next. */
void pace_add(struct pace *, struct pace_item *, uint64_t now_ns, bool at_once);

/* When the next one is due; UINT64_MAX without any. */
uint64_t pace_next(const struct pace *);

/* One that is due; it will be again at its next multiple behind now. NULL: no
 * more. */
struct pace_item *pace_take(struct pace *, uint64_t now_ns);

/* The last multiple of its period that is not behind now. */
uint64_t pace_last(
    const struct pace *, const struct pace_item *, uint64_t now_ns);

#endif
