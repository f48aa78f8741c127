/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KILLING_H
#define SUPERVISOR_KILLING_H

#include <sys/types.h>

/* SIGKILL to a process of the daemon's: through a pidfd, or with -1 by the pid
 * of a child that nobody has waited for yet. who: in words. That it cannot be,
 * for want of a right say, is logged, once in a row for each; that it has gone
 * is fine. 0, or -1 with errno. */
int killing(const char *who, pid_t, int pidfd);

#endif
