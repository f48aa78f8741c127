/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of aides, and what happens to all of them. Runs in the supervisor.
 */
#include "supervisor/aide.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/actions.h"
#include "supervisor/boot.h"
#include "supervisor/inherit.h"
#include "supervisor/listen.h"
#include "supervisor/reload/sealed.h"
#include "supervisor/super.h"
#include "supervisor/user.h"

#define MAIN(role_) .main = offsetof(struct proc_roles, role_)

static const char *
actions_user(const struct conf *c)
{
	return c->actions.user;
}

static int
actions_open(struct super *s, const char **where)
{
	*where = s->run_dir;
	return actions_listen(s->conf, s->run_dir, &s->actions_fd);
}

static bool
http_wanted(const struct conf *c)
{
	return c->http.listen != NULL;
}

static int
http_open(struct super *s, const char **where)
{
	char *real = s->control->http;
	int fd;

	*where = s->conf->http.listen;
	fd =
	    inherit_find("http", *where, false, real, sizeof(s->control->http));
	if (fd < 0) {
		fd = listen_open(*where, false, real, sizeof(s->control->http));
		if (fd >= 0)
			inherit_keep("http", fd);
	}
	if (fd >= 0)
		log_info("page at http://%s/", real);
	return fd;
}

/* Some value is set on a clock. */
static bool
clock_wanted(const struct conf *c)
{
	for (size_t i = 0; i < c->ndevices; i++)
		for (size_t k = 0; k < c->devices[i].nranges; k++)
			if (conf_action_period_ms(c, &c->devices[i].ranges[k]) >
			    0)
				return true;
	return false;
}

static bool
persist_wanted(const struct conf *c)
{
	return c->snapshot.path != NULL;
}

static const char *
persist_user(const struct conf *c)
{
	return c->snapshot.user;
}

const struct aide aides[AIDES] = {
	[AIDE_CONTROL] = { "control", SUPER_CONTROL_SLOT, SHM_CONTROLLER,
	    MAIN(control), .devices = true, .orders = true, .drain_ms = 2000 },
	[AIDE_HTTP] = { "http", SUPER_HTTP_SLOT, SHM_AIDE, MAIN(http),
	    .devices = true, .orders = true, .drain_ms = 2000,
	    .wanted = http_wanted, .listen = http_open },
	[AIDE_ACTIONS] = { "actions", SUPER_ACTIONS_SLOT, SHM_AIDE,
	    MAIN(actions), .drain_ms = 1000, .wanted = actions_wanted,
	    .user = actions_user, .listen = actions_open },
	[AIDE_CLOCK] = { "clock", SUPER_CLOCK_SLOT, SHM_AIDE, MAIN(clock),
	    .devices = true, .drain_ms = 1000, .wanted = clock_wanted },
	[AIDE_PERSIST] = { "persist", SUPER_PERSIST_SLOT, SHM_AIDE,
	    MAIN(persist), .devices = true, .reads = true, .last = true,
	    .drain_ms = 30000, .wanted = persist_wanted, .user = persist_user },
	[AIDE_ACTIONS_NEXT] = { "actions", SUPER_ACTIONS_NEXT_SLOT, SHM_AIDE,
	    MAIN(actions), .drain_ms = 1000, .wanted = actions_wanted,
	    .user = actions_user },
};

static const struct retry_limits limits = {
	.min_ms = 10, .max_ms = 5000, .window_s = 60
};

proc_main_fn *
aide_main(const struct aide *a, const struct proc_roles *roles)
{
	proc_main_fn *entry;

	memcpy(&entry, (const char *)roles + a->main, sizeof(entry));
	return entry;
}

static int
find_user(struct super *s, struct process *p)
{
	const struct aide *a = p->aide;
	char why[256];

	p->user = a->user != NULL ? a->user(s->conf) : NULL;
	if (user_find(a->name, p->user, &p->uid, &p->gid, why, sizeof(why)) ==
	    0)
		return 0;
	return boot_fail(
	    s, errno == EPERM ? EX_NOPERM : EX_CONFIG, errno, "%s", why);
}

bool
aides_wanted(const struct conf *c, enum aide_kind kind)
{
	return aides[kind].wanted == NULL || aides[kind].wanted(c);
}

/* What it takes to be born. */
static int
make_ready(struct super *s, struct process *p)
{
	const struct aide *a = p->aide;
	const char *where;
	int err;

	if (a->listen != NULL && (p->listen_fd = a->listen(s, &where)) < 0) {
		err = errno;
		return boot_fail(s,
		    err == EADDRINUSE || err == EADDRNOTAVAIL ? EX_UNAVAILABLE
							      : boot_code(err),
		    err, "%s: cannot listen on %s: %s%s", a->name, where,
		    strerror(err),
		    err == EADDRINUSE ? "; another program uses the port" : "");
	}
	return find_user(s, p);
}

static bool
begins(const struct super *s, enum aide_kind kind)
{
	return kind != AIDE_ACTIONS_NEXT && aides_wanted(s->conf, kind);
}

