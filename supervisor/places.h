/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PLACES_H
#define SUPERVISOR_PLACES_H

/*
 * Who has what in the control segment: each transport a place, a run of slots
 * for its workers, a run of authors for their connections. There is more of
 * all than the configuration of the start takes, since a reload may add to it;
 * what a transport leaves behind is somebody else's later.
 */

#include <stddef.h>

#include "shm/seg.h"

struct conf;
struct service;
struct super;

/* What the segment is to have room for. */
struct seg_counts places_counts(const struct conf *);

/* Finds what is free for one whose workers and connections are known; if like
 * is not NULL its place is taken over. The pages are there after it. 0, or -1
 * and why[] says what there is too little of. */
int places_find(struct super *, struct service *, const struct service *like,
    char *why, size_t size);

/* Takes them, one after the other, in a segment that nobody has anything of. */
void places_first(struct super *);

/* True if what a former supervisor has noted there of a transport can be. */
bool places_sound(const struct super *, const struct shm_transport *);

/* A transport has gone. Operations that those who have its authors later give
 * numbers to come behind all that its workers have, whenever these are noted
 * as done. */
void places_leave(struct super *, struct service *);

#endif
