/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a child as a table. Runs in the supervisor. An empty cell is an
 * event that cannot happen in that state; set_state() is the only writer of
 * the state, and arms the state's timer.
 */
#include "supervisor/child.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/log.h"

typedef void act_fn(struct child *);

static act_fn nothing, spawn, spawn_afresh, drain, end, retry, calm;

struct cell {
	enum life next;
	act_fn *act; /* NULL: impossible */
};

static const struct cell life[LIFE_STATES][LIFE_EVENTS] = {
	[LIFE_STOPPED] = {
		[LIFE_START] = { LIFE_STARTING, spawn_afresh },
		[LIFE_STOP] = { LIFE_STOPPED, nothing },
		[LIFE_RESTART] = { LIFE_STARTING, spawn_afresh },
	},
	[LIFE_STARTING] = {
		[LIFE_START] = { LIFE_STARTING, nothing },
		[LIFE_STOP] = { LIFE_DRAINING, drain },
		[LIFE_RESTART] = { LIFE_RESTARTING, drain },
		[LIFE_READY] = { LIFE_UP, nothing },
		[LIFE_ENDED] = { LIFE_BACKOFF, retry },
		[LIFE_MISCONFIGURED] = { LIFE_FAILED, nothing },
		[LIFE_CRASHED] = { LIFE_BACKOFF, retry },
		[LIFE_TIMER] = { LIFE_STARTING, end },
		[LIFE_HUNG] = { LIFE_STARTING, end },
		[LIFE_UNBORN] = { LIFE_BACKOFF, retry },
	},
	[LIFE_UP] = {
		[LIFE_START] = { LIFE_UP, nothing },
		[LIFE_STOP] = { LIFE_DRAINING, drain },
		[LIFE_RESTART] = { LIFE_RESTARTING, drain },
		[LIFE_ENDED] = { LIFE_BACKOFF, retry },
		/* it serves, so that was its own idea, or a plugin's */
		[LIFE_MISCONFIGURED] = { LIFE_BACKOFF, retry },
		[LIFE_CRASHED] = { LIFE_BACKOFF, retry },
		[LIFE_TIMER] = { LIFE_UP, calm },
		[LIFE_HUNG] = { LIFE_UP, end },
	},
	[LIFE_DRAINING] = {
		[LIFE_START] = { LIFE_RESTARTING, nothing },
		[LIFE_STOP] = { LIFE_DRAINING, drain },
		[LIFE_RESTART] = { LIFE_RESTARTING, nothing },
		[LIFE_READY] = { LIFE_DRAINING, nothing },
		[LIFE_ENDED] = { LIFE_STOPPED, nothing },
		[LIFE_MISCONFIGURED] = { LIFE_STOPPED, nothing },
		[LIFE_CRASHED] = { LIFE_STOPPED, nothing },
		[LIFE_TIMER] = { LIFE_DRAINING, end },
		[LIFE_HUNG] = { LIFE_DRAINING, end },
	},
	[LIFE_RESTARTING] = {
		[LIFE_START] = { LIFE_RESTARTING, nothing },
		[LIFE_STOP] = { LIFE_DRAINING, drain },
		[LIFE_RESTART] = { LIFE_RESTARTING, nothing },
		[LIFE_READY] = { LIFE_RESTARTING, nothing },
		[LIFE_ENDED] = { LIFE_STARTING, spawn_afresh },
		[LIFE_MISCONFIGURED] = { LIFE_STARTING, spawn_afresh },
		[LIFE_CRASHED] = { LIFE_STARTING, spawn_afresh },
		[LIFE_TIMER] = { LIFE_RESTARTING, end },
		[LIFE_HUNG] = { LIFE_RESTARTING, end },
	},
	[LIFE_BACKOFF] = {
		[LIFE_START] = { LIFE_STARTING, spawn_afresh },
		[LIFE_STOP] = { LIFE_STOPPED, nothing },
		[LIFE_RESTART] = { LIFE_STARTING, spawn_afresh },
		[LIFE_TIMER] = { LIFE_STARTING, spawn },
		[LIFE_GAVE_UP] = { LIFE_FAILED, nothing },
	},
	[LIFE_FAILED] = {
		[LIFE_START] = { LIFE_STARTING, spawn_afresh },
		[LIFE_STOP] = { LIFE_STOPPED, nothing },
		[LIFE_RESTART] = { LIFE_STARTING, spawn_afresh },
	},
};

static const char *const state_names[LIFE_STATES] = {
	[LIFE_STOPPED] = "stopped",
	[LIFE_STARTING] = "starting",
	[LIFE_UP] = "up",
	[LIFE_DRAINING] = "draining",
	[LIFE_RESTARTING] = "restarting",
	[LIFE_BACKOFF] = "backoff",
	[LIFE_FAILED] = "failed",
};

