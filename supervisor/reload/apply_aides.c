/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for the aides and the keys of the top level. Runs in the
 * supervisor. Control and http take what is new where they stand: they are
 * asked before it comes into force, and told once all is where it is to be.
 * The others have no clients, and begin anew if they are concerned.
 */
#include "supervisor/reload/apply.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/actions.h"
#include "supervisor/aide.h"
#include "supervisor/inherit.h"
#include "supervisor/listen.h"
#include "supervisor/super.h"
#include "supervisor/user.h"

struct apply_aides {
	/* what is opened for those that listen elsewhere, or now: -1 */
	int http_fd, actions_fd, actions_path;
	/* Python of the next configuration, which begins before that is in
	 * force, and of the former one, which ends once no worker asks it; or
	 * NULL */
	struct process *next, *former;
	bool begun, ended;
	char real[LISTEN_ADDR_MAX]; /* of http */
	bool concerned[AIDES]; /* they begin anew */
	bool asked, held, told; /* control and http: before, until, and after */
	bool refused;
	char why[PLAN_WHY];
};

/* ---- what may fail ---- */

static int
find_users(const struct conf *next, char *why, size_t size)
{
	uid_t uid;
	gid_t gid;

	for (int i = 0; i < AIDES; i++)
		if (aides[i].user != NULL && aides_wanted(next, i) &&
		    user_find(aides[i].name, aides[i].user(next), &uid, &gid,
			why, size) < 0)
			return -1;
	return 0;
}

/* True if some transport's workers run as somebody else from now on. */
static bool
users_change(const struct plan *p)
{
	for (size_t i = 0; i < p->ntransports; i++) {
		const struct plan_item *t = &p->transports[i];

		if (t->fate == PLAN_ADDED ||
		    (t->fate == PLAN_CHANGED &&
			!conf_same_text(p->now->transports[t->was].user,
			    p->next->transports[t->is].user)))
			return true;
	}
	return false;
}

static int
open_http(struct super *s, const struct plan *p, char *why, size_t size)
{
	struct apply_aides *a = s->apply.aides;
	const char *was = p->now->http.listen, *is = p->next->http.listen;

	if (conf_same_text(was, is))
		return 0;
	if (was != NULL && inherit_lent(s->aides[AIDE_HTTP].listen_fd)) {
		snprintf(
		    why, size, "http: its listener is the service manager's");
		return -1;
	}
	if (is == NULL)
		return 0;
	a->http_fd = listen_open(is, false, a->real, sizeof(a->real));
	if (a->http_fd >= 0)
		return 0;
	snprintf(
	    why, size, "http: cannot listen on %s: %s", is, strerror(errno));
	return -1;
}

/* Another Python has a socket of its own: who has the former one open goes on
 * asking there. */
static int
open_actions(struct super *s, const struct plan *p, char *why, size_t size)
{
	struct apply_aides *a = s->apply.aides;

	if (!a->concerned[AIDE_ACTIONS] || !actions_wanted(p->next))
		return 0;
	a->next = &s->aides[s->actions == AIDE_ACTIONS ? AIDE_ACTIONS_NEXT
						       : AIDE_ACTIONS];
	a->actions_fd = actions_listen(p->next, s->run_dir, &a->actions_path);
	if (a->actions_fd >= 0)
		return 0;
	snprintf(why, size, "actions: cannot listen in %s: %s", s->run_dir,
	    strerror(errno));
	return -1;
}

/* Who has what changes from its birth. */
static void
note_concerned(const struct super *s, const struct plan *p)
{
	struct apply_aides *a = s->apply.aides;
	bool hang = plan_key(p, "hang_timeout_ms");
	bool actions = plan_key(p, "actions");

	a->concerned[AIDE_PERSIST] = hang || plan_key(p, "store");
	a->concerned[AIDE_CLOCK] = hang;
	a->concerned[AIDE_ACTIONS] = hang || actions;
}

