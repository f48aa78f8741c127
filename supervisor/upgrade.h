/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_UPGRADE_H
#define SUPERVISOR_UPGRADE_H

/*
 * The supervisor becomes the program that is installed now, as the same
 * process. The new program has first to say, in a process of its own, that it
 * takes the configuration and that its shared memory is laid out as ours; then
 * this one is replaced (exec). What it has made goes on serving meanwhile, and
 * the new program takes it over as that of a supervisor that was killed
 * (adopt.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct super;
struct process;

struct upgrade {
	pid_t pid; /* of the new program, which looks; 0: none */
	int fd; /* what it says */
	uint64_t until_ms; /* that it has for it; 0: it is being killed */
	struct process *asker; /* or NULL */
	uint32_t tag;
};

/* Called first of all in main: where the program lies and how it was called. */
void upgrade_init(char **argv);

/* What the old program has told the new one; forgets it. In -t: false if our
 * shared memory is laid out otherwise. As it starts: true if the configuration
 * is the one in force. */
bool upgrade_fits(void);
bool upgrade_taken(void);

/* Begins. asker: an aide that is answered, or NULL. */
void upgrade_start(struct super *, struct process *asker, uint32_t tag);

/* True if it was the one that looks. */
bool upgrade_died(struct super *, pid_t, int wait_status);

/* Ends one that takes too long. */
void upgrade_tick(struct super *, uint64_t now_ms);

/* Whoever asked has died. */
void upgrade_forget(struct super *, const struct process *);
void upgrade_fini(struct super *);

#endif
