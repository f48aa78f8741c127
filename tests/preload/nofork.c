/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets no process be forked while the file that HOLDFAST_NOFORK names is
 * there, as on a machine that has too many. Loaded before the program by
 * LD_PRELOAD; sys_supervisor.py makes the file.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
refused(void)
{
	const char *path = getenv("HOLDFAST_NOFORK");

	errno = EAGAIN;
	return path != NULL && access(path, F_OK) == 0;
}

/* What keepers make their workers with. */
long
syscall(long number, ...)
{
	long (*real)(long, ...), arg[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_clone && refused())
		return -1;
	*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

pid_t
fork(void)
{
	pid_t (*real)(void);

	if (refused())
		return -1;
	*(void **)&real = dlsym(RTLD_NEXT, "fork");
	return real();
}
