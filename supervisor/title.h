/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TITLE_H
#define SUPERVISOR_TITLE_H

/* Remembers where the arguments lie, which the title will overwrite, unless
 * argv is not what the process was started with. Call it first in main; argv
 * stays readable until title_set(). */
void title_init(int argc, char **argv);

/* What ps and top show of this process: "holdfastd: WHAT". */
void title_set(const char *what);

#endif
