/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls a supervisor that takes over: keepers, in the run directory, whose
 * rights they have got past, and workers without a keeper, at an address that
 * anybody may use, and who are believed because they hold the byte of their
 * slot. Runs in the supervisor; what is said is no more than which worker it is
 * about, and the key of its own tickets.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/boot.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/keeper/widow.h"
#include "supervisor/killing.h"
#include "supervisor/listen.h"
#include "supervisor/secret.h"
#include "supervisor/super.h"

enum { BACKLOG = 64 };

void
adopt_forget(struct caller *c)
{
	if (c->heard != NULL)
		event_free(c->heard);
	if (c->gone != NULL)
		event_free(c->gone);
	if (c->fd >= 0)
		close(c->fd);
	if (c->pidfd >= 0)
		close(c->pidfd);
	free(c);
}

/* What it keeps is not to serve any more. */
static void
end_caller(struct caller *c)
{
	log_info("a former daemon's keeper is ended pid=%d", (int)c->pid);
	if (c->pidfd >= 0)
		killing("a former daemon's keeper", c->pid, c->pidfd);
	adopt_forget(c);
}

static struct process *
find(struct super *s, const struct ipc_msg *m)
{
	struct service *sv = super_service_at(s, m->transport);

	return sv != NULL && m->tag < sv->nworkers ? &sv->workers[m->tag]
						   : NULL;
}

/* What all workers of its transport have: the key of their tickets, and the
 * listener, which itself tells where it is. */
static void
take_shared(struct process *p, const struct ipc_msg *m, int fd)
{
	struct service *sv = p->service;

	secret_take(sv->ticket, m);
	sv->untold = false;
	if (sv->listen_fd < 0 && fd >= 0) {
		sv->listen_fd = fd;
		listen_name(fd, sv->listen, sizeof(sv->listen));
	} else if (fd >= 0) {
		close(fd);
	}
}

/* Its worker may have called before it. */
static bool
is_awaited(const struct process *p, const struct ipc_msg *m, bool foreign)
{
	if (p == NULL || p->keeper.pid != 0)
		return false;
	return (p->unborn && p->keeper.pending >= 0) ||
	    (foreign && p->keeper.awaited && p->pid == (pid_t)m->arg);
}

/* It keeps this one: gives it what it waits for. */
static void
take_keeper(struct caller *c, const struct ipc_msg *m, int listener)
{
	struct process *p = find(c->super, m);
	bool foreign = (m->rc & IPC_FOREIGN) != 0;

	if (!is_awaited(p, m, foreign)) {
		if (listener >= 0)
			close(listener);
		c->ward = foreign ? 0 : (pid_t)m->arg;
		if (c->ward == 0)
			end_caller(c);
		return;
	}
	c->process = p;
	p->keeper.caller = c;
	p->keeper.pid = c->pid;
	p->keeper.chan = c->fd;
	p->keeper.round = p->service->listen_round;
	p->keeper.since_ns = super_now_ns();
	atomic_store(&p->shm->keeper, (uint32_t)c->pid);
	take_shared(p, m, listener);
	p->keeper.awaited = p->unborn;
	if (foreign)
		return; /* it calls, or has called */
	if (m->arg != 0)
		c->ward = (pid_t)m->arg;
	else
		keeper_pass(p, IPC_SPAWN);
}

static void
take_ward(struct caller *c, int pidfd)
{
	struct process *p = c->process;
	pid_t pid = c->ward;

	c->ward = 0;
	if (pidfd < 0 || pid == 0)
		return;
	if (p != NULL && p->unborn) {
		log_info("%s taken over pid=%d", p->name, (int)pid);
		process_adopt(p, pid, pidfd);
		keeper_pass(p, IPC_ADOPT);
		return;
	}
	log_info("a former daemon's worker is ended pid=%d", (int)pid);
	killing("a former daemon's worker", pid, pidfd);
	close(pidfd);
	if (p == NULL)
		end_caller(c);
}

/* A worker whose keeper has died, or is one that it shares no table with. */
static void
take_widow(struct caller *c, const struct ipc_msg *m, int listener)
{
	struct process *p = find(c->super, m);
	int pidfd = -1;

	if (p != NULL && p->unborn && p->keeper.pending >= 0)
		pidfd = claim_occupant(&c->super->claim, c->pid, p->slot);
	if (pidfd < 0) {
		if (listener >= 0)
			close(listener);
	} else {
		take_shared(p, m, listener);
		log_info("%s taken over without its keeper pid=%d", p->name,
		    (int)c->pid);
		process_adopt(p, c->pid, pidfd);
		keeper_introduce(p, c->fd);
	}
	adopt_forget(c);
}

