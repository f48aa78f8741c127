/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_BOOT_H
#define SUPERVISOR_BOOT_H

struct super;

/*
 * Everything that must be there before the first fork: the claim, what a
 * former daemon left is removed, listeners, segments. What fails is said in
 * the log with what would help. 0, or the exit code.
 */
int boot(struct super *);

/* Gives everything back and removes it from the system. Safe after a boot
 * that failed half-way. */
void unboot(struct super *);

/* The exit code for what could not be made because of errno err. */
int boot_code(int err);

#endif
