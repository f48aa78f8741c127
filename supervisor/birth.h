/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_BIRTH_H
#define SUPERVISOR_BIRTH_H

/*
 * The first moments of every child, as one recipe of steps.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "supervisor/keeper/table.h"
#include "supervisor/proc.h"

enum birth_kind {
	BIRTH_CHILD = 1, /* forked by the supervisor */
	BIRTH_KEEPER = 2, /* the same, to make workers: keeper.h */
	BIRTH_WARD = 4, /* a worker that its keeper has made; its first one */
	BIRTH_HEIR = 8, /* a later one */
};

struct super;

struct birth {
	enum birth_kind kind;
	struct proc *proc; /* env.control, env.me, chan, listen_fd,
			    * worker_seg, stores and the words are set */
	const struct conf *then; /* that main is to go by; NULL: the proc's */
	uint64_t former; /* whose heir it is; 0 */
	const char *name; /* "tcp1", "control"; stays */
	const char *lock_path; /* the store's lock file */
	struct seg *device_segs; /* one per configured device */
	bool devices; /* it is to have registers */
	bool reads; /* but only to read them */
	struct super *super; /* whose other children are none of its business */
	const char *user; /* or NULL */
	uid_t uid;
	gid_t gid;
	proc_main_fn *main;
};

/* Adds the descriptors that a child is given. */
void birth_table(const struct proc *, struct table *);

/*
 * Carries out the recipe in a child that has just been forked, with all
 * signals blocked, and goes to its role's main. A step that fails is told to
 * the parent and ends the child: 78 if the configuration is to blame, 70
 * otherwise.
 */
void birth(struct birth *) __attribute__((__noreturn__));

#endif
