/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent of the supervisor that --guard makes. It opens nothing but its
 * log, hears signals, and single bytes from its supervisor; it has no part in
 * what that does, and nothing of it depends on this process.
 */
#include "supervisor/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/clock.h"
#include "supervisor/inherit.h"
#include "supervisor/killing.h"
#include "supervisor/opts.h"
#include "supervisor/retry.h"
#include "supervisor/sdnotify.h"

enum {
	BEAT_MS = 500,
	HUNG_MS = 3000, /* without a beat */
	BOOT_MS = 60000, /* until the first one */
	LATE_MS = 1000, /* so late, it was this process that stood still */
	CALM_MS = 500, /* whoever served so long is followed at once */
	TAKE_OVER_MS = 5000, /* before it is told to stop */
};

#define ENV "HOLDFAST_GUARD"

static const int caught[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
	SIGCHLD };

struct guard {
	const struct opts *opts;
	char **argv;
	char exe[PATH_MAX]; /* ""; the program is not to be executed */
	struct stat image; /* what that was at the start */
	int signals, beats; /* the other end of the supervisor's pipe; -1 */
	pid_t pid; /* the supervisor; 0: none */
	unsigned starts;
	bool served; /* any */
	bool ready; /* this one */
	int stop; /* the signal that asked for the end */
	bool stop_sent; /* to this one */
	uint64_t born_ms, heard_ms, due_ms;
	uint64_t notify_ms, notified_ms;
	struct retry retry;
};

static uint64_t
now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

/* ---- in a supervisor ---- */

int
guard_fd(void)
{
	const char *text = getenv(ENV);
	int pid, fd;
	struct stat st;

	if (text == NULL || sscanf(text, "%d:%d", &pid, &fd) != 2 ||
	    pid != (int)getpid() || fd <= STDERR_FILENO || fstat(fd, &st) < 0 ||
	    !S_ISFIFO(st.st_mode))
		return -1;
	return fd;
}

/* A guard that has died, or does not read, is gone on without. */
static void
say(char what)
{
	int fd = guard_fd();

	if (fd >= 0)
		(void)!write(fd, &what, 1);
}

void
guard_beat(uint64_t now)
{
	static uint64_t last;

	if (now - last < BEAT_MS)
		return;
	last = now;
	say('.');
}

void
guard_ready(void)
{
	say('r');
}

/* ---- starting one ---- */

/* The program if it was replaced since the guard began: the last supervisor
 * may have executed that. argv may be what a program has made up. */
static void
remember_image(struct guard *g)
{
	ssize_t n = readlink("/proc/self/exe", g->exe, sizeof(g->exe) - 1);

	g->exe[n > 0 ? n : 0] = '\0';
	if (n <= 0 || g->argv[0] != program_invocation_name ||
	    stat(g->exe, &g->image) < 0)
		g->exe[0] = '\0';
}

static bool
replaced(const struct guard *g)
{
	struct stat st;

	return g->exe[0] != '\0' && stat(g->exe, &st) == 0 &&
	    (st.st_ino != g->image.st_ino || st.st_dev != g->image.st_dev);
}

/* In the child. Signals stay blocked, so that none is lost before the
 * supervisor hears them; what a terminal sends to its group is the guard's. */
static void
become_supervisor(struct guard *g, int out)
{
	char text[32];

	snprintf(text, sizeof(text), "%d:%d", (int)getpid(), out);
	if (setenv(ENV, text, 1) < 0 || inherit_pass() < 0)
		_exit(EX_OSERR);
	setpgid(0, 0);
	prctl(PR_SET_NAME, program_invocation_short_name);
	if (replaced(g)) {
		close(g->signals);
		close(g->beats);
		execv(g->exe, g->argv);
	}
	log_to(STDERR_FILENO, g->opts->log_level);
}

/* True in the child. */
static bool
start_one(struct guard *g)
{
	int fd[2];

	g->due_ms = UINT64_MAX;
	if (pipe2(fd, O_NONBLOCK) < 0) {
		g->due_ms = now_ms() + TAKE_OVER_MS;
		return false;
	}
	g->beats = fd[0];
	g->pid = fork();
	if (g->pid == 0) {
		become_supervisor(g, fd[1]);
		return true;
	}
	close(fd[1]);
	g->ready = g->stop_sent = false;
	g->born_ms = now_ms();
	g->heard_ms = 0;
	g->starts++;
	if (g->pid < 0) {
		log_warn("cannot start a supervisor");
		close(g->beats);
		g->beats = -1;
		g->pid = 0;
		g->due_ms = now_ms() + TAKE_OVER_MS;
	}
	return false;
}

/* ---- the end of one ---- */

/* What another start would not mend. Once it has served, what is wrong with the
 * configuration now is waited for: the workers serve meanwhile. */
static bool
is_final(const struct guard *g, int code)
{
	switch (code) {
	case 0:
	case EX_USAGE:
	case EX_UNAVAILABLE:
	case EX_CANTCREAT:
	case EX_NOPERM:
	case EX_IOERR: /* it was asked to stop, and could not save */
		return true;
	case EX_NOINPUT:
	case EX_CONFIG:
		return !g->served || g->stop != 0;
	default:
		return false;
	}
}