static void
gone(struct caller *c)
{
	if (c->process != NULL)
		keeper_lost(c->process);
	else
		adopt_forget(c);
}

static void
hear(struct caller *c, struct ipc_msg *m)
{
	int passed, rc = ipc_recv_fd(c->fd, m, &passed);

	if (rc == 1 && c->widow && m->kind == IPC_WIDOW) {
		take_widow(c, m, passed);
		return;
	}
	if (rc == 1 && !c->widow && m->kind == IPC_KEEPER &&
	    c->process == NULL) {
		take_keeper(c, m, passed);
		return;
	}
	if (rc == 1 && m->kind == IPC_WARD && c->ward != 0) {
		take_ward(c, passed);
		return;
	}
	if (passed >= 0)
		close(passed);
	if (rc != 0)
		gone(c);
}

static void
on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct ipc_msg m;

	(void)fd;
	(void)what;
	hear(arg, &m);
	explicit_bzero(&m, sizeof(m));
}

/* Its worker has its end of the channel, too: this alone tells of its death. */
static void
on_gone(evutil_socket_t pidfd, short what, void *arg)
{
	struct caller *c = arg;
	siginfo_t si;

	(void)what;
	/* a child of ours, if we are what its parent has become */
	waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG);
	gone(c);
}

/* A child of somebody of whom we know nothing is none of ours. */
static bool
is_user(const struct super *s, uid_t uid)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (sv->conf->user != NULL && sv->uid == uid)
			return true;
	return uid == geteuid();
}

static void
welcome(struct super *s, int fd, const struct ucred *peer, bool widow)
{
	struct caller *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->super = s;
	c->fd = fd;
	c->pid = peer->pid;
	c->widow = widow;
	/* it has the other end until that is said to have ended */
	c->pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	c->heard = event_new(s->base, fd, EV_READ | EV_PERSIST, on_heard, c);
	if (c->pidfd >= 0)
		c->gone = event_new(
		    s->base, c->pidfd, EV_READ | EV_PERSIST, on_gone, c);
	if (c->heard == NULL || c->gone == NULL ||
	    event_add(c->heard, NULL) < 0 || event_add(c->gone, NULL) < 0)
		adopt_forget(c);
}

static void
on_call(evutil_socket_t listener, short what, void *arg)
{
	struct super *s = arg;
	bool widow = listener == s->widow_fd;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    !(widow ? is_user(s, peer.uid) : peer.uid == geteuid()))
		close(fd);
	else
		welcome(s, fd, &peer, widow);
}

/* Without this, workers that have lost their keepers end. */
static void
listen_to_widows(struct super *s)
{
	struct sockaddr_un sa;
	uint64_t number = 0;
	socklen_t len;
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	s->widow_fd = fd;
	if (fd >= 0 && getrandom(&number, sizeof(number), 0) > 0) {
		len = widow_address(&sa, s->conf->store, number);
		if (bind(fd, (struct sockaddr *)&sa, len) == 0 &&
		    listen(fd, BACKLOG) == 0)
			s->widow_calls = event_new(
			    s->base, fd, EV_READ | EV_PERSIST, on_call, s);
	}
	if (s->widow_calls == NULL || event_add(s->widow_calls, NULL) < 0)
		log_warn("cannot listen to workers without keepers");
	atomic_store(&s->control->widow, number);
}

int
adopt_listen(struct super *s)
{
	struct sockaddr_un sa;
	mode_t was = umask(0177);
	int fd = adopt_socket(s->run_dir, &sa), rc = -1;

	if (fd >= 0) {
		unlink(sa.sun_path);
		rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	}
	umask(was);
	if (rc == 0)
		rc = listen(fd, BACKLOG);
	s->adopt_fd = fd;
	listen_to_widows(s);
	if (rc == 0)
		s->calls =
		    event_new(s->base, fd, EV_READ | EV_PERSIST, on_call, s);
	if (rc == 0 && s->calls != NULL && event_add(s->calls, NULL) == 0)
		return 0;
	return boot_fail(s, EX_CANTCREAT, errno, "cannot listen on %s: %s",
	    sa.sun_path, strerror(errno));
}

void
adopt_close(struct super *s)
{
	if (s->calls != NULL)
		event_free(s->calls);
	if (s->adopt_fd >= 0)
		close(s->adopt_fd);
	if (s->widow_calls != NULL)
		event_free(s->widow_calls);
	if (s->widow_fd >= 0)
		close(s->widow_fd);
}
