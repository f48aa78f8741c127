/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_STEPS_H
#define CONTROL_STEPS_H

#include "control/values.h"

/* Steps of the store and the bytes they work on, as they are put together. */
struct steps {
	struct store_step step[STORE_STEPS_MAX];
	struct values reads[STORE_STEPS_MAX]; /* of the reads, in order */
	unsigned n, nreads;
	uint8_t bytes[2 * STORE_STEP_BYTES]; /* of writes; of reads */
	size_t used, read;
};

/* Room for the wire form of values, zeroed; NULL after the call has failed. */
uint8_t *steps_room(
    struct cmd_call *, struct steps *, const struct values *, bool read);

/* Appends a step on count units from the values' address; there is room. */
void steps_push(struct steps *, enum store_op, const struct values *,
    uint32_t count, const uint8_t *in);

/* Appends what writes, or checks, an array of values. False after the call
 * has failed. */
bool steps_add_values(struct cmd_call *, struct steps *, enum store_op,
    const struct values *, const json_t *array);

/* Carries all of them out as one. False after the call has failed. */
bool steps_apply(struct cmd_call *, const struct values *, const struct steps *,
    uint64_t *seq);

#endif
