/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and stopping the servers of a program, and hearing from them. Runs
 * in the program's own process, in any of its threads.
 *
 * The pair that joins program and server tells everything: the server's last
 * message says why it ends, and the end of the pair that it has. That end can
 * be read as long as the pair is there, and every thread that waits for it
 * keeps the pair, and the result that is noted beside it (struct api_run): the
 * server may be started again before all of them have looked. What comes before
 * it only says that there is something to look at in the store; who starts the
 * server is alone with it until it runs.
 *
 * A forked child of the program has copies of all of this, and may touch none
 * of it: api_ours().
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/patience.h"
#include "supervisor/api/api_run.h"

enum {
	START_MS = 30000, /* for the server's process, which gives up before */
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
take(struct api_run *run, const struct host_msg *m)
{
	if (m->kind != HOST_ENDED)
		return;
	run->err = m->err;
	memcpy(run->why, m->text, sizeof(run->why));
}

void
api_hear(struct hf_server *srv)
{
	struct host_msg m;
	int pass, rc;

	if (srv->life != API_RUNS || !api_ours(srv))
		return;
	while ((rc = host_recv(srv->run->chan, &m, &pass)) == 1) {
		if (pass >= 0)
			close(pass);
		take(srv->run, &m);
	}
	if (rc == 0)
		return;
	/* whatever its end was like, it can be read from now on */
	shutdown(srv->run->chan, SHUT_RDWR);
	srv->run->over = true;
	srv->life = API_ENDED;
	bury(srv);
}

static int
new_run(struct hf_server *srv, int chan)
{
	struct api_run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return api_fail(ENOMEM, "out of memory");
	run->users = 1;
	run->chan = chan;
	run->err = EIO;
	snprintf(run->why, sizeof(run->why), "the server's process has died");
	pthread_mutex_lock(&srv->lock);
	srv->run = run;
	pthread_mutex_unlock(&srv->lock);
	return 0;
}

static struct api_run *
hold(struct api_run *run)
{
	run->users++;
	return run;
}

static void
let_go(struct api_run *run)
{
	if (--run->users > 0)
		return;
	close(run->chan);
	free(run);
}

/* A child that the program has forked may have a copy of the pair: to close
 * ours ends neither it nor what epoll says of it. */
static void
forget_run(struct hf_server *srv)
{
	struct api_run *run;

	pthread_mutex_lock(&srv->lock);
	run = srv->run;
	srv->run = NULL;
	atomic_store(&srv->chan, -1);
	if (run != NULL && api_ours(srv)) {
		epoll_ctl(srv->epoll, EPOLL_CTL_DEL, run->chan, NULL);
		shutdown(run->chan, SHUT_RDWR);
	}
	if (run != NULL)
		let_go(run);
	pthread_mutex_unlock(&srv->lock);
}

void
api_forget(struct hf_server *srv)
{
	forget_run(srv);
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

	for (int ms = 0; ms < PATIENCE_ORPHANS_MS; ms += LOOK_MS) {
		if (!share_workers_live(srv->store->env.lock_fd, srv->place))
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
	unsigned as_of;
	int fd[2], rc, err;

	if (ipc_pair(fd) < 0)
		return api_fail(0, "cannot make a server: %s", strerror(errno));
	if (new_run(srv, fd[0]) < 0) {
		close(fd[0]);
		close(fd[1]);
		return -1;
	}
	e.chan = fd[1];
	e.log_fd = api_log(&e.log_level, &as_of);
	rc = api_fork(&e, &srv->pid);
	err = errno;
	close(fd[1]);
	if (e.log_fd >= 0)
		close(e.log_fd);
	errno = err;
	if (rc < 0)
		return -1;
	atomic_store(&srv->chan, fd[0]);
	api_log_again(srv, as_of);
	if (atomic_load(&srv->asked))
		hf_server_async_stop(srv);
	return 0;
}

/* Waits for the first word. 0 it listens, or -1 after api_fail(). */
static int
first_word(struct hf_server *srv)
{
	struct pollfd p = { .fd = srv->run->chan, .events = POLLIN };
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
	if (rc == 1 && m.kind == HOST_STARTED && m.place < SHARE_SERVERS) {
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

/* What hf_server_fd() gives can be read when the process has said something. */
static int
watch(struct hf_server *srv)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (epoll_ctl(srv->epoll, EPOLL_CTL_ADD, srv->run->chan, &ev) < 0)
		return api_fail(
		    0, "cannot watch the server: %s", strerror(errno));
	return 0;
}

static int
start(struct hf_server *srv)
{
	int err;

	api_forget(srv);
	if (fork_server(srv) == 0 && first_word(srv) == 0 && watch(srv) == 0) {
		see_workers(srv);
		return 0;
	}
	err = errno;
	api_forget(srv);
	errno = err;
	return -1;
}

/* Takes the right to start it. *again: it has run before. */
static int
begin(struct hf_server *srv, bool *again)
{
	int rc = -1;

	pthread_mutex_lock(&srv->lock);
	api_hear(srv);
	*again = srv->life == API_ENDED;
	if (!api_ours(srv))
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

/* *run: what the caller wants to wait for, before anybody can end it. */
static void
begun(struct hf_server *srv, enum api_life life, struct api_run **run)
{
	pthread_mutex_lock(&srv->lock);
	srv->life = life;
	if (run != NULL)
		*run = life == API_RUNS ? hold(srv->run) : NULL;
	atomic_store(&srv->starting, false);
	pthread_cond_broadcast(&srv->begun);
	pthread_mutex_unlock(&srv->lock);
}

/* ---- waiting for the end ---- */

static const struct host_msg please_stop = { .kind = HOST_STOP };

static int
result(const struct api_run *run)
{
	return run->err == 0 ? 0 : api_fail(run->err, "%s", run->why);
}

/* True once it has ended. */
static bool
over(struct hf_server *srv, struct api_run *run)
{
	bool is;

	pthread_mutex_lock(&srv->lock);
	if (srv->run == run)
		api_hear(srv);
	is = run->over;
	pthread_mutex_unlock(&srv->lock);
	return is;
}

/* Returns once the run has ended, and lets go of it; stop_fd tells it to, -1:
 * nobody does. */
static int
wait_end(struct hf_server *srv, struct api_run *run, int stop_fd)
{
	struct pollfd p[] = {
		{ .fd = run->chan, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int rc;

	while (!over(srv, run)) {
		if (poll(p, 2, -1) < 0 || p[1].revents == 0)
			continue;
		host_send(run->chan, &please_stop, -1);
		p[1].fd = -1;
		p[1].revents = 0;
	}
	rc = result(run);
	pthread_mutex_lock(&srv->lock);
	let_go(run);
	pthread_mutex_unlock(&srv->lock);
	return rc;
}

static int
serve(struct hf_server *srv, int background)
{
	struct api_run *run = NULL;
	struct hf_server *before;
	bool again;
	int rc, err;

	if (begin(srv, &again) < 0)
		return -1;
	before = api_starts(srv);
	if (again)
		outlive_orphans(srv);
	rc = start(srv);
	err = errno;
	begun(srv, rc == 0 ? API_RUNS : API_IDLE, background ? NULL : &run);
	if (rc < 0) {
		api_failed(srv, before);
		errno = err;
		/* to have been stopped is what ends a call that blocks */
		return !background && err == ECANCELED ? 0 : -1;
	}
	if (background)
		return 0;
	return wait_end(srv, run, srv->stop_fd > 0 ? srv->stop_fd : -1);
}

/* Gives back what api_use() gave, and leaves errno as it is. */
static int
done(struct hf_server *srv, int rc)
{
	int err = errno;

	api_unuse(srv);
	errno = err;
	return rc;
}

int
hf_server_serve_forever(struct hf_server *srv, int background)
{
	if (srv == NULL)
		return api_fail(EINVAL, "there is no server");
	api_use(srv);
	return done(srv, serve(srv, background));
}

/* ---- stopping ---- */

int
hf_server_async_stop(struct hf_server *srv)
{
	const struct host_msg m = please_stop;
	int chan;

	if (srv == NULL)
		srv = api_last();
	if (srv != NULL && !api_ours(srv))
		srv = NULL; /* its copy of the pair is the program's */
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
	struct api_run *run = NULL;

	pthread_mutex_lock(&srv->lock);
	while (srv->life == API_STARTING && api_ours(srv))
		pthread_cond_wait(&srv->begun, &srv->lock);
	api_hear(srv);
	if (srv->life == API_RUNS && api_ours(srv))
		run = hold(srv->run);
	pthread_mutex_unlock(&srv->lock);
	if (run == NULL)
		return api_fail(ESRCH, "the server does not run");
	host_send(run->chan, &please_stop, -1);
	return wait_end(srv, run, -1);
}

int
hf_server_stop(struct hf_server *given)
{
	struct hf_server *srv = api_use(given);

	if (srv == NULL)
		return api_fail(ESRCH, "no server has been started");
	return done(srv, stop(srv));
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

	if (!api_ours(srv))
		return api_fail(
		    ECHILD, "the server is that of another process");
	pthread_mutex_lock(&srv->lock);
	api_hear(srv);
	switch (srv->life) {
	case API_STARTING:
	case API_RUNS:
		rc = 1;
		break;
	case API_ENDED: /* it has been told: the descriptor falls silent */
		epoll_ctl(srv->epoll, EPOLL_CTL_DEL, srv->run->chan, NULL);
		rc = result(srv->run);
		break;
	default:
		rc = api_fail(ESRCH, "the server has not been started");
	}
	pthread_mutex_unlock(&srv->lock);
	return rc;
}
