/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SDNOTIFY_H
#define SUPERVISOR_SDNOTIFY_H

#include <stdint.h>

/* Tells the service manager (systemd's protocol), if $NOTIFY_SOCKET names
 * one: "READY=1", "STATUS=..." Lost if it does not listen. */
void sdnotify(const char *state);

/* The same with a descriptor: "FDSTORE=1". */
void sdnotify_fd(const char *state, int fd);

/* Milliseconds between two "WATCHDOG=1" that it wants, half of its limit;
 * 0: none wanted. */
uint64_t sdnotify_every_ms(void);

#endif
