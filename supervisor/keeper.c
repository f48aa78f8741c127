/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keepers: the supervisor's side of them, and they themselves. A keeper runs
 * as the supervisor's user, so that it can make workers of any; it reads
 * messages of one size from the supervisor and nothing else.
 */
#include "supervisor/keeper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/birth.h"
#include "supervisor/super.h"
#include "supervisor/table.h"

/* ---- in the keeper ---- */

static struct process *ward; /* what a worker is made from */

/* What a predecessor had open stays so only if it is a connection: one that
 * its records name, or that it had accepted and not noted yet. What is said of
 * it there may be wrong, and decides about nothing but the worker's own. */
static int
close_remains(const struct proc *k, int chan, bool kept)
{
	const struct process *p = ward;
	struct shm_worker *w = seg_worker(p->seg);
	struct table t = { .fd = NULL };
	int rc = 0;

	birth_table(k, &t);
	table_add(&t, chan);
	for (unsigned i = 0; kept && i < p->service->conf->max_connections;
	     i++) {
		const struct shm_conn *c = seg_conn(w, i);

		if (atomic_load(&c->used) != CONN_FREE)
			table_add_client(&t, c->fd, k->listen_fd);
	}
	if (kept && atomic_load(&w->accepting) != 0)
		rc = table_add_clients(&t, k->listen_fd);
	if (rc == 0)
		rc = table_close_others(&t);
	table_free(&t);
	return rc;
}

/* No worker can be made: says so in its name, which ends its channel. */
static void
give_up(int chan, const char *what)
{
	struct ipc_msg m = { .kind = IPC_FAILED, .rc = EX_OSERR };

	snprintf(m.text, sizeof(m.text), "its keeper cannot %s: %s", what,
	    strerror(errno));
	ipc_send(chan, &m);
	close(chan);
}

/* True once there has been a worker. */
static bool
make_worker(
    const struct proc *k, const struct ipc_msg *order, int chan, bool kept)
{
	pid_t pid;

	if (close_remains(k, chan, kept) < 0) {
		give_up(chan, "close what is left of the last one");
		return kept;
	}
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_PARENT | SIGCHLD,
	    NULL, NULL, NULL, 0);
	if (pid == 0) {
		ward->id = order->arg;
		process_be_born(ward, chan, kept ? BIRTH_HEIR : BIRTH_WARD);
	}
	if (pid < 0) {
		give_up(chan, "make it");
		return kept;
	}
	ipc_send_born(chan, pid);
	return true;
}

/* proc_main_fn. Ends when the supervisor has gone. */
int
keeper_main(struct proc *k)
{
	struct pollfd pfd = { .fd = k->chan, .events = POLLIN };
	bool kept = false;
	struct ipc_msg m;
	int rc, fd;

	for (;;) {
		poll(&pfd, 1, -1);
		while ((rc = ipc_recv_fd(k->chan, &m, &fd)) == 1)
			if (m.kind == IPC_SPAWN && fd >= 0)
				kept = make_worker(k, &m, fd, kept);
			else
				proc_log_order(&m, fd);
		if (rc < 0)
			return 0;
	}
}

/* ---- in the supervisor ---- */

void
keeper_init(struct keeper *k)
{
	*k = (struct keeper){ .chan = -1 };
}

static int
make(struct process *p)
{
	struct keeper *k = &p->keeper;
	int fd[2], err;

	if (ipc_pair(fd) < 0)
		return -1;
	k->pid = fork();
	if (k->pid == 0) {
		ward = p;
		process_be_born(p, fd[1], BIRTH_KEEPER);
	}
	err = errno;
	close(fd[1]);
	if (k->pid < 0) {
		close(fd[0]);
		keeper_init(k);
		errno = err;
		return -1;
	}
	k->chan = fd[0];
	atomic_store(&p->shm->keeper, (uint32_t)k->pid);
	k->round = p->service->listen_round;
	return 0;
}

int
keeper_spawn(struct process *p, int chan)
{
	struct ipc_msg m = { .kind = IPC_SPAWN, .arg = p->id };
	struct keeper *k = &p->keeper;

	/* its listener has been closed since */
	if (k->pid != 0 && k->round != p->service->listen_round)
		keeper_end(k);
	if (k->pid != 0 && ipc_send_fd(k->chan, &m, chan) < 0)
		keeper_end(k); /* it has just died, or does not read */
	if (k->pid != 0)
		return 0;
	return make(p) < 0 ? -1 : ipc_send_fd(k->chan, &m, chan);
}

void
keeper_end(struct keeper *k)
{
	if (k->pid == 0)
		return;
	kill(k->pid, SIGKILL); /* not waited for yet, so it is its own */
	close(k->chan);
	keeper_init(k);
}

bool
keeper_died(struct super *s, pid_t pid, int status)
{
	for (size_t i = 0; i < s->nworkers; i++) {
		struct process *p = &s->processes[i];

		if (p->keeper.pid != pid)
			continue;
		log_warnx("%s: its keeper died pid=%d status=%d", p->name,
		    (int)pid, status);
		close(p->keeper.chan);
		keeper_init(&p->keeper);
		return true;
	}
	return false;
}

void
keepers_wait(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}
