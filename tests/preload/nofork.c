/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets no process be forked while the file that HOLDFAST_NOFORK names is
 * there, as on a machine that has too many. Loaded before the program by
 * LD_PRELOAD; sys_supervisor.py makes the file.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

pid_t
fork(void)
{
	const char *path = getenv("HOLDFAST_NOFORK");
	pid_t (*real)(void);

	if (path != NULL && access(path, F_OK) == 0) {
		errno = EAGAIN;
		return -1;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "fork");
	return real();
}
