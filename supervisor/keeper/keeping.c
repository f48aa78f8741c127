/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper's own life. It runs as the supervisor's user, so that it can make
 * workers of any; it reads messages of one size from the supervisor and nothing
 * else. While there is no supervisor it brings the worker back by itself, and
 * looks for the next supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/birth.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/keeper/handing.h"
#include "supervisor/keeper/table.h"
#include "supervisor/keeper/widow.h"
#include "supervisor/secret.h"
#include "supervisor/super.h"

enum {
	LOOK_MS = 20, /* for a new supervisor */
	CALM_MS = 1000, /* a worker that lived so long is replaced at once */
	WAIT_MAX_MS =
	    5000, /* otherwise it is waited, twice as long each time */
};

struct keeping {
	struct proc *proc;
	struct process *ward; /* what a worker is made from */
	pid_t pid; /* the worker's; 0: none */
	int pidfd; /* of it, also while it is being replaced; -1 */
	int chan; /* its number of the worker's channel; -1 */
	bool foreign; /* another keeper, which has died, has made it: it has a
		       * table of its own */
	struct widow widow; /* for those that are made here */
	bool kept; /* there has been a worker */
	bool orphan; /* there is no supervisor */
	unsigned suspected; /* deaths in a row that some request has caused */
	uint64_t born_ms, wait_ms, due_ms;
};

static uint64_t
now_ms(void)
{
	return super_now_ns() / 1000000;
}

/* What a predecessor had open stays so only if it is a connection: one that
 * its records name, or that it had accepted and not noted yet. What is said of
 * it there may be wrong, and decides about nothing but the worker's own. */
static int
close_remains(const struct keeping *k, int chan)
{
	const struct process *p = k->ward;
	struct shm_worker *w = seg_worker(&p->seg);
	struct table t = { .fd = NULL };
	int rc = 0;

	birth_table(k->proc, &t);
	table_add(&t, chan);
	table_add(&t, k->widow.keeper);
	for (unsigned i = 0; k->kept && i < p->service->conf->max_connections;
	     i++) {
		const struct shm_conn *c = seg_conn(w, i);

		if (atomic_load(&c->used) == CONN_FREE)
			continue;
		if (p->service->conf->type == CONF_SERIAL)
			table_add_line(&t, c->fd);
		else
			table_add_client(&t, c->fd, k->proc->listen_fd);
	}
	if (k->kept && atomic_load(&w->accepting) != 0)
		rc = table_add_clients(&t, k->proc->listen_fd);
	if (rc == 0)
		rc = table_close_others(&t);
	table_free(&t);
	return rc;
}

/* What it had open has ended with it, whatever stands in its records; but for
 * that they can be gone on with. */
static void
forget_foreign(struct keeping *k)
{
	struct shm_worker *w = seg_worker(&k->ward->seg);

	for (unsigned i = 0; i < k->ward->service->conf->max_connections; i++)
		seg_conn(w, i)->fd = -1;
	k->foreign = false;
	k->kept = true;
}

/* No worker can be made: says so in its name, and ends its channel. */
static void
give_up(int chan, const char *what)
{
	struct ipc_msg m = { .kind = IPC_FAILED, .rc = EX_OSERR };

	snprintf(m.text, sizeof(m.text), "its keeper cannot %s: %s", what,
	    strerror(errno));
	ipc_send(chan, &m);
	close(chan);
}

/* 0, or -1 after its channel was closed. */
static int
make_worker(struct keeping *k, uint64_t id, int chan)
{
	enum birth_kind kind;
	int pidfd = -1;
	pid_t pid;

	if (k->foreign)
		forget_foreign(k);
	kind = k->kept ? BIRTH_HEIR : BIRTH_WARD;
	k->pid = 0;
	k->pidfd = k->chan = -1;
	if (close_remains(k, chan) < 0) {
		give_up(chan, "close what is left of the last one");
		return -1;
	}
	pid = (pid_t)syscall(SYS_clone,
	    CLONE_FILES | CLONE_PARENT | CLONE_PIDFD | SIGCHLD, NULL, &pidfd,
	    NULL, 0);
	if (pid == 0) {
		k->ward->former = k->ward->id;
		k->ward->id = id;
		process_be_born(k->ward, chan, kind);
	}
	if (pid < 0) {
		give_up(chan, "make it");
		return -1;
	}
	ipc_send_born(chan, pid, pidfd);
	k->ward->id = id;
	k->pid = pid;
	k->pidfd = pidfd;
	k->chan = chan;
	k->kept = true;
	k->born_ms = now_ms();
	return 0;
}

/* ---- with a supervisor ---- */

