/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_AIDE_H
#define SUPERVISOR_AIDE_H

/*
 * Aides: what the daemon has one process of each beside the workers, a row
 * each. They are born, watched, brought back and shown as workers are, begin
 * before them, and end when those have.
 */

#include "shm/layout_control.h"
#include "supervisor/ipc.h"
#include "supervisor/proc.h"

struct super;
struct process;

enum aide_kind {
	AIDE_CONTROL,
	AIDE_HTTP,
	AIDE_ACTIONS,
	AIDE_CLOCK,
	AIDE_PERSIST,
	/* one of another configuration begins while the former one is still
	 * asked; they take turns */
	AIDE_ACTIONS_NEXT,
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

/* True if a configuration wants it. */
bool aides_wanted(const struct conf *, enum aide_kind);

/* Prepares all of them in super->aides, which it makes; those that are wanted
 * can be born then. 0, or the exit code after saying why. */
int aides_make(struct super *);
void aides_free(struct super *);

void aides_start(struct super *); /* those that are wanted */

/* Tells those to end that are the last, or those that are not; at once:
 * without draining. */
void aides_stop(struct super *, bool last, bool at_once);

/* Whom it is to run as by a configuration, which stays. */
void aides_take_user(struct process *, const struct conf *);

/* The configuration in force is another one: what is held of it. */
void aides_follow(struct super *);

/*
 * Asks those that serve and give orders, with a configuration or NULL, as the
 * step has it; apply_settle() is called as each answers. One that says no to
 * IPC_CONF_LOOK refuses all of it, one that cannot follow IPC_CONF_FORCE is
 * made anew. 0, or -1: the configuration cannot be handed over.
 */
int aides_ask(struct super *, enum ipc_conf, const struct conf *);
bool aides_held(const struct super *); /* none owes an answer any more */
void aides_taken(struct process *, const struct ipc_msg *);

/* IPC_CONF_FORCE with what is in force. */
void aides_tell(struct super *);

/* As the configuration in force wants it: makes one anew, begins with it, or
 * ends it. */
void aides_restart(struct super *, enum aide_kind);

/* True while one of those has not ended; while one of all has not had its
 * first chance. */
bool aides_live(const struct super *, bool last);
bool aides_starting(const struct super *);

/* What an aide runs. */
proc_main_fn *aide_main(const struct aide *, const struct proc_roles *);

#endif
