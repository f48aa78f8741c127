/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_DIFFER_H
#define SUPERVISOR_DIFFER_H

#include <stdbool.h>
#include <stdio.h>

#include "supervisor/conf.h"

enum { DIFFER_CHANGED = 1 };

/*
 * Reads the file of the configuration in force again. Its mistakes go to out,
 * a line each: EX_CONFIG (EX_NOINPUT if it is not there). Otherwise what
 * differs goes there, a line each ("transport tcp1: changed"): DIFFER_CHANGED,
 * or 0 if nothing does. text: what the descriptor sheet holds is read for the
 * main file (see conf_load_text()). On sheet, unless it is -1, stands after it
 * what was read as conf_dump() writes it; nothing if it has mistakes. Allocates
 * freely: for a process that ends after it.
 */
int differ_report(const struct conf *now, bool text, int sheet, FILE *out);

#endif
