/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

/*
 * The life of one child: a table of states and events (child.c), and what
 * must be done on the way, which whoever owns the child supplies. Nothing
 * here forks, kills or sets timers itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/retry.h"

enum life {
	LIFE_STOPPED, /* no process; none wanted */
	LIFE_STARTING, /* forked, has not yet said that it serves */
	LIFE_UP,
	LIFE_DRAINING, /* finishes what it was asked; then stopped */
	LIFE_RESTARTING, /* the same; then born again */
	LIFE_BACKOFF, /* no process; the timer will bring one */
	LIFE_FAILED, /* no process; only an order brings one */
	LIFE_STATES
};

enum life_event {
	LIFE_START, /* orders */
	LIFE_STOP,
	LIFE_RESTART,
	LIFE_READY, /* it says that it serves */
	LIFE_ENDED, /* it exited with 0 */
	LIFE_MISCONFIGURED, /* with 78, and has not served since its order */
	LIFE_CRASHED, /* any other end */
	LIFE_TIMER, /* the time of the state is over */
	LIFE_HUNG, /* the watchdog's verdict */
	LIFE_UNBORN, /* it could not be forked */
	LIFE_GAVE_UP, /* it died too often */
	LIFE_EVENTS
};

struct child;

/* What the owner of a child does for it. */
struct child_ops {
	/* Forks it. 0, or -1 after child_why(). */
	int (*spawn)(struct child *);
	/* Tells it to finish within child.drain_ms and to exit. */
	void (*drain)(struct child *);
	/* Ends it now, by force; its death is reported as an event later. */
	void (*kill)(struct child *);
	/* LIFE_TIMER after ms; replaces what was set. CHILD_NO_TIMER: none. */
	void (*timer)(struct child *, int64_t ms);
	/* state has changed from `from`; child.why says why. */
	void (*changed)(struct child *, enum life from);
	uint64_t (*now_ms)(void);
	uint32_t (*random)(void);
};

enum {
	CHILD_NO_TIMER = -1,
	CHILD_START_MS = 10000, /* to become ready */
	CHILD_GRACE_MS = 500, /* beyond its drain time */
	CHILD_WHY_MAX = 360, /* as long as the last words of a child */
	CHILD_WHY_LOG = CHILD_WHY_MAX + 8,
};

struct child {
	const struct child_ops *ops;
	const char *name;
	enum life state; /* written by child.c alone */
	unsigned drain_ms; /* that the next order to drain gives */
	uint64_t until_ms; /* when it has to have drained */
	struct retry_limits limits;
	struct retry retry;
	bool suspected; /* the next death is not its own fault: retry.h */
	unsigned restarts; /* deaths survived */
	unsigned impossible; /* events that the table does not know */
	char why[CHILD_WHY_MAX]; /* of the last change */
};

/* name is borrowed. The child is stopped. */
void child_init(struct child *, const char *name, const struct child_ops *,
    const struct retry_limits *);

/* Something happened. An event that the table does not have in this state is
 * logged, counted and ignored: false. */
bool child_event(struct child *, enum life_event);

/* Words for the next change of state; cut at CHILD_WHY_MAX. */
void child_why(struct child *, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

/* Words as the last thing of a log line: " why=\"...\"", or "" if there are
 * none. Lies in buf. */
const char *child_why_log(const char *why, char buf[CHILD_WHY_LOG]);

/* True while there is a process. */
bool child_lives(const struct child *);

const char *life_name(enum life);

#endif
