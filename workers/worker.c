/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's life: the event loop, the beat, the parent's orders, the drain
 * and its deadline. Runs in every worker process. Never touches a client's
 * bytes: those are the transport's.
 */
#include "workers/worker.h"

#include <errno.h>
#include <limits.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "shm/notice.h"
#include "workers/hooks/hooks.h"
#include "workers/hooks/plugin.h"
#include "workers/action/runner.h"
#include "workers/transport.h"

enum {
	ORPHAN_BEAT_MS = 20, /* so soon the next parent is met */
	ORPHAN_DRAIN_MS = 1000, /* for a worker whose parent has gone */
	LINES_A_SECOND = 20, /* about connections; more are only counted */
};

void
worker_tick(struct worker *w)
{
	struct timespec ts;

	/* not the coarse one: it stands still while the processor that
	 * moves it is away, and the parent would see a hang */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	w->now_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	w->turned = true;
	proc_beat(w->proc, w->now_ns);
}

void
worker_done(struct worker *w)
{
	w->done = true;
	event_base_loopbreak(w->base);
}

/* A second of lines is over: says how many were left out of it. */
static void
lines_afresh(struct worker *w)
{
	if (w->now_ns - w->lines_ns < 1000000000)
		return;
	if (w->lines > LINES_A_SECOND)
		log_info("lines about clients left out n=%u",
		    w->lines - LINES_A_SECOND);
	w->lines_ns = w->now_ns;
	w->lines = 0;
}

bool
worker_may_log(struct worker *w)
{
	lines_afresh(w);
	return ++w->lines <= LINES_A_SECOND;
}

static struct timeval
interval(uint64_t ms)
{
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

static void
beat_set(int fd, uint64_t ms)
{
	struct timeval tv = interval(ms);
	struct itimerspec each = {
		.it_interval = { tv.tv_sec, tv.tv_usec * 1000 },
		.it_value = { tv.tv_sec, tv.tv_usec * 1000 },
	};

	if (fd != -1)
		timerfd_settime(fd, 0, &each, NULL);
}

/* A keeper has put the channel to a new parent in the place of the old one,
 * of which the loop may not even know yet that it has gone. */
static void
meet_parent(struct worker *w)
{
	if (w->orphan)
		proc_seek_parent(w->proc);
	if (!w->proc->adopted || !proc_new_parent(w->proc))
		return;
	w->orphan = false;
	event_del(&w->orders);
	event_add(&w->orders, NULL);
	beat_set(w->beat_fd, proc_beat_ms(w->proc));
	log_info("there is a new supervisor");
	proc_ready(w->proc);
}

static void
beat(evutil_socket_t fd, short what, void *arg)
{
	uint64_t times;

	(void)what;
	worker_turn(arg);
	lines_afresh(arg);
	meet_parent(arg);
	if (read(fd, &times, sizeof(times)) == -1 && errno != EAGAIN)
		log_warn("beat");
}

static void
expired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_info("drain ended by its deadline");
	if (((struct worker *)arg)->shedding)
		worker_yields(arg);
	else
		worker_done(arg);
}

static void
drain(struct worker *w, uint64_t ms)
{
	struct timeval tv = interval(ms);
	uint64_t until = w->now_ns + ms * 1000000;

	/* a second order may shorten the time that is left, nothing else */
	if (!w->draining || until < w->drained_ns) {
		w->drained_ns = until;
		event_add(&w->deadline, &tv);
	}
	if (w->draining)
		return;
	w->draining = true;
	log_info("draining ms=%llu", (unsigned long long)ms);
	w->ops->drain(w);
}

/* Between two turns nothing is in hand but what shared memory and the kernel
 * hold, and both outlive this process. */
void
worker_yields(struct worker *w)
{
	w->yields = true;
	w->shed = w->shedding;
	w->shedding = false;
	log_info("giving way to the next worker");
	worker_done(w);
}

static void
yield(struct worker *w, const struct ipc_msg *m)
{
	struct timeval tv = interval(m->arg);

	if (w->ops->yield == NULL || w->draining) {
		drain(w, m->arg);
		return;
	}
	w->room = m->rc > 0 ? (unsigned)m->rc - 1 : UINT_MAX;
	if (w->ops->yield(w)) {
		worker_yields(w);
		return;
	}
	w->shedding = true;
	event_add(&w->deadline, &tv);
}

