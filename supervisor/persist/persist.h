/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PERSIST_PERSIST_H
#define SUPERVISOR_PERSIST_PERSIST_H

/*
 * The process that saves the registers to a file, again and again, and once
 * more when everybody else has ended. It has the registers to read only.
 */

#include "supervisor/proc.h"

/* Its life. */
proc_main_fn persist_main;

#endif