static int
prepare(struct super *s, struct plan *p, char *why, size_t size)
{
	struct apply_aides *a = calloc(1, sizeof(*a));

	s->apply.aides = a;
	snprintf(why, size, "out of memory");
	if (a == NULL)
		return -1;
	a->http_fd = a->actions_fd = a->actions_path = -1;
	if (strcmp(p->now->store, p->next->store) != 0) {
		snprintf(why, size,
		    "key store: its name changes only when you restart "
		    "holdfastd");
		return -1;
	}
	note_concerned(s, p);
	if (find_users(p->next, why, size) < 0 ||
	    open_http(s, p, why, size) < 0 || open_actions(s, p, why, size) < 0)
		return -1;
	snprintf(why, size, "it cannot be handed over");
	a->asked = true;
	return aides_ask(s, IPC_CONF_LOOK, p->next);
}

void
apply_aides_refuse(struct super *s, const char *why)
{
	struct apply_aides *a = s->apply.aides;

	if (a == NULL || a->refused || !s->apply.looks)
		return;
	a->refused = true;
	snprintf(a->why, sizeof(a->why), "%.*s", PLAN_WHY - 1, why);
}

const struct conf *
apply_aides_conf(const struct process *p)
{
	const struct apply *a = &p->super->apply;

	return a->looks && a->aides != NULL && p == a->aides->next ? a->next
								   : NULL;
}

static bool
has_ended(const struct process *p)
{
	return p->child.state == LIFE_STOPPED || p->child.state == LIFE_FAILED;
}

/* 1, 0: not yet, -1. */
static int
begin_actions(struct super *s, char *why, size_t size)
{
	struct apply_aides *a = s->apply.aides;
	const struct conf *next = s->apply.next;

	if (a->next == NULL)
		return 1;
	if (!a->begun) {
		if (!has_ended(a->next))
			return 0; /* one that came to nothing */
		a->begun = true;
		a->next->listen_fd = a->actions_fd;
		a->actions_fd = -1;
		aides_take_user(a->next, next);
		child_event(&a->next->child, LIFE_START);
	}
	if (a->next->child.state == LIFE_STARTING)
		return 0;
	if (a->next->child.state == LIFE_UP)
		return 1;
	snprintf(why, size, "actions: %s",
	    a->next->child.why[0] != '\0' ? a->next->child.why
					  : "its process does not serve");
	return -1;
}

static int
ready(struct super *s, char *why, size_t size)
{
	const struct apply_aides *a = s->apply.aides;
	int rc = begin_actions(s, why, size);

	if (!a->refused)
		return rc == 1 ? aides_held(s) : rc;
	snprintf(why, size, "%s", a->why);
	return -1;
}

/* ---- what does not ---- */

/* Whoever reads it meanwhile sees none, or one of the two. */
static void
tell_page(struct super *s, const char *real)
{
	char text[sizeof(s->control->http)] = "";

	snprintf(text, sizeof(text), "%s", real);
	memset(s->control->http, 0, sizeof(text));
	memcpy(s->control->http + 1, text + 1, sizeof(text) - 1);
	s->control->http[0] = text[0];
}

static void
move_http(struct super *s, const struct plan *p)
{
	struct apply_aides *a = s->apply.aides;
	struct process *http = &s->aides[AIDE_HTTP];
	struct ipc_msg m = { .kind = IPC_LISTEN };

	if (conf_same_text(p->now->http.listen, p->next->http.listen))
		return;
	if (http->listen_fd >= 0) {
		inherit_forget("http");
		close(http->listen_fd);
	}
	http->listen_fd = a->http_fd;
	a->http_fd = -1;
	tell_page(s, a->real);
	if (http->listen_fd >= 0) {
		inherit_keep("http", http->listen_fd);
		log_info("page at http://%s/", a->real);
	}
	if (p->now->http.listen != NULL && p->next->http.listen != NULL)
		process_send(http, &m, http->listen_fd);
	else
		aides_restart(s, AIDE_HTTP);
}

/* Workers that are born from now on ask the next one. */
static void
move_actions(struct super *s, const struct plan *p)
{
	struct apply_aides *a = s->apply.aides;

	if (a->concerned[AIDE_ACTIONS]) {
		if (actions_wanted(p->now)) {
			a->former = &s->aides[s->actions];
			close(s->actions_fd);
		}
		s->actions_fd = a->actions_path;
		a->actions_path = -1;
		if (a->next != NULL)
			s->actions = (enum aide_kind)(a->next - s->aides);
	} else if (actions_wanted(p->next) && users_change(p)) {
		aides_restart(s, s->actions); /* who may call it */
	}
	if (actions_wanted(p->next))
		actions_permit(s->conf, s->run_dir);
}

