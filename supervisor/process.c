/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks, tells, kills and buries one child. Runs in the supervisor. Nothing
 * here ends the supervisor: a child that misbehaves is ended instead.
 */
#include "supervisor/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/store_reap.h"
#include "supervisor/aide.h"
#include "supervisor/birth.h"
#include "supervisor/host.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/ready.h"
#include "supervisor/super.h"

enum {
	MESSAGES_A_TURN = 16,
	BIRTH_MS = 2000,
};

static void never_born(struct process *);

static struct process *
process_of(struct child *c)
{
	return (struct process *)c; /* its first member */
}

/* A keeper stands for the worker that it makes: it is of its transport, but
 * not of its slot. */
void
process_be_born(struct process *p, int chan, enum birth_kind kind)
{
	struct super *s = p->super;
	const struct service *sv = p->service;
	struct proc proc = {
		.conf = s->conf,
		.transport = sv != NULL ? sv->conf : NULL,
		.transport_index = sv != NULL ? sv->place : 0,
		.worker = p->worker,
		.run_dir = s->run_dir,
		.env = { .control = s->control, .lock_fd = -1, .me = p->id },
		.adopted =
		    s->host == NULL && !s->roles->mortal && kind != BIRTH_CHILD,
		.ward = kind == BIRTH_KEEPER ? p : NULL,
		.kept = kind == BIRTH_HEIR,
		.widow = p->widow,
		.control_seg = s->control_seg,
		.hooks = s->host != NULL ? s->host->hooks : NULL,
		.stores = s->stores,
		.device_segs = s->device_segs,
		.chan = chan,
		.listen_fd = sv != NULL ? sv->listen_fd : p->listen_fd,
		.began_ns = s->began_ns,
		.bell_fd = -1,
		.actions_fd = -1,
	};
	char keeper[SHM_NAME_MAX + 8];
	struct birth b = {
		.kind = kind,
		.former = kind == BIRTH_HEIR ? p->former : 0,
		.proc = &proc,
		.name = p->name,
		.lock_path = s->claim.store_lock,
		.device_segs = s->device_segs,
		.super = s,
		.devices = true,
		.then = apply_aides_conf(p),
		.main = s->roles->worker,
	};

	if (sv != NULL) {
		proc.worker_seg = p->seg;
		b.user = sv->conf->user;
		b.uid = sv->uid;
		b.gid = sv->gid;
		proc.actions_fd = s->actions_fd;
	} else {
		b.devices = p->aide->devices;
		b.reads = p->aide->reads;
		b.main = aide_main(p->aide, s->roles);
		b.user = p->user;
		b.uid = p->uid;
		b.gid = p->gid;
	}
	if (kind == BIRTH_KEEPER) {
		snprintf(keeper, sizeof(keeper), "keeper %s", p->name);
		b.name = keeper;
		b.main = keeper_main;
	}
	birth(&b);
}

void
process_fill_slot(struct process *p)
{
	struct shm_slot *s = p->shm;

	memcpy(s->name, p->name, sizeof(s->name));
	atomic_store(&s->beat_ns, 0);
	atomic_store(&s->busy_ns, 0);
	atomic_store(&s->claim, 0);
	atomic_store(&s->since_ms, clock_unix_ms());
	atomic_store(&s->transport, p->service ? p->service->place : 0);
	atomic_store(&s->worker, p->worker);
	atomic_store(&s->role, p->service ? SHM_WORKER_ROLE : p->aide->role);
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
			never_born(p);
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

static void
close_channel(struct process *p)
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
		close_channel(p);
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

uint64_t
process_new_id(struct process *p)
{
	p->id = slot_next_id(p->super->control, p->slot);
	process_fill_slot(p);
	return p->id;
}

static int
spawn(struct child *c)
{
	struct process *p = process_of(c);
	int chan, err, rc;

	p->held = apply_devices_hold(p);
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
		close_channel(p);
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
	if (p->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, 0, 0);
	else /* not waited for yet, so the pid is its own */
		kill(p->pid, SIGKILL);
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

/* "exit 70", "signal 11 (Segmentation fault)" */
static void
words_of(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status)) {
		snprintf(buf, size, "signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)),
		    WCOREDUMP(status) ? ", core dumped" : "");
	} else if (status == PROCESS_UNSEEN) {
		snprintf(buf, size, "nobody saw how");
	} else {
		snprintf(buf, size, "exit %d", WEXITSTATUS(status));
	}
}

