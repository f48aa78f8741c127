/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks and buries a Python process and reads what it says. Runs in the
 * actions process, which has no other children and no threads. Never waits
 * but for a child that is known to have ended.
 */
#include "supervisor/python.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/mem.h"

enum {
	/* descriptors of the child: holdfast_actions.py */
	CHANNEL = 3,
	LISTENER,
	CONFIGURATION,
	CHILD_FILES,
	READS_A_TURN = 32, /* what it floods the log with must not hold us up */
	NO_PROGRAM = 127,
};

/* ---- the child ---- */

/* Puts each descriptor where the child expects it. They may lie in each
 * other's places, so all go out of the way first. */
static int
arrange(int fd[CHILD_FILES])
{
	int i;

	for (i = 0; i < CHILD_FILES; i++)
		if ((fd[i] = fcntl(fd[i], F_DUPFD, CHILD_FILES)) < 0)
			return -1;
	for (i = 0; i < CHILD_FILES; i++)
		if (dup2(fd[i], i) < 0)
			return -1;
	return close_range(CHILD_FILES, ~0u, 0);
}

/* Behind the folder: who may call, the users that workers run as. */
static char **
arguments(const struct proc *p, const char *script)
{
	const struct conf_actions *a = &p->conf->actions;
	char **argv = mem_zero(p->conf->ntransports + 7, sizeof(*argv));
	size_t n = 0;

	argv[n++] = mem_text(a->python != NULL ? a->python : PYTHON_DEFAULT);
	argv[n++] = mem_text("-u");
	argv[n++] = mem_text(script);
	argv[n++] = mem_text(a->module);
	argv[n++] = mem_text(a->folder);
	for (size_t i = 0; i < p->conf->ntransports; i++) {
		const char *user = p->conf->transports[i].user;
		const struct passwd *pw = user != NULL ? getpwnam(user) : NULL;

		if (pw != NULL)
			argv[n++] = mem_format("%u", (unsigned)pw->pw_uid);
	}
	return argv;
}

/* What the daemon ignores stays ignored by the program that is run, which could
 * then not be interrupted, nor end what it starts itself. */
static void
heed_signals(void)
{
	sigset_t ours;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL); /* fails where it cannot be otherwise */
	sigemptyset(&ours);
	/* a terminal's Ctrl-C is for the daemon, which ends this one when it is
	 * time; until the script has seen to that they wait */
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_SETMASK, &ours, NULL);
}

static void __attribute__((__noreturn__))
become(int fd[CHILD_FILES], char **argv, pid_t parent)
{
	heed_signals();
	/* a kill of the parent must not leave it behind; and it may have gone
	 * before this was asked for */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
	    arrange(fd) == 0)
		execvp(argv[0], argv);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(NO_PROGRAM);
}

/* ---- its parent ---- */

static void
close_all(struct python *y)
{
	int *fds[] = { &y->pidfd, &y->chan, &y->out.fd, &y->err.fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* Both ends of the three; theirs: what the child gets. */
static int
open_all(struct python *y, int theirs[3])
{
	int chan[2], text[2][2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, chan) < 0)
		return -1;
	y->chan = chan[0];
	theirs[0] = chan[1];
	for (int i = 0; i < 2; i++) {
		if (pipe2(text[i], O_CLOEXEC) < 0)
			return -1;
		*(i == 0 ? &y->out.fd : &y->err.fd) = text[i][0];
		theirs[1 + i] = text[i][1];
		fcntl(text[i][0], F_SETFL, O_NONBLOCK);
	}
	return fcntl(y->chan, F_SETFL, O_NONBLOCK);
}

int
python_start(
    struct python *y, const struct proc *p, const char *script, int conf_fd)
{
	int theirs[3] = { -1, -1, -1 }, err;
	char **argv = arguments(p, script);
	pid_t parent = getpid();

	*y = (struct python){
		.pidfd = -1, .chan = -1, .out.fd = -1, .err.fd = -1
	};
	if (open_all(y, theirs) == 0 && (y->pid = fork()) == 0)
		become((int[CHILD_FILES]){ 0, theirs[1], theirs[2], theirs[0],
			   p->listen_fd, conf_fd },
		    argv, parent);
	err = errno;
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
	if (y->pid > 0) {
		y->pidfd = (int)syscall(SYS_pidfd_open, y->pid, 0);
		if (y->pidfd >= 0)
			return 0;
		err = errno;
		kill(y->pid, SIGKILL);
		waitpid(y->pid, NULL, 0);
	}
	y->pid = 0;
	close_all(y);
	errno = err;
	return -1;
}

bool
python_hear(struct python *y, char words[PYTHON_WORDS + 1])
{
	ssize_t n = recv(y->chan, words, PYTHON_WORDS, MSG_DONTWAIT);

	words[n > 0 ? n : 0] = '\0';
	if (n == 0) {
		kill(y->pid, SIGKILL);
		close(y->chan);
		y->chan = -1;
	}
	return n > 0;
}

void
python_ask(const struct python *y)
{
	/* full is as good as sent: it has been asked */
	(void)!send(y->chan, "alive?", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
say(struct python_text *t, bool error)
{
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->line[i] < ' ')
			t->line[i] = ' ';
	t->line[t->len] = '\0';
	if (t->len > 0 && error)
		log_warnx("%s", t->line);
	else if (t->len > 0)
		log_info("%s", t->line);
	t->len = 0;
}

static void
pass_on(struct python_text *t, bool error)
{
	char buf[1024];
	ssize_t n;

	for (int k = 0; t->fd >= 0 && k < READS_A_TURN; k++) {
		n = read(t->fd, buf, sizeof(buf));
		if (n < 0)
			return;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != '\n')
				t->line[t->len++] = buf[i];
			if (buf[i] == '\n' || t->len == PYTHON_LINE)
				say(t, error);
		}
		if (n == 0) {
			say(t, error);
			close(t->fd);
			t->fd = -1;
		}
	}
}

void
python_print(struct python *y)
{
	pass_on(&y->out, false);
	pass_on(&y->err, true);
}

int
python_bury(struct python *y)
{
	int status = 0;

	waitpid(y->pid, &status, 0);
	python_print(y);
	say(&y->out, false);
	say(&y->err, true);
	close_all(y);
	y->pid = 0;
	return status;
}
