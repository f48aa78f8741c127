/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child says to its parent and hears from it. Runs in the children;
 * never blocks.
 */
#include "supervisor/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/patience.h"
#include "supervisor/keeper/widow.h"
#include "supervisor/reload/sealed.h"

void
proc_ready(struct proc *p)
{
	struct ipc_msg m = { .kind = IPC_READY,
		.transport = p->transport_index };

	if (ipc_send(p->chan, &m) < 0)
		log_warn("cannot tell the supervisor that this serves");
}

int
proc_failed(struct proc *p, int code, const char *fmt, ...)
{
	struct ipc_msg m = {
		.kind = IPC_FAILED, .transport = p->transport_index, .rc = code
	};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, text);
	ipc_send(p->chan, &m); /* the exit code says enough if it cannot */
	return code;
}

static void
came_to(struct proc *p, enum ipc_kind kind, uint32_t tag, const char *why)
{
	struct ipc_msg m = { .kind = kind,
		.tag = tag,
		.transport = p->transport_index,
		.rc = why != NULL };

	if (why != NULL)
		snprintf(m.text, sizeof(m.text), "%.*s",
		    (int)sizeof(m.text) - 1, why);
	if (ipc_send(p->chan, &m) < 0)
		log_warn("cannot tell the supervisor what a reload came to");
}

void
proc_refreshed(struct proc *p, uint32_t tag, const char *why)
{
	came_to(p, IPC_REFRESHED, tag, why);
}

void
proc_taken(struct proc *p, uint32_t tag, const char *why)
{
	came_to(p, IPC_TAKEN, tag, why);
}

void
proc_orphaned(struct proc *p)
{
	if (p->parted)
		log_info("the supervisor becomes another program");
	else
		log_warnx("the supervisor has gone; going on without it");
	p->parted = false; /* the next one has said nothing yet */
}

void
proc_own_order(struct proc *p, const struct ipc_msg *m, int fd)
{
	p->parted |= m->kind == IPC_PART;
	if (m->kind == IPC_LOG && fd >= 0 && dup3(fd, log_fd(), O_CLOEXEC) < 0)
		log_warn("cannot go over to the new log");
	if (m->kind == IPC_LOG && m->arg > 0)
		log_set_level((enum log_level)(m->arg - 1));
	if (fd >= 0)
		close(fd);
}

bool
proc_new_parent(struct proc *p)
{
	struct stat st;
	uint64_t was = p->chan_inode;

	if (fstat(p->chan, &st) < 0)
		return false;
	p->chan_inode = st.st_ino;
	return was != 0 && was != st.st_ino;
}

struct conf *
proc_conf(const struct proc *p, int fd)
{
	return fd >= 0 ? sealed_get(fd, p->conf->path, p->conf->pick) : NULL;
}

int
proc_order_fd(struct proc *p, struct ipc_msg *m, int *pass)
{
	int rc;

	while ((rc = ipc_recv_fd(p->chan, m, pass)) == 1 &&
	    (m->kind == IPC_LOG || m->kind == IPC_PART))
		proc_own_order(p, m, *pass);
	return rc;
}

int
proc_order(struct proc *p, struct ipc_msg *m)
{
	int fd, rc;

	while ((rc = proc_order_fd(p, m, &fd)) == 1 && m->kind == IPC_HAND) {
		if (widow_hand(p, fd)) {
			m->kind = IPC_YIELD;
			return rc;
		}
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

void
proc_beat(struct proc *p, uint64_t now_ns)
{
	struct shm_slot *s = seg_slot(p->env.control, SLOT_OF(p->env.me));

	atomic_store_explicit(&s->beat_ns, now_ns, memory_order_relaxed);
}

void
proc_busy(struct proc *p, uint64_t now_ns)
{
	struct shm_slot *s = seg_slot(p->env.control, SLOT_OF(p->env.me));

	atomic_store_explicit(&s->busy_ns, now_ns, memory_order_relaxed);
}

uint64_t
proc_beat_ms(const struct proc *p)
{
	uint64_t ms = p->conf->hang_timeout_ms / PATIENCE_BEATS;

	if (ms == 0 || ms > PATIENCE_BEAT_MAX_MS)
		return PATIENCE_BEAT_MAX_MS;
	return ms < PATIENCE_BEAT_MIN_MS ? PATIENCE_BEAT_MIN_MS : ms;
}
