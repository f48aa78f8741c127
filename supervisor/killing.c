/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the supervisor ends a process by force. Never waits for it, and never
 * declares it dead: that takes its end.
 */
#include "supervisor/killing.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/log.h"

int
killing(const char *who, pid_t pid, int pidfd)
{
	static pid_t told; /* it is tried again ten times a second */
	int rc = pidfd >= 0
	    ? (int)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0)
	    : kill(pid, SIGKILL);
	int err = errno;

	if (rc == 0 || err == ESRCH) {
		told = told == pid ? 0 : told;
		return 0;
	}
	if (told != pid)
		log_warn("%s: cannot be killed pid=%d", who, (int)pid);
	told = pid;
	errno = err;
	return -1;
}
