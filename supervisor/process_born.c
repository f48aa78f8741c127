/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the supervisor comes to know of a process that it has not forked itself,
 * and of the end of one that is no child of its: what keepers make, and what a
 * former supervisor has left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/super.h"

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

/* The same of one that nobody has waited for yet: so the pid is its own. */
static int
zombie_status(pid_t pid)
{
	char path[32], text[1024], *state, *last;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return PROCESS_UNSEEN;
	text[n] = '\0';
	state = strrchr(text, ')'); /* its name may hold anything */
	last = strrchr(text, ' ');
	if (state == NULL || last == NULL || strncmp(state, ") Z ", 4) != 0)
		return PROCESS_UNSEEN;
	return atoi(last + 1);
}

int
process_status(pid_t pid, int pidfd)
{
	struct {
		uint64_t mask, cgroup;
		uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid,
		    fsuid, fsgid;
		int32_t exit_code;
		uint64_t spare[8];
	} info = { .mask = 1 << 3 };
	siginfo_t si = { .si_pid = 0 };
	int status = zombie_status(pid);

	if (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG) == 0 &&
	    si.si_pid != 0)
		return si.si_code == CLD_EXITED ? si.si_status << 8
						: si.si_status;
	/* it is still there, so the pid was its own. 0 may be what the kernel
	 * tells who is not to know */
	if (status != 0 && status != PROCESS_UNSEEN &&
	    (syscall(SYS_pidfd_send_signal, pidfd, 0, 0, 0) == 0 ||
		errno == EPERM))
		return status;
	if (ioctl(pidfd, _IOWR(0xFF, 11, char[64 + 64]), &info) == 0 &&
	    (info.mask & 1 << 3) != 0)
		return info.exit_code;
	return PROCESS_UNSEEN;
}

/* SIGKILL is the system's for want of memory, or somebody's, unless it was the
 * answer to a hang. */
static uint32_t
suspect_of(int status, bool ordered)
{
	if (status == PROCESS_UNSEEN)
		return SUSPECT_NO;
	if (!WIFSIGNALED(status) || ordered)
		return SUSPECT_ENDED;
	switch (WTERMSIG(status)) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGSYS:
		return SUSPECT_FAULT;
	default:
		return SUSPECT_NO;
	}
}

bool
process_blame(struct process *p, int status, bool ordered)
{
	uint32_t suspect = suspect_of(status, ordered);
	struct shm_worker *w;

	if (p->service == NULL)
		return false;
	w = seg_worker(&p->seg);
	atomic_store(&w->suspect, suspect);
	return suspect == SUSPECT_FAULT && atomic_load(&w->hand) != 0;
}

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	process_died(arg, process_status(((struct process *)arg)->pid, fd));
}

/* From p->passed, which is ours then. */
static void
watch_pidfd(struct process *p)
{
	p->pidfd = p->passed;
	p->passed = -1;
	p->gone = event_new(
	    p->super->base, p->pidfd, EV_READ | EV_PERSIST, on_gone, p);
	if (p->gone == NULL || event_add(p->gone, NULL) < 0)
		process_kill(p, "out of memory");
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
		watch_pidfd(p);
	if (dead)
		process_died(p, status);
	else if (p->doomed)
		process_kill(p, "");
}

void
process_forget_pidfd(struct process *p)
{
	if (p->gone != NULL)
		event_free(p->gone);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->gone = NULL;
	p->pidfd = -1;
}

void
process_adopt(struct process *p, pid_t pid, int pidfd)
{
	p->id = slot_next_id(p->super->control, p->slot);
	p->unborn = false;
	process_have_pid(p, pid);
	p->passed = pidfd;
	watch_pidfd(p);
}

void
process_release(struct process *p)
{
	struct child *c = &p->child;

	if (!p->held)
		return;
	p->held = false;
	/* its time to become ready begins now */
	if (c->ops->spawn(c) < 0)
		child_event(c, LIFE_UNBORN);
	else
		c->ops->timer(c, CHILD_START_MS);
}

struct retry_limits
process_limits(const struct conf_transport *t)
{
	return (struct retry_limits){
		.min_ms = t->restart.min_backoff_ms,
		.max_ms = t->restart.max_backoff_ms,
		.max_in_window = t->restart.max_in_window,
		.window_s = t->restart.window_s,
	};
}
