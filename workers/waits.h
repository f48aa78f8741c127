/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WAITS_H
#define WORKERS_WAITS_H

/*
 * The wait of a worker's loop for the disk, of however many replies: a bell
 * that is rung by who saves (shm/bell.h), and a timer for when it is not.
 */

#include "shm/bell.h"
#include "workers/worker.h"

struct waits {
	struct worker *worker;
	void (*look)(void *arg);
	void *arg;
	struct bell bell; /* opened by the first wait */
	struct event rung, timer;
	bool opened;
};

/* Begins without a wait: look(arg) is to be called when the disk may have got
 * on. Opens nothing yet. */
void waits_init(
    struct waits *, struct worker *, void (*look)(void *arg), void *arg);
void waits_fini(struct waits *);

/* The first ticket that something waits for, and until when; has look() called
 * soon after that is no longer to be waited for, or earlier. After each look()
 * that leaves one, and when there was none before. */
void waits_for(struct waits *, uint64_t ticket, uint64_t until_ns);

#endif
