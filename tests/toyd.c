/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfastd with toys in place of its children: a worker and a control
 * process that do on request what real ones never should, so that the
 * supervisor can be shown what it must survive.
 *
 * Both take lines of text and answer with one line. A worker takes them over
 * its TCP port, control over RUN_DIR/control.sock (see the tables at the
 * end). What a child does at its birth stands in $TOY_DIR/NAME: a command
 * that is carried out before it serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shm/notice.h"
#include "shm/seg.h"
#include "supervisor/start.h"

enum { CONNS = 16, BEAT_MS = 50, LINE = 512 };

struct conn {
	int fd; /* -1: free */
	uint64_t answer_ms; /* an unfinished request is due then; 0: none */
};

struct toy {
	struct proc *proc;
	int listen_fd;
	bool draining, deaf;
	uint64_t drain_until_ms, born_ns;
	struct conn conns[CONNS];
	struct conn *now; /* who asks */
	int asker; /* control: who gets the next answers */
	uint32_t tag;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
say(int fd, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL);
}

/* ---- what either of them can be asked ---- */

static void
toy_pid(struct toy *t, int fd, const char *arg)
{
	(void)t;
	(void)arg;
	say(fd, "%d", (int)getpid());
}

static void
toy_born(struct toy *t, int fd, const char *arg)
{
	(void)arg;
	say(fd, "%" PRIu64, t->born_ns);
}

static void
toy_exit(struct toy *t, int fd, const char *arg)
{
	(void)t;
	(void)fd;
	_exit(atoi(arg));
}

static void
toy_fail(struct toy *t, int fd, const char *arg)
{
	(void)fd;
	_exit(proc_failed(t->proc, 78, "%s", arg));
}

static void
toy_signal(struct toy *t, int fd, const char *arg)
{
	(void)t;
	(void)fd;
	raise(atoi(arg));
}

/* No beat any more, and no answer. */
static void
toy_hang(struct toy *t, int fd, const char *arg)
{
	(void)t;
	(void)fd;
	(void)arg;
	for (;;)
		pause();
}

/* One request that never ends, though the loop could still beat. */
static void
toy_busy(struct toy *t, int fd, const char *arg)
{
	(void)arg;
	proc_busy(t->proc, now_ns());
	say(fd, "busy");
}

/* Says that it is ready a second time, or for the first time not at all. */
static void
toy_ready(struct toy *t, int fd, const char *arg)
{
	(void)arg;
	proc_ready(t->proc);
	say(fd, "ready");
}

static void
toy_mute(struct toy *t, int fd, const char *arg)
{
	(void)arg;
	shutdown(t->proc->chan, SHUT_RDWR);
	t->deaf = true;
	say(fd, "mute");
}

/* Reads no orders any more. */
static void
toy_deaf(struct toy *t, int fd, const char *arg)
{
	(void)arg;
	t->deaf = true;
	say(fd, "deaf");
}

/* "KIND SIZE TIMES": messages of any kind and size; a text without end if
 * KIND is 0. */
static void
toy_ipc(struct toy *t, int fd, const char *arg)
{
	unsigned kind = 0, size = 0, times = 0, i;
	char raw[1024];

	sscanf(arg, "%u %u %u", &kind, &size, &times);
	memset(raw, kind == 0 ? 'x' : 0, sizeof(raw));
	memcpy(raw, &(uint32_t){ kind == 0 ? IPC_FAILED : kind }, 4);
	for (i = 0; i < times; i++)
		if (send(t->proc->chan, raw, size, MSG_NOSIGNAL) < 0)
			break;
	say(fd, "sent %u", i);
}

/* Takes a device and keeps it. */
static void
toy_hold(struct toy *t, int fd, const char *arg)
{
	struct shm_device *dev = t->proc->stores[atoi(arg)].dev;
	uint64_t nobody = 0;

	atomic_store(
	    &seg_slot(t->proc->env.control, SLOT_OF(t->proc->env.me))->claim,
	    1 + (uint64_t)dev->index);
	say(fd,
	    atomic_compare_exchange_strong(
		&dev->owner, &nobody, t->proc->env.me)
		? "held"
		: "not had");
	for (;;)
		pause();
}

