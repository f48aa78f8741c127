/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_APPLY_H
#define SUPERVISOR_RELOAD_APPLY_H

/*
 * Has a new configuration come into force while the old one serves. Each topic
 * is a part: all of them do first what may fail, then the new configuration
 * takes the place of the former one, and all of them do what cannot. What has
 * not changed goes on with copies that say the same of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/reload/plan.h"

struct process;
struct super;
struct service;

struct apply {
	struct plan plan; /* of the one that is under way */
	struct conf *next; /* not in force yet */
	struct conf *own; /* in force, if it is not that of the start */
	struct conf *former; /* ours, until what it said of has ended */
	uint64_t until_ms; /* 0: none is under way */
	bool looks; /* they are not ready yet */
	bool asking; /* the parts: whether they have settled, and to end */
	/* what the parts keep meanwhile */
	struct apply_transports *transports;
	struct apply_devices *devices;
	struct apply_aides *aides;
};

/* A topic. Those of one step are called in the order of the table. */
struct apply_part {
	const char *name;
	/* All that may fail; nobody sees anything of it yet. 0, or -1 and why[]
	 * says what is in the way. super->conf is plan->now. It may have
	 * transports restart. */
	int (*prepare)(struct super *, struct plan *, char *why, size_t size);
	/* Whether what has been asked of others can be done, too; asked again
	 * as apply_settle() is called. 1; 0: that is open yet; -1 and why[].
	 * NULL: nothing has been asked. */
	int (*ready)(struct super *, char *why, size_t size);
	/* Cannot fail; what was as it is in prepare() may have changed since,
	 * if not the configuration. super->conf is plan->next, plan->now still
	 * there. */
	void (*commit)(struct super *, const struct plan *);
	/* True once what had to end or begin has; asked again after each change
	 * of a child's state. time: it passes, so what backs off now does not
	 * come back at once. NULL: at once. */
	bool (*settled)(struct super *, const struct plan *, bool time);
	/* The end of it: told: all has settled, or taken too long, and whoever
	 * waits is to hear what has become of it; otherwise another part, or
	 * this one, has failed to prepare, or the daemon ends. Gives back what
	 * prepare() took. Safe if it was not called. */
	void (*end)(struct super *, const struct plan *, bool told);
};

extern const struct apply_part apply_devices, apply_transports, apply_aides;

/* True while a device is yet to go over to what it is now. */
bool apply_devices_swaps(const struct super *);

/* Has control and http write to no register until all is in force; true once
 * they do so. Who asks them meanwhile waits. */
bool apply_aides_hold(struct super *);

/* What a child is to be born with that serves the next one only, which is not
 * in force yet; or NULL: as all others. */
const struct conf *apply_aides_conf(const struct process *);

/* True while one is that a child would have: it is not to be born before that.
 * process_release() follows. */
bool apply_devices_hold(const struct process *);

/* A child has died: what it may have owned of devices that are about to go. */
void apply_devices_reap(struct super *, uint64_t id);

/* An aide cannot do with the next one. */
void apply_aides_refuse(struct super *, const char *why);

/* Begins with what a reader has left in fresh. 0: reload_applied() follows, or
 * reload_refused(), at once or later. -1: nothing has changed, and why[] says
 * for what reason. */
int apply_start(struct super *, int fresh, char *why, size_t size);

/* Looks whether what had to restart has. time: as above. */
void apply_settle(struct super *, bool time);

/* What is left of the former configuration, if nobody has any of it. */
void apply_forget(struct super *);

/* What is under way ends, with the objects that it has made: while the store is
 * still ours. Then what is in force is given back. */
void apply_stop(struct super *);
void apply_free(struct super *);

#endif
