/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TICK_H
#define SUPERVISOR_TICK_H

struct super;

/* Begins and ends the ticks of a supervisor that has its base. 0, or -1 (no
 * memory). */
int tick_init(struct super *);
void tick_fini(struct super *);

#endif