/* Puts a name into the owner word that is nobody's. */
static void
toy_forge(struct toy *t, int fd, const char *arg)
{
	atomic_store(&t->proc->stores[atoi(arg)].dev->owner, SLOT_ID(5, 12345));
	say(fd, "forged");
}

/* Puts the name of a slot's occupant into the owner word of device 0. */
static void
toy_accuse(struct toy *t, int fd, const char *arg)
{
	atomic_store(&t->proc->stores[0].dev->owner,
	    slot_next_id(t->proc->env.control, (unsigned)atoi(arg)));
	say(fd, "accused");
}

/* Writes noise over all of the control segment and over its own segment, for
 * so many ms. */
static void
toy_scribble(struct toy *t, int fd, const char *arg)
{
	struct seg *segs[] = { &t->proc->control_seg, &t->proc->worker_seg };
	uint64_t until = now_ns() / 1000000 + (uint64_t)atoi(arg);
	uint64_t x = now_ns() | 1;
	size_t i, w;

	say(fd, "scribbling");
	while (now_ns() / 1000000 < until) {
		for (i = 0; i < 2; i++) {
			uint64_t *words = segs[i]->at;

			for (w = 0; w < segs[i]->size / 8; w++) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				words[w] = x;
			}
		}
	}
	say(fd, "scribbled");
}

static void
toy_write(struct toy *t, int fd, const char *arg)
{
	uint8_t value[2] = { 0, (uint8_t)atoi(arg) };
	struct store_step step = {
		.op = STORE_WRITE, .table = STORE_HR, .count = 1, .in = value
	};
	struct store_who who = { .author = SLOT_OF(t->proc->env.me),
		.op = 1 + (uint64_t)getpid() * 1000 + (uint64_t)atoi(arg),
		.budget_ns = 1000000000 };

	say(fd, "wrote %d",
	    store_apply(&t->proc->stores[0], &who, &step, 1, NULL));
}

/* What the birth has left: descriptors, limits, maps. */
static void
toy_state(struct toy *t, int fd, const char *arg)
{
	struct rlimit files, core;
	char name[16] = "";
	int i, open = 0, devices = 0, writable = 0;

	(void)arg;
	for (i = 0; i < 256; i++)
		open += fcntl(i, F_GETFD) >= 0;
	for (i = 0; i < (int)t->proc->conf->ndevices; i++) {
		devices += t->proc->stores[i].dev != NULL;
		writable += t->proc->stores[i].writable;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_CORE, &core);
	prctl(PR_GET_NAME, name);
	say(fd,
	    "open=%d devices=%d writable=%d files=%llu core=%llu privs=%d "
	    "name=%s uid=%d held=%d",
	    open, devices, writable, (unsigned long long)files.rlim_cur,
	    (unsigned long long)core.rlim_cur,
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), name, (int)getuid(),
	    slot_lock_held(t->proc->env.lock_fd, 0));
}

/* ---- the worker ---- */

/* A request that is answered after ARG ms, also while draining. */
static void
toy_slow(struct toy *t, int fd, const char *arg)
{
	say(fd, "begun");
	t->now->answer_ms = now_ns() / 1000000 + (uint64_t)atoi(arg);
}

/* Enters a connection into the segment, as real workers do; answers its id. */
static void
toy_enter(struct toy *t, int fd, const char *arg)
{
	struct shm_worker *w = seg_worker(&t->proc->worker_seg);
	unsigned i = (unsigned)(t->now - t->conns);
	struct shm_conn *c = seg_conn(w, i);
	uint64_t serial = 1 + atomic_fetch_add(&w->next_serial, 1);

	(void)arg;
	c->fd = fd;
	atomic_store(&c->serial, serial);
	atomic_store(&c->used, CONN_USED);
	say(fd, "%" PRIu64,
	    CONN_ID(t->proc->transport_index, t->proc->worker, serial));
}

static void
drop(struct toy *t, struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->answer_ms = 0;
	if (t->proc->transport != NULL) {
		atomic_store(&seg_conn(seg_worker(&t->proc->worker_seg),
				 (unsigned)(c - t->conns))
				  ->used,
		    CONN_FREE);
	}
}

static void
kick(struct toy *t, uint64_t id)
{
	struct shm_worker *w = seg_worker(&t->proc->worker_seg);
	unsigned i;

	for (i = 0; i < CONNS; i++)
		if (t->conns[i].fd >= 0 &&
		    atomic_load(&seg_conn(w, i)->serial) == CONN_ID_SERIAL(id))
			drop(t, &t->conns[i]);
}

