/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's side of a reload: forks the reader, collects its report,
 * logs it, has certificates read again, answers control. It takes lines of
 * text and counts, no more.
 */
#include "supervisor/reload/reload.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/aide.h"
#include "supervisor/reload/differ.h"
#include "supervisor/reload/sealed.h"
#include "supervisor/secret.h"
#include "supervisor/super.h"
#include "supervisor/trial.h"

/* So that what runs goes on with what it had if the next one could not begin:
 * whatever has to restart, or begins, is tried. */
static bool
fits(void *arg, const struct plan *p, FILE *out)
{
	struct super *s = arg;
	const struct trial trial = {
		.conf = p->next,
		.roles = s->roles,
		.super = s,
		.files = true,
		.out = out,
	};
	bool fine = true;

	for (size_t i = 0; i < p->ntransports; i++) {
		const struct plan_item *t = &p->transports[i];

		if (t->is != PLAN_NONE && (t->restarts || t->was == PLAN_NONE))
			fine &= trial_transport(
			    &trial, &p->next->transports[t->is]);
	}
	return fine;
}

static void __attribute__((__noreturn__))
read_again(struct super *s, int fd, enum ipc_look look, int sheet)
{
	FILE *out = fdopen(fd, "w");
	const struct differ_job job = {
		.text = look == IPC_LOOK_TEXT,
		.sheet = sheet,
		.fresh = s->reload.fresh,
		.out = out,
		.fits = fits,
		.arg = s,
	};
	sigset_t none;
	int code;

	secret_forget(s);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (out == NULL)
		_exit(EX_SOFTWARE);
	code = differ_report(s->conf, &job);
	fflush(out);
	_exit(code);
}

static void
forget(struct reload *r)
{
	if (r->readable != NULL)
		event_free(r->readable);
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->fd >= 0)
		close(r->fd);
	if (r->fresh >= 0)
		close(r->fresh);
	free(r->report);
	memset(r, 0, sizeof(*r));
	r->fd = r->fresh = -1;
}