/* True for the end of what there is to be no service without. */
static bool
is_needed(const struct process *p, enum life_event ev)
{
	const struct super *s = p->super;

	return ev == LIFE_MISCONFIGURED && s->conf->actions.needed &&
	    p->aide == &aides[s->actions] && s->ready_text == NULL &&
	    s->phase == SUPER_SERVES;
}

/* The last words of the dead, if it left any: why it cannot serve. */
static void
read_will(struct process *p)
{
	struct ipc_msg m;
	int i;

	for (i = 0; i < MESSAGES_A_TURN && ipc_recv(p->chan, &m) == 1; i++)
		if (m.kind == IPC_FAILED)
			orders_take(p, &m);
}

/* Only after this may another child take the slot, and only because the
 * parent has waited for it: that is the proof of its death. */
static void
bury(struct process *p)
{
	struct super *s = p->super;
	size_t i;

	slot_declare_dead(s->control, p->id);
	for (i = 0; i < s->conf->ndevices; i++) {
		if (store_reap(&s->stores[i], p->id)) {
			log_warnx("%s: died while it owned %s; repaired",
			    p->name, s->conf->devices[i].name);
		}
	}
	apply_devices_reap(s, p->id);
	atomic_store(&p->shm->pid, 0);
	atomic_store(&p->shm->role, SHM_FREE);
	read_will(p);
	close_channel(p);
	process_forget_pidfd(p);
	p->pid = 0;
	p->unborn = false;
}

/* Nobody has the other end of its channel: there is no such process. */
static void
never_born(struct process *p)
{
	bury(p);
	if (p->child.why[0] == '\0')
		child_why(&p->child, "its keeper died before it was there");
	log_warnx("%s: not born why=\"%s\"", p->name, p->child.why);
	child_event(&p->child, LIFE_CRASHED);
}

void
process_watch_birth(struct process *p, uint64_t now_ms)
{
	if (!p->unborn || p->doomed || now_ms - p->asked_ms <= BIRTH_MS)
		return;
	if (p->keeper.pending >= 0) {
		adopt_give_up(p);
		return;
	}
	process_kill(p, "its keeper does not make it");
}

void
process_died(struct process *p, int status)
{
	struct child *c = &p->child;
	char words[64], why[CHILD_WHY_LOG];
	enum life_event ev = LIFE_CRASHED;
	int pid = (int)p->pid;
	bool vain;

	bury(p);
	c->suspected = process_blame(p, status, c->why[0] != '\0');
	words_of(status, words, sizeof(words));
	if (WIFEXITED(status)) {
		ev = WEXITSTATUS(status) == 0          ? LIFE_ENDED
		    : WEXITSTATUS(status) == EX_CONFIG ? LIFE_MISCONFIGURED
						       : LIFE_CRASHED;
	}
	/* what it has served with was right once: a file that is being
	 * replaced is whole again soon */
	if (ev == LIFE_MISCONFIGURED && p->served && c->state == LIFE_STARTING)
		ev = LIFE_CRASHED;
	if (c->why[0] == '\0')
		child_why(c, "%s", words);
	if ((ev == LIFE_ENDED || status == PROCESS_UNSEEN) &&
	    (c->state == LIFE_DRAINING || c->state == LIFE_RESTARTING)) {
		log_debug("%s: ended pid=%d", p->name, pid);
	} else {
		log_warnx("%s: died pid=%d by=\"%s\"%s", p->name, pid, words,
		    child_why_log(
			strcmp(c->why, words) != 0 ? c->why : "", why));
	}
	if (p->service != NULL)
		atomic_store(&p->service->shm->last_exit,
		    status == PROCESS_UNSEEN ? -1 : status);
	orders_forget(p);
	refresh_died(p);
	p->owes = 0;
	vain = is_needed(p, ev);
	if (vain)
		p->super->code = EX_CONFIG; /* it is not to become ready */
	child_event(c, ev);
	if (vain)
		super_stop(p->super, false);
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
	close_channel(p);
	p->super = NULL;
}
