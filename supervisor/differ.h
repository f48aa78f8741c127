/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_DIFFER_H
#define SUPERVISOR_DIFFER_H

#include <stdio.h>

#include "supervisor/conf.h"

enum { DIFFER_CHANGED = 1 };

/*
 * Reads the file of the configuration in force again. Its mistakes go to out,
 * a line each: EX_CONFIG (EX_NOINPUT if it is not there). Otherwise what
 * differs goes there, a line each ("transport tcp1: changed"): DIFFER_CHANGED,
 * or 0 if nothing does. Allocates freely: for a process that ends after it.
 */
int differ_report(const struct conf *now, FILE *out);

#endif
