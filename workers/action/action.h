/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_ACTION_H
#define WORKERS_ACTION_H

/*
 * Actions: what makes a value by itself, when a client reads it or on a clock.
 * Those that are built in are rows of shm/action.h, with their functions here;
 * the others are hooks.
 */

#include "shm/series.h"
#include "supervisor/holdfast.h"
#include "workers/bind.h"

struct action_call;
struct hook_action;
struct runner;
struct script;

/* What a built-in action does to a value. Owns nothing while it runs. */
typedef enum hf_exception action_fn(
    const struct action_call *, struct hf_cell *);

/* What the parameters of a range's action come to. */
struct action_args {
	double at[ACTION_PARAMS_MAX]; /* as in the row; words: which */
	bool given[ACTION_PARAMS_MAX]; /* there is one, or a default */
	struct conf_copy source; /* copy */
	struct series series; /* replay */
	struct script *script; /* lua; NULL: it cannot run */
};

/* One range of a device that has an action. */
struct action_range {
	const struct conf_range *conf;
	const struct hook_action *action; /* NULL: a module's alone */
	struct action_args args; /* of one that is built in */
	const char *device;
	const struct hf_host *host;
	uint32_t step; /* registers or bits of one value */
	struct runner *runner; /* whose module may have it; NULL */
	bool has; /* it has had it */
	uint32_t lacked; /* the greeting after which it said that it has not */
};

/* One running of a built-in action. */
struct action_call {
	const struct proc *proc;
	const struct action_range *range;
	double s; /* seconds since the daemon was started */
};

/* What stands behind struct hf_cell's self. */
struct action_run {
	struct bind_device *d;
	const struct action_range *a;
};

/* The action of that name that is built in, or NULL. */
const struct hook_action *action_builtin(const char *name);

/* What a range's parameters come to, for one that is built in; files are read,
 * scripts opened where that can be: what cannot be is logged, and then the
 * value stays what it is. device: the index of the range's. */
void action_prepare(
    struct action_range *, const struct proc *, unsigned device);
void action_release(struct action_range *);

/* A value of a range as the function of its action sees it, in values. */
void action_cell(struct hf_cell *, const struct action_run *, uint32_t addr,
    uint16_t *values);

/* Runs one that is built in, as of then (CLOCK_MONOTONIC). */
enum hf_exception action_run(const struct action_range *, const struct proc *,
    uint64_t now_ns, struct hf_cell *);

/*
 * Before a client reads: runs the action of each value of which the first
 * address is read, in their order, and writes what it changes. MB_EX_NONE, or
 * what the client is to be answered.
 */
enum mb_ex action_reads(struct bind_device *, const struct mb_step *);

/* True if reading registers comes upon a range that has one. */
bool action_touches(const struct bind_device *, const struct mb_step *);

#endif