static void
end_actions(struct process *p)
{
	struct super *s = p->super;

	p->child.drain_ms = p->aide->drain_ms;
	child_why(&p->child, "the configuration changed");
	child_event(&p->child, LIFE_STOP);
	close(p->listen_fd);
	p->listen_fd = -1;
	if (!actions_wanted(s->conf))
		actions_remove(s->run_dir);
}

static void
tell(struct super *s)
{
	s->apply.aides->told = true;
	aides_tell(s);
}

static void
commit(struct super *s, const struct plan *p)
{
	const struct apply_aides *a = s->apply.aides;

	aides_follow(s);
	move_http(s, p);
	move_actions(s, p);
	/* devices that go over have it begin anew in their turn */
	if (a->concerned[AIDE_PERSIST] && !apply_devices_swaps(s))
		saver_restart(s);
	if (a->concerned[AIDE_CLOCK])
		aides_restart(s, AIDE_CLOCK);
	if (!apply_devices_swaps(s))
		tell(s);
}

bool
apply_aides_hold(struct super *s)
{
	struct apply_aides *a = s->apply.aides;

	if (a == NULL || a->told)
		return true;
	if (!a->held)
		aides_ask(s, IPC_CONF_HOLD, NULL);
	a->held = true;
	return aides_held(s);
}

static bool
at_rest(const struct process *p, bool time)
{
	enum life state = p->child.state;

	return state == LIFE_UP || state == LIFE_STOPPED ||
	    state == LIFE_FAILED || (time && state == LIFE_BACKOFF);
}

/* No worker of the former configuration is left. */
static bool
workers_rest(const struct super *s, const struct plan *p, bool time)
{
	for (size_t i = 0; i < p->ntransports; i++) {
		const struct service *sv =
		    super_service(s, p->transports[i].name);

		for (unsigned w = 0; sv != NULL && w < sv->nworkers; w++)
			if (!at_rest(&sv->workers[w], time))
				return false;
	}
	return true;
}

static bool
settled(struct super *s, const struct plan *p, bool time)
{
	struct apply_aides *a = s->apply.aides;

	if (!a->told && apply_devices_swaps(s))
		return false;
	if (!a->told)
		tell(s);
	if (!aides_held(s))
		return false;
	if (a->former != NULL && !a->ended) {
		/* whoever drains may ask it yet */
		if (s->leaving != NULL || !workers_rest(s, p, time))
			return false;
		a->ended = true;
		end_actions(a->former);
	}
	for (int i = 0; i < AIDES; i++)
		if (!at_rest(&s->aides[i], time))
			return false;
	return true;
}

static void
end(struct super *s, const struct plan *p, bool told)
{
	struct apply_aides *a = s->apply.aides;

	(void)p;
	if (a == NULL)
		return;
	if (told && !a->told) /* they are not to be held for good */
		tell(s);
	else if (!told && a->asked && s->phase == SUPER_SERVES)
		aides_ask(s, IPC_CONF_ABANDON, NULL);
	for (int i = 0; told && i < AIDES; i++)
		if (a->concerned[i] && aides_wanted(s->conf, i))
			reload_renewed(s,
			    &s->aides[i == AIDE_ACTIONS ? s->actions
							: (enum aide_kind)i]);
	if (told && a->former != NULL && !a->ended)
		end_actions(a->former);
	if (!told && a->begun && s->phase == SUPER_SERVES)
		end_actions(a->next);
	if (a->http_fd >= 0)
		close(a->http_fd);
	if (a->actions_fd >= 0)
		close(a->actions_fd);
	if (a->actions_path >= 0)
		close(a->actions_path);
	free(a);
	s->apply.aides = NULL;
}

const struct apply_part apply_aides = {
	.name = "aides",
	.prepare = prepare,
	.ready = ready,
	.commit = commit,
	.settled = settled,
	.end = end,
};
