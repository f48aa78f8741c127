/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_START_H
#define SUPERVISOR_START_H

#include "supervisor/proc.h"

/* The program holdfastd but for the roles of its children: reads the command
 * line and the configuration, serves, and returns the exit code. */
int start(int argc, char **argv, const struct proc_roles *);

#endif
