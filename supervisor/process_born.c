/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a child comes to be there: what it is as it is forked, and how the
 * supervisor comes to know of one that it has not forked itself: what keepers
 * make, and what a former supervisor has left.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "shm/clock.h"
#include "supervisor/aide.h"
#include "supervisor/birth.h"
#include "supervisor/host.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/process.h"
#include "supervisor/super.h"

enum { BIRTH_MS = 2000 };

/* A keeper stands for the worker that it makes: it is of its transport, but
 * not of its slot. */
void
process_be_born(struct process *p, int chan, enum birth_kind kind)
{
	struct super *s = p->super;
	const struct service *sv = p->service;
	struct proc proc = {
		.conf = s->conf,
		.transport = sv != NULL ? sv->conf : NULL,
		.transport_index = sv != NULL ? sv->place : 0,
		.worker = p->worker,
		.run_dir = s->run_dir,
		.env = { .control = s->control, .lock_fd = -1, .me = p->id },
		.adopted =
		    s->host == NULL && !s->roles->mortal && kind != BIRTH_CHILD,
		.ward = kind == BIRTH_KEEPER ? p : NULL,
		.kept = kind == BIRTH_HEIR,
		.widow = p->widow,
		.control_seg = s->control_seg,
		.hooks = s->host != NULL ? s->host->hooks : NULL,
		.stores = s->stores,
		.device_segs = s->device_segs,
		.chan = chan,
		.listen_fd = sv != NULL ? sv->listen_fd : p->listen_fd,
		.began_ns = s->began_ns,
		.saver = s->saver.number,
		.bell_fd = -1,
		.actions_fd = -1,
	};
	char keeper[SHM_NAME_MAX + 8];
	struct birth b = {
		.kind = kind,
		.former = kind == BIRTH_HEIR ? p->former : 0,
		.proc = &proc,
		.name = p->name,
		.lock_path = s->claim.store_lock,
		.device_segs = s->device_segs,
		.super = s,
		.devices = true,
		.then = apply_aides_conf(p),
		.main = s->roles->worker,
	};

	if (sv != NULL) {
		proc.worker_seg = p->seg;
		b.user = sv->conf->user;
		b.uid = sv->uid;
		b.gid = sv->gid;
		proc.actions_fd = s->actions_fd;
	} else {
		b.devices = p->aide->devices;
		b.reads = p->aide->reads;
		b.main = aide_main(p->aide, s->roles);
		b.user = p->user;
		b.uid = p->uid;
		b.gid = p->gid;
	}
	if (kind == BIRTH_KEEPER) {
		snprintf(keeper, sizeof(keeper), "keeper %s", p->name);
		b.name = keeper;
		b.main = keeper_main;
	}
	birth(&b);
}

void
process_fill_slot(struct process *p)
{
	struct shm_slot *s = p->shm;

	memcpy(s->name, p->name, sizeof(s->name));
	atomic_store(&s->beat_ns, 0);
	atomic_store(&s->busy_ns, 0);
	atomic_store(&s->claim, 0);
	atomic_store(&s->since_ms, clock_unix_ms());
	atomic_store(&s->transport, p->service ? p->service->place : 0);
	atomic_store(&s->worker, p->worker);
	atomic_store(&s->role, p->service ? SHM_WORKER_ROLE : p->aide->role);
}

uint64_t
process_new_id(struct process *p)
{
	p->id = slot_next_id(p->super->control, p->slot);
	process_fill_slot(p);
	return p->id;
}

void
process_have_pid(struct process *p, pid_t pid)
{
	p->pid = pid;
	atomic_store(&p->shm->pid, (uint32_t)pid);
	if (p->service != NULL && p->worker == 0)
		atomic_store(&p->service->shm->pid, (uint32_t)pid);
}

/* Believed only of a child of ours, since that is what will be killed. */
static bool
is_child(pid_t pid)
{
	siginfo_t si;

	return pid > 1 &&
	    waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Keeper and worker both say so, since either may die before it has. */
void
process_is_born(struct process *p, pid_t pid)
{
	int status;
	bool dead = super_stray(p->super, pid, &status);
	bool foreign = !dead && !is_child(pid);

	/* a former supervisor's keeper makes no children of ours, but gives a
	 * descriptor of what it makes; the worker's own word is not enough */
	if (!p->unborn ||
	    (foreign && (p->keeper.caller == NULL || p->passed < 0)))
		return;
	p->unborn = false;
	keeper_serves(&p->keeper);
	process_have_pid(p, pid);
	if (foreign)
		process_watch_pidfd(p);
	if (dead)
		process_died(p, status);
	else if (p->doomed)
		process_kill(p, "");
}

void
process_adopt(struct process *p, pid_t pid, int pidfd)
{
	p->id = slot_next_id(p->super->control, p->slot);
	p->unborn = false;
	process_have_pid(p, pid);
	p->passed = pidfd;
	process_watch_pidfd(p);
}

bool
process_held(const struct process *p)
{
	return apply_devices_hold(p) || adopt_hold(p);
}

void
process_release(struct process *p)
{
	struct child *c = &p->child;

	if (!p->held || process_held(p))
		return;
	p->held = false;
	/* its time to become ready begins now */
	if (c->ops->spawn(c) < 0)
		child_event(c, LIFE_UNBORN);
	else
		c->ops->timer(c, CHILD_START_MS);
}

void
process_watch_birth(struct process *p, uint64_t now_ms)
{
	if (!p->unborn || p->doomed || now_ms - p->asked_ms <= BIRTH_MS)
		return;
	if (p->keeper.pending >= 0) {
		adopt_give_up(p);
		return;
	}
	process_kill(p, "its keeper does not make it");
}