static void
plan_next(struct guard *g, int status)
{
	static const struct retry_limits limits = { .min_ms = 10,
		.max_ms = 5000 };
	char how[64];
	uint32_t random = 0;
	int64_t wait;

	if (g->ready && now_ms() - g->born_ms >= CALM_MS)
		retry_calm(&g->retry);
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	wait = g->stop != 0
	    ? 0
	    : retry_next(&g->retry, &limits, false, now_ms(), random);
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(status));
	log_warnx("the supervisor died pid=%d by=\"%s\"; the next one starts "
		  "in %d ms",
	    (int)g->pid, how, (int)wait);
	g->due_ms = now_ms() + (uint64_t)wait;
}

/* Waits for all that have ended. The code to end with, or -1. */
static int
reap(struct guard *g)
{
	int status, code = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != g->pid)
			continue; /* a supervisor has left it */
		if (WIFEXITED(status) && is_final(g, WEXITSTATUS(status)))
			code = WEXITSTATUS(status);
		else
			plan_next(g, status);
		close(g->beats);
		g->beats = -1;
		g->pid = 0;
	}
	return code;
}

/* ---- signals and beats ---- */

/* One that is to take over does so first, so that nothing is left behind. */
static void
pass_stop(struct guard *g)
{
	if (g->stop == 0 || g->stop_sent || g->pid == 0)
		return;
	if (g->starts > 1 && !g->ready && now_ms() - g->born_ms < TAKE_OVER_MS)
		return;
	kill(g->pid, g->stop);
	g->stop_sent = true;
}

static int
hear_signals(struct guard *g)
{
	struct signalfd_siginfo si;
	int code = -1;

	while (read(g->signals, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
			code = reap(g);
			if (code >= 0)
				return code;
			break;
		case SIGTERM:
		case SIGINT:
		case SIGQUIT:
			g->stop = (int)si.ssi_signo;
			g->stop_sent = false;
			if (g->pid == 0)
				g->due_ms = 0;
			pass_stop(g);
			break;
		case SIGUSR1:
			if (log_reopen() < 0)
				log_warn("cannot open the log anew");
			/* fall through */
		default:
			if (g->pid != 0)
				kill(g->pid, (int)si.ssi_signo);
		}
	}
	return -1;
}

static void
hear_beats(struct guard *g)
{
	char said[64];
	ssize_t n;

	while (g->beats >= 0 && (n = read(g->beats, said, sizeof(said))) > 0) {
		g->heard_ms = now_ms();
		if (memchr(said, 'r', (size_t)n) != NULL)
			g->ready = g->served = true;
	}
	if (g->notify_ms != 0 && g->heard_ms > g->notified_ms + g->notify_ms) {
		sdnotify("WATCHDOG=1");
		g->notified_ms = g->heard_ms;
	}
}

/* A wait that was asked to last until due ended now. */
static void
watch(struct guard *g, uint64_t due, uint64_t now)
{
	uint64_t *since = g->heard_ms != 0 ? &g->heard_ms : &g->born_ms;

	if (g->pid == 0)
		return;
	if (now > due + LATE_MS) {
		*since = now;
		return;
	}
	if (now - *since <= (g->heard_ms != 0 ? HUNG_MS : BOOT_MS))
		return;
	log_warnx("the supervisor hangs pid=%d; ending it", (int)g->pid);
	killing("the supervisor", g->pid, -1);
	*since = now;
}

/* ---- the loop ---- */

static int
prepare(struct guard *g)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		sigaddset(&set, caught[i]);
		signal(caught[i], SIG_DFL); /* inherited may be: ignored */
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	g->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	/* what a supervisor leaves comes here, not to process 1 */
	return g->signals < 0 ? -1 : prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int
loop(struct guard *g)
{
	int code = -1;

	while (code < 0) {
		uint64_t now = now_ms(), due = now + BEAT_MS;
		struct pollfd p[2] = { { .fd = g->signals, .events = POLLIN },
			{ .events = POLLIN } };

		if (g->pid == 0 && now >= g->due_ms && start_one(g))
			return GUARD_SERVE;
		if (g->due_ms < due)
			due = g->due_ms;
		p[1].fd = g->beats;
		poll(p, 2, due > now ? (int)(due - now) : 0);
		hear_beats(g);
		watch(g, due, now_ms());
		pass_stop(g);
		code = hear_signals(g);
	}
	return code;
}

int
guard(const struct opts *o, char **argv)
{
	struct guard g = { .opts = o, .argv = argv, .beats = -1 };

	if (log_open(o->log_file, o->log_format, o->log_level) < 0 ||
	    prepare(&g) < 0) {
		fprintf(stderr, "holdfastd: %s: %s\n",
		    o->log_file != NULL ? o->log_file : "guard",
		    strerror(errno));
		return errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	}
	log_as("guard", NULL);
	remember_image(&g);
	prctl(PR_SET_NAME, "hf:guard");
	g.notify_ms = sdnotify_every_ms();
	return loop(&g);
}
