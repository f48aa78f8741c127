/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PERSIST_FORMER_H
#define SUPERVISOR_PERSIST_FORMER_H

/*
 * Registers of a daemon whose processes were all killed, or were ended since
 * the next one has another configuration. They lie in shared memory still, and
 * every write that was answered is in them, so they are newer than any
 * snapshot. An orderly end leaves none.
 */

struct super;

/* Before they are removed from the system: keeps those of the devices that the
 * configuration has, if they are of our user. Nobody writes to them by then. */
void former_keep(struct super *);

/* Puts their values into the devices, by table and address, and gives them up.
 * What they have not keeps its value. 0. */
int former_put(struct super *);

#endif
