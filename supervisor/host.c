/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a program and the supervisor of its server: the messages, and what
 * the supervisor does about them. Never blocks. A program that does not read
 * costs nothing: it is told again only once it has read.
 */
#include "supervisor/host.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "supervisor/super.h"

enum {
	ORPHAN_DRAIN_MS = 1000, /* once the program has gone */
	OUTLIVE_MS = 1000, /* its pair is closed; it itself has nearly gone */
	LOOK_TICKS = 5, /* between two looks for the store's maker */
};

/* ---- messages ---- */

int
host_send(int chan, const struct host_msg *m, int pass)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = { .space = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (pass >= 0) {
		msg.msg_control = &ctl;
		msg.msg_controllen = sizeof(ctl);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	do {
		n = sendmsg(chan, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static int
take_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int
host_recv(int chan, struct host_msg *m, int *pass)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	ssize_t n;

	*pass = -1;
	/* that the other end has gone without reading all that it was sent is
	 * said once, and before what it has said itself */
	do {
		n = recvmsg(chan, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return -1;
	*pass = take_fd(&msg);
	if (n == sizeof(*m) && m->kind > 0 && m->kind < HOST_KINDS &&
	    m->text[sizeof(m->text) - 1] == '\0')
		return 1;
	if (*pass >= 0)
		close(*pass);
	*pass = -1;
	return -1; /* not one of us is at the other end */
}

/* ---- what the program is told ---- */

/* True if the program has read all that it was told. */
static bool
has_read(const struct host *h)
{
	int left = 0;

	return ioctl(h->chan, SIOCOUTQ, &left) == 0 && left == 0;
}

static void
tell_started(struct super *s)
{
	const struct service *sv = s->services;
	struct host_msg m = { .kind = HOST_STARTED, .place = sv->place };

	s->host->started = true;
	snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1,
	    service_where(sv));
	host_send(s->host->chan, &m, -1);
}

static void
tell_changed(struct host *h)
{
	struct host_msg m = { .kind = HOST_CHANGED };

	if (h->started && has_read(h))
		host_send(h->chan, &m, -1);
}

void
host_end(struct host *h)
{
	struct host_msg m = { .kind = HOST_ENDED, .err = h->err };

	memcpy(m.text, h->why, sizeof(m.text));
	host_send(h->chan, &m, -1);
}

void
host_note(struct super *s, int err, const char *fmt, ...)
{
	struct host *h = s->host;
	va_list ap;

	if (h == NULL || h->err != 0)
		return;
	h->err = err != 0 ? err : EIO;
	va_start(ap, fmt);
	vsnprintf(h->why, sizeof(h->why), fmt, ap);
	va_end(ap);
}

/* ---- what becomes of the server ---- */

static void
give_up(struct super *s, int err, const char *why)
{
	host_note(s, err, "%s", why);
	super_drain(s, 0);
}

void
host_settle(struct super *s)
{
	struct service *sv = s->services;

	if (s->host == NULL || s->phase != SUPER_SERVES)
		return;
	if (sv->state == SHM_FAILED)
		give_up(s, s->host->started ? EIO : EINVAL, sv->why);
	else if (!s->host->started && service_all(sv, LIFE_UP))
		tell_started(s);
	else
		tell_changed(s->host);
}

/* True if whoever made the store has gone; then nobody else can find it. */
static bool
store_gone(struct super *s)
{
	struct host *h = s->host;

	return ++h->ticks % LOOK_TICKS == 0 &&
	    !slot_lock_held(s->env.lock_fd, SEGS_MAKER_SLOT);
}

void
host_tick(struct super *s)
{
	if (s->host == NULL || s->phase != SUPER_SERVES)
		return;
	if (!s->host->started && s->services->state == SHM_BACKOFF)
		give_up(s, EAGAIN, s->services->why);
	else if (store_gone(s))
		give_up(s, ESTALE, "whoever made the store has gone");
}

/* ---- what is heard from the program ---- */

static void
leave(struct super *s)
{
	struct host *h = s->host;
	unsigned drain_ms = s->conf->drain_timeout_s * 1000;

	if (h->orphan)
		return;
	log_info("the program has gone");
	h->orphan = true;
	event_del(h->heard);
	if (h->gone != NULL)
		event_del(h->gone);
	super_drain(s, drain_ms < ORPHAN_DRAIN_MS ? drain_ms : ORPHAN_DRAIN_MS);
}

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	leave(arg);
}

/* The log goes elsewhere from now on. */
static void
move_log(struct super *s, unsigned level, int fd)
{
	struct ipc_msg m = { .kind = IPC_LOG, .arg = level + 1 };

	if (fd < 0 || level >= LOG_LEVELS || dup3(fd, log_fd(), O_CLOEXEC) < 0)
		return;
	log_set_level((enum log_level)level);
	for (struct process *p = s->processes; p != NULL; p = p->next)
		process_send(p, &m, log_fd());
}

static void
on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;
	struct host_msg m;
	int pass, rc;

	(void)what;
	while ((rc = host_recv(fd, &m, &pass)) == 1) {
		if (m.kind == HOST_STOP)
			super_stop(s, false);
		else if (m.kind == HOST_LOG)
			move_log(s, m.level, pass);
		if (pass >= 0)
			close(pass);
	}
	if (rc < 0)
		leave(s);
}

int
host_init(struct super *s)
{
	struct host *h = s->host;

	if (h == NULL)
		return 0;
	h->heard =
	    event_new(s->base, h->chan, EV_READ | EV_PERSIST, on_heard, s);
	if (h->heard == NULL || event_add(h->heard, NULL) < 0)
		return -1;
	if (h->program < 0)
		return 0;
	h->gone =
	    event_new(s->base, h->program, EV_READ | EV_PERSIST, on_gone, s);
	return h->gone != NULL ? event_add(h->gone, NULL) : -1;
}

void
host_outlive(struct super *s)
{
	struct pollfd p = { .fd = s->host->program, .events = POLLIN };

	if (s->host->orphan && p.fd >= 0)
		poll(&p, 1, OUTLIVE_MS);
}

void
host_fini(struct super *s)
{
	if (s->host == NULL)
		return;
	if (s->host->heard != NULL)
		event_free(s->host->heard);
	if (s->host->gone != NULL)
		event_free(s->host->gone);
}
