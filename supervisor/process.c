/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One child: has it made, hears it, tells it, kills it. Runs in the supervisor.
 * Nothing here ends the supervisor: a child that misbehaves is ended instead.
 * How it comes to be there is process_born.c, how it ends process_end.c.
 */
#include "supervisor/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/aide.h"
#include "supervisor/host.h"
#include "supervisor/killing.h"
#include "supervisor/ready.h"
#include "supervisor/super.h"

enum { MESSAGES_A_TURN = 16 };

static struct process *
process_of(struct child *c)
{
	return (struct process *)c; /* its first member */
}

static bool
take(struct process *p, const struct ipc_msg *m)
{
	if (m->kind != IPC_BORN)
		return orders_take(p, m);
	process_is_born(p, (pid_t)m->arg);
	return p->service != NULL;
}

void
process_hear(struct process *p)
{
	struct ipc_msg m;
	bool taken;
	int i, rc;

	for (i = 0; i < MESSAGES_A_TURN && p->chan >= 0; i++) {
		rc = ipc_recv_fd(p->chan, &m, &p->passed);
		if (rc == 0)
			return;
		if (rc < 0 && p->unborn) {
			process_never_born(p);
			return;
		}
		if (rc < 0 && errno == 0) {
			/* it is about to end, or has closed its channel: the
			 * watchdog tells one from the other */
			p->mute_ms = super_now_ns() / 1000000;
			event_del(p->chan_event);
			return;
		}
		taken = rc > 0 && take(p, &m);
		if (p->passed >= 0)
			close(p->passed);
		p->passed = -1;
		if (!taken) {
			event_del(p->chan_event);
			process_kill(p, "sent what is no message of its kind");
			return;
		}
	}
}

static void
hear(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	process_hear(arg);
}

void
process_close_channel(struct process *p)
{
	if (p->chan_event != NULL) {
		event_free(p->chan_event);
		p->chan_event = NULL;
	}
	if (p->chan >= 0) {
		close(p->chan);
		p->chan = -1;
	}
}

/* Opens its channel and listens to it. Its end of it, or -1. */
static int
open_channel(struct process *p)
{
	int fd[2], err;

	if (ipc_pair(fd) < 0)
		return -1;
	errno = ENOMEM;
	p->chan = fd[0];
	p->chan_event =
	    event_new(p->super->base, fd[0], EV_READ | EV_PERSIST, hear, p);
	if (p->chan_event == NULL || event_add(p->chan_event, NULL) < 0) {
		err = errno;
		close(fd[1]);
		process_close_channel(p);
		errno = err;
		return -1;
	}
	return fd[1];
}

static int
make(struct process *p, int chan)
{
	pid_t pid = fork();

	if (pid == 0)
		process_be_born(p, chan, BIRTH_CHILD);
	if (pid < 0)
		return -1;
	process_have_pid(p, pid);
	return 0;
}

static int
ask_for(struct process *p, int chan)
{
	if (keeper_spawn(p, chan) < 0)
		return -1;
	p->unborn = true;
	p->doomed = false;
	p->asked_ms = super_now_ns() / 1000000;
	return 0;
}

static int
spawn(struct child *c)
{
	struct process *p = process_of(c);
	int chan, err, rc;

	p->held = process_held(p);
	if (p->held)
		return 0;
	chan = open_channel(p);
	if (chan < 0) {
		child_why(c, "no channel: %s", strerror(errno));
		return -1;
	}
	if (!p->keeper.awaited)
		process_new_id(p);
	p->ready_ms = p->mute_ms = 0;
	rc = p->service != NULL ? ask_for(p, chan) : make(p, chan);
	err = errno;
	close(chan);
	if (rc < 0) {
		child_why(c, "cannot fork: %s", strerror(err));
		atomic_store(&p->shm->role, SHM_FREE);
		process_close_channel(p);
	}
	return rc;
}

void
process_send(struct process *p, const struct ipc_msg *m, int pass_fd)
{
	if (p->chan < 0 || ipc_send_fd(p->chan, m, pass_fd) == 0)
		return;
	if (errno != EPIPE) /* it has gone: we shall hear */
		process_kill(p, "does not read its orders");
}

static void
drain(struct child *c)
{
	struct process *p = process_of(c);
	struct ipc_msg m = { .kind = IPC_DRAIN, .arg = c->drain_ms };
	int hand = p->hand;

	p->hand = -1;
	if (p->held) {
		p->held = false;
		if (hand >= 0)
			close(hand);
		child_event(c, LIFE_ENDED);
		return;
	}
	if (p->service == NULL)
		m.kind = IPC_EXIT;
	else if (hand >= 0)
		m.kind = IPC_HAND;
	else if (p->passes ||
	    (c->state == LIFE_RESTARTING && p->service->yields))
		m.kind = IPC_YIELD;
	if (p->passes)
		m.rc = leaving_room(p);
	process_send(p, &m, hand);
	if (hand >= 0)
		close(hand);
}

