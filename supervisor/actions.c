/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the actions process: it has Python started, asks it for signs of
 * life, ends it when there are none, and has it started again, in growing
 * intervals. It knows nothing of what workers and Python say to each other,
 * and the worst that a module can do happens in another process.
 */
#include "supervisor/actions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/clock.h"
#include "supervisor/part.h"
#include "supervisor/python.h"
#include "supervisor/retry.h"

enum {
	BACKLOG = 1024,
	ASK_MS = 250,
	LOAD_MS = 30000, /* for its imports */
	PATIENT_MS = 3000, /* so long the daemon's readiness waits for that */
	ABORT_MS = 300, /* to say where it hangs */
	FAREWELL_MS = 300,
	READS_A_TURN = 16,
};

/* What the Python process is doing. */
enum state {
	GONE, /* until_ms: when the next one starts */
	LOADING, /* until_ms: its limit */
	CALM, /* until_ms: when it is asked for a sign of life */
	ASKED, /* until_ms: when it is taken for hung */
	ABORTED, /* until_ms: when it is killed */
	KILLED,
};

struct actions {
	struct proc *proc;
	struct python python;
	enum state state;
	uint64_t now_ms, until_ms, patient_ms;
	uint64_t beat_ms;
	struct retry retry;
	int conf_fd;
	bool told; /* that this serves */
	bool loaded; /* the present one */
	bool ended; /* orders to end, or nobody to give any */
	int code; /* of this process */
	char why[PYTHON_WORDS + 1]; /* it could not be loaded */
	char script[PATH_MAX];
};

static const struct retry_limits limits = {
	.min_ms = 200, .max_ms = 30000, .window_s = 60
};

bool
actions_wanted(const struct conf *c)
{
	return c->actions.module != NULL;
}

/* Others than we may have to connect: the users that workers run as. Whom it
 * is that calls, is looked at there. */
static mode_t
mode_of(const struct conf *c)
{
	for (size_t i = 0; i < c->ntransports; i++)
		if (c->transports[i].user != NULL)
			return 0666;
	return 0600;
}

static bool
find_path(const char *run_dir, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/" ACTIONS_SOCKET, run_dir);

	return n > 0 && (size_t)n < size;
}

void
actions_permit(const struct conf *c, const char *run_dir)
{
	char path[PATH_MAX];

	if (find_path(run_dir, path, sizeof(path)) &&
	    chmod(path, mode_of(c)) < 0)
		log_warn("cannot set the mode of %s", path);
}

void
actions_remove(const char *run_dir)
{
	char path[PATH_MAX];

	if (find_path(run_dir, path, sizeof(path)))
		unlink(path);
}

