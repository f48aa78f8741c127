/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing the program under the processes that serve. Runs in the
 * supervisor, and at the start of the program that follows it.
 */
#include "supervisor/upgrade.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/super.h"

#define LAYOUT "HOLDFAST_UPGRADE_LAYOUT"
#define TAKEN "HOLDFAST_UPGRADE_TAKEN"

enum { LOOK_S = 12 }; /* a plugin may take 10 s to look at its options */

static char program[PATH_MAX];
static char **arguments; /* as they were: titles are for children only */

void
upgrade_init(char **argv)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
	arguments = argv;
}

bool
upgrade_fits(void)
{
	const char *ours = getenv(LAYOUT);

	return ours == NULL || strtoul(ours, NULL, 10) == seg_layout();
}

bool
upgrade_taken(void)
{
	bool taken = getenv(TAKEN) != NULL;

	unsetenv(TAKEN);
	return taken;
}

/* In a child: becomes the new program, which looks at the configuration. */
static void __attribute__((__noreturn__)) look(const struct super *s, int fd)
{
	char *path = (char *)(uintptr_t)s->conf->path;
	char *argv[] = { program, (char[]){ "-t" }, (char[]){ "-c" }, path,
		NULL };
	char layout[16];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0); /* whom it starts ends with it: upgrade_tick() */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(layout, sizeof(layout), "%u", seg_layout());
	setenv(LAYOUT, layout, 1);
	if (dup2(fd, 1) >= 0 && dup2(fd, 2) >= 0)
		execv(program, argv);
	dprintf(fd, "%s: %s\n", program, strerror(errno));
	_exit(EX_UNAVAILABLE);
}

static void
answer(struct super *s, int rc, const char *why)
{
	struct upgrade *u = &s->upgrade;

	if (rc != 0)
		log_error("not upgraded why=\"%s\"", why);
	if (u->asker != NULL)
		orders_answer(u->asker, u->tag, rc, 0, "%s", why);
	u->asker = NULL;
}

void
upgrade_fini(struct super *s)
{
	struct upgrade *u = &s->upgrade;

	if (u->pid != 0) {
		kill(-u->pid, SIGKILL);
		close(u->fd);
	}
	u->pid = 0;
}

void
upgrade_forget(struct super *s, const struct process *p)
{
	if (s->upgrade.asker == p)
		s->upgrade.asker = NULL;
}

void
upgrade_start(struct super *s, struct process *asker, uint32_t tag)
{
	struct upgrade *u = &s->upgrade;
	int fd[2];

	if (u->pid != 0 || s->reload.pid != 0) {
		if (asker != NULL)
			orders_answer(asker, tag, EBUSY, 0, "%s is under way",
			    u->pid != 0 ? "an upgrade" : "a reload");
		return;
	}
	u->asker = asker;
	u->tag = tag;
	if (s->phase != SUPER_SERVES || s->roles->mortal || s->host != NULL ||
	    program[0] == '\0') {
		answer(s, ENOTSUP, "this one cannot be upgraded");
		return;
	}
	log_info("upgrading to %s", program);
	if (pipe2(fd, O_CLOEXEC) < 0) {
		answer(s, errno, strerror(errno));
		return;
	}
	u->pid = fork();
	if (u->pid == 0)
		look(s, fd[1]);
	close(fd[1]);
	u->fd = fd[0];
	if (u->pid < 0) {
		u->pid = 0;
		close(u->fd);
		answer(s, errno, strerror(errno));
		return;
	}
	setpgid(u->pid, u->pid); /* whoever of the two comes first */
	/* who has outlived it may hold the other end */
	fcntl(u->fd, F_SETFL, O_NONBLOCK);
	u->until_ms = super_now_ns() / 1000000 + LOOK_S * 1000;
}

void
upgrade_tick(struct super *s, uint64_t now_ms)
{
	struct upgrade *u = &s->upgrade;
	char why[ORDERS_TEXT];

	if (u->pid == 0 || u->until_ms == 0 || now_ms < u->until_ms)
		return;
	kill(-u->pid, SIGKILL);
	/* it may be stuck in the kernel, and take its time to die */
	u->until_ms = 0;
	snprintf(why, sizeof(why),
	    "the new program does not answer within %d s", LOOK_S);
	answer(s, EINVAL, why);
}

/* What it has said first; a pipe holds more than that. */
static void
first_line(int fd, char *line, size_t size)
{
	ssize_t n = read(fd, line, size - 1);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	for (char *c = line; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
}

/* So that nobody takes it for a death. */
static void
part(struct super *s)
{
	struct ipc_msg m = { .kind = IPC_PART };

	for (struct process *p = s->processes; p != NULL; p = p->next) {
		process_send(p, &m, -1);
		if (p->keeper.pid != 0)
			ipc_send(p->keeper.chan, &m);
	}
}

static void
become(struct super *s)
{
	answer(s, 0, "");
	part(s);
	log_info("giving way to the new program");
	setenv(TAKEN, "1", 1);
	/* all that it has open ends with it, but for the standard files */
	execv(program, arguments);
	unsetenv(TAKEN);
	log_warn("cannot run %s; going on", program);
}

bool
upgrade_died(struct super *s, pid_t pid, int status)
{
	struct upgrade *u = &s->upgrade;
	char line[ORDERS_TEXT];

	if (u->pid == 0 || pid != u->pid)
		return false;
	first_line(u->fd, line, sizeof(line));
	close(u->fd);
	u->pid = 0;
	if (u->until_ms == 0)
		return true; /* and that has been told */
	if (s->phase != SUPER_SERVES)
		answer(s, ESHUTDOWN, "the daemon is stopping");
	else if (s->reload.pid != 0 || s->apply.until_ms != 0)
		answer(s, EBUSY, "a reload is under way");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)
		become(s);
	else
		answer(s, EINVAL,
		    WIFEXITED(status) ? line : "the new program crashes");
	return true;
}
