/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control process's state, and the few things that several commands do
 * with it: find a device or a transport, ask the parent, write as the author
 * that this process is. Never blocks longer than a device's budget.
 */

#include "control/state.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/faults.h"
#include "control/saves.h"
#include "control/take.h"
#include "control/view.h"
#include "control/work.h"
#include "shm/bell.h"
#include "shm/clock.h"
#include "shm/patience.h"

#define MS 1000000ull

int
control_init(struct control *c, struct proc *proc)
{
	unsigned slot = SLOT_OF(proc->env.me);
	uint64_t given, done;

	*c = (struct control){
		.proc = proc,
		.shm = proc->env.control,
		.sheet = -1,
		.reading = PTHREAD_MUTEX_INITIALIZER,
	};
	/* numbers go on where the last occupant of the slot stopped: one of
	 * its writes may be committed and not yet credited */
	given = atomic_load(&seg_slot(c->shm, slot)->op);
	done = atomic_load(seg_done(c->shm, slot));
	c->op = given > done ? given : done;
	c->stats = &c->shm->door[slot < SHM_WORKER_SLOT ? slot : 0];
	/* the last occupant may have died before it told of a rule */
	fault_touch(c->shm);
	saves_init(c);
	c->work_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (take_init(c) < 0)
		return -1;
	return view_init(c);
}

void
control_fini(struct control *c)
{
	work_fini(c);
	take_fini(c);
	saves_fini(c);
	if (c->sheet >= 0)
		close(c->sheet);
	view_fini(c);
}

void
control_beat(struct control *c)
{
	c->now_ns = clock_mono_ns();
	proc_beat(c->proc, c->now_ns);
	faults_beat(c);
}

void
control_ask(struct cmd_call *call, struct ipc_msg *msg, uint64_t wait_ms,
    void (*done)(struct cmd_call *, const struct ipc_msg *))
{
	control_ask_fd(call, msg, -1, wait_ms, done);
}

void
control_ask_fd(struct cmd_call *call, struct ipc_msg *msg, int fd,
    uint64_t wait_ms, void (*done)(struct cmd_call *, const struct ipc_msg *))
{
	struct control *c = call->control;

	msg->tag = ++c->tag;
	if (ipc_send_fd(c->proc->chan, msg, fd) == -1) {
		call->later = false;
		cmd_fail(call, CMD_REFUSED, "busy",
		    "the supervisor does not take orders now: %s",
		    strerror(errno));
		return;
	}
	call->later = true;
	call->tag = msg->tag;
	call->done = done;
	call->deadline_ns = c->now_ns + wait_ms * 1000000;
}

struct store *
control_device(struct cmd_call *call, const char *name, unsigned *index)
{
	const struct conf *conf = call->control->proc->conf;
	const char *names[64];
	size_t i, n = 0;

	if (name == NULL && conf->ndevices != 1) {
		cmd_fail(call, CMD_PARAMS, "missing_param",
		    "device is missing; there are %zu", conf->ndevices);
		return NULL;
	}
	for (i = 0; i < conf->ndevices; i++) {
		if (name == NULL || strcmp(conf->devices[i].name, name) == 0) {
			*index = (unsigned)i;
			return &call->control->proc->stores[i];
		}
		if (n < sizeof(names) / sizeof(names[0]))
			names[n++] = conf->devices[i].name;
	}
	cmd_fail(call, CMD_NOT_FOUND, "no_device", "no device \"%.40s\"%s",
	    name, cmd_near(name, names, n));
	return NULL;
}

int
control_transport(struct cmd_call *call, const char *name)
{
	const struct conf *conf = call->control->proc->conf;
	const char *names[64];
	size_t i, n = 0;

	for (i = 0; i < conf->ntransports; i++) {
		if (strcmp(conf->transports[i].name, name) == 0)
			return (int)i;
		if (n < sizeof(names) / sizeof(names[0]))
			names[n++] = conf->transports[i].name;
	}
	cmd_fail(call, CMD_NOT_FOUND, "no_transport",
	    "no transport \"%.40s\"%s", name, cmd_near(name, names, n));
	return -1;
}

/* As patient as Modbus clients are: an owner that has stopped is ended
 * meanwhile. Not twice in a row for the same device: events wait as well. */
static uint64_t
patience_ns(const struct control *c, const struct store *store, uint64_t now_ns)
{
	bool again = store == c->held_store &&
	    now_ns < c->held_ns + PATIENCE_AGAIN_MS * MS;

	return (again ? PATIENCE_WRITE_AGAIN_MS : PATIENCE_WRITE_MS) * MS;
}

enum store_rc
control_apply(struct control *c, struct store *store,
    const struct store_step *steps, unsigned n, uint64_t *seq)
{
	unsigned slot = SLOT_OF(c->proc->env.me);
	uint64_t now_ns = clock_mono_ns();
	struct store_who who = {
		.author = slot,
		.op = ++c->op,
		.budget_ns = patience_ns(c, store, now_ns),
	};
	enum store_rc rc;

	atomic_store_explicit(
	    &seg_slot(c->shm, slot)->op, c->op, memory_order_relaxed);
	/* the wait is no hang, and it ends in time to be none */
	proc_busy(c->proc, now_ns);
	rc = store_apply(store, &who, steps, n, seq);
	if (rc == STORE_BUSY) {
		control_beat(c);
		if (who.budget_ns == PATIENCE_WRITE_MS * MS) {
			c->held_store = store;
			c->held_ns = c->now_ns;
		}
	}
	proc_busy(c->proc, 0);
	if (rc == STORE_OK)
		bell_ring(c->shm, &c->proc->bell_fd);
	return rc;
}
