/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SEGS_H
#define SUPERVISOR_SEGS_H

#include <stdbool.h>

struct super;
struct service;

/* Creates the control segment, takes the supervisor's slot in it and enters
 * the transports. 0, or the exit code after a line in the log. */
int segs_control(struct super *);

/* Creates the segments of the devices, or those of the workers. The same
 * result. */
int segs_devices(struct super *);
int segs_workers(struct super *);
/* One of those; next: it gets its name later. 0, or -1 with errno. */
int segs_worker(struct service *, unsigned worker, bool next);

/* Room for the mappings of all of them. 0, or -1: no memory. */
int segs_room(struct super *);

/* Enters a transport into the control segment, where its place is. */
void segs_enter(struct service *);

/* Gives the mappings back; safe if they were never made. */
void segs_free(struct super *);

#endif
