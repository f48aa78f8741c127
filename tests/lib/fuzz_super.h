/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_FUZZ_SUPER_H
#define TESTS_LIB_FUZZ_SUPER_H

/*
 * A supervisor without processes: a store of its own, two transports of two
 * workers each, control, and children whose lives are the table's (child.h)
 * but whom nobody forks or kills.
 */

#include "supervisor/super.h"

enum { FUZZ_SERVICES = 2, FUZZ_WORKERS = 2, FUZZ_CONNS = 4 };

extern struct super fuzz_super;

/* Makes it; once. */
void fuzz_super_make(void);

/* As it was made, whatever has become of it, but for what stands in shared
 * memory. */
void fuzz_super_again(void);

/* A process has a channel: the other end, the same as long as nobody has closed
 * it. */
int fuzz_super_peer(struct process *);

/* Its ticks, as many. */
void fuzz_super_tick(unsigned n);

#endif
