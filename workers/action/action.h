/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_ACTION_H
#define WORKERS_ACTION_H

/*
 * Actions: what happens to a value when a client reads it. Those that are
 * built in are rows of action.c's table, the others are hooks; both are a
 * struct hf_action.
 */

#include "supervisor/holdfast.h"
#include "workers/bind.h"

struct hook_action;
struct runner;

/* One range of a device that has an action. */
struct action_range {
	const struct conf_range *conf;
	const struct hook_action *action; /* NULL: a module's alone */
	const char *device;
	const struct hf_host *host;
	uint32_t step; /* registers or bits of one value */
	struct runner *runner; /* whose module may have it; NULL */
	bool has; /* it has had it */
	uint32_t lacked; /* the greeting after which it said that it has not */
};

/* The action of that name that is built in, or NULL; and the i-th name, NULL
 * behind the last. */
const struct hook_action *action_builtin(const char *name);
const char *action_builtin_name(size_t i);

/* True if one that is built in cannot have those parameters for a value of that
 * type: a name that it does not know, no number, one that the type does not
 * hold, minval beyond maxval; and which, in words. */
bool action_parameters_wrong(const struct hook_action *, enum hf_type,
    const struct conf_options *, char *words, size_t room);

/*
 * Before a client reads: runs the action of each value of which the first
 * address is read, in their order, and writes what it changes. MB_EX_NONE, or
 * what the client is to be answered.
 */
enum mb_ex action_reads(struct bind_device *, const struct mb_step *);

#endif
