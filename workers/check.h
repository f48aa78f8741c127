/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_CHECK_H
#define WORKERS_CHECK_H

/*
 * What a worker would find wrong with the files that its transport names,
 * before there is one.
 */

#include <stdbool.h>
#include <stdio.h>

#include "supervisor/proc.h"

/* check of struct proc_roles: has the plugins look at their options, and, if
 * files is true, the transport read its certificates. For a process that ends
 * then: what is loaded stays, and may crash. */
int worker_check(struct proc *, bool files, FILE *err);

#endif
