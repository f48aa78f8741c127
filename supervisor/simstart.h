/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SIMSTART_H
#define SUPERVISOR_SIMSTART_H

#include "supervisor/proc.h"

/* The program holdfast-simulator but for the roles of its children: reads the
 * command line and the setup file, serves, and returns the exit code. */
int simstart(int argc, char **argv, struct proc_roles *);

#endif
