/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TWIN_SEMA_H
#define WORKERS_TWIN_SEMA_H

/*
 * The named semaphore that programs of SHMModbus take around their use of the
 * tables, and that a view takes like one of them. Such a semaphore knows no
 * owner, and who dies with it keeps it: so the view never waits for it in the
 * kernel, does without it after a while, and gives it back in the place of who
 * has not for long.
 */

#include <semaphore.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shm/mirror.h"

enum {
	SEMA_WAIT_MS = 100, /* then it is done without */
	SEMA_LOOK_MS = 1000, /* whether it is still there */
	SEMA_NAME_BYTES = 64,
};

struct sema {
	char name[SEMA_NAME_BYTES]; /* "/NAME" */
	sem_t *sem; /* NULL: cannot be had at the moment */
	ino_t inode;
	mode_t mode;
	uint64_t patience_ns; /* it may be kept so long */
	uint64_t wanted_ns; /* since when it is waited for, 0 it is not */
	uint64_t taken_ns; /* since when it has been found at 0, 0 it is not */
	uint64_t looked_ns;
	uint64_t misses; /* times that it was done without */
	uint64_t given_back; /* times that it was given back for another */
	struct mirror_ctl *ctl; /* where it is noted that we have it */
};

/* Opens the semaphore, or makes it with mode. What a dead keeper of the view
 * has not given back is given back. 0, or -1 with errno: EEXIST what has the
 * name is none, or of a user whom mode keeps out. now_ns is CLOCK_MONOTONIC,
 * here and below. */
int sema_open(struct sema *, struct mirror_ctl *, const char *name, mode_t mode,
    unsigned patience_s, uint64_t now_ns);

/* That in words. */
const char *sema_why(int err);

/* Closes it; with remove it goes, if it was us who made it. */
void sema_close(struct sema *, bool remove);

/* Looks after it: one that was removed is made again, one that has been at 0
 * for too long is given back. */
void sema_look(struct sema *, uint64_t now_ns);

/* Takes it if it is free, without waiting. SEMA_LATER: ask again soon;
 * SEMA_MISSED: it was asked for SEMA_WAIT_MS in vain, go on without. */
enum sema_rc { SEMA_TAKEN, SEMA_LATER, SEMA_MISSED };
enum sema_rc sema_take(struct sema *, uint64_t now_ns);

/* Gives it back if it was taken. */
void sema_give(struct sema *);

#endif
