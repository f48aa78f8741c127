/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SEGS_H
#define SUPERVISOR_SEGS_H

struct super;

/* Creates the control segment, takes the supervisor's slot in it and enters
 * the transports. 0, or the exit code after a line in the log. */
int segs_control(struct super *);

/* Creates the segments of the devices and of the workers. The same result. */
int segs_rest(struct super *);

/* Gives the mappings back; safe if they were never made. */
void segs_free(struct super *);

#endif
