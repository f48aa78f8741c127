/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker of the harness that kills workers of TCP, and the keeper's part
 * in it. Runs in the harness and, up to worker_main(), in its children.
 */
#include "tests/lib/torture_wire.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/store_reap.h"
#include "tests/lib/torture_trace.h"
#include "workers/worker.h"

enum { HARNESS_SLOT = 1, HARNESS_AUTHOR = 1, FIRST_AUTHOR = 8, FDS = 1024 };

static bool mine[FDS];
static bool durable; /* all of its registers are */

/* ---- the function code ---- */

static enum hf_exception
increment(void *arg, struct hf_call *c)
{
	uint16_t v, addr;
	enum hf_exception ex;

	(void)arg;
	if (c->request_len < 3)
		return HF_EX_VALUE;
	addr = (uint16_t)(c->request[1] << 8 | c->request[2]);
	ex = c->read(c, HF_HR, addr, 1, &v);
	v++;
	if (ex == HF_EX_NONE)
		ex = c->write(c, HF_HR, addr, 1, &v);
	if (ex == HF_EX_NONE)
		ex = c->write(c, HF_HR, addr + 1u, 1, &v);
	c->reply[c->reply_len++] = (uint8_t)(v >> 8);
	c->reply[c->reply_len++] = (uint8_t)v;
	return ex;
}

static const struct hf_function inc = {
	.size = sizeof(inc),
	.name = "increment",
	.fc = WIRE_INC,
	.request = { .fixed = 2 },
	.reply = { .fixed = 2 },
	.run = increment,
};
static const struct hf_function *const functions[] = { &inc, NULL };
static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.functions = functions,
};

/* ---- the world ---- */

static void
configure(struct wire *w, const char *framer, enum conf_type type)
{
	static char name[] = "t", store[] = "torture", device[] = "a";
	struct conf_transport *t = &w->transport;

	w->device.name = device;
	t->name = name;
	t->type = type;
	t->framer = strdup(framer);
	for (unsigned u = 0; u < CONF_UNITS; u++)
		t->units[u] = CONF_NO_DEVICE;
	t->units[1] = 0;
	t->max_connections = WIRE_CONNS;
	t->workers = 1;
	if (durable) {
		static struct conf_range all = {
			.table = STORE_HR, .count = WIRE_REGS, .durable = true
		};
		static char path[] = "/nowhere";

		w->device.ranges = &all;
		w->device.nranges = 1;
		w->conf.snapshot.path = path;
		w->conf.snapshot.durable_ms = 60000;
	}
	w->conf.store = store;
	w->conf.devices = &w->device;
	w->conf.ndevices = 1;
	w->conf.transports = t;
	w->conf.ntransports = 1;
	w->conf.hang_timeout_ms = 600000;
}

static void
segments(struct wire *w)
{
	struct proc *p = &w->proc;
	struct seg_range r = {
		.range = { .table = STORE_HR, .count = WIRE_REGS, .scale = 1 }
	};
	struct shm_transport *t;
	char name[32];

	snprintf(name, sizeof(name), "torture-wire-%d", (int)getpid());
	seg_unlink_store(name);
	if (seg_create_control(&p->control_seg, name, 8, 1, 1,
		FIRST_AUTHOR + WIRE_CONNS) < 0 ||
	    seg_create_device(&w->device_seg, name, "a", 0, &r, 1, false) < 0 ||
	    seg_create_worker_for(&p->worker_seg, name, "t", 0, 0,
		&(struct seg_worker_counts){ .conns = WIRE_CONNS,
		    .batches = durable ? WIRE_CONNS : WIRE_BATCHES,
		    .dgrams = w->transport.type == CONF_UDP,
		    .trace_bytes = 1 << 16 }) < 0)
		trace_broken("segments");
	seg_unlink_store(name);
	p->env.control = seg_control(&p->control_seg);
	t = seg_transport(p->env.control, 0);
	t->first_author = FIRST_AUTHOR;
	t->nconns = WIRE_CONNS;
	t->nworkers = 1;
}

static const char *lock_path; /* NULL once it has gone */

/* However the harness ends; its children do not come here. */
static void
remove_lock(void)
{
	if (lock_path != NULL)
		unlink(lock_path);
}

static void
join(struct wire *w)
{
	char name[40];

	snprintf(name, sizeof(name), "torture-wire-%d.lock", (int)getpid());
	trace_scratch(w->lock_path, sizeof(w->lock_path), name);
	w->env.control = w->proc.env.control;
	w->env.lock_fd = slot_lock_open(w->lock_path);
	w->env.me = slot_next_id(w->env.control, HARNESS_SLOT);
	lock_path = w->lock_path;
	atexit(remove_lock);
	if (w->env.lock_fd < 0 ||
	    slot_lock_take(w->env.lock_fd, HARNESS_SLOT) < 0 ||
	    store_open(&w->ours, w->device_seg.at, w->device_seg.size, true,
		&w->env) < 0)
		trace_broken("store");
}