static const char *const event_names[LIFE_EVENTS] = {
	[LIFE_START] = "start",
	[LIFE_STOP] = "stop",
	[LIFE_RESTART] = "restart",
	[LIFE_READY] = "ready",
	[LIFE_ENDED] = "ended",
	[LIFE_MISCONFIGURED] = "misconfigured",
	[LIFE_CRASHED] = "crashed",
	[LIFE_TIMER] = "timer",
	[LIFE_HUNG] = "hung",
	[LIFE_UNBORN] = "unborn",
	[LIFE_GAVE_UP] = "gave up",
};

static int64_t
time_of(const struct child *c)
{
	switch (c->state) {
	case LIFE_STARTING:
		return CHILD_START_MS;
	case LIFE_UP:
		return (int64_t)c->limits.window_s * 1000;
	case LIFE_DRAINING:
	case LIFE_RESTARTING:
		return (int64_t)c->drain_ms + CHILD_GRACE_MS;
	default: /* BACKOFF: retry() knows how long */
		return CHILD_NO_TIMER;
	}
}

static bool
drains(enum life state)
{
	return state == LIFE_DRAINING || state == LIFE_RESTARTING;
}

static void
set_state(struct child *c, enum life next)
{
	enum life from = c->state;

	if (next == from)
		return;
	c->state = next;
	if (!drains(from) || !drains(next)) {
		/* what is to follow a drain does not change how long it may
		 * last: that has been told to the process */
		c->until_ms = c->ops->now_ms() + (uint64_t)time_of(c);
		c->ops->timer(c, time_of(c));
	}
	log_debug("%s: %s -> %s: %s", c->name, state_names[from],
	    state_names[next], c->why);
	c->ops->changed(c, from);
	c->why[0] = '\0';
}

static void
nothing(struct child *c)
{
	(void)c;
}

static void
spawn(struct child *c)
{
	c->restarts++;
	if (c->ops->spawn(c) < 0)
		child_event(c, LIFE_UNBORN);
}

/* Not after a death but because somebody wants it: the row of deaths that it
 * may have had does not count any more. */
static void
spawn_afresh(struct child *c)
{
	retry_calm(&c->retry);
	if (c->ops->spawn(c) < 0)
		child_event(c, LIFE_UNBORN);
}

static void
drain(struct child *c)
{
	uint64_t until_ms = c->ops->now_ms() + (uint64_t)time_of(c);

	/* a second order may be in a greater hurry, nothing else: who goes on
	 * giving it keeps nobody from ending */
	if (until_ms < c->until_ms) {
		c->until_ms = until_ms;
		c->ops->timer(c, time_of(c));
	}
	c->ops->drain(c);
}

static void
end(struct child *c)
{
	if (c->why[0] == '\0') {
		child_why(c, "%s",
		    c->state == LIFE_STARTING ? "not ready in time"
					      : "did not drain in time");
	}
	c->ops->kill(c);
}

static void
retry(struct child *c)
{
	int64_t ms;

	ms = retry_next(&c->retry, &c->limits, c->suspected, c->ops->now_ms(),
	    c->ops->random());
	c->suspected = false;
	if (ms == RETRY_GIVE_UP) {
		child_why(c, "died more than %u times within %u s",
		    c->limits.max_in_window, c->limits.window_s);
		child_event(c, LIFE_GAVE_UP);
	} else if (ms == 0) {
		child_event(c, LIFE_TIMER);
	} else {
		c->ops->timer(c, ms);
	}
}

static void
calm(struct child *c)
{
	retry_calm(&c->retry);
}

void
child_init(struct child *c, const char *name, const struct child_ops *ops,
    const struct retry_limits *limits)
{
	memset(c, 0, sizeof(*c));
	c->name = name;
	c->ops = ops;
	c->limits = *limits;
	c->state = LIFE_STOPPED;
}

bool
child_event(struct child *c, enum life_event ev)
{
	const struct cell *cell = &life[c->state][ev];

	if (cell->act == NULL) {
		c->impossible++;
		log_warnx("%s: %s while %s cannot be; ignored", c->name,
		    event_names[ev], state_names[c->state]);
		return false;
	}
	if (cell->next == c->state && cell->act != end)
		c->why[0] = '\0'; /* words for a change that is none */
	set_state(c, cell->next);
	cell->act(c);
	return true;
}

void
child_why(struct child *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

const char *
child_why_log(const char *why, char buf[CHILD_WHY_LOG])
{
	buf[0] = '\0';
	if (why[0] != '\0') {
		snprintf(buf, CHILD_WHY_LOG, " why=\"%.*s\"", CHILD_WHY_MAX - 1,
		    why);
	}
	return buf;
}

bool
child_lives(const struct child *c)
{
	return c->state == LIFE_STARTING || c->state == LIFE_UP ||
	    c->state == LIFE_DRAINING || c->state == LIFE_RESTARTING;
}

const char *
life_name(enum life s)
{
	return s < LIFE_STATES ? state_names[s] : "?";
}
