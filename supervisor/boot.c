/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a configuration to a system that can fork: runs once in the supervisor
 * before its loop, and undoes itself after it.
 */
#include "supervisor/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/patience.h"
#include "supervisor/actions.h"
#include "supervisor/aide.h"
#include "supervisor/host.h"
#include "supervisor/keeper/adopt.h"
#include "supervisor/persist/former.h"
#include "supervisor/persist/warm.h"
#include "supervisor/reload/differ.h"
#include "supervisor/ready.h"
#include "supervisor/secret.h"
#include "supervisor/segs.h"
#include "supervisor/segs_make.h"
#include "supervisor/super.h"
#include "supervisor/tty.h"
#include "supervisor/user.h"

/* Files of a run directory that outlive a daemon that was killed. */
static const char *const sockets[] = { "control.sock", "events.sock",
	ACTIONS_SOCKET, ADOPT_SOCKET };

int
boot_fail(struct super *s, int code, int err, const char *fmt, ...)
{
	char text[HOST_WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	host_note(s, err, "%s", text);
	return code;
}

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
		rc = claim_store_soon(c, name);
	}
	if (rc == 0)
		return 0;
	err = errno;
	if (err == EBUSY) {
		log_error("another holdfastd (pid %d) is using the %s %s%s",
		    (int)c->holder, what, name,
		    c->run_fd >= 0 ? "; give this one another store.name" : "");
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

	if (adopt_remains(s)) {
		ready_remove(s->run_dir);
		remove_sockets(s);
		return 0;
	}
	if (claim_wait_orphans(&s->claim, s->conf->store, PATIENCE_ORPHANS_MS) <
	    0) {
		log_error("processes of a former daemon still use the store %s",
		    s->conf->store);
		return EX_UNAVAILABLE;
	}
	former_keep(s);
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
find_user(struct super *s, struct service *sv)
{
	const struct conf_transport *t = sv->conf;
	char who[SHM_NAME_MAX + 16], why[256];

	snprintf(who, sizeof(who), "transport %s", t->name);
	if (user_find(who, t->user, &sv->uid, &sv->gid, why, sizeof(why)) == 0)
		return 0;
	return boot_fail(
	    s, errno == EPERM ? EX_NOPERM : EX_CONFIG, errno, "%s", why);
}

static bool
may_use(const char *path)
{
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0)
		return false;
	if (tty_is(path))
		return true;
	errno = ENOTTY;
	return false;
}

/* A worker opens its serial port by itself, whenever that is there. But who
 * starts one server wants to hear that its port is not, or is none. */
static int
open_listener(struct super *s, struct service *sv)
{
	if (s->host != NULL && sv->conf->serial.port != NULL &&
	    !may_use(sv->conf->serial.port))
		return -1;
	return service_open(sv);
}

/* Every listener that is wanted, or none: all that cannot be had are said. */
static int
open_listeners(struct super *s)
{
	int code = 0, err;
	for (struct service *sv = s->services; sv != NULL; sv = sv->next) {
		if (!sv->wanted || sv->awaited || open_listener(s, sv) == 0)
			continue;
		err = errno;
		code =
		    err == EACCES || err == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
		boot_fail(s, code, err, "transport %s: cannot %s %s: %s%s",
		    sv->conf->name,
		    sv->conf->serial.port != NULL ? "open" : "listen on",
		    conf_where(sv->conf), strerror(err),
		    err == EADDRINUSE ? "; another program uses the port"
			: err == EACCES && sv->conf->serial.port == NULL
			? "; ports below 1024 need root or "
			  "CAP_NET_BIND_SERVICE"
			: err == ENOTTY ? "; it is no serial device"
					: "");
	}
	return code;
}

static int
no_memory(struct super *s)
{
	return boot_fail(s, EX_SOFTWARE, ENOMEM, "out of memory");
}

static int
make_services(struct super *s)
{
	struct service **end = &s->services;
	int code = 0;

	for (size_t i = 0; code == 0 && i < s->conf->ntransports; i++) {
		*end = service_new(s, &s->conf->transports[i]);
		if (*end == NULL)
			return no_memory(s);
		code = find_user(s, *end);
		end = &(*end)->next;
	}
	return code;
}

static int
make_workers(struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		for (unsigned w = 0; w < sv->nworkers; w++) {
			struct process *p = &sv->workers[w];

			if (process_init(p, sv, w, sv->slot + w) < 0)
				return no_memory(s);
			p->keeper.awaited =
			    s->adopted && claim_kept(&s->claim, p->slot);
		}
	return 0;
}

static int
make_secrets(struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (secret_ticket(sv->ticket) < 0)
			return boot_fail(s, EX_SOFTWARE, errno,
			    "no random keys: %s", strerror(errno));
	return 0;
}

uint64_t
boot_hash(const struct conf *conf)
{
	return differ_hash(conf);
}

int
boot_code(int err)
{
	return err == EACCES || err == EPERM ? EX_NOPERM : EX_CANTCREAT;
}

typedef int step_fn(struct super *);

/* What a former supervisor has left is not made again. */
static int
make_segs(struct super *s)
{
	static step_fn *const make[] = { segs_control, segs_devices, warm_start,
		former_put, segs_workers };
	int code = 0;

	for (size_t i = 0;
	     code == 0 && !s->adopted && i < sizeof(make) / sizeof(make[0]);
	     i++)
		code = make[i](s);
	return code;
}

static step_fn *const of_daemon[] = { make_services, claim_both, clear_remains,
	open_listeners, make_segs, make_workers, aides_make, make_secrets,
	adopt_listen, NULL };
static step_fn *const of_server[] = { make_services, berth_take, open_listeners,
	segs_workers, make_workers, make_secrets, NULL };

int
boot(struct super *s)
{
	step_fn *const *step = s->host == NULL ? of_daemon : of_server;
	int code = 0;

	for (; code == 0 && *step != NULL; step++)
		code = (*step)(s);
	return code;
}

void
unboot(struct super *s)
{
	struct service *sv;

	apply_stop(s);
	aides_free(s);
	while (s->processes != NULL)
		process_fini(s->processes);
	adopt_close(s);
	for (sv = s->services; sv != NULL; sv = sv->next)
		if (sv->listen_fd >= 0)
			close(sv->listen_fd);
	log_as("supervisor", NULL);
	if (s->claim.store_fd >= 0) {
		segs_tell_gone(&s->env);
		seg_unlink_store(s->conf->store);
		ready_remove(s->run_dir);
		remove_sockets(s);
	}
	claim_release(&s->claim);
	berth_leave(s);
	segs_free(s);
	secret_forget(s);
	service_free_all(&s->services);
	service_free_all(&s->leaving);
	service_free_all(&s->gone);
	free(s->ready_text);
	apply_free(s);
}
