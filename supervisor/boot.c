/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a configuration to a system that can fork: runs once in the supervisor
 * before its loop, and undoes itself after it.
 */
#include "supervisor/boot.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/ready.h"
#include "supervisor/secret.h"
#include "supervisor/segs.h"
#include "supervisor/segs_make.h"
#include "supervisor/super.h"

enum { ORPHANS_MS = 3000 }; /* for a former daemon's children to end */

/* Files of a run directory that outlive a control process that was killed. */
static const char *const sockets[] = { "control.sock", "events.sock" };

static int
claim_both(struct super *s)
{
	struct claim *c = &s->claim;
	const char *what = "run directory", *name = s->run_dir;
	int rc, err;

	rc = claim_run_dir(c, s->run_dir);
	if (rc == 0) {
		what = "store";
		name = s->conf->store;
		rc = claim_store(c, name);
	}
	if (rc == 0)
		return 0;
	err = errno;
	if (err == EBUSY) {
		log_error("another holdfastd (pid %d) is using the %s %s",
		    (int)c->holder, what, name);
		return EX_UNAVAILABLE;
	}
	log_error("cannot use the %s %s: %s", what, name, strerror(err));
	return boot_code(err);
}

static void
remove_sockets(struct super *s)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->run_dir, sockets[i]);
		unlink(path);
	}
}

/* What a daemon that was killed left: its children end by themselves, its
 * segments are proven dead by the lock that we now have. */
static int
clear_remains(struct super *s)
{
	int n;

	if (claim_wait_orphans(&s->claim, s->conf->store, ORPHANS_MS) < 0) {
		log_error("processes of a former daemon still use the store %s",
		    s->conf->store);
		return EX_UNAVAILABLE;
	}
	n = segs_clear(s->conf->store);
	if (n > 0) {
		log_warnx(
		    "removed %d segments that a killed daemon had left", n);
	}
	ready_remove(s->run_dir);
	remove_sockets(s);
	return 0;
}

static int
find_user(struct service *sv)
{
	const char *name = sv->conf->user;
	struct passwd *pw;

	if (name == NULL)
		return 0;
	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		log_error("transport %s: no user \"%s\"", sv->conf->name, name);
		return EX_CONFIG;
	}
	sv->uid = pw->pw_uid;
	sv->gid = pw->pw_gid;
	if (geteuid() != 0 && sv->uid != geteuid()) {
		log_error("transport %s: only root may run it as user \"%s\"",
		    sv->conf->name, name);
		return EX_NOPERM;
	}
	return 0;
}

/* Every listener that is wanted, or none: all that cannot be had are said. */
static int
open_listeners(struct super *s)
{
	int code = 0, err;
	size_t i;

	for (i = 0; i < s->conf->ntransports; i++) {
		struct service *sv = &s->services[i];

		if (!sv->wanted || service_open(sv) == 0)
			continue;
		err = errno;
		log_error("transport %s: cannot listen on %s: %s%s",
		    sv->conf->name, sv->conf->listen, strerror(err),
		    err == EADDRINUSE   ? "; another program uses the port"
			: err == EACCES ? "; ports below 1024 need root or "
					  "CAP_NET_BIND_SERVICE"
					: "");
		code =
		    err == EACCES || err == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
	}
	return code;
}

static int
no_memory(void)
{
	log_error("out of memory");
	return EX_SOFTWARE;
}

static int
make_services(struct super *s)
{
	const struct conf *conf = s->conf;
	size_t i;
	int code;

	s->nprocesses = 1;
	s->services = calloc(conf->ntransports + 1, sizeof(*s->services));
	if (s->services == NULL)
		return no_memory();
	for (i = 0; i < conf->ntransports; i++) {
		struct service *sv = &s->services[i];

		sv->super = s;
		sv->conf = &conf->transports[i];
		sv->index = (unsigned)i;
		sv->listen_fd = -1;
		sv->wanted = sv->conf->autostart;
		snprintf(
		    sv->listen, sizeof(sv->listen), "%s", conf_where(sv->conf));
		s->nprocesses += sv->conf->workers;
		code = find_user(sv);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
make_processes(struct super *s)
{
	static const struct retry_limits of_control = {
		.min_ms = 10, .max_ms = 5000, .window_s = 60
	};
	struct process *p;
	size_t i;
	unsigned w;

	s->processes = calloc(s->nprocesses, sizeof(*s->processes));
	if (s->processes == NULL ||
	    process_init(
		s->processes, s, NULL, 0, SUPER_CONTROL_SLOT, &of_control) < 0)
		return no_memory();
	p = s->processes + 1;
	for (i = 0; i < s->conf->ntransports; i++) {
		struct service *sv = &s->services[i];
		struct retry_limits limits = {
			.min_ms = sv->conf->restart.min_backoff_ms,
			.max_ms = sv->conf->restart.max_backoff_ms,
			.max_in_window = sv->conf->restart.max_in_window,
			.window_s = sv->conf->restart.window_s,
		};

		sv->workers = p;
		for (w = 0; w < sv->conf->workers; w++, p++) {
			if (process_init(p, s, sv, w, sv->shm->first_slot + w,
				&limits) < 0)
				return no_memory();
			p->seg = &s->worker_segs[p - s->processes - 1];
		}
	}
	return 0;
}

static int
make_secrets(struct super *s)
{
	s->tickets = secret_tickets(s->conf->ntransports);
	if (s->tickets != NULL)
		return 0;
	log_error("no random keys: %s", strerror(errno));
	return EX_SOFTWARE;
}

int
boot_code(int err)
{
	return err == EACCES || err == EPERM ? EX_NOPERM : EX_CANTCREAT;
}

int
boot(struct super *s)
{
	static int (*const steps[])(struct super *) = { make_services,
		claim_both, clear_remains, open_listeners, segs_control,
		segs_rest, make_processes, make_secrets };
	size_t i;
	int code = 0;

	for (i = 0; code == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		code = steps[i](s);
	return code;
}

void
unboot(struct super *s)
{
	size_t i;

	for (i = 0; s->processes != NULL && i < s->nprocesses; i++)
		process_fini(&s->processes[i]);
	for (i = 0; s->services != NULL && i < s->conf->ntransports; i++)
		if (s->services[i].listen_fd >= 0)
			close(s->services[i].listen_fd);
	log_as("supervisor", NULL);
	if (s->claim.store_fd >= 0) {
		segs_tell_gone(&s->env);
		seg_unlink_store(s->conf->store);
		ready_remove(s->run_dir);
		remove_sockets(s);
	}
	claim_release(&s->claim);
	segs_free(s);
	secret_forget(s->tickets, s->conf->ntransports);
	free(s->tickets);
	free(s->processes);
	free(s->services);
	free(s->ready_text);
}
