/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SLOT_H
#define SHM_SLOT_H

/*
 * Who is alive. A process that writes to the store occupies a slot of the
 * control segment and holds a write lock (open file description lock) on the
 * byte of that number in the store's lock file, which the kernel drops when
 * the process is gone. Its identity is slot and generation in one word.
 */

#include <stdbool.h>

#include "shm/layout_control.h"

#define SLOT_ID(slot, gen) ((uint64_t)(gen) << 16 | (uint64_t)((slot) + 1))
#define SLOT_OF(id) ((unsigned)((id)&0xffff) - 1)
#define SLOT_GEN(id) ((id) >> 16)

/* What a process needs to take part; held by value. */
struct slot_env {
	struct shm_control *control;
	int lock_fd; /* its own open file description; -1: cannot probe */
	uint64_t me; /* identity; 0: none, may only read */
};

/* Opens (and makes, mode 0600) the lock file. fd with CLOEXEC or -1. */
int slot_lock_open(const char *path);

/* The same for one that exists; what is not writable can only be asked. */
int slot_lock_find(const char *path, bool writable);

/* Takes the byte of a slot; the first thing that an occupant does. -1 with
 * errno EAGAIN if another process holds it. */
int slot_lock_take(int lock_fd, unsigned slot);

/* The same, but waits for as long as another process holds it. */
int slot_lock_wait(int lock_fd, unsigned slot);

/* Gives a byte back that was taken through the same descriptor, by one who has
 * not become its slot's occupant. */
void slot_lock_drop(int lock_fd, unsigned slot);

/* True if some process holds the byte (its own included only if through
 * another description). */
bool slot_lock_held(int lock_fd, unsigned slot);

/* The identity that the next occupant of a slot will have; the supervisor
 * asks before it forks. */
uint64_t slot_next_id(const struct shm_control *, unsigned slot);

/* True if the identity has been declared dead or never was. No system call. */
bool slot_declared_dead(const struct shm_control *, uint64_t id);

/* Asks the kernel about a foreign identity; declares it dead if it is. */
bool slot_probe(const struct slot_env *, uint64_t id);

/*
 * Declares an identity dead. Only with proof: it has been waited for, or its
 * byte is free. True for whoever was first.
 */
bool slot_declare_dead(struct shm_control *, uint64_t id);

/* Name of the occupant of a slot, "?" if the identity is stale. */
const char *slot_name(const struct shm_control *, uint64_t id);

#endif
