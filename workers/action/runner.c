/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the process that runs a Python module, one at a time, with nothing
 * owned. Runs in the workers, on the request path of values with such actions
 * alone. What comes back is bytes from outside: bounded and checked; another
 * shape than it should have ends the connection.
 */
#include "workers/action/runner.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/patience.h"
#include "shm/table.h"
#include "workers/hooks/bind_hook.h"

enum {
	HEAD = offsetof(struct runner_msg, values),
	SLOW_PERCENT = 75, /* of timeout_ms, for a module to be called slow */
	USUAL_PERCENT = 75, /* of all time, that a call may be known to take */
	FORGET = 4, /* what is known of that fades by this part */
};

#define NS_PER_MS 1000000ull

_Static_assert(HEAD == 88, "as holdfast_actions.py unpacks it");
_Static_assert(
    sizeof(((struct runner_msg *)0)->device) >= SHM_NAME_MAX, "name");

struct runner {
	struct proc *proc;
	int fd; /* -1: no connection */
	bool greeted; /* it has been taken */
	bool patient; /* the next greeting may be waited for */
	bool said; /* that reads fail */
	bool said_busy; /* that some wait in vain for their turn */
	uint32_t serial;
	uint32_t greetings; /* so far */
	uint64_t now_ns;
	uint64_t start_ns; /* of the request in hand; 0: not known yet */
	uint64_t begun_ns; /* the call in hand is being carried out since */
	uint64_t ran_ns; /* so long those of the request in hand took */
	uint64_t usual_ns; /* so long a call takes, as far as is known */
	uint64_t again_ns; /* nobody is called before */
	struct sockaddr_un address;
	struct runner_msg msg;
};

int
runner_init(struct worker *w)
{
	struct proc *p = w->proc;
	struct runner *r;

	w->bind.runner = NULL;
	if (p->conf->actions.module == NULL || p->actions_fd < 0)
		return 0;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -1;
	r->proc = p;
	r->fd = -1;
	r->patient = true;
	r->address.sun_family = AF_UNIX;
	/* who may not look into the run directory may call all the same */
	snprintf(r->address.sun_path, sizeof(r->address.sun_path),
	    "/proc/self/fd/%d", p->actions_fd);
	w->bind.runner = r;
	return 0;
}

void
runner_fini(struct worker *w)
{
	struct runner *r = w->bind.runner;

	if (r != NULL && r->fd >= 0)
		close(r->fd);
	free(r);
	w->bind.runner = NULL;
}

void
runner_begin(struct runner *r)
{
	r->start_ns = r->ran_ns = 0;
}

static uint64_t
timeout_ns(const struct runner *r)
{
	return r->proc->conf->actions.timeout_ms * NS_PER_MS;
}

/* What the request may wait for its turns, and what its calls may take, are
 * apart, or who waits would have no time left when its turn comes, and all
 * would work in vain; both together are what a request may wait at all. Who has
 * waited until a call would not be through any more takes it back for the same
 * reason: nobody else gets a turn while it is carried out. */
static uint64_t
until_ns(const struct runner *r)
{
	uint64_t most = r->start_ns + PATIENCE_ACTION_MAX_MS * NS_PER_MS;
	uint64_t until;

	if (r->begun_ns != 0) {
		until = r->begun_ns + timeout_ns(r) - r->ran_ns; /* or past */
	} else {
		until = r->start_ns + timeout_ns(r) + r->ran_ns;
		most -= r->usual_ns;
	}
	return until < most ? until : most;
}

/* ---- the connection ---- */

static void
hang_up(struct runner *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->greeted = r->patient = false;
}

/* Reads fail from now on; said once. */
static void
lost(struct runner *r, const char *why)
{
	hang_up(r);
	if (!r->said)
		log_warnx("actions of the module fail why=\"%s\"", why);
	r->said = true;
}

static bool
dial(struct runner *r)
{
	r->fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd >= 0 &&
	    connect(r->fd, (const struct sockaddr *)&r->address,
		sizeof(r->address)) == 0)
		return true;
	lost(r, strerror(errno));
	return false;
}

