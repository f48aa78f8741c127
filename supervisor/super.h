/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SUPER_H
#define SUPERVISOR_SUPER_H

/*
 * The supervisor: one thread, one loop. It owns the claim, the segments, the
 * listeners and the children. Of what comes from outside while it runs it
 * parses struct ipc_msg, and at a reload the text that its reader has found
 * right (reload/sealed.h).
 */

#include <event2/event.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "supervisor/berth.h"
#include "supervisor/claim.h"
#include "supervisor/conf.h"
#include "supervisor/orders.h"
#include "supervisor/persist/saver.h"
#include "supervisor/proc.h"
#include "supervisor/process.h"
#include "supervisor/aide.h"
#include "supervisor/reload/apply.h"
#include "supervisor/reload/leaving.h"
#include "supervisor/reload/refresh.h"
#include "supervisor/reload/reload.h"
#include "supervisor/segs_make.h"
#include "supervisor/service.h"
#include "supervisor/upgrade.h"
#include "supervisor/watchdog.h"

enum { /* slots before SHM_WORKER_SLOT; the others there are reserved */
	SUPER_CONTROL_SLOT = SEGS_MAKER_SLOT + 1,
	SUPER_ACTIONS_SLOT,
	SUPER_HTTP_SLOT,
	SUPER_CLOCK_SLOT,
	SUPER_PERSIST_SLOT,
	SUPER_ACTIONS_NEXT_SLOT,
};

struct host;

enum { SUPER_STRAYS = 64 };

enum super_phase {
	SUPER_SERVES,
	SUPER_DRAINS, /* the workers are ending */
	SUPER_CLOSES, /* they have; the aides are ending */
	SUPER_SAVES, /* those have, too; the last of them are ending */
};

/*
 * There are two kinds, which differ in what they have and in nothing else. The
 * daemon has a store of its own, with the maker's slot of it, a run directory
 * and aides. The server of a program (host.h) has a berth in the store
 * of that (berth.h), and one transport.
 */
struct super {
	const struct conf *conf; /* in force */
	const struct conf *start; /* our caller's, until it has another one */
	const struct proc_roles *roles;
	const char *run_dir; /* the daemon's */
	struct host *host; /* the program; NULL: this is the daemon */
	struct claim claim; /* a program's server only has its lock path */
	struct berth berth;
	struct event_base *base;
	struct event *signals, *tick;
	int signal_fd;
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	enum super_phase phase;

	struct seg control_seg;
	struct shm_control *control;
	struct slot_env env; /* its own identity, for repairs */
	struct seg *former; /* conf->ndevices, until they are read: former.h */
	struct seg *device_segs; /* conf->ndevices */
	struct store *stores; /* conf->ndevices */

	struct service *services; /* in the order of the configuration */
	struct service *coming; /* which a reload prepares */
	struct service *leaving; /* which one has ended, while they drain */
	struct service *gone; /* they have: nobody is to call them now */
	struct process *processes; /* all that there are */
	struct process *aides; /* AIDES; those that are not wanted: stopped */
	uint32_t asked; /* the last tag that one was asked under */
	enum aide_kind actions; /* which of the two is in use */
	int actions_fd; /* workers connect to it; -1 */
	int adopt_fd, widow_fd; /* where keepers call, and workers: adopt.h */
	struct event *calls, *widow_calls;
	bool settling; /* leaving.c looks who has ended */
	bool adopted; /* the segments are a former supervisor's */
	bool upgraded; /* whose program was another one */
	struct orders orders;
	struct reload reload;
	struct upgrade upgrade;
	struct refresh refresh;
	struct apply apply;
	struct saver saver;

	struct watchdog watchdog;
	struct watchdog_hold *holds; /* conf->ndevices */
	uint64_t notify_ms, notified_ms; /* the service manager's watchdog */
	char *ready_text; /* as written last, or NULL */
	/* children that were waited for before it was known whose they were */
	struct super_stray {
		pid_t pid;
		int status;
	} strays[SUPER_STRAYS];
	unsigned nstrays; /* goes round */
	bool hurried; /* it has been told to stop at once */
	int code; /* to exit with */
};

/* Serves a configuration until asked to stop; the exit code. Takes over the
 * signals of the process. conf, roles and run_dir must stay. */
int super_run(
    const struct conf *, const struct proc_roles *, const char *run_dir);

/* The same as the server of a program. host must stay. */
int super_serve(
    const struct conf *, const struct proc_roles *, struct host *host);

/* Drains and ends; at once: without draining. */
void super_stop(struct super *, bool at_once);

/* Drains for at most so long and ends, even if it was to take longer. */
void super_drain(struct super *, unsigned drain_ms);

/* A child's state has changed: goes on with stopping, if that is under way. */
void super_progress(struct super *);

/* The service of a transport of that name, or at that place; NULL. */
struct service *super_service(const struct super *, const char *name);
struct service *super_service_at(const struct super *, unsigned place);

/* True if a child of that pid has ended before anybody knew it; forgets it. */
bool super_stray(struct super *, pid_t, int *status);

uint64_t super_now_ns(void); /* CLOCK_MONOTONIC */

#endif
