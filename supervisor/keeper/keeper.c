/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keepers as the supervisor sees them: made, asked for workers, ended. Runs in
 * the supervisor; what they do themselves is in keeping.c.
 */
#include "supervisor/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/super.h"

enum { END_MS = 1000 };

void
keeper_init(struct keeper *k)
{
	*k = (struct keeper){ .chan = -1, .pending = -1 };
}

static int
make(struct process *p)
{
	struct keeper *k = &p->keeper;
	int fd[2], err;

	if (ipc_pair(fd) < 0)
		return -1;
	k->pid = fork();
	if (k->pid == 0)
		process_be_born(p, fd[1], BIRTH_KEEPER);
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
	k->stale = false;
	return 0;
}

/* What has handed over has ended, or never will. */
static void
end_former(struct keeper *k)
{
	if (k->former != 0) {
		kill(k->former, SIGKILL); /* not waited for yet */
		waitpid(k->former, NULL, 0);
	}
	k->former = 0;
}

void
keeper_serves(struct keeper *k)
{
	end_former(k);
}

/* Puts another keeper in the place of one, which hands over to it. One of a
 * former supervisor's ends by itself, and is not heard of any more. */
static int
renew(struct process *p)
{
	struct ipc_msg give = { .kind = IPC_HAND }, take = { .kind = IPC_TAKE };
	struct keeper *k = &p->keeper, was = *k;
	int fd[2], rc;

	if (ipc_pair(fd) < 0)
		return -1;
	/* it gives up its byte with this, which the new one waits for */
	rc = ipc_send_fd(was.chan, &give, fd[0]);
	keeper_init(k);
	if (was.caller != NULL)
		was.caller->process = NULL;
	else
		close(was.chan);
	close(fd[0]);
	if (make(p) < 0)
		rc = -1;
	if (rc == 0)
		rc = ipc_send_fd(k->chan, &take, fd[1]);
	k->former = was.caller == NULL ? was.pid : 0;
	close(fd[1]);
	return rc;
}

int
keeper_spawn(struct process *p, int chan)
{
	struct ipc_msg m = { .kind = IPC_SPAWN, .arg = p->id };
	struct keeper *k = &p->keeper;

	if (k->awaited)
		return adopt_await(p, chan);
	/* its listener has been closed since */
	if (k->pid != 0 && k->round != p->service->listen_round)
		keeper_end(k);
	if (k->pid != 0 && k->stale && renew(p) < 0)
		keeper_end(k);
	if (k->pid != 0 && ipc_send_fd(k->chan, &m, chan) < 0)
		keeper_end(k); /* it has just died, or does not read */
	if (k->pid != 0)
		return 0;
	return make(p) < 0 ? -1 : ipc_send_fd(k->chan, &m, chan);
}

void
keeper_pass(struct process *p, enum ipc_kind kind)
{
	struct ipc_msg m = { .kind = kind };
	struct keeper *k = &p->keeper;

	if (kind == IPC_SPAWN)
		m.arg = process_new_id(p);
	/* if it has just died there is nobody: the channel ends with this */
	ipc_send_fd(k->chan, &m, k->pending);
	close(k->pending);
	k->pending = -1;
	k->awaited = false;
}

static void
forget(struct keeper *k)
{
	if (k->pending >= 0)
		close(k->pending);
	if (k->caller != NULL)
		adopt_forget(k->caller); /* the channel is its */
	else if (k->chan >= 0)
		close(k->chan);
	keeper_init(k);
}

/* It holds nothing but descriptors, and no longer than the kernel takes: so
 * that is waited for, since what is locked through them is free after it. */
void
keeper_end(struct keeper *k)
{
	struct pollfd gone = { .events = POLLIN };

	end_former(k);
	if (k->caller != NULL && k->caller->pidfd >= 0) {
		/* known for good by this, so the pid is its own */
		gone.fd = k->caller->pidfd;
		syscall(SYS_pidfd_send_signal, gone.fd, SIGKILL, 0, 0);
		poll(&gone, 1, END_MS);
	} else if (k->pid != 0 && k->caller == NULL) {
		/* not waited for yet */
		kill(k->pid, SIGKILL);
		waitpid(k->pid, NULL, 0);
	}
	forget(k);
}

void
keeper_lost(struct process *p)
{
	log_warnx("%s: its keeper died pid=%d", p->name, (int)p->keeper.pid);
	forget(&p->keeper);
}

bool
keeper_died(struct super *s, pid_t pid, int status)
{
	for (struct process *p = s->processes; p != NULL; p = p->next) {
		if (p->keeper.former == pid) {
			p->keeper.former = 0;
			return true;
		}
		if (p->keeper.pid != pid)
			continue;
		log_warnx("%s: its keeper died pid=%d status=%d", p->name,
		    (int)pid, status);
		forget(&p->keeper);
		return true;
	}
	return false;
}
