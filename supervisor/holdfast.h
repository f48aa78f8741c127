/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

/*
 * Holdfast to C and C++ programs; libholdfast(3) has examples.
 *
 *	holdfast/store.h	registers that several processes share
 *	holdfast/values.h	reading and writing them
 *	holdfast/watch.h	being told what has changed
 *	holdfast/server.h	serving them over TCP, TLS, UDP and serial lines
 *	holdfast/opts.h		what a server is told
 *	holdfast/simulator.h	serving what a setup file of pymodbus describes
 *	holdfast/hooks.h	traces, function codes, actions
 *	holdfast/exception.h	what a request may be answered instead
 *	holdfast/framer.h	framers
 *	holdfast/plugin.h	the same for holdfastd
 *	holdfast/transport.h	what clients come by
 *
 * A call returns 0, or -1 (a pointer: NULL) with errno, unless it says
 * otherwise; hf_error() has the words. Nothing exits, prints without being
 * asked to, or installs a signal handler. Structs that begin with their size
 * grow at their end, the others never; zero is the default of every member but
 * that one.
 */

#include "holdfast/framer.h"
#include "holdfast/hooks.h"
#include "holdfast/plugin.h"
#include "holdfast/server.h"
#include "holdfast/simulator.h"
#include "holdfast/store.h"
#include "holdfast/values.h"
#include "holdfast/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0": of the library that is loaded. */
const char *hf_version(void);

/* Why the last call that failed in this thread did: a sentence without a full
 * stop, "" if none has. */
const char *hf_error(void);

/*
 * For programs with threads: starts the small process that servers are later
 * made by. To be called in main() before the first thread is made; hooks and
 * what they use must be there by then. 0, or -1: EDEADLK it is too late;
 * EAGAIN, ENOMEM, EMFILE. Once more does nothing, unless that process has been
 * killed.
 */
int hf_init(void);

/* Where this program's servers log from now on: a descriptor that it keeps
 * open, -1 nowhere (which it is at first). 0, or -1: EINVAL there is no such
 * level; EBADF, EMFILE. */
int hf_log(int fd, enum hf_level);

/*
 * The program holdfastd as a function: takes its arguments, takes the process
 * over as a daemon does, and returns its exit code once a signal has ended it;
 * holdfastd(8). argv ends with NULL and stays until then.
 */
int hf_daemon(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