/* ---- control ---- */

static void
order(struct toy *t, int fd, enum ipc_kind kind, const char *arg)
{
	struct ipc_msg m = { .kind = kind, .tag = ++t->tag };
	unsigned long long a = 0, b = 0;

	sscanf(arg, "%llu %llu", &a, &b);
	m.transport = (uint32_t)a;
	m.arg = kind == IPC_KICK ? a : b;
	t->asker = fd;
	if (ipc_send(t->proc->chan, &m) < 0)
		say(fd, "send: %s", strerror(errno));
}

static void
toy_start(struct toy *t, int fd, const char *arg)
{
	order(t, fd, IPC_START, arg);
}

static void
toy_stop(struct toy *t, int fd, const char *arg)
{
	order(t, fd, IPC_STOP, arg);
}

static void
toy_restart(struct toy *t, int fd, const char *arg)
{
	order(t, fd, IPC_RESTART, arg);
}

static void
toy_kick(struct toy *t, int fd, const char *arg)
{
	order(t, fd, IPC_KICK, arg);
}

static void
toy_shutdown(struct toy *t, int fd, const char *arg)
{
	order(t, fd, IPC_SHUTDOWN, arg);
}

static void
toy_reload(struct toy *t, int fd, const char *arg)
{
	order(t, fd, IPC_RELOAD, arg);
}

/* What is shared about a transport, and the notices about it so far. */
static void
toy_show(struct toy *t, int fd, const char *arg)
{
	struct shm_control *c = t->proc->env.control;
	struct shm_transport *tr = seg_transport(c, (unsigned)atoi(arg));
	char changes[300] = "";
	uint64_t pos = 0;
	struct notice n;

	while (notice_next(c, 0, &pos, &n) != 0) {
		size_t len = strlen(changes);

		if (n.kind == NOTICE_TRANSPORT &&
		    n.transport == (unsigned)atoi(arg)) {
			snprintf(changes + len, sizeof(changes) - len,
			    "%s%d>%d", len > 0 ? "," : "", (int)n.a, (int)n.b);
		}
	}
	say(fd, "state=%u pid=%u restarts=%u last_exit=%d listen=%s changes=%s",
	    atomic_load(&tr->state), atomic_load(&tr->pid),
	    atomic_load(&tr->restarts), atomic_load(&tr->last_exit), tr->listen,
	    changes);
}

static const struct {
	const char *name;
	void (*run)(struct toy *, int fd, const char *arg);
} commands[] = {
	/* both */
	{ "pid", toy_pid },
	{ "born", toy_born },
	{ "exit", toy_exit },
	{ "fail", toy_fail },
	{ "signal", toy_signal },
	{ "hang", toy_hang },
	{ "busy", toy_busy },
	{ "ready", toy_ready },
	{ "mute", toy_mute },
	{ "deaf", toy_deaf },
	{ "ipc", toy_ipc },
	{ "hold", toy_hold },
	{ "forge", toy_forge },
	{ "accuse", toy_accuse },
	{ "scribble", toy_scribble },
	{ "write", toy_write },
	{ "state", toy_state },
	/* workers */
	{ "slow", toy_slow },
	{ "enter", toy_enter },
	/* control */
	{ "start", toy_start },
	{ "stop", toy_stop },
	{ "restart", toy_restart },
	{ "kick", toy_kick },
	{ "shutdown", toy_shutdown },
	{ "reload", toy_reload },
	{ "show", toy_show },
};

static void
run(struct toy *t, int fd, char *line)
{
	char *arg = strchr(line, ' ');
	size_t i;

	line[strcspn(line, "\r\n")] = '\0';
	if (arg != NULL)
		*arg++ = '\0';
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, line) == 0) {
			commands[i].run(t, fd, arg != NULL ? arg : "");
			return;
		}
	}
	say(fd, "unknown %s", line);
}

/* ---- the loop ---- */

