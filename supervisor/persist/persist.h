/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PERSIST_PERSIST_H
#define SUPERVISOR_PERSIST_PERSIST_H

/*
 * The process that saves the registers to a file, again and again, and once
 * more when everybody else has ended. It has the registers to read only.
 */

#include "supervisor/proc.h"

/* Its life. 0: all that was there at its end is saved; EX_IOERR: that could not
 * be, which has been logged. */
proc_main_fn persist_main;

#endif
