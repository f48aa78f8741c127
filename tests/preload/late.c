/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends SIGINT to the process that loads it when its main thread is about to
 * wait, and only then lets it wait: the moment in which a signal has come and
 * the system call does not know. Once, when the file that HOLDFAST_LATE names
 * is there. Loaded by LD_PRELOAD; sys_python.py makes the file.
 */

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

typedef int poll_fn(struct pollfd *, nfds_t, int);

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	static poll_fn *real;
	static int struck;
	const char *path = getenv("HOLDFAST_LATE");

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "poll");
	if (!struck && timeout != 0 && path != NULL && gettid() == getpid() &&
	    access(path, F_OK) == 0) {
		struck = 1;
		raise(SIGINT);
	}
	return real(fds, n, timeout);
}