void
process_kill(struct process *p, const char *why)
{
	if (p->pid <= 0 && !p->unborn)
		return;
	if (why[0] != '\0')
		child_why(&p->child, "%s", why);
	if (p->unborn) {
		p->doomed = true;
		keeper_end(&p->keeper);
		return;
	}
	/* without a pidfd it has not been waited for, so the pid is its own */
	killing(p->name, p->pid, p->pidfd);
}

static void
end(struct child *c)
{
	process_kill(process_of(c), "");
}

static void
timer(struct child *c, int64_t ms)
{
	struct process *p = process_of(c);
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (ms == CHILD_NO_TIMER)
		event_del(p->timer);
	else
		event_add(p->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;

	(void)fd;
	(void)what;
	child_event(&p->child, LIFE_TIMER);
}

static void
changed(struct child *c, enum life from)
{
	struct process *p = process_of(c);
	char why[CHILD_WHY_LOG];

	if (c->state == LIFE_UP)
		p->ready_ms = super_now_ns() / 1000000;
	if (!p->passes && (c->state == LIFE_STOPPED || c->state == LIFE_FAILED))
		keeper_end(&p->keeper);
	if (p->service != NULL) {
		service_settle(p->service, c->why);
		ready_tell(p->super); /* before an answer can be read */
		orders_settle(&p->super->orders, p->service);
		leaving_settle(p->super);
		apply_settle(p->super, false);
		host_settle(p->super);
	} else {
		log_info("%s %s was=%s%s", p->name, life_name(c->state),
		    life_name(from), child_why_log(c->why, why));
		ready_tell(p->super);
		apply_settle(p->super, false);
	}
	super_progress(p->super);
}

static uint64_t
now_ms(void)
{
	return super_now_ns() / 1000000;
}

static uint32_t
random_bits(void)
{
	uint32_t bits = 0;

	(void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
	return bits;
}

static const struct child_ops ops = {
	.spawn = spawn,
	.drain = drain,
	.kill = end,
	.timer = timer,
	.changed = changed,
	.now_ms = now_ms,
	.random = random_bits,
};

struct retry_limits
process_limits(const struct conf_transport *t)
{
	return (struct retry_limits){
		.min_ms = t->restart.min_backoff_ms,
		.max_ms = t->restart.max_backoff_ms,
		.max_in_window = t->restart.max_in_window,
		.window_s = t->restart.window_s,
	};
}

/* What the two kinds have in common. */
static int
init(struct process *p, struct super *s, unsigned slot,
    const struct retry_limits *limits)
{
	struct process **end = &s->processes;

	*p = (struct process){ .super = s, .seg = p->seg };
	while (*end != NULL)
		end = &(*end)->next;
	*end = p;
	p->slot = slot;
	p->shm = seg_slot(s->control, slot);
	p->chan = p->listen_fd = p->passed = p->pidfd = p->hand = -1;
	keeper_init(&p->keeper);
	child_init(&p->child, p->name, &ops, limits);
	p->timer = evtimer_new(s->base, on_timer, p);
	return p->timer != NULL ? 0 : -1;
}

int
process_init_aide(struct process *p, struct super *s, const struct aide *a,
    const struct retry_limits *limits)
{
	int rc = init(p, s, a->slot, limits);

	p->aide = a;
	snprintf(p->name, sizeof(p->name), "%s", a->name);
	return rc;
}

int
process_init(
    struct process *p, struct service *sv, unsigned worker, unsigned slot)
{
	struct retry_limits limits = process_limits(sv->conf);
	int rc = init(p, sv->super, slot, &limits);

	p->service = sv;
	p->worker = worker;
	if (sv->nworkers > 1) {
		snprintf(p->name, sizeof(p->name), "%.48s/%u", sv->conf->name,
		    worker);
	} else {
		snprintf(p->name, sizeof(p->name), "%s", sv->conf->name);
	}
	return rc;
}

void
process_fini(struct process *p)
{
	struct process **at;

	if (p->super == NULL)
		return;
	for (at = &p->super->processes; *at != NULL; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	if (p->timer != NULL)
		event_free(p->timer);
	keeper_end(&p->keeper);
	process_forget_pidfd(p);
	process_close_channel(p);
	p->super = NULL;
}
