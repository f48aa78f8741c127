/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_HOOKS_OWN_H
#define WORKERS_HOOKS_OWN_H

/* The parts of hooks.h among themselves. */

#include "workers/acl.h"
#include "workers/action/action.h"
#include "workers/hooks/hooks.h"
#include "workers/hooks/plugin.h"
#include "workers/proto/fc.h"

/* Each is what a plugin has given, as a copy, and whose it is. */
struct hook_function {
	struct plugin *plugin;
	struct hf_function f;
	struct mb_fc row;
};

struct hook_action {
	struct plugin *plugin; /* NULL: built in */
	struct hf_action a; /* its */
	action_fn *built_in;
};

struct hook_framer {
	struct plugin *plugin;
	struct hf_framer f;
	struct framer row;
};

struct hooks {
	struct hook_function *functions;
	struct hook_action *actions;
	struct hook_framer *framers;
	size_t nfunctions, nactions, nframers;
	struct mb_fc *heads; /* 128 rows for codes with sub-functions */
	uint64_t serial; /* of the connection whose words are in peer */
	char peer[ACL_TEXT_MAX];
	char why[2 * PLUGIN_WORDS];
};

/* Checks a row that has been copied, and fills in the rest of it. 0, or -1
 * after plugins_refuse(). */
int hook_function_check(struct plugins *, struct hook_function *);
int hook_framer_check(struct plugins *, struct hook_framer *);

/* 0 if somebody brings a framer of that name, or it is ours; else -1 after
 * plugins_refuse(). */
int hooks_framer_known(struct worker *, const char *name);

/* The one of a name, built-in ones included; NULL. */
const struct hook_action *hook_action_find(
    const struct hooks *, const char *name);

#endif
