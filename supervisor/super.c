/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's loop: signals, ticks, births and deaths, and the order in
 * which everything ends. One thread; never blocks; nothing that a child does
 * ends it.
 */
#include "supervisor/super.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/aide.h"
#include "supervisor/boot.h"
#include "supervisor/host.h"
#include "supervisor/inherit.h"
#include "supervisor/ready.h"
#include "supervisor/sdnotify.h"
#include "supervisor/tick.h"

static const int caught[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
	SIGUSR2, SIGCHLD };

uint64_t
super_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct service *
super_service(const struct super *s, const char *name)
{
	struct service *sv = s->services;

	while (sv != NULL && strcmp(sv->conf->name, name) != 0)
		sv = sv->next;
	return sv;
}

struct service *
super_service_at(const struct super *s, unsigned place)
{
	struct service *sv = s->services;

	while (sv != NULL && sv->place != place)
		sv = sv->next;
	return sv;
}

/* ---- the end ---- */

static bool
workers_live(const struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (service_lives(sv))
			return true;
	for (struct service *sv = s->leaving; sv != NULL; sv = sv->next)
		if (service_lives(sv))
			return true;
	return false;
}

static void
close_aides(struct super *s)
{
	s->phase = SUPER_CLOSES;
	orders_ended(&s->orders);
	aides_stop(s, false, false);
}

/* Nobody changes a register any more, and nobody waits for that to be saved. */
static void
save_last(struct super *s)
{
	s->phase = SUPER_SAVES;
	saver_last(s);
}

void
super_progress(struct super *s)
{
	if (s->phase == SUPER_DRAINS && !workers_live(s))
		close_aides(s);
	if (s->phase == SUPER_CLOSES && !aides_live(s, false))
		save_last(s);
	if (s->phase == SUPER_SAVES && saver_over(s))
		event_base_loopbreak(s->base);
}

/* Nobody is told any more that this serves. */
static void
leave(struct super *s)
{
	if (s->host == NULL)
		sdnotify("STOPPING=1");
	ready_remove(s->run_dir);
	reload_stop(s);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		service_want(sv, false);
	s->phase = SUPER_DRAINS;
}

void
super_drain(struct super *s, unsigned drain_ms)
{
	const char *who = s->host == NULL ? "the daemon" : "the server";
	char why[32];

	snprintf(why, sizeof(why), "%s stops", who);
	if (s->phase == SUPER_SERVES)
		leave(s);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		service_event(sv, LIFE_STOP, drain_ms, why);
	super_progress(s);
}

void
super_stop(struct super *s, bool at_once)
{
	s->hurried |= at_once;
	if (s->phase == SUPER_SERVES) {
		log_info("stopping%s", at_once ? " at once" : "");
		super_drain(s, at_once ? 0 : s->conf->drain_timeout_s * 1000);
	}
	if (at_once) { /* they are not to be born again */
		aides_stop(s, false, true);
		aides_stop(s, true, true);
	}
	for (struct process *p = s->processes; at_once && p != NULL;
	     p = p->next)
		process_kill(p, "stopped at once");
	super_progress(s);
}

/* ---- signals ---- */

static bool
died(struct super *s, pid_t pid, int status)
{
	for (struct process *p = s->processes; p != NULL; p = p->next) {
		if (p->pid == pid) {
			process_died(p, status);
			return true;
		}
	}
	return false;
}

/* Who has ended may have said who it is, or its keeper will. */
static void
remember(struct super *s, pid_t pid, int status)
{
	s->strays[s->nstrays++ % SUPER_STRAYS] =
	    (struct super_stray){ pid, status };
	for (struct process *p = s->processes; p != NULL; p = p->next)
		if (p->unborn)
			process_hear(p);
}

bool
super_stray(struct super *s, pid_t pid, int *status)
{
	for (unsigned i = 0; pid > 0 && i < SUPER_STRAYS; i++) {
		if (s->strays[i].pid == pid) {
			*status = s->strays[i].status;
			s->strays[i].pid = 0;
			return true;
		}
	}
	return false;
}

static void
reap(struct super *s)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!reload_died(s, pid, status) &&
		    !upgrade_died(s, pid, status) &&
		    !keeper_died(s, pid, status) && !died(s, pid, status))
			remember(s, pid, status);
}

