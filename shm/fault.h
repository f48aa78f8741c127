/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_FAULT_H
#define SHM_FAULT_H

/*
 * Fault rules: which replies are to be spoiled, and how. Control processes add
 * and clear them, workers carry them out and count. A table of fixed size that
 * nobody locks (layout_fault.h); what lies there may have been scribbled on,
 * so a rule is checked each time it is copied out, and a bad one is not there:
 * its row is free again after the next sweep.
 */

#include <stdbool.h>

#include "shm/slot.h"

/* Conditions that a rule has beside transport, fc and rate. */
enum {
	FAULT_CONNECTION = 1,
	FAULT_UNIT = 2,
	FAULT_RANGE = 4, /* first..last, of any table */
	FAULT_TABLE = 8, /* of the one named */
};

/* What a rule does. */
enum fault_effect {
	FAULT_EXCEPTION = 1, /* answered so and not carried out */
	FAULT_DELAY = 2,
	FAULT_DROP = 4, /* carried out, not answered */
	FAULT_JUNK = 8, /* random bytes in place of the reply */
	FAULT_SPLIT = 16, /* in two parts, apart in time */
	FAULT_CHANGE = 32, /* a share of its values */
	FAULT_UNIT_WRONG = 64,
	FAULT_CRC = 128,
	FAULT_EFFECTS = 255
};

enum {
	FAULT_WAIT_MAX_MS = 600000,
	FAULT_JUNK_MAX = 512,
	FAULT_MILLION = 1000000,
	FAULT_ADDRS = 65536,
	FAULT_TEXT_MAX = 320,
};

/* What becomes of a rule, for the notice of it: NOTICE_FAULT, a = id, b. */
enum fault_event {
	FAULT_ADDED,
	FAULT_CLEARED,
	FAULT_SPENT, /* count is reached */
	FAULT_EXPIRED,
	FAULT_GONE, /* with the connection that it was for */
	FAULT_EVENTS
};

/* One that is in force, copied and checked. */
struct fault_live {
	uint64_t id;
	uint64_t hits; /* replies that it has spoiled */
	unsigned row;
	struct fault_rule rule;
};

/* NULL if a rule makes sense, else words for what is wrong with it. */
const char *fault_why_not(const struct fault_rule *);

/* Puts a rule in force, posts a notice and logs. Its id, or 0 with errno:
 * ENOSPC, EINVAL. Several processes may do so at once. Sweeps when it finds no
 * room. */
uint64_t fault_add(const struct slot_env *, const struct fault_rule *);

/* The rule of a row (0..SHM_FAULTS - 1); false if none is in force. */
bool fault_get(struct shm_control *, unsigned row, struct fault_live *);

/* Ends a rule that was copied out. True for the one who does it, who also
 * posts the notice and logs; false if it had ended before. */
bool fault_end(
    const struct slot_env *, const struct fault_live *, enum fault_event why);

/* Ends what has expired or is spent by now_ns (CLOCK_MONOTONIC), and frees rows
 * that hold rubbish in place of a rule. Returns how many are in force; *due_ns
 * gets when the next one expires, 0 never. */
unsigned fault_sweep(
    const struct slot_env *, uint64_t now_ns, uint64_t *due_ns);

/*
 * Counts one more reply for a rule that was copied out. False if the rule has
 * ended or has had all of its replies: then nothing may be spoiled in its
 * name. *left gets how many it still has, UINT64_MAX without a limit.
 */
bool fault_take(
    struct shm_control *, const struct fault_live *, uint64_t *left);

/* Has every worker look at the table again. */
void fault_touch(struct shm_control *);

static inline uint64_t
fault_version(const struct shm_control *c)
{
	return atomic_load_explicit(&c->faults.version, memory_order_relaxed);
}

/* A rule in one line: "transport=tcp1 fc=3,4 exception=6"; for the log. */
void fault_text(const struct fault_rule *, char text[FAULT_TEXT_MAX]);

/* "added", "cleared", "spent", "expired", "gone"; "unknown" for what is
 * none. */
const char *fault_event_name(uint64_t event);

#endif
