/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_BERTH_H
#define SUPERVISOR_BERTH_H

/*
 * The place that the server of a program has in the store of that: a share
 * (share.h) of the control segment, and the devices, which are its to serve
 * and to repair but not to make or to remove.
 */

#include <stdbool.h>

struct super;
struct conf;

struct berth {
	unsigned share;
	int lock_fd; /* its own description; holds its slot's byte */
	bool named; /* the workers' segments of our name are ours */
};

/*
 * Attaches to the store by its name and takes a share. 0, or the exit code
 * after the reason was noted (host.h): ESTALE the store has gone, EUSERS there
 * are as many servers as can be, EEXIST the store has a server of that name.
 */
int berth_take(struct super *);

/* Gives it back. If nobody else is left of a store whose maker has gone, the
 * store is removed. Safe if it was never taken. */
void berth_leave(struct super *);

/* Why a server of that configuration has no room in a share, into why; 0, or
 * -1 with errno EINVAL. */
int berth_fits(const struct conf *, char *why, unsigned long size);

#endif