/* One line of the report to the log; what is no text is not passed on. */
static void
say(char *line, bool bad)
{
	char *c;

	for (c = line; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	if (bad)
		log_error("%s", line);
	else
		log_info("configuration: %s", line);
}

/* The asker hears of it last, after what became of each transport. */
void
reload_refreshed(struct super *s)
{
	struct reload *r = &s->reload;
	bool again = r->again;
	int rc = r->code == 0           ? 0
	    : r->code == EX_CONFIG      ? EINVAL
	    : r->failed                 ? EIO
	    : r->applied                ? 0
	    : r->code == DIFFER_CHANGED ? ENOTSUP
					: EIO;

	if (r->asker != NULL)
		orders_answer(r->asker, r->tag, rc, r->lines, "%s",
		    r->code == 0 ? "nothing has changed" : r->first);
	forget(r);
	if (again)
		reload_start(s, NULL, NULL);
}

void
reload_restarted(struct super *s, struct service *sv, bool added)
{
	struct reload *r = &s->reload;
	char line[SHM_NAME_MAX + 32];

	if (!sv->wanted)
		return;
	if (!service_all(sv, LIFE_UP)) {
		r->failed = true;
		snprintf(r->first, sizeof(r->first),
		    "transport %s does not serve%s: %.200s", sv->conf->name,
		    added ? "" : " with its new keys", sv->why);
		log_error("%s", r->first);
		return;
	}
	snprintf(line, sizeof(line), "transport %s: restarted", sv->conf->name);
	if (r->asker != NULL && !added)
		orders_report(r->asker, r->tag, false, line);
}

void
reload_applied(struct super *s)
{
	log_info("the new configuration is in force");
	s->reload.applied = true;
	aides_tell(s); /* where all is now */
	refresh_start(s);
}

void
reload_refused(struct super *s, const char *why)
{
	struct reload *r = &s->reload;

	snprintf(r->first, sizeof(r->first), "not applied: %s", why);
	log_warnx("configuration %s; what runs goes on", r->first);
	/* whatever is wrong with the configuration: who has been revoked is
	 * to go */
	refresh_start(s);
}

void
reload_renewed(struct super *s, struct process *p)
{
	struct reload *r = &s->reload;
	char line[SHM_NAME_MAX + 32];

	if (p->child.state != LIFE_UP) {
		r->failed = true;
		snprintf(r->first, sizeof(r->first),
		    "%s does not serve with the new configuration", p->name);
		log_error("%s", r->first);
		return;
	}
	snprintf(line, sizeof(line), "aide %s: restarted", p->name);
	if (r->asker != NULL)
		orders_report(r->asker, r->tag, false, line);
}

void
reload_stays(struct super *s, const char *device)
{
	struct reload *r = &s->reload;

	r->failed = true;
	snprintf(r->first, sizeof(r->first),
	    "device %s stays as it was: somebody has it and does not give it "
	    "back",
	    device);
	log_error("%s", r->first);
}

/* One line of the report, to the log or to who only looks. */
static void
pass_on(struct reload *r, char *line, bool bad)
{
	if (!r->look)
		say(line, bad);
	if ((r->look || !bad) && r->asker != NULL && r->lines < RELOAD_TOLD)
		orders_report(r->asker, r->tag, bad, line);
	if (r->lines++ == 0)
		snprintf(r->first, sizeof(r->first), "%.*s",
		    (int)sizeof(r->first) - 1, line);
}

static void
conclude(const struct reload *r)
{
	if (r->look)
		log_info("configuration looked at: %s",
		    r->code == 0                    ? "nothing has changed"
			: r->code == DIFFER_CHANGED ? "it has changed"
						    : "it has mistakes");
	else if (r->code == 0)
		log_info("configuration read again: nothing has changed");
	else if (r->code != DIFFER_CHANGED)
		log_error("the new configuration is not used; the former one "
			  "stays in force");
}

static void
apply(struct super *s)
{
	char why[PLAN_WHY];

	if (s->reload.code != DIFFER_CHANGED)
		refresh_start(s); /* as above */
	else if (apply_start(s, s->reload.fresh, why, sizeof(why)) < 0)
		reload_refused(s, why);
}

/* The reader has ended and all that it said is here. */
static void
finish(struct super *s)
{
	struct reload *r = &s->reload;
	char *line, *rest;
	int code = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : -1;

	r->code = code;
	snprintf(r->first, sizeof(r->first),
	    "the configuration could not be read again");
	event_del(r->timer);
	event_del(r->readable);
	for (line = strtok_r(r->report, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		pass_on(r, line, code != DIFFER_CHANGED && code != 0);
	conclude(r);
	if (r->look)
		reload_refreshed(s);
	else
		apply(s);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;
	struct reload *r = &s->reload;
	char rest[512];
	ssize_t n;

	(void)what;
	if (r->len < RELOAD_REPORT)
		n = read(fd, r->report + r->len, RELOAD_REPORT - r->len);
	else
		n = read(fd, rest, sizeof(rest)); /* enough has been said */
	if (n > 0) {
		r->len += r->len < RELOAD_REPORT ? (size_t)n : 0;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	event_del(r->readable);
	close(r->fd);
	r->fd = -1;
	if (r->ended)
		finish(s);
}

/* Answers control, if it waits, before the reader has ended. */
static void
give_up(struct super *s, int rc, const char *why)
{
	struct process *asker = s->reload.asker;

	s->reload.asker = NULL;
	if (asker != NULL)
		orders_answer(asker, s->reload.tag, rc, 0, "%s", why);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;

	(void)fd;
	(void)what;
	log_warnx("reading the configuration again takes too long");
	if (s->reload.ended) {
		finish(s);
		return;
	}
	kill(s->reload.pid, SIGKILL);
	/* it may be stuck in the kernel, and take its time to die */
	give_up(s, ETIMEDOUT, "reading the configuration takes too long");
}

bool
reload_died(struct super *s, pid_t pid, int status)
{
	struct reload *r = &s->reload;

	if (r->pid == 0 || pid != r->pid || r->ended)
		return false;
	r->ended = true;
	r->status = status;
	if (r->fd < 0)
		finish(s);
	return true;
}

static int
prepare(struct super *s, int fd)
{
	struct reload *r = &s->reload;
	struct timeval limit = { RELOAD_MS / 1000, 0 };

	r->fd = fd;
	r->report = calloc(1, RELOAD_REPORT + 1);
	r->readable =
	    event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	r->timer = evtimer_new(s->base, on_timer, s);
	if (r->report == NULL || r->readable == NULL || r->timer == NULL ||
	    event_add(r->readable, NULL) < 0 || event_add(r->timer, &limit) < 0)
		return -1;
	return 0;
}

static void
refuse(struct process *asker, uint32_t tag, int err, const char *why)
{
	log_warnx("the configuration is not read again: %s", why);
	if (asker != NULL)
		orders_answer(asker, tag, err, 0, "%s", why);
}

/* What is under way goes first. A signal is told nothing, and cannot ask again:
 * what its sender has changed may have been read before. */
static bool
is_refused(struct super *s, struct process *asker, uint32_t tag)
{
	if (s->phase != SUPER_SERVES)
		refuse(asker, tag, ESHUTDOWN, "the daemon is stopping");
	else if (s->reload.pid != 0 && asker == NULL)
		s->reload.again = true;
	else if (s->reload.pid != 0)
		refuse(asker, tag, EBUSY, "a reload is under way");
	else if (s->upgrade.pid != 0)
		refuse(asker, tag, EBUSY, "an upgrade is under way");
	else
		return false;
	return true;
}

void
reload_start(
    struct super *s, struct process *asker, const struct ipc_msg *order)
{
	struct reload *r = &s->reload;
	uint32_t tag = order != NULL ? order->tag : 0;
	enum ipc_look look = order != NULL && order->arg <= IPC_LOOK_TEXT
	    ? (enum ipc_look)order->arg
	    : 0;
	int fd[2];

	if (is_refused(s, asker, tag))
		return;
	log_info("%s the configuration again: %s",
	    look ? "looking at" : "reading", s->conf->path);
	if (pipe2(fd, O_CLOEXEC) < 0) {
		refuse(asker, tag, errno, strerror(errno));
		return;
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	memset(r, 0, sizeof(*r));
	r->asker = asker;
	r->tag = tag;
	r->look = look;
	r->fresh = look ? -1 : sealed_new();
	if (prepare(s, fd[0]) < 0 || (r->pid = fork()) < 0) {
		refuse(asker, tag, errno, strerror(errno));
		close(fd[1]);
		forget(r);
		return;
	}
	if (r->pid == 0)
		read_again(s, fd[1], look, asker != NULL ? asker->passed : -1);
	close(fd[1]);
}

void
reload_stop(struct super *s)
{
	if (s->reload.pid > 0 && !s->reload.ended)
		kill(s->reload.pid, SIGKILL);
	give_up(s, ESHUTDOWN, "the daemon is stopping");
	refresh_stop(s);
	forget(&s->reload);
}
