/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the user of a process by name. Runs in the supervisor, as it starts and
 * as it takes another configuration. Changes nobody's rights: birth.c does.
 */
#include "supervisor/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

int
user_find(const char *who, const char *name, uid_t *uid, gid_t *gid, char *why,
    size_t size)
{
	const struct passwd *pw;

	*uid = 0;
	*gid = 0;
	if (name == NULL)
		return 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		snprintf(why, size, "%s: no user \"%s\"", who, name);
		errno = EINVAL;
		return -1;
	}
	if (geteuid() != 0 && pw->pw_uid != geteuid()) {
		snprintf(why, size, "%s: only root may run it as user \"%s\"",
		    who, name);
		errno = EPERM;
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}
