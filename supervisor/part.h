/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PART_H
#define SUPERVISOR_PART_H

/*
 * Parts: shared objects that only one process loads, once it runs, so that
 * what they weigh and what they break stays in that process.
 */

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/proc.h"

/* Where FOLDER/NAME.so lies: beside the program, or in lib/holdfast beside the
 * program's folder, or below the prefix. False if it is nowhere (out: the last
 * of them). */
bool part_find(const char *folder, const char *name, char *out, size_t size);

/* The same in the folder of parts. */
bool part_path(const char *name, char *out, size_t size);

#endif
