/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keepers as the supervisor sees them: made, asked for workers, ended. Runs in
 * the supervisor; what they do themselves is in keeping.c.
 */
#include "supervisor/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/killing.h"
#include "supervisor/super.h"

enum {
	END_MS = 1000,
	AGAIN_MS = 100, /* between two attempts to replace one that died */
};

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
	atomic_store(&p->shm->keeper_ns, 0);
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
	k->since_ns = super_now_ns();
	k->stale = false;
	return 0;
}

/* What has handed over has ended, or never will. */
static void
end_former(struct keeper *k)
{
	if (k->former != 0) {
		killing("a former keeper", k->former, -1);
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

static void
pass(struct process *p, int to, const struct ipc_msg *m)
{
	struct keeper *k = &p->keeper;

	/* if it has just died there is nobody: the channel ends with this */
	ipc_send_fd(to, m, k->pending);
	close(k->pending);
	k->pending = -1;
	k->awaited = false;
}

void
keeper_pass(struct process *p, enum ipc_kind kind)
{
	struct ipc_msg m = { .kind = kind };

	if (kind == IPC_SPAWN)
		m.arg = process_new_id(p);
	pass(p, p->keeper.chan, &m);
}

void
keeper_introduce(struct process *p, int call)
{
	struct super *s = p->super;

	pass(p, call, &(struct ipc_msg){ .kind = IPC_ADOPT });
	/* it may have another one since, which is yet to call */
	p->keeper.awaited = p->keeper.pid == 0 &&
	    claim_has_keeper(&s->claim, s->control, p->slot);
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
		killing("a keeper", k->pid, gone.fd);
		poll(&gone, 1, END_MS);
	} else if (k->pid != 0 && k->caller == NULL) {
		killing("a keeper", k->pid, -1);
		waitpid(k->pid, NULL, 0);
	}
	forget(k);
}

void
keeper_hung(struct process *p, unsigned silent_ms)
{
	struct keeper *k = &p->keeper;

	if (k->hangs)
		return;
	k->hangs = true;
	log_warnx(
	    "%s: its keeper hangs pid=%d why=\"no sign of life for %u ms\"",
	    p->name, (int)k->pid, silent_ms);
	if (k->caller == NULL || k->caller->pidfd >= 0)
		killing("a keeper", k->pid,
		    k->caller != NULL ? k->caller->pidfd : -1);
}

/* ---- one that has died ---- */

/* The worker is of no use any more: its death is just being heard of. */
static bool
has_ended(const struct process *p)
{
	struct pollfd gone = { .fd = p->pidfd, .events = POLLIN };
	siginfo_t si = { .si_pid = 0 };

	if (p->pidfd >= 0)
		return poll(&gone, 1, 0) == 1;
	return waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG | WNOWAIT) <
	    0 ||
	    si.si_pid != 0;
}

/* It is to give way to one of the new keeper's. */
static int
have_give_way(struct process *p)
{
	struct ipc_msg take = { .kind = IPC_TAKE };
	int fd[2], rc;

	if (ipc_pair(fd) < 0)
		return -1;
	rc = ipc_send_fd(p->keeper.chan, &take, fd[1]);
	close(fd[1]);
	if (rc < 0) {
		close(fd[0]);
		return -1;
	}
	p->hand = fd[0];
	p->child.drain_ms = p->super->conf->drain_timeout_s * 1000;
	child_why(&p->child, "its keeper died");
	child_event(&p->child, LIFE_RESTART);
	return 0;
}

/* It stays as it is, and the new keeper brings it back if it has to. */
static int
entrust(struct process *p)
{
	struct ipc_msg hand = { .kind = IPC_HAND };
	struct ipc_msg ward = { .kind = IPC_WARD, .arg = (uint64_t)p->pid };
	/* not waited for yet */
	int fd = p->pidfd >= 0 ? fcntl(p->pidfd, F_DUPFD_CLOEXEC, 0)
			       : (int)syscall(SYS_pidfd_open, p->pid, 0);
	int rc = fd < 0 ? -1 : ipc_send_fd(p->keeper.chan, &ward, fd);

	if (fd >= 0)
		close(fd);
	if (rc == 0)
		process_send(p, &hand, -1);
	return rc;
}

void
keeper_mend(struct process *p)
{
	uint64_t now_ms = super_now_ns() / 1000000;

	if (p->service == NULL || p->keeper.pid != 0 || p->keeper.awaited ||
	    p->child.state != LIFE_UP || p->super->phase != SUPER_SERVES ||
	    now_ms - p->mended_ms < AGAIN_MS || has_ended(p))
		return;
	p->mended_ms = now_ms;
	if (make(p) < 0 ||
	    (p->service->conf->type == CONF_TCP ? have_give_way(p)
						: entrust(p)) < 0) {
		log_warn("%s: cannot be given another keeper", p->name);
		keeper_end(&p->keeper);
		return;
	}
	log_info("%s: has another keeper pid=%d", p->name, (int)p->keeper.pid);
}

void
keeper_lost(struct process *p)
{
	log_warnx("%s: its keeper died pid=%d", p->name, (int)p->keeper.pid);
	forget(&p->keeper);
	keeper_mend(p);
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
		keeper_mend(p);
		return true;
	}
	return false;
}