/* Waits for a message until then: its length, 0 if it has gone, -1 if none has
 * come in time. */
static ssize_t
hear(struct runner *r, uint64_t until_ns)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	struct timespec ts;
	uint64_t ns;
	ssize_t n;

	for (;;) {
		n = recv(
		    r->fd, &r->msg, sizeof(r->msg), MSG_DONTWAIT | MSG_TRUNC);
		r->now_ns = clock_mono_ns();
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return 0;
		if (r->now_ns >= until_ns)
			return -1;
		ns = until_ns - r->now_ns;
		ts.tv_sec = (time_t)(ns / 1000000000);
		ts.tv_nsec = (long)(ns % 1000000000);
		ppoll(&p, 1, &ts, NULL);
	}
}

/* True if what has come is a message of ours. */
static bool
sound(const struct runner *r, ssize_t n)
{
	const struct runner_msg *m = &r->msg;
	bool carries = m->kind == RUNNER_WRITE || m->kind == RUNNER_COMMIT;
	size_t values = carries ? m->count : 0;

	return n >= HEAD && m->count <= RUNNER_VALUES_MAX &&
	    m->table <= HF_IR &&
	    (size_t)n == HEAD + values * sizeof(m->values[0]) &&
	    m->serial == (m->kind == RUNNER_HELLO ? 0 : r->serial);
}

/* There is somebody who takes calls. The first connection is waited for, and
 * that after one that worked as long as it should; none after one that did
 * not, which would hold up all others. */
static bool
greeted(struct runner *r)
{
	ssize_t n;

	if (r->fd < 0 && !dial(r))
		return false;
	if (r->greeted)
		return true;
	n = hear(r, r->patient ? until_ns(r) : 0);
	if (n < 0) {
		if (r->patient && !r->said)
			log_warnx("actions of the module fail "
				  "why=\"nobody answers\"");
		r->said = true;
		r->patient = false;
		return false;
	}
	if (!sound(r, n) || r->msg.kind != RUNNER_HELLO) {
		lost(r, "no greeting");
		return false;
	}
	r->greeted = r->patient = true;
	r->greetings++;
	if (r->said)
		log_info("actions of the module are back");
	r->said = false;
	return true;
}

static bool
tell(struct runner *r, size_t nvalues)
{
	size_t len = HEAD + nvalues * sizeof(r->msg.values[0]);

	return send(r->fd, &r->msg, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)len;
}

/* ---- a call ---- */

/* Reads or writes registers as the function wishes. False: that is none of its
 * messages. */
static bool
oblige(struct runner *r, struct bind_device *d)
{
	struct runner_msg *m = &r->msg;
	enum mb_table table = (enum mb_table)m->table;
	uint32_t n = m->count, data = 0;
	bool changed = false;

	switch (m->kind) {
	case RUNNER_READ:
		m->rc = bind_read(d, table, m->addr, n, m->values);
		data = m->rc == MB_EX_NONE ? n : 0;
		break;
	case RUNNER_WRITE:
		m->rc = bind_act(d, table, m->addr, n, NULL, m->values, NULL);
		break;
	case RUNNER_COMMIT:
		m->rc = bind_act(d, table, m->addr, n / 2, m->values,
		    m->values + n / 2, &changed);
		m->rc = changed ? RUNNER_CHANGED : m->rc;
		break;
	default:
		return false;
	}
	m->kind = RUNNER_DATA;
	m->count = data;
	return tell(r, data);
}

/* How long a call takes: what the longest of late has taken, or what one that
 * was cut short has. It fades with each that took less, or that was taken back
 * for its sake; some of the time is always left to wait in. */
static void
learn(struct runner *r, uint64_t took)
{
	uint64_t most =
	    PATIENCE_ACTION_MAX_MS * NS_PER_MS / 100 * USUAL_PERCENT;

	r->usual_ns -= r->usual_ns / FORGET;
	if (r->usual_ns < took)
		r->usual_ns = took < most ? took : most;
}

