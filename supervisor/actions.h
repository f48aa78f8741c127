/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_ACTIONS_H
#define SUPERVISOR_ACTIONS_H

/*
 * The actions process: keeps a Python process that runs the module of
 * "actions", and is all that the supervisor has to do with that.
 */

#include "supervisor/proc.h"

/* True if the configuration wants one. */
bool actions_wanted(const struct conf *);

/* In the run directory. The supervisor's: it stays while those behind it come
 * and go. */
#define ACTIONS_SOCKET "actions.sock"

/* Makes it: a descriptor, or -1 with errno. path_fd: what workers connect to,
 * through /proc, whether they may look into the run directory or not. */
int actions_listen(const struct conf *, const char *run_dir, int *path_fd);

/* Who may connect there, as a configuration has it; and removes it. */
void actions_permit(const struct conf *, const char *run_dir);
void actions_remove(const char *run_dir);

/* The role's main. It serves once the module was loaded, or could not be. */
proc_main_fn actions_main;

#endif
