/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_CLOCK_H
#define WORKERS_CLOCK_H

/*
 * The clock process: sets the values of all ranges whose actions have a period.
 * It has no clients; what it writes it writes to the store as anybody does, so
 * that whoever reads or follows the registers sees it.
 */

#include "supervisor/proc.h"

/* The role's main. */
proc_main_fn clock_main;

#endif