int
actions_listen(const struct conf *c, const char *run_dir, int *path_fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, err;

	errno = ENAMETOOLONG;
	if (!find_path(run_dir, a.sun_path, sizeof(a.sun_path)))
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(a.sun_path);
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
	    chmod(a.sun_path, mode_of(c)) == 0 && listen(fd, BACKLOG) == 0 &&
	    (*path_fd = open(a.sun_path, O_PATH | O_CLOEXEC)) >= 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* ---- the life of the Python process ---- */

static void
set_state(struct actions *a, enum state next, uint64_t ms)
{
	a->state = next;
	a->until_ms = a->now_ms + ms;
}

/* What there is now is all that there will be for a while. */
static void
tell(struct actions *a)
{
	if (!a->told)
		proc_ready(a->proc);
	a->told = true;
}

static void
retry_later(struct actions *a)
{
	uint32_t bits = 0;
	int64_t ms;

	(void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
	ms = retry_next(&a->retry, &limits, false, a->now_ms, bits);
	set_state(a, GONE, ms > 0 ? (uint64_t)ms : 0);
}

static void
start(struct actions *a)
{
	a->loaded = false;
	a->why[0] = '\0';
	if (python_start(&a->python, a->proc, a->script, a->conf_fd) == 0) {
		set_state(a, LOADING, LOAD_MS);
		return;
	}
	log_warn("cannot start python");
	retry_later(a);
}

static void
hear(struct actions *a)
{
	char words[PYTHON_WORDS + 1];

	for (int i = 0; i < READS_A_TURN; i++) {
		if (!python_hear(&a->python, words))
			return;
		for (char *c = words; *c != '\0'; c++)
			if ((unsigned char)*c < ' ')
				*c = ' ';
		if (strncmp(words, "failed ", 7) == 0) {
			memcpy(a->why, words + 7, sizeof(words) - 7);
		} else if (strncmp(words, "loaded ", 7) == 0) {
			log_info("%s loaded pid=%d actions=\"%s\"",
			    a->proc->conf->actions.module, (int)a->python.pid,
			    words + 7);
			a->loaded = true;
			tell(a);
		}
		if (a->loaded && (a->state == LOADING || a->state == ASKED))
			set_state(a, CALM, ASK_MS);
	}
}

static void
bury(struct actions *a)
{
	const char *module = a->proc->conf->actions.module;
	int pid = (int)a->python.pid, status;

	hear(a); /* its last words */
	status = python_bury(&a->python);
	if (a->why[0] != '\0' && !a->told &&
	    (a->proc->conf->actions.needed || a->proc->tried)) {
		a->code = proc_failed(
		    a->proc, EX_CONFIG, "cannot load %s: %s", module, a->why);
		a->ended = true;
		set_state(a, GONE, 0);
		return;
	}
	if (a->why[0] != '\0') {
		log_error("cannot load %s: %s", module, a->why);
	} else if (WIFSIGNALED(status)) {
		log_warnx("%s: died pid=%d by=\"signal %d (%s)\"", module, pid,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	} else {
		log_warnx("%s: died pid=%d by=\"exit %d\"", module, pid,
		    WEXITSTATUS(status));
	}
	retry_later(a);
	tell(a);
}

/* The same patience as the supervisor has with us, but never less than what a
 * call may take. */
static uint64_t
hang_ms(const struct actions *a)
{
	const struct conf *c = a->proc->conf;
	uint64_t call = 2ull * c->actions.timeout_ms;

	return c->hang_timeout_ms > call ? c->hang_timeout_ms : call;
}

/* The time of the state is over. */
static void
on_time(struct actions *a)
{
	const char *module = a->proc->conf->actions.module;

	switch (a->state) {
	case GONE:
		start(a);
		break;
	case CALM:
		python_ask(&a->python);
		set_state(a, ASKED, hang_ms(a));
		break;
	case LOADING:
	case ASKED:
		log_warnx("%s: hung: no sign of life for %llu ms", module,
		    (unsigned long long)(a->state == LOADING ? LOAD_MS
							     : hang_ms(a)));
		kill(a->python.pid, SIGABRT); /* it says where it is */
		set_state(a, ABORTED, ABORT_MS);
		break;
	case ABORTED:
		kill(a->python.pid, SIGKILL);
		set_state(a, KILLED, 0);
		break;
	case KILLED: /* its end will be told */
		a->until_ms = UINT64_MAX;
		break;
	}
}

/* ---- the loop ---- */

static void
take_orders(struct actions *a)
{
	struct ipc_msg m;
	int rc;

	while ((rc = proc_order(a->proc, &m)) == 1)
		if (m.kind == IPC_EXIT || m.kind == IPC_DRAIN)
			a->ended = true;
	if (rc == -1)
		a->ended = true;
}

static int
wait_ms(const struct actions *a)
{
	uint64_t ms = a->beat_ms;

	if (a->until_ms < a->now_ms + ms)
		ms = a->until_ms > a->now_ms ? a->until_ms - a->now_ms : 0;
	return (int)ms;
}

static void
turn(struct actions *a)
{
	struct pollfd fd[] = {
		{ .fd = a->proc->chan, .events = POLLIN },
		{ .fd = a->state == GONE ? -1 : a->python.pidfd,
		    .events = POLLIN },
		{ .fd = a->state == GONE ? -1 : a->python.chan,
		    .events = POLLIN },
		{ .fd = a->state == GONE ? -1 : a->python.out.fd,
		    .events = POLLIN },
		{ .fd = a->state == GONE ? -1 : a->python.err.fd,
		    .events = POLLIN },
	};
	uint64_t ns;

	poll(fd, sizeof(fd) / sizeof(fd[0]), wait_ms(a));
	ns = clock_mono_ns();
	a->now_ms = ns / 1000000;
	proc_beat(a->proc, ns);
	if (fd[0].revents != 0)
		take_orders(a);
	if (a->ended)
		return; /* what ends now is not to be replaced */
	if (fd[3].revents != 0 || fd[4].revents != 0)
		python_print(&a->python);
	if (fd[2].revents != 0)
		hear(a);
	if (fd[1].revents != 0)
		bury(a);
	if (a->now_ms >= a->patient_ms)
		tell(a);
	if (a->now_ms >= a->until_ms)
		on_time(a);
}

/* It ends by itself when its channel is closed, unless a call keeps it. */
static void
end(struct actions *a)
{
	struct pollfd fd = { .fd = a->python.pidfd, .events = POLLIN };

	if (a->state == GONE)
		return;
	shutdown(a->python.chan, SHUT_RDWR);
	if (poll(&fd, 1, FAREWELL_MS) <= 0)
		kill(a->python.pid, SIGKILL);
	python_bury(&a->python);
}

/* The configuration as the Python process reads it. */
static int
write_conf(const struct conf *c)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(dup(fd), "w") : NULL;

	if (f == NULL)
		return -1;
	conf_dump(c, f);
	return fclose(f) == 0 ? fd : -1;
}

int
actions_main(struct proc *p)
{
	struct actions a = { .proc = p, .beat_ms = proc_beat_ms(p) };

	if (!part_file("holdfast_actions.py", a.script, sizeof(a.script)))
		return proc_failed(p, EX_SOFTWARE,
		    "not installed: there is no %s, nor one beside this "
		    "program",
		    a.script);
	a.conf_fd = write_conf(p->conf);
	if (a.conf_fd < 0)
		return proc_failed(p, EX_SOFTWARE,
		    "cannot keep the configuration: %s", strerror(errno));
	a.now_ms = clock_mono_ns() / 1000000;
	a.patient_ms = a.now_ms + PATIENT_MS;
	while (!a.ended)
		turn(&a);
	end(&a);
	return a.code;
}
