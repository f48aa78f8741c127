/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and stopping the servers of a program, and hearing from them. Runs
 * in the program's own process, in any of its threads.
 *
 * The pair that joins program and server tells everything: the server's last
 * message says why it ends, and the end of the pair that it has. That end can
 * be read for ever, so every thread that waits for it sees it. What comes
 * before it only says that there is something to look at in the store; who
 * starts the server is alone with it until it runs.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/api_run.h"

enum {
	START_MS = 30000, /* for the server's process, which gives up before */
	ORPHANS_MS = 3000, /* for the workers of one that was killed */
	LOOK_MS = 5,
};

/* ---- hearing ---- */

static void
bury(struct hf_server *srv)
{
	pid_t pid = srv->pid;

	srv->pid = 0;
	while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

static void
take(struct hf_server *srv, const struct host_msg *m)
{
	if (m->kind != HOST_ENDED)
		return;
	srv->err = m->err;
	memcpy(srv->why, m->text, sizeof(srv->why));
}

void
api_hear(struct hf_server *srv)
{
	struct host_msg m;
	int pass, rc;

	if (srv->life != API_RUNS)
		return;
	while ((rc = host_recv(atomic_load(&srv->chan), &m, &pass)) == 1) {
		if (pass >= 0)
			close(pass);
		take(srv, &m);
	}
	if (rc == 0)
		return;
	srv->life = API_ENDED;
	bury(srv);
}

void
api_forget(struct hf_server *srv)
{
	int chan = atomic_exchange(&srv->chan, -1);

	if (chan >= 0)
		close(chan);
	bury(srv);
	for (unsigned w = 0; srv->seen != NULL && w < srv->workers; w++)
		seg_unmap(&srv->seen[w]);
	free(srv->seen);
	srv->seen = NULL;
}

/* ---- starting ---- */

/* The workers of a server's process that was killed finish what they were
 * asked before they end; until then they have its port. */
static void
outlive_orphans(const struct hf_server *srv)
{
	const struct timespec moment = { 0, LOOK_MS * 1000000 };

	for (int ms = 0; ms < ORPHANS_MS; ms += LOOK_MS) {
		bool live = false;

		for (unsigned w = 1; w < SHARE_SLOTS; w++)
			live |= slot_lock_held(srv->store->env.lock_fd,
			    share_slot(srv->place) + w);
		if (!live)
			return;
		nanosleep(&moment, NULL);
	}
}

static int
fork_server(struct hf_server *srv)
{
	struct embed e = {
		.text = api_text(srv),
		.hooks = srv->hooks,
		.store = srv->store->control.inode,
	};
	int fd[2];

	if (ipc_pair(fd) < 0)
		return api_fail(0, "cannot make a server: %s", strerror(errno));
	e.chan = fd[1];
	e.log_fd = api_log(&e.log_level);
	if (api_fork(&e, &srv->pid) < 0) {
		close(fd[0]);
		close(fd[1]);
		return -1;
	}
	close(fd[1]);
	atomic_store(&srv->chan, fd[0]);
	if (atomic_load(&srv->asked))
		hf_server_async_stop(srv);
	return 0;
}

/* Waits for the first word. 0 it listens, or -1 after api_fail(). */
static int
first_word(struct hf_server *srv)
{
	struct pollfd p = { .fd = atomic_load(&srv->chan), .events = POLLIN };
	struct host_msg m;
	int pass, rc;

	do {
		rc = poll(&p, 1, START_MS);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0) {
		if (srv->pid > 0)
			kill(srv->pid, SIGKILL);
		return api_fail(ETIMEDOUT, "the server does not start");
	}
	rc = host_recv(p.fd, &m, &pass);
	if (rc == 1 && pass >= 0)
		close(pass);
	if (rc == 1 && m.kind == HOST_STARTED) {
		srv->place = m.place;
		snprintf(srv->address, sizeof(srv->address), "%.63s", m.text);
		return 0;
	}
	if (rc == 1 && m.kind == HOST_ENDED)
		return api_fail(m.err != 0 ? m.err : ECANCELED, "%s",
		    m.err != 0 ? m.text : "it was stopped while it started");
	return api_fail(EIO, "the server's process has died while it started");
}

/* What hf_server_status() looks at; without it, there are no connections. */
static void
see_workers(struct hf_server *srv)
{
	char object[SHM_NAME_MAX * 3];

	srv->seen = calloc(srv->workers, sizeof(*srv->seen));
	for (unsigned w = 0; srv->seen != NULL && w < srv->workers; w++) {
		seg_object_name(object, sizeof(object), srv->store->name,
		    SHM_WORKER, srv->name, w);
		seg_attach(&srv->seen[w], object, SHM_WORKER, false);
	}
}

static int
start(struct hf_server *srv)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int err;

	api_forget(srv);
	srv->err = EIO;
	snprintf(srv->why, sizeof(srv->why), "the server's process has died");
	if (fork_server(srv) < 0)
		return -1;
	if (first_word(srv) < 0) {
		err = errno;
		api_forget(srv);
		errno = err;
		return -1;
	}
	see_workers(srv);
	epoll_ctl(srv->epoll, EPOLL_CTL_ADD, atomic_load(&srv->chan), &ev);
	return 0;
}