/* The call in hand is not being carried out any more. */
static void
count_time(struct runner *r)
{
	uint64_t took = r->begun_ns != 0 ? r->now_ns - r->begun_ns : 0;

	r->ran_ns += took;
	r->begun_ns = 0;
	learn(r, took);
}

/* Its turn has not come, or so late that the module was quick enough for all
 * that is known: others' calls were in front. It is taken back. */
static void
no_turn(struct runner *r)
{
	if (!r->said_busy)
		log_warnx("reads fail since the module is busy with others'; "
			  "said once");
	r->said_busy = true;
	hang_up(r);
	(void)dial(r); /* is answered when the others are through */
}

static void
too_late(struct runner *r)
{
	unsigned ms = r->proc->conf->actions.timeout_ms;
	char why[64];

	count_time(r);
	if (r->ran_ns < timeout_ns(r) / 100 * SLOW_PERCENT) {
		no_turn(r);
		return;
	}
	snprintf(why, sizeof(why), "no answer within %u ms", ms);
	r->again_ns = r->now_ns + PATIENCE_ACTION_AGAIN * timeout_ns(r);
	lost(r, why);
}

/* All that is said until the answer: true if that is in r->msg. */
static bool
talk(struct runner *r, struct bind_device *d)
{
	ssize_t n;

	r->begun_ns = 0;
	if (!tell(r, 0)) {
		lost(r, "it has ended");
		return false;
	}
	for (;;) {
		n = hear(r, until_ns(r));
		if (n < 0) {
			too_late(r);
			return false;
		}
		if (n > 0 && sound(r, n) && r->msg.kind == RUNNER_DONE) {
			count_time(r);
			return true;
		}
		if (n > 0 && sound(r, n) && r->msg.kind == RUNNER_BEGUN &&
		    r->begun_ns == 0) {
			r->begun_ns = r->now_ns;
			continue;
		}
		if (n == 0 || !sound(r, n) || !oblige(r, d)) {
			lost(r, n == 0 ? "it has ended" : "no such message");
			return false;
		}
	}
}

static void
fill(struct runner *r, const struct hf_cell *c)
{
	struct runner_msg *m = &r->msg;

	memset(m, 0, HEAD);
	m->kind = RUNNER_CALL;
	m->serial = ++r->serial;
	m->table = c->table;
	m->addr = c->addr;
	m->count = c->count < RUNNER_REGS_MAX ? c->count : RUNNER_REGS_MAX;
	snprintf(m->device, sizeof(m->device), "%s", c->device);
}

/* Calls it and takes the answer over. */
static unsigned
call(struct runner *r, struct bind_device *d, struct action_range *a,
    const struct hf_cell *c)
{
	fill(r, c);
	if (!talk(r, d))
		return HF_EX_FAILURE;
	a->has = r->msg.rc != RUNNER_NO_SUCH;
	if (a->has)
		return r->msg.rc <= HF_EX_NO_REPLY ? r->msg.rc : HF_EX_FAILURE;
	a->lacked = r->greetings;
	if (a->action == NULL)
		log_warnx("the module has no action \"%s\", which %s %s %u "
			  "names",
		    a->conf->action, a->device, table_name(a->conf->table),
		    a->conf->addr);
	return RUNNER_NO_SUCH;
}

unsigned
runner_run(struct runner *r, struct bind_device *d, struct action_range *a,
    const struct hf_cell *c)
{
	unsigned rc, without = a->has ? HF_EX_FAILURE : RUNNER_NO_SUCH;

	if (a->lacked == r->greetings && r->greeted)
		return RUNNER_NO_SUCH;
	r->now_ns = clock_mono_ns();
	if (r->start_ns == 0)
		r->start_ns = r->now_ns;
	if (r->now_ns < r->again_ns)
		return without;
	rc = greeted(r) ? call(r, d, a, c) : without;
	/* the wait is over, which the parent should not take for a hang */
	proc_busy(r->proc, r->now_ns);
	return rc;
}