/* With the options of supervisor/listen.c that matter here. */
static void
listen_anywhere(struct wire *w)
{
	socklen_t len = sizeof(w->at);
	int one = 1;
	bool udp = w->transport.type == CONF_UDP;
	int fd = socket(AF_INET,
	    (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	w->at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (!udp) {
		setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (fd < 0 || bind(fd, (struct sockaddr *)&w->at, len) < 0 ||
	    (!udp && listen(fd, 64) < 0) ||
	    getsockname(fd, (struct sockaddr *)&w->at, &len) < 0)
		trace_broken("listener");
	w->proc.listen_fd = fd;
}

static void
make(struct wire *w, const char *framer, enum conf_type type)
{
	int pair[2];

	memset(w, 0, sizeof(*w));
	w->reaped = true;
	log_set_level(getenv("WIRE_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
	configure(w, framer, type);
	segments(w);
	join(w);
	listen_anywhere(w);
	if (ipc_pair(pair) < 0)
		trace_broken("channel");
	w->chan = pair[0];
	w->proc.chan = pair[1];
	w->proc.conf = &w->conf;
	w->proc.transport = &w->transport;
	w->proc.stores = &w->store;
	w->proc.hooks = &hooks;
	w->proc.actions_fd = -1;
	w->proc.bell_fd = -1;
	w->proc.env.me = slot_next_id(w->env.control, WIRE_SLOT);
}

void
wire_make(struct wire *w, const char *framer)
{
	make(w, framer, CONF_TCP);
}

void
wire_make_udp(struct wire *w, const char *framer)
{
	make(w, framer, CONF_UDP);
}

void
wire_make_durable(struct wire *w)
{
	durable = true;
	make(w, "socket", CONF_TCP);
}

void
wire_unmake(struct wire *w)
{
	close(w->env.lock_fd);
	close(w->proc.listen_fd);
	close(w->chan);
	close(w->proc.chan);
	remove_lock();
	lock_path = NULL;
	free(w->transport.framer);
	seg_unmap(&w->proc.worker_seg);
	seg_unmap(&w->proc.control_seg);
	seg_unmap(&w->device_seg);
}

/* ---- the keeper's part ---- */

void
wire_mine(int fd)
{
	if (fd < 0 || fd >= FDS)
		trace_broken("descriptor");
	mine[fd] = true;
}

void
wire_not_mine(int fd)
{
	mine[fd] = false;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool
is_connection(int fd)
{
	return option(fd, SO_DOMAIN) == AF_INET &&
	    option(fd, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SO_ACCEPTCONN) == 0;
}

static bool
in_record(struct wire *w, int fd)
{
	struct shm_worker *shm = seg_worker(&w->proc.worker_seg);

	for (unsigned i = 0; i < WIRE_CONNS; i++)
		if (atomic_load(&seg_conn(shm, i)->used) != CONN_FREE &&
		    seg_conn(shm, i)->fd == fd)
			return true;
	return false;
}

/* What the dead one had open, but for connections. */
static void
close_remains(struct wire *w)
{
	struct shm_worker *shm = seg_worker(&w->proc.worker_seg);
	bool any = atomic_load(&shm->accepting) != 0;

	for (int fd = 0; fd < FDS; fd++)
		if (!mine[fd] &&
		    !(is_connection(fd) && (any || in_record(w, fd))))
			close(fd);
}

static void
be_worker(struct wire *w, bool traced)
{
	struct proc *p = &w->proc;

	if (traced)
		trace_ready();
	p->env.lock_fd = slot_lock_find(w->lock_path, true);
	if (p->env.lock_fd < 0 ||
	    slot_lock_take(p->env.lock_fd, WIRE_SLOT) < 0 ||
	    store_open(&w->store, w->device_seg.at, w->device_seg.size, true,
		&p->env) < 0)
		_exit(71);
	_exit(worker_main(p));
}

void
wire_launch(struct wire *w, bool traced)
{
	struct ipc_msg m;

	if (!w->proc.kept)
		for (int fd = 0; fd < FDS; fd++)
			mine[fd] = mine[fd] || fcntl(fd, F_GETFD) != -1;
	else
		close_remains(w);
	while (ipc_recv(w->chan, &m) == 1)
		if (m.kind == IPC_FAILED)
			trace_broken(m.text);
	w->pid = (pid_t)syscall(
	    SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (w->pid < 0)
		trace_broken("clone");
	if (w->pid == 0)
		be_worker(w, traced);
	w->proc.kept = true;
}

void
wire_bury(struct wire *w)
{
	uint64_t id = w->proc.env.me;

	slot_declare_dead(w->env.control, id);
	if (w->reaped)
		store_reap(&w->ours, id);
	w->proc.env.me = slot_next_id(w->env.control, WIRE_SLOT);
	w->deaths++;
}

/* ---- looking ---- */

unsigned
wire_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < FDS; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

unsigned
wire_used(struct wire *w)
{
	struct shm_worker *shm = seg_worker(&w->proc.worker_seg);
	unsigned n = 0;

	for (unsigned i = 0; i < WIRE_CONNS; i++)
		n += atomic_load(&seg_conn(shm, i)->used) != CONN_FREE;
	return n;
}

unsigned
wire_open(struct wire *w)
{
	return (unsigned)atomic_load(
	    &seg_worker(&w->proc.worker_seg)->stats.conns_open);
}

uint16_t
wire_get(struct wire *w, unsigned addr)
{
	uint16_t v = 0;

	if (store_read_host(&w->ours, STORE_HR, addr, 1, &v, NULL) != STORE_OK)
		trace_broken("read");
	return v;
}

void
wire_set(struct wire *w, unsigned addr, uint16_t value)
{
	uint8_t in[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	struct store_step s = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = addr,
		.count = 1,
		.in = in };
	struct store_who who = {
		.author = HARNESS_AUTHOR, .op = ++w->op, .budget_ns = 1000000000
	};

	if (store_apply(&w->ours, &who, &s, 1, NULL) != STORE_OK)
		trace_broken("write");
}
