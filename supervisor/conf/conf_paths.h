/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_PATHS_H
#define SUPERVISOR_CONF_PATHS_H

/*
 * Lists of paths of the configuration, and what plugins are told: options, and
 * the actions of ranges with their parameters; and the Python module of those.
 */

#include "supervisor/conf/conf_read.h"

conf_read_fn conf_paths_read, conf_plugins_read, conf_options_read,
    conf_action_read, conf_module_read, conf_python_read;
conf_dump_fn conf_paths_dump, conf_options_dump, conf_action_dump;

void conf_paths_free(struct conf_paths *);
void conf_options_free(struct conf_options *);

/* Takes in the members of an object, but for one of that name (or NULL). */
void conf_options_take(struct conf_ctx *, const struct jsonc_node *,
    const char *but, struct conf_options *);

#endif
