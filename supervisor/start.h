/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_START_H
#define SUPERVISOR_START_H

#include "supervisor/proc.h"

/* The program holdfastd but for the roles of its children: reads the command
 * line and the configuration, serves, and returns the exit code. */
int start(int argc, char **argv, const struct proc_roles *);

/* Puts standard input, output and error in order and closes all other files. 0,
 * or -1 with errno. */
int start_files(void);

/* The exit code for what conf_load() has failed with. */
int start_code(int err);

#endif
