/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SEGS_H
#define SUPERVISOR_SEGS_H

struct super;
struct service;

/* Creates the control segment, takes the supervisor's slot in it and enters
 * the transports. 0, or the exit code after a line in the log. */
int segs_control(struct super *);

/* Creates the segments of the devices, or those of the workers. The same
 * result. */
int segs_devices(struct super *);
int segs_workers(struct super *);
int segs_worker(struct super *, struct service *, unsigned worker);

/* Room for the mappings of all of them. 0, or -1: no memory. */
int segs_room(struct super *);

/* Enters a transport into the control segment, at a place there and with a run
 * of slots and of authors. */
void segs_enter(
    struct service *, unsigned place, unsigned slot, unsigned author);

/* Gives the mappings back; safe if they were never made. */
void segs_free(struct super *);

#endif
