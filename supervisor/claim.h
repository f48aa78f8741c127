/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CLAIM_H
#define SUPERVISOR_CLAIM_H

/*
 * The run directory and the store belong to one daemon at a time. Each is
 * claimed by the lock on byte 0 of a file, which the kernel drops when the
 * daemon has gone, however it went. The store's lock file is also the one
 * whose other bytes prove the lives of its children (slot.h).
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shm/layout.h"

struct shm_control;

struct claim {
	int run_fd, store_fd; /* -1: not claimed */
	bool made; /* the run directory was not there before */
	char run_lock[PATH_MAX];
	char store_lock[SHM_NAME_MAX * 2];
	pid_t holder; /* who has it, after EBUSY; 0: unknown */
};

void claim_init(struct claim *);

/* Makes the directory if it is missing (0750) and claims it. 0, or -1 with
 * errno; EBUSY: another daemon has it; ENAMETOOLONG: no socket could have its
 * name there. If whoever noted its pid there is dead, some seconds are waited
 * until what it was forking has let go of it. */
int claim_run_dir(struct claim *, const char *run_dir);

/* The path of a store's lock file, for those who attach. */
void claim_store_path(char *out, size_t size, const char *store);

/* Claims a store by its name. The same results. The other waits a tenth of a
 * second if need be: who clears up after somebody has it for a moment; and
 * for the dead, too. */
int claim_store(struct claim *, const char *store);
int claim_store_soon(struct claim *, const char *store);

/*
 * After the store has been claimed: waits until no process of a former daemon
 * lives, which end by themselves when their parent has gone; one that does
 * not within limit_ms is killed. Programs that had attached to the former
 * store are left alone, with the lock file that they know. 0, or -1: some
 * still live.
 */
int claim_wait_orphans(struct claim *, const char *store, unsigned limit_ms);

/* True if the keeper of a worker's slot lives, or the worker does without one;
 * if not, whoever else holds a byte of it is ended. And the keeper alone. */
bool claim_keeper(const struct claim *, struct shm_control *, unsigned slot);

bool claim_has_keeper(
    const struct claim *, struct shm_control *, unsigned slot);

/* True if anybody holds one. */
bool claim_kept(const struct claim *, unsigned slot);

/* A pidfd of the process that occupies a slot, or -1 if it is not this one. */
int claim_occupant(const struct claim *, pid_t, unsigned slot);

/* Ends the worker of a slot and its keeper, at once. True once they have gone,
 * for which it waits. */
bool claim_end_former(
    const struct claim *, struct shm_control *, unsigned slot);

/* Waits until a former daemon's processes but for workers have ended, which
 * they do by themselves; or else ends them. */
void claim_end_aides(const struct claim *, struct shm_control *);

/* Removes a store whose daemon has gone, unless somebody still has one of its
 * bytes. False if it is still there. */
bool claim_sweep_store(const char *store);

/* The same of a run directory of this user, and of all that is in it. */
bool claim_sweep_run_dir(const char *run_dir);

/* Gives both back and removes the files, and the directory if it was made for
 * this daemon and holds nothing else. */
void claim_release(struct claim *);

#endif
