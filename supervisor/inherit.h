/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_INHERIT_H
#define SUPERVISOR_INHERIT_H

/*
 * Sockets that a service manager passes on: those that it has opened by itself
 * (socket activation), and those that a former supervisor gave it to keep, so
 * that not even the loss of all of its processes closes them
 * (sd_listen_fds(3), sd_notify(3): FDSTORE=1).
 *
 * They are LISTEN_FDS descriptors from 3 on, meant for the process LISTEN_PID,
 * with names in LISTEN_FDNAMES. A name is the transport's, or "http"; what was
 * kept for us has INHERIT_KEPT before it. One of the manager's own serves the
 * transport of its name wherever it listens, or else whoever is to listen at
 * its address; one that was kept serves only who is to listen there still.
 */

#include <stdbool.h>
#include <stddef.h>

#define INHERIT_KEPT "listen-"

enum { INHERIT_MAX = 64 };

/* How many there are for this process: descriptors 3 and following, which are
 * not to be closed at the start. */
unsigned inherit_count(void);

/* In the copy of who they were meant for: they are for this process now. 0, or
 * -1 (no memory). */
int inherit_pass(void);

/* Looks at them, once. */
void inherit_take(void);

/* The one for whoever is to listen at text, or -1: a copy that is the caller's,
 * non-blocking and CLOEXEC, and real gets its address. */
int inherit_find(
    const char *name, const char *text, bool udp, char *real, size_t size);

/* True if it is one of the manager's own, which goes on listening when nobody
 * serves it, and must not be shut down. Whoever has it, it is used. */
bool inherit_lent(int fd);

/* Closes those that nobody uses, and says so; and the copies of those that were
 * kept and found their way home. */
void inherit_close_rest(void);

/* Has the manager keep a listener, or forget it. */
void inherit_keep(const char *name, int fd);
void inherit_forget(const char *name);

#endif