int
aides_make(struct super *s)
{
	int code = 0;

	s->actions = AIDE_ACTIONS;
	s->aides = calloc(AIDES, sizeof(*s->aides));
	if (s->aides == NULL)
		return boot_fail(s, EX_SOFTWARE, ENOMEM, "out of memory");
	for (int i = 0; code == 0 && i < AIDES; i++) {
		struct process *p = &s->aides[i];

		if (process_init_aide(p, s, &aides[i], &limits) < 0)
			code =
			    boot_fail(s, EX_SOFTWARE, ENOMEM, "out of memory");
		else if (begins(s, i))
			code = make_ready(s, p);
	}
	return code;
}

void
aides_free(struct super *s)
{
	for (size_t i = 0; s->aides != NULL && i < AIDES; i++) {
		struct process *p = &s->aides[i];

		if (p->aide != NULL && p->listen_fd >= 0)
			close(p->listen_fd);
		process_fini(p);
	}
	free(s->aides);
	s->aides = NULL;
	if (s->actions_fd >= 0)
		close(s->actions_fd);
}

void
aides_start(struct super *s)
{
	if (s->aides != NULL)
		saver_begin(s);
	for (int i = 0; i < AIDES; i++)
		if (s->aides != NULL && begins(s, i))
			child_event(&s->aides[i].child, LIFE_START);
}

void
aides_stop(struct super *s, bool last, bool at_once)
{
	for (struct process *p = s->processes; p != NULL; p = p->next) {
		if (p->aide == NULL || p->aide->last != last)
			continue;
		p->child.drain_ms = at_once ? 0 : p->aide->drain_ms;
		child_event(&p->child, LIFE_STOP);
	}
}

/* Who does not exist any more has been looked for before. */
void
aides_take_user(struct process *p, const struct conf *c)
{
	char why[256];

	p->user = p->aide->user != NULL ? p->aide->user(c) : NULL;
	(void)!user_find(
	    p->aide->name, p->user, &p->uid, &p->gid, why, sizeof(why));
}

void
aides_follow(struct super *s)
{
	for (int i = 0; i < AIDES; i++)
		aides_take_user(&s->aides[i], s->conf);
}

/* ---- another configuration, where they stand ---- */

int
aides_ask(struct super *s, enum ipc_conf what, const struct conf *c)
{
	struct ipc_msg m = { .kind = IPC_CONF, .arg = what };
	int fd = c != NULL ? sealed_new() : -1;

	/* they know no passwords */
	if (c != NULL && (fd < 0 || sealed_put(fd, c, false) < 0)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (int i = 0; i < AIDES; i++) {
		struct process *p = &s->aides[i];

		p->owes = 0;
		if (!p->aide->orders ||
		    (p->child.state != LIFE_UP &&
			p->child.state != LIFE_STARTING))
			continue;
		if (++s->asked == 0)
			s->asked++;
		m.tag = p->owes = s->asked;
		p->asked = what;
		process_send(p, &m, fd);
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

void
aides_tell(struct super *s)
{
	if (aides_ask(s, IPC_CONF_FORCE, s->conf) == 0)
		return;
	log_warnx("control and http begin anew with the new configuration");
	aides_restart(s, AIDE_CONTROL);
	aides_restart(s, AIDE_HTTP);
}

bool
aides_held(const struct super *s)
{
	for (int i = 0; i < AIDES; i++)
		if (s->aides[i].owes != 0)
			return false;
	return true;
}

static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

void
aides_taken(struct process *p, const struct ipc_msg *m)
{
	char text[sizeof(m->text)];

	if (p->owes == 0 || m->tag != p->owes)
		return; /* it has been asked something else since */
	p->owes = 0;
	memcpy(text, m->text, sizeof(text)); /* ends with NUL: ipc_recv */
	clean(text);
	if (m->rc != 0 && p->asked == IPC_CONF_LOOK) {
		apply_aides_refuse(p->super, text);
	} else if (m->rc != 0) {
		p->child.drain_ms = p->aide->drain_ms;
		child_why(&p->child, "it cannot follow: %s", text);
		child_event(&p->child, LIFE_RESTART);
	}
	apply_settle(p->super, false);
}

void
aides_restart(struct super *s, enum aide_kind kind)
{
	struct process *p = &s->aides[kind];

	p->child.drain_ms = p->aide->drain_ms;
	child_why(&p->child, "the configuration changed");
	if (!aides_wanted(s->conf, kind))
		child_event(&p->child, LIFE_STOP);
	else
		child_event(&p->child, LIFE_RESTART);
}

bool
aides_live(const struct super *s, bool last)
{
	for (const struct process *p = s->processes; p != NULL; p = p->next)
		if (p->aide != NULL && p->aide->last == last &&
		    p->child.state != LIFE_STOPPED &&
		    p->child.state != LIFE_FAILED)
			return true;
	return false;
}

bool
aides_starting(const struct super *s)
{
	for (const struct process *p = s->processes; p != NULL; p = p->next)
		if (p->aide != NULL && p->child.state == LIFE_STARTING)
			return true;
	return false;
}
