/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_ACTION_H
#define SUPERVISOR_CONF_ACTION_H

/*
 * The action of a range, held against the rows of shm/action.h. Included
 * through supervisor/conf.h.
 */

#include "shm/action.h"
#include "supervisor/conf_parts_device.h"

struct conf;

/* What a range's action says of a parameter, as text; NULL: nothing. */
const char *conf_action_text(const struct conf_range *, const char *name);

/*
 * True if the built-in action of that row cannot have the range's parameters:
 * an unknown name, no number, one outside its limits or that the type does not
 * hold, a least beyond the greatest, something missing; and which, in words.
 * *at: the parameter that is wrong, NULL if it is about all of them.
 */
bool conf_action_wrong(const struct action_row *, const struct conf_range *,
    const struct conf_option **at, char *words, size_t room);

/*
 * How often the clock sets the values of a range; 0: it does not, a client's
 * reading does. Where plugins or a module may bring an action of that name, the
 * clock has it only if it says "period_ms" itself.
 */
unsigned conf_action_period_ms(const struct conf *, const struct conf_range *);

/* True if plugins or a module may bring actions. */
bool conf_action_others(const struct conf *);

/* Where a range with the action "copy" copies from: the index of the device, or
 * CONF_NO_DEVICE; the table, the type and the order that it has there. */
struct conf_copy {
	int device;
	enum store_table table;
	uint32_t addr, count; /* all that the range copies */
	enum typed_type type;
	enum typed_order order;
};
void conf_action_source(const struct conf *, unsigned device,
    const struct conf_range *, struct conf_copy *);

/* What an action takes a range's values for: bits that lie in registers are
 * numbers. */
enum typed_type conf_action_type(const struct conf_range *);

#endif
