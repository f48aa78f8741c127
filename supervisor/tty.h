/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TTY_H
#define SUPERVISOR_TTY_H

#include <stdbool.h>

/* True if a device can be a serial line. One that the kernel lists as such is
 * not opened for it: that would raise its control lines. Also true if that
 * cannot be told. May block for as long as a look at /proc does. */
bool tty_is(const char *path);

#endif
