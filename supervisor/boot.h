/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_BOOT_H
#define SUPERVISOR_BOOT_H

#include <stdint.h>

#include "shm/log.h"

struct conf;
struct super;

/*
 * Everything that must be there before the first fork. The daemon: the claim,
 * what a former daemon left is removed, listeners, segments. A program's
 * server: its berth, its listener, its workers' segments. What fails is said
 * in the log, and to the program, with what would help. 0, or the exit code.
 */
int boot(struct super *);

/* Says what has failed, and why: err. Returns code. */
int boot_fail(struct super *, int code, int err, const char *fmt, ...)
    LOG_FMT(4, 5);

/* Gives everything back and removes it from the system. Safe after a boot
 * that failed half-way. */
void unboot(struct super *);

/* Two configurations of the same hash are the same, in whatever order their
 * parts stand; 0: no memory. */
uint64_t boot_hash(const struct conf *);

/* The exit code for what could not be made because of errno err. */
int boot_code(int err);

#endif
