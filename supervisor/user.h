/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_USER_H
#define SUPERVISOR_USER_H

/*
 * Whom a process runs as. Asks the system's list of users, which may block.
 */

#include <stddef.h>
#include <sys/types.h>

/* The user of that name; NULL: the supervisor's own, which is told as 0. -1
 * with errno EINVAL if there is none, EPERM if only root may be another, and
 * words in why; who ("transport tcp1") is said in them. */
int user_find(const char *who, const char *name, uid_t *, gid_t *, char *why,
    size_t size);

#endif