static void
hear_parent(struct toy *t)
{
	struct ipc_msg m;
	int rc;

	while (!t->deaf && (rc = proc_order(t->proc, &m)) != 0) {
		if (rc < 0)
			_exit(0);
		switch (m.kind) {
		case IPC_YIELD: /* it cannot */
		case IPC_DRAIN:
			t->draining = true;
			t->drain_until_ms = now_ns() / 1000000 + m.arg;
			break;
		case IPC_KICK:
			kick(t, m.arg);
			break;
		case IPC_EXIT:
			_exit(0);
		case IPC_CONF: /* it has nothing that depends on one */
			proc_taken(t->proc, m.tag, NULL);
			break;
		case IPC_DONE:
			say(t->asker, "done %u rc=%d arg=%" PRIu64 " %s", m.tag,
			    m.rc, m.arg, m.text);
			break;
		default:
			break;
		}
	}
}

static void
serve_conn(struct toy *t, struct conn *c)
{
	char lines[LINE], *line, *rest;
	ssize_t n = recv(c->fd, lines, sizeof(lines) - 1, MSG_DONTWAIT);

	if (n > 0) {
		lines[n] = '\0';
		t->now = c;
		for (line = strtok_r(lines, "\n", &rest); line != NULL;
		     line = strtok_r(NULL, "\n", &rest))
			run(t, c->fd, line);
	} else if (n == 0 || errno != EAGAIN) {
		drop(t, c);
	}
}

static void
due(struct toy *t)
{
	uint64_t now = now_ns() / 1000000;
	bool unfinished = false;
	struct conn *c;

	for (c = t->conns; c < t->conns + CONNS; c++) {
		if (c->fd >= 0 && c->answer_ms != 0) {
			if (now >= c->answer_ms) {
				say(c->fd, "slowly");
				c->answer_ms = 0;
			} else {
				unfinished = true;
			}
		}
	}
	if (t->draining && (!unfinished || now > t->drain_until_ms))
		_exit(0);
}

static void
take_conn(struct toy *t)
{
	int fd = accept4(t->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c;

	for (c = t->conns; fd >= 0 && c < t->conns + CONNS; c++) {
		if (c->fd < 0) {
			c->fd = fd;
			c->answer_ms = 0;
			return;
		}
	}
	close(fd);
}

static void
birthday(struct toy *t, const char *name)
{
	const char *dir = getenv("TOY_DIR");
	char path[256], line[LINE] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir != NULL ? dir : "", name);
	f = dir != NULL ? fopen(path, "r") : NULL;
	if (f != NULL) {
		if (fgets(line, sizeof(line), f) != NULL)
			run(t, -1, line);
		fclose(f);
	}
}

static void __attribute__((__noreturn__)) loop(struct toy *t, const char *name)
{
	struct pollfd p[CONNS + 2];
	size_t i;

	for (i = 0; i < CONNS; i++)
		t->conns[i].fd = -1;
	birthday(t, name);
	proc_ready(t->proc);
	for (;;) {
		p[0] =
		    (struct pollfd){ t->deaf ? -1 : t->proc->chan, POLLIN, 0 };
		p[1] = (struct pollfd){ t->draining ? -1 : t->listen_fd, POLLIN,
			0 };
		for (i = 0; i < CONNS; i++)
			p[2 + i] = (struct pollfd){ t->conns[i].fd, POLLIN, 0 };
		poll(p, CONNS + 2, BEAT_MS);
		proc_beat(t->proc, now_ns());
		if (p[0].revents != 0)
			hear_parent(t);
		if (p[1].revents != 0)
			take_conn(t);
		for (i = 0; i < CONNS; i++)
			if (p[2 + i].revents != 0 && t->conns[i].fd >= 0)
				serve_conn(t, &t->conns[i]);
		due(t);
	}
}

static int
toy_worker_main(struct proc *p)
{
	struct toy t = {
		.proc = p, .listen_fd = p->listen_fd, .born_ns = now_ns()
	};

	loop(&t, p->transport->name);
}

static int
toy_control_main(struct proc *p)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct toy t = { .proc = p, .asker = -1 };

	snprintf(
	    sa.sun_path, sizeof(sa.sun_path), "%.90s/control.sock", p->run_dir);
	unlink(sa.sun_path);
	t.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(t.listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(t.listen_fd, 8) < 0)
		return proc_failed(p, 70, "control.sock: %s", strerror(errno));
	loop(&t, "control");
}

int
main(int argc, char **argv)
{
	struct proc_roles roles = {
		.worker = toy_worker_main,
		.control = toy_control_main,
	};

	return start(argc, argv, &roles);
}