static void
obey(struct worker *w, const struct ipc_msg *m)
{
	switch (m->kind) {
	case IPC_DRAIN:
		drain(w, m->arg);
		return;
	case IPC_YIELD:
		yield(w, m);
		return;
	case IPC_KICK:
		if (!w->ops->kick(w, CONN_ID_SERIAL(m->arg)))
			log_debug("no connection to close serial=%llu",
			    (unsigned long long)CONN_ID_SERIAL(m->arg));
		return;
	case IPC_REFRESH:
		proc_refreshed(w->proc, m->tag,
		    w->ops->refresh != NULL ? w->ops->refresh(w) : NULL);
		return;
	default:
		log_warnx("order not understood kind=%u", m->kind);
	}
}

static void
ordered(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct ipc_msg m;
	int rc;

	(void)fd;
	(void)what;
	worker_turn(w);
	while ((rc = proc_order(w->proc, &m)) > 0)
		obey(w, &m);
	if (rc == 0)
		return;
	event_del(&w->orders);
	if (w->proc->adopted && !w->draining) {
		proc_orphaned(w->proc);
		w->orphan = true;
		beat_set(w->beat_fd, ORPHAN_BEAT_MS);
		return;
	}
	log_info("parent has gone");
	drain(w, ORPHAN_DRAIN_MS);
}

/* The clock is the kernel's coarse one: nothing here needs better. */
static struct event_base *
base_new(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;

	if (cfg == NULL)
		return NULL;
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return base;
}

/* A descriptor that can be read each ms. As an event with a time-out the beat
 * would have every wait of the loop set a timer in the kernel. */
static int
beat_open(uint64_t ms)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	beat_set(fd, ms);
	return fd;
}

static int
events_add(struct worker *w)
{
	w->beat_fd = beat_open(proc_beat_ms(w->proc));
	event_assign(&w->orders, w->base, w->proc->chan, EV_READ | EV_PERSIST,
	    ordered, w);
	event_assign(
	    &w->beat, w->base, w->beat_fd, EV_READ | EV_PERSIST, beat, w);
	event_assign(&w->deadline, w->base, -1, 0, expired, w);
	if (w->beat_fd == -1 || event_add(&w->orders, NULL) == -1 ||
	    event_add(&w->beat, NULL) == -1)
		return -1;
	return 0;
}

static void
loop(struct worker *w)
{
	while (!w->done) {
		w->turned = false;
		w->turn++;
		if (event_base_loop(w->base, EVLOOP_ONCE) == -1)
			fatal(EX_SOFTWARE, "event loop failed");
	}
}

/* What the transport makes of it; the exit code. */
static int
serve(struct worker *w)
{
	int rc = 0;

	worker_tick(w);
	proc_new_parent(w->proc); /* from here on */
	if (w->ops->start(w) == -1)
		return proc_failed(
		    w->proc, w->code, "%s", w->why != NULL ? w->why : "start");
	if (plugins_options(w) == -1) {
		rc = proc_failed(w->proc, w->code, "%s", w->why);
	} else {
		proc_ready(w->proc);
		loop(w);
		if (w->shed) /* it has gone on meanwhile */
			w->ops->yield(w);
	}
	if (!w->yields)
		w->ops->stop(w);
	return rc;
}

int
worker_main(struct proc *p)
{
	/* what one that gives way leaves is in reach until its process ends */
	static struct worker w;
	int rc;

	w = (struct worker){
		.proc = p,
		.conf = p->transport,
		.beat_fd = -1,
		.code = EX_SOFTWARE,
	};
	w.shm = seg_worker(&p->worker_seg);
	if (plugins_load(&w) == -1 || hooks_load(&w) == -1 ||
	    (w.ops = transport_find(&w)) == NULL)
		rc = proc_failed(p, w.code, "%s", w.why);
	else if ((w.base = base_new()) == NULL)
		rc = proc_failed(p, EX_SOFTWARE, "no event loop");
	else if (bind_init(&w.bind, p) == -1 || events_add(&w) == -1)
		rc = proc_failed(p, EX_SOFTWARE, "cannot make its events");
	else if (hooks_actions(&w) == -1)
		rc = proc_failed(p, w.code, "%s", w.why);
	else
		rc = serve(&w);
	runner_fini(&w);
	bind_fini(&w.bind);
	hooks_free(&w);
	plugins_free(&w);
	if (w.base != NULL)
		event_base_free(w.base);
	if (w.beat_fd != -1)
		close(w.beat_fd);
	if (w.yields)
		proc_hand_over(p);
	return rc;
}