static void
reopen_log(struct super *s)
{
	struct ipc_msg m = { .kind = IPC_LOG };

	if (log_reopen() < 0) {
		log_warn("cannot open the log anew");
		return;
	}
	log_info("log opened anew");
	for (struct process *p = s->processes; p != NULL; p = p->next)
		process_send(p, &m, log_fd());
}

/* What a terminal or an operator sends is for the program, not for each of its
 * servers. */
static bool
heeds(const struct super *s, uint32_t sig)
{
	return s->host == NULL || sig == SIGCHLD || sig == SIGTERM;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;
	struct signalfd_siginfo si;

	(void)what;
	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (!heeds(s, si.ssi_signo))
			continue;
		switch (si.ssi_signo) {
		case SIGCHLD:
			reap(s);
			break;
		case SIGTERM:
		case SIGINT:
			/* the second one is in a hurry */
			super_stop(s, s->phase != SUPER_SERVES);
			break;
		case SIGQUIT:
			super_stop(s, true);
			break;
		case SIGHUP:
			reload_start(s, NULL, NULL);
			break;
		case SIGUSR1:
			reopen_log(s);
			break;
		case SIGUSR2:
			upgrade_start(s, NULL, 0);
			break;
		default:
			break;
		}
	}
}

/* ---- beginning ---- */

static int
catch_signals(struct super *s)
{
	sigset_t set;
	size_t i;

	/* blocked for good and read from a descriptor: no handler ever runs,
	 * neither here nor, before it has changed them, in a child */
	sigemptyset(&set);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		sigaddset(&set, caught[i]);
		signal(caught[i], SIG_DFL); /* inherited may be: ignored */
	}
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signal_fd;
}

static int
make_loop(struct super *s)
{
	s->base = event_base_new();
	if (s->base == NULL || catch_signals(s) < 0)
		return -1;
	s->signals = event_new(
	    s->base, s->signal_fd, EV_READ | EV_PERSIST, on_signal, s);
	if (s->signals == NULL || event_add(s->signals, NULL) < 0 ||
	    tick_init(s) < 0 || host_init(s) < 0)
		return -1;
	return orders_init(&s->orders, s);
}

static void
serve(struct super *s)
{
	log_info("holdfast%s " HOLDFAST_VERSION " store=%s transports=%zu",
	    s->host == NULL ? "d" : "", s->conf->store, s->conf->ntransports);
	aides_start(s);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (sv->wanted)
			service_event(sv, LIFE_START, 0, "");
	ready_tell(s); /* there may be nothing to wait for */
	malloc_trim(0);
	event_base_dispatch(s->base);
	log_info("stopped");
}

static int
run(struct super *s)
{
	const struct rlimit none = { 0, 0 };
	int code;

	s->began_ns = super_now_ns();
	s->signal_fd = s->reload.fd = s->reload.fresh = s->control_seg.fd = -1;
	s->berth.lock_fd = s->actions_fd = s->adopt_fd = s->widow_fd = -1;
	/* registers, ticket keys and passwords do not belong in a file that a
	 * crash leaves behind; its children are no different (birth.c) */
	setrlimit(RLIMIT_CORE, &none);
	claim_init(&s->claim);
	if (make_loop(s) < 0) {
		code = boot_fail(s, EX_SOFTWARE, errno,
		    "cannot make the loop: %s", strerror(errno));
	} else {
		code = boot(s);
	}
	if (code == 0)
		serve(s);
	orders_fini(&s->orders);
	upgrade_fini(s);
	unboot(s);
	if (s->signals != NULL)
		event_free(s->signals);
	tick_fini(s);
	host_fini(s);
	if (s->base != NULL)
		event_base_free(s->base);
	return code != 0 ? code : s->code;
}

int
super_run(const struct conf *conf, const struct proc_roles *roles,
    const char *run_dir)
{
	struct super s = {
		.conf = conf, .start = conf, .roles = roles, .run_dir = run_dir
	};

	inherit_take();
	return run(&s);
}

int
super_serve(
    const struct conf *conf, const struct proc_roles *roles, struct host *host)
{
	struct super s = {
		.conf = conf, .start = conf, .roles = roles, .host = host
	};

	return run(&s);
}