/* Takes the right to start it. *again: it has run before. */
static int
begin(struct hf_server *srv, bool *again)
{
	int rc = -1;

	pthread_mutex_lock(&srv->lock);
	api_hear(srv);
	*again = srv->life == API_ENDED;
	if (srv->program != getpid())
		api_fail(ECHILD, "the server is that of another process");
	else if (srv->life == API_STARTING || srv->life == API_RUNS)
		api_fail(EALREADY, "the server runs already");
	else
		rc = 0;
	if (rc == 0) {
		srv->life = API_STARTING;
		atomic_store(&srv->asked, false);
		atomic_store(&srv->starting, true);
	}
	pthread_mutex_unlock(&srv->lock);
	return rc;
}

static void
begun(struct hf_server *srv, enum api_life life)
{
	pthread_mutex_lock(&srv->lock);
	srv->life = life;
	atomic_store(&srv->starting, false);
	pthread_cond_broadcast(&srv->begun);
	pthread_mutex_unlock(&srv->lock);
}

/* ---- waiting for the end ---- */

static int
result(const struct hf_server *srv)
{
	return srv->err == 0 ? 0 : api_fail(srv->err, "%s", srv->why);
}

/* True once it has ended. */
static bool
over(struct hf_server *srv, int *rc)
{
	bool is;

	pthread_mutex_lock(&srv->lock);
	api_hear(srv);
	is = srv->life != API_RUNS;
	if (is)
		*rc = result(srv);
	pthread_mutex_unlock(&srv->lock);
	return is;
}

/* Returns once it has ended; stop_fd tells it to, -1: nobody does. */
static int
wait_end(struct hf_server *srv, int stop_fd)
{
	struct pollfd p[] = {
		{ .fd = atomic_load(&srv->chan), .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int rc = 0;

	while (!over(srv, &rc)) {
		if (poll(p, 2, -1) < 0 || p[1].revents == 0)
			continue;
		hf_server_async_stop(srv);
		p[1].fd = -1;
		p[1].revents = 0;
	}
	return rc;
}

int
hf_server_serve_forever(struct hf_server *srv, int background)
{
	struct hf_server *before;
	bool again;
	int rc;

	if (begin(srv, &again) < 0)
		return -1;
	before = api_starts(srv);
	if (again)
		outlive_orphans(srv);
	rc = start(srv);
	begun(srv, rc == 0 ? API_RUNS : API_IDLE);
	if (rc < 0) {
		api_failed(srv, before);
		/* to have been stopped is what ends a call that blocks */
		return !background && errno == ECANCELED ? 0 : -1;
	}
	if (background)
		return 0;
	return wait_end(srv, srv->stop_fd > 0 ? srv->stop_fd : -1);
}

/* ---- stopping ---- */

int
hf_server_async_stop(struct hf_server *srv)
{
	const struct host_msg m = { .kind = HOST_STOP };
	int chan;

	if (srv == NULL)
		srv = api_last();
	chan = srv != NULL ? atomic_load(&srv->chan) : -1;
	if (chan >= 0 && host_send(chan, &m, -1) == 0)
		return 0;
	if (srv != NULL && atomic_load(&srv->starting)) {
		/* either this is seen, or there is a chan by now */
		atomic_store(&srv->asked, true);
		chan = atomic_load(&srv->chan);
		if (chan >= 0)
			host_send(chan, &m, -1);
		return 0;
	}
	errno = ESRCH;
	return -1;
}

static int
stop(struct hf_server *srv)
{
	bool runs;

	pthread_mutex_lock(&srv->lock);
	while (srv->life == API_STARTING)
		pthread_cond_wait(&srv->begun, &srv->lock);
	api_hear(srv);
	runs = srv->life == API_RUNS && srv->program == getpid();
	pthread_mutex_unlock(&srv->lock);
	if (!runs)
		return api_fail(ESRCH, "the server does not run");
	hf_server_async_stop(srv);
	return wait_end(srv, -1);
}

int
hf_server_stop(struct hf_server *given)
{
	struct hf_server *srv = api_use(given);
	int rc;

	if (srv == NULL)
		return api_fail(ESRCH, "no server has been started");
	rc = stop(srv);
	api_unuse(srv);
	return rc;
}

int
hf_server_shutdown(struct hf_server *srv)
{
	return hf_server_stop(srv);
}

/* ---- from the program's own loop ---- */

int
hf_server_dispatch(struct hf_server *srv)
{
	int rc;

	pthread_mutex_lock(&srv->lock);
	api_hear(srv);
	switch (srv->life) {
	case API_STARTING:
	case API_RUNS:
		rc = 1;
		break;
	case API_ENDED: /* it has been told: the descriptor falls silent */
		epoll_ctl(
		    srv->epoll, EPOLL_CTL_DEL, atomic_load(&srv->chan), NULL);
		rc = result(srv);
		break;
	default:
		rc = api_fail(ESRCH, "the server has not been started");
	}
	pthread_mutex_unlock(&srv->lock);
	return rc;
}
