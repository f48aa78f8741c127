/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor does ten times a second: the service manager's
 * watchdog, orders that take too long, children and devices that hang.
 */
#include "supervisor/tick.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/store_next.h"
#include "shm/store_reap.h"
#include "supervisor/guard.h"
#include "supervisor/host.h"
#include "supervisor/sdnotify.h"
#include "supervisor/super.h"

enum { MUTE_MS = 1000 }; /* from a closed channel to the end */

static struct process *
occupant(struct super *s, uint64_t id)
{
	struct process *p = s->processes;

	while (p != NULL && (p->pid <= 0 || p->id != id))
		p = p->next;
	return p;
}

/* Processor time that a process has used, in ns; 0 if it cannot be told. */
static uint64_t
cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* True if the process would run if it were let: it is runnable, or waits for
 * a page. The kernel says so in the field behind the name, which is in
 * parentheses and may hold anything. */
static bool
waits_for_cpu(pid_t pid)
{
	char path[32], stat[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	end = strrchr(stat, ')');
	return end != NULL && end[1] == ' ' && (end[2] == 'R' || end[2] == 'D');
}

/* True if it is the process itself that does not get on. */
static bool
guilty(const struct watchdog_mark *m, pid_t pid)
{
	return watchdog_guilty(m, cpu_ns(pid), waits_for_cpu(pid));
}

/* Until all have been born with the new one, who beats as the former one had
 * it does not hang. */
static unsigned
hang_ms(const struct super *s)
{
	const struct conf *also[] = { s->apply.plan.now, s->apply.former };
	unsigned ms = s->conf->hang_timeout_ms;

	for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++)
		if (also[i] != NULL && also[i]->hang_timeout_ms > ms)
			ms = also[i]->hang_timeout_ms;
	return ms;
}

static void
watch_process(struct super *s, struct process *p, uint64_t now_ns)
{
	enum watchdog_verdict v;
	uint64_t beat, busy;

	if (p->mute_ms != 0 && now_ns / 1000000 - p->mute_ms > MUTE_MS) {
		process_kill(p, "closed its channel");
		return;
	}
	if (p->pid <= 0 || p->child.state == LIFE_STARTING)
		return; /* that has a time limit of its own */
	beat = atomic_load(&p->shm->beat_ns);
	busy = atomic_load(&p->shm->busy_ns);
	watchdog_mark(&p->mark, beat, busy, cpu_ns(p->pid));
	v = watchdog_judge(
	    now_ns, beat, busy, p->ready_ms * 1000000, hang_ms(s));
	if (v == WATCHDOG_FINE || !guilty(&p->mark, p->pid))
		return;
	if (v == WATCHDOG_BUSY) {
		child_why(&p->child, "hung in a request for more than %d ms",
		    WATCHDOG_BUSY_MS);
	} else {
		child_why(
		    &p->child, "hung: no sign of life for %u ms", hang_ms(s));
	}
	child_event(&p->child, LIFE_HUNG);
}

/* It has as much time to begin with as any process. */
static void
watch_keeper(struct super *s, struct process *p, uint64_t now_ns)
{
	struct keeper *k = &p->keeper;
	uint64_t beat = atomic_load(&p->shm->keeper_ns);
	unsigned ms = beat > k->since_ns ? hang_ms(s) : CHILD_START_MS;

	if (k->pid == 0)
		return;
	watchdog_mark(&k->mark, beat, 0, cpu_ns(k->pid));
	if (watchdog_judge(now_ns, beat, 0, k->since_ns, ms) != WATCHDOG_FINE &&
	    guilty(&k->mark, k->pid))
		keeper_hung(p, ms);
}

/* We have the next one as soon as we have done that; so somebody has
 * scribbled, and it is told to all others that the device has gone. */
static void
watch_mark(struct super *s, size_t i)
{
	if (s->host != NULL || !store_superseded(&s->stores[i]))
		return;
	atomic_store(&s->stores[i].dev->superseded, 0);
	log_warnx("device %s was said to be superseded; it is not",
	    s->conf->devices[i].name);
}

static void
watch_device(struct super *s, size_t i)
{
	const struct shm_device *dev = s->stores[i].dev;
	uint64_t owner = atomic_load(&dev->owner);
	struct process *p = occupant(s, owner);
	/* whose name was forged is about and well, which says nothing */
	bool forged = store_forged(&s->stores[i], owner);
	uint64_t beat =
	    p != NULL && !forged ? atomic_load(&p->shm->beat_ns) : 0;

	if (!watchdog_held(&s->holds[i], owner, atomic_load(&dev->seq), beat))
		return;
	if (forged) {
		if (store_reap(&s->stores[i], owner)) {
			log_warnx("device %s: owner forged to %.63s; repaired",
			    s->conf->devices[i].name,
			    slot_name(s->env.control, owner));
		}
		return;
	}
	if (p != NULL && !guilty(&p->mark, p->pid))
		return;
	if (p != NULL) {
		child_why(&p->child, "held device %.40s for too long",
		    s->conf->devices[i].name);
		child_event(&p->child, LIFE_HUNG);
	} else if (owner != s->env.me && slot_probe(&s->env, owner)) {
		/* nobody's name, or a dead attacher's */
		store_reap(&s->stores[i], owner);
		log_warnx("device %s was held by nobody alive; repaired",
		    s->conf->devices[i].name);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;
	uint64_t now_ns = super_now_ns(), now_ms = now_ns / 1000000;
	struct process *p;
	size_t i;

	(void)fd;
	(void)what;
	if (s->notify_ms != 0 && now_ms - s->notified_ms >= s->notify_ms) {
		sdnotify("WATCHDOG=1");
		s->notified_ms = now_ms;
	}
	if (s->host == NULL)
		guard_beat(now_ms);
	orders_tick(&s->orders, now_ms);
	upgrade_tick(s, now_ms);
	leaving_settle(s);
	leaving_free(s);
	apply_settle(s, true);
	host_tick(s);
	if (!watchdog_tick(&s->watchdog, now_ms))
		return;
	for (p = s->processes; p != NULL; p = p->next) {
		process_release(p);
		process_watch_birth(p, now_ms);
		keeper_mend(p);
	}
	for (p = s->processes; p != NULL; p = p->next) {
		watch_process(s, p, now_ns);
		watch_keeper(s, p, now_ns);
	}
	for (i = 0; i < s->conf->ndevices; i++) {
		watch_mark(s, i);
		watch_device(s, i);
	}
}

int
tick_init(struct super *s)
{
	struct timeval every = { 0, WATCHDOG_MS * 1000 };

	s->notify_ms = s->host == NULL ? sdnotify_every_ms() : 0;
	s->watchdog.last_ms = super_now_ns() / 1000000;
	s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	return s->tick != NULL ? event_add(s->tick, &every) : -1;
}

void
tick_fini(struct super *s)
{
	if (s->tick != NULL)
		event_free(s->tick);
}