static void
obey(struct keeping *k, const struct ipc_msg *m, int fd)
{
	switch (m->kind) {
	case IPC_SPAWN:
		if (fd >= 0)
			make_worker(k, m->arg, fd);
		return;
	case IPC_ADOPT:
		/* in the worker's place, since the table is one: it looks */
		if (fd >= 0 && k->chan >= 0 && dup3(fd, k->chan, O_CLOEXEC) < 0)
			log_warn("cannot pass on the channel");
		if (fd >= 0)
			close(fd);
		return;
	case IPC_HAND:
		if (fd >= 0)
			handing_give(k->proc, fd);
		_exit(EX_OK); /* the log has gone, too */
	case IPC_WARD:
		if (fd < 0)
			return;
		k->pid = (pid_t)m->arg;
		k->pidfd = fd;
		k->foreign = true;
		k->born_ms = now_ms();
		return;
	case IPC_TAKE:
		if (fd < 0)
			return;
		handing_take(k->proc, fd);
		k->kept = true;
		k->ward->id = 0; /* who has been buried already */
		return;
	default:
		proc_own_order(k->proc, m, fd);
	}
}

/* False once the supervisor has gone. */
static bool
hear(struct keeping *k)
{
	struct ipc_msg m;
	int rc, fd;

	while ((rc = ipc_recv_fd(k->proc->chan, &m, &fd)) == 1)
		obey(k, &m, fd);
	return rc == 0;
}

/* ---- without one ---- */

/* What the supervisor would do, but for the repair: whoever writes next does
 * that, the new worker before all. */
static void
bury(struct keeping *k)
{
	struct process *p = k->ward;
	uint64_t lived = now_ms() - k->born_ms;
	bool suspected =
	    process_blame(p, process_status(k->pid, k->pidfd), false);

	slot_declare_dead(p->super->control, p->id);
	atomic_store(&p->shm->pid, 0);
	log_warnx(
	    "%s: died pid=%d; there is no supervisor", p->name, (int)k->pid);
	k->pid = 0;
	if (lived >= CALM_MS)
		k->suspected = 0;
	k->wait_ms = lived >= CALM_MS                       ? 0
	    : suspected && k->suspected++ < RETRY_SUSPECTED ? 0
	    : k->wait_ms == 0                               ? 10
	    : k->wait_ms * 2 > WAIT_MAX_MS                  ? WAIT_MAX_MS
							    : k->wait_ms * 2;
	k->due_ms = now_ms() + k->wait_ms;
}

static void
bring_back(struct keeping *k)
{
	struct process *p = k->ward;
	uint64_t id = slot_next_id(p->super->control, p->slot);
	int fd[2];

	if (ipc_pair(fd) < 0)
		return;
	process_fill_slot(p);
	close(fd[0]); /* so it hears at once that there is nobody */
	if (make_worker(k, id, fd[1]) < 0) {
		k->due_ms = now_ms() + WAIT_MAX_MS;
		return;
	}
	atomic_store(&p->shm->pid, (uint32_t)k->pid);
	atomic_store(&p->service->shm->pid, (uint32_t)k->pid);
	atomic_fetch_add(&p->service->shm->restarts, 1);
}

/* Tells a new supervisor who this is, if there is one. */
static void
find_parent(struct keeping *k)
{
	struct process *p = k->ward;
	struct ipc_msg m = { .kind = IPC_KEEPER,
		.transport = p->service->place,
		.tag = p->worker,
		.arg = (uint64_t)k->pid };
	int fd = adopt_call(p->super->run_dir);

	if (fd < 0)
		return;
	if (k->pid != 0 && k->foreign)
		m.rc = IPC_FOREIGN;
	secret_put(&m, k->proc->transport, p->service->ticket);
	if (ipc_send_fd(fd, &m, k->proc->listen_fd) == 0 &&
	    (m.arg == 0 || m.rc & IPC_FOREIGN ||
		ipc_send_fd(fd, &(struct ipc_msg){ .kind = IPC_WARD },
		    k->pidfd) == 0) &&
	    dup3(fd, k->proc->chan, O_CLOEXEC) >= 0) {
		log_info("there is a new supervisor");
		k->orphan = false;
	}
	explicit_bzero(&m, sizeof(m));
	close(fd);
}

/* False if nothing is to be kept any more. */
static bool
go_on(struct keeping *k, bool died)
{
	if (died)
		bury(k);
	if (k->pid == 0 && atomic_load(&k->ward->service->shm->wanted) == 0)
		return false;
	find_parent(k);
	if (k->orphan && k->pid == 0 && now_ms() >= k->due_ms)
		bring_back(k);
	return true;
}

/* proc_main_fn */
int
keeper_main(struct proc *proc)
{
	struct keeping k = {
		.proc = proc,
		.ward = proc->ward,
		.pidfd = -1,
		.chan = -1,
		.widow = { .byte = proc->env.lock_fd, .hand = -1, .call = -1 },
	};
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	bool died;

	k.widow.keeper = (int)syscall(SYS_pidfd_open, getpid(), 0);
	k.ward->widow = &k.widow;
	for (;;) {
		fds[0].fd = k.orphan ? -1 : proc->chan;
		fds[1].fd = k.orphan && k.pid != 0 ? k.pidfd : -1;
		handing_beat(proc);
		poll(fds, 2, k.orphan ? LOOK_MS : (int)proc_beat_ms(proc));
		died = fds[1].fd >= 0 && fds[1].revents != 0;
		if (!k.orphan && !hear(&k)) {
			if (!proc->adopted)
				return 0;
			proc_orphaned(proc);
			k.orphan = true;
		} else if (k.orphan && !go_on(&k, died)) {
			return 0;
		}
	}
}
