/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a child: what it died of, whether it is known how, and what is
 * repaired before its slot may be another's. Runs in the supervisor. Only what
 * the kernel says is believed: the parent's wait, or the end of a pidfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/store_reap.h"
#include "supervisor/aide.h"
#include "supervisor/process.h"
#include "supervisor/super.h"

enum { LAST_WORDS = 16 };

/* How one ended that nobody has waited for yet: so the pid is its own. */
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
		return SUSPECT_KILLED;
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
		return SUSPECT_KILLED;
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
	/* or it has not even looked at what its predecessor has died of: the
	 * request in hand is not one that it had begun */
	if (atomic_load(&w->hand) == 0 ||
	    atomic_load(&w->suspect) != SUSPECT_NO)
		return false;
	atomic_store(&w->suspect, suspect);
	return suspect == SUSPECT_FAULT;
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

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	process_died(arg, process_status(((struct process *)arg)->pid, fd));
}

void
process_watch_pidfd(struct process *p)
{
	p->pidfd = p->passed;
	p->passed = -1;
	p->gone = event_new(
	    p->super->base, p->pidfd, EV_READ | EV_PERSIST, on_gone, p);
	if (p->gone == NULL || event_add(p->gone, NULL) < 0)
		process_kill(p, "out of memory");
}

/* "exit 70", "signal 11 (Segmentation fault)" */
static void
words_of(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status)) {
		snprintf(buf, size, "signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)),
		    WCOREDUMP(status) ? ", core dumped" : "");
	} else if (status == PROCESS_UNSEEN) {
		snprintf(buf, size, "nobody saw how");
	} else {
		snprintf(buf, size, "exit %d", WEXITSTATUS(status));
	}
}

/* True for the end of what there is to be no service without. */
static bool
is_needed(const struct process *p, enum life_event ev)
{
	const struct super *s = p->super;

	return ev == LIFE_MISCONFIGURED && s->conf->actions.needed &&
	    p->aide == &aides[s->actions] && s->ready_text == NULL &&
	    s->phase == SUPER_SERVES;
}

/* The last words of the dead, if it left any: why it cannot serve. */
static void
read_will(struct process *p)
{
	struct ipc_msg m;
	int i;

	for (i = 0; i < LAST_WORDS && ipc_recv(p->chan, &m) == 1; i++)
		if (m.kind == IPC_FAILED)
			orders_take(p, &m);
}

/* Only after this may another child take the slot, and only because the
 * parent has waited for it: that is the proof of its death. */
static void
bury(struct process *p)
{
	struct super *s = p->super;
	size_t i;

	slot_declare_dead(s->control, p->id);
	for (i = 0; i < s->conf->ndevices; i++) {
		if (store_reap(&s->stores[i], p->id)) {
			log_warnx("%s: died while it owned %s; repaired",
			    p->name, s->conf->devices[i].name);
		}
	}
	apply_devices_reap(s, p->id);
	atomic_store(&p->shm->pid, 0);
	atomic_store(&p->shm->role, SHM_FREE);
	read_will(p);
	process_close_channel(p);
	process_forget_pidfd(p);
	p->pid = 0;
	p->unborn = false;
}

void
process_never_born(struct process *p)
{
	bury(p);
	if (p->child.why[0] == '\0')
		child_why(&p->child, "its keeper died before it was there");
	log_warnx("%s: not born why=\"%s\"", p->name, p->child.why);
	child_event(&p->child, LIFE_CRASHED);
}

void
process_died(struct process *p, int status)
{
	struct child *c = &p->child;
	char words[64], why[CHILD_WHY_LOG];
	enum life_event ev = LIFE_CRASHED;
	int pid = (int)p->pid;
	bool vain, ours = c->why[0] != '\0';

	bury(p);
	p->last = ours ? PROCESS_ENDED : status;
	c->suspected = process_blame(p, status, ours);
	words_of(status, words, sizeof(words));
	if (WIFEXITED(status)) {
		ev = WEXITSTATUS(status) == 0          ? LIFE_ENDED
		    : WEXITSTATUS(status) == EX_CONFIG ? LIFE_MISCONFIGURED
						       : LIFE_CRASHED;
	}
	/* what it has served with was right once: a file that is being
	 * replaced is whole again soon */
	if (ev == LIFE_MISCONFIGURED && p->served && c->state == LIFE_STARTING)
		ev = LIFE_CRASHED;
	if (c->why[0] == '\0')
		child_why(c, "%s", words);
	if ((ev == LIFE_ENDED || status == PROCESS_UNSEEN) &&
	    (c->state == LIFE_DRAINING || c->state == LIFE_RESTARTING)) {
		log_debug("%s: ended pid=%d", p->name, pid);
	} else {
		log_warnx("%s: died pid=%d by=\"%s\"%s", p->name, pid, words,
		    child_why_log(
			strcmp(c->why, words) != 0 ? c->why : "", why));
	}
	if (p->service != NULL)
		atomic_store(&p->service->shm->last_exit,
		    status == PROCESS_UNSEEN ? -1 : status);
	orders_forget(p);
	refresh_died(p);
	p->owes = 0;
	vain = is_needed(p, ev);
	if (vain)
		p->super->code = EX_CONFIG; /* it is not to become ready */
	child_event(c, ev);
	if (vain)
		super_stop(p->super, false);
}
