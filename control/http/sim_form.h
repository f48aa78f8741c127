/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_FORM_H
#define HTTP_SIM_FORM_H

/*
 * Fields as they come: text of a form, or values in JSON. Nothing, null and
 * white space are blank; 0 is a number.
 */

#include "control/http/sim.h"

enum sim_found { SIM_BAD = -1, SIM_BLANK, SIM_OK };

/* A text: the field's, or of a number its digits into buf. NULL: blank. */
const char *sim_field(
    const struct sim_call *, const char *name, char *buf, size_t size);

/* An integer within min..max; decimal, or 0x. SIM_BAD after the request has
 * failed with a sentence. */
enum sim_found sim_integer(struct sim_call *, const char *name, int64_t min,
    int64_t max, int64_t *out);

/* The same, or `other` where it is blank. False after a failure. */
bool sim_integer_or(struct sim_call *, const char *name, int64_t min,
    int64_t max, int64_t other, int64_t *out);

/* True if the field is there and neither null nor false: a ticked box sends
 * "on", and scripts send "". */
bool sim_ticked(const struct sim_call *, const char *name);

/* What the button says, "" if none was pressed. */
const char *sim_submit(const struct sim_call *);

/* range_start, and range_stop or range_end: 1 with both, 0 if the start is
 * blank, -1 after a failure. */
int sim_range(struct sim_call *, int64_t *start, int64_t *stop);

/*
 * The name of what a field or key ("device", "server") names: the first of
 * `list` (an array of objects with name) if it is blank. Sets *index. NULL
 * after a failure.
 */
const char *sim_choice(
    struct sim_call *, const char *field, const json_t *list, size_t *index);

/* An integer in text, all of it; false if it is none or does not fit. */
bool sim_parse_integer(const char *text, int64_t *out);

#endif
