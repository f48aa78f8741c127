/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_AIDE_H
#define SUPERVISOR_AIDE_H

/*
 * Aides: what the daemon has one process of each beside the workers, a row
 * each. They are born, watched, brought back and shown as workers are, begin
 * before them, and end when those have.
 */

#include "shm/layout_control.h"
#include "supervisor/proc.h"

struct super;
struct process;
struct ipc_msg;

enum aide_kind {
	AIDE_CONTROL,
	AIDE_HTTP,
	AIDE_ACTIONS,
	AIDE_CLOCK,
	AIDE_PERSIST,
	AIDES
};

struct aide {
	const char *name; /* of its process, too */
	unsigned slot;
	enum shm_role role;
	size_t main; /* a proc_main_fn *, as an offset in struct proc_roles */
	bool devices; /* it has the registers mapped */
	bool reads; /* only to read */
	bool last; /* it ends when all others have, and so sees all they did */
	bool orders; /* it may give some: orders.c */
	unsigned drain_ms; /* that it may take to end */
	/* What the configuration says; NULL: always, nobody else, nothing. */
	bool (*wanted)(const struct conf *);
	const char *(*user)(const struct conf *);
	/* Opens what it listens on; *where in words. -1 with errno. */
	int (*listen)(struct super *, const char **where);
};

extern const struct aide aides[AIDES];

/* Prepares those that are wanted in super->aides, which it makes. 0, or the
 * exit code after saying why. */
int aides_make(struct super *);
void aides_free(struct super *);

void aides_start(struct super *);

/* Tells those to end that are the last, or those that are not; at once:
 * without draining. */
void aides_stop(struct super *, bool last, bool at_once);

/* The configuration in force is another one: what is held of it. */
void aides_follow(struct super *);

/* Tells those that give orders what is in force. */
void aides_tell(struct super *);

/* The answer to IPC_CONF. One that cannot follow is made anew. */
void aides_taken(struct process *, const struct ipc_msg *);

/* Makes one anew, if there is one. */
void aides_restart(struct super *, enum aide_kind);

/* True while one of those has not ended; while one of all has not had its
 * first chance. */
bool aides_live(const struct super *, bool last);
bool aides_starting(const struct super *);

/* What an aide runs. */
proc_main_fn *aide_main(const struct aide *, const struct proc_roles *);

#endif
