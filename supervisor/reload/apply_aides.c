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
#include <pwd.h>
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

struct apply_aides {
	/* what is opened for those that listen elsewhere, or now: -1 */
	int http_fd, actions_fd, actions_path;
	char real[LISTEN_ADDR_MAX]; /* of http */
	bool concerned[AIDES]; /* they begin anew */
	bool asked, held, told; /* control and http: before, until, and after */
	bool refused;
	char why[PLAN_WHY];
};

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* ---- what may fail ---- */

static int
find_user(const char *aide, const char *user, char *why, size_t size)
{
	const struct passwd *pw = user != NULL ? getpwnam(user) : NULL;

	if (user == NULL ||
	    (pw != NULL && (geteuid() == 0 || pw->pw_uid == geteuid())))
		return 0;
	if (pw == NULL)
		snprintf(why, size, "%s: no user \"%s\"", aide, user);
	else
		snprintf(why, size, "%s: only root may run it as user \"%s\"",
		    aide, user);
	return -1;
}

static int
find_users(const struct conf *next, char *why, size_t size)
{
	for (int i = 0; i < AIDES; i++)
		if (aides[i].user != NULL && aides_wanted(next, i) &&
		    find_user(aides[i].name, aides[i].user(next), why, size) <
			0)
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
			!same_text(p->now->transports[t->was].user,
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

	if (same_text(was, is))
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

static int
open_actions(struct super *s, const struct plan *p, char *why, size_t size)
{
	struct apply_aides *a = s->apply.aides;

	if (actions_wanted(p->now) || !actions_wanted(p->next))
		return 0;
	a->actions_fd = actions_listen(p->next, s->run_dir, &a->actions_path);
	if (a->actions_fd >= 0)
		return 0;
	snprintf(why, size, "actions: cannot listen in %s: %s", s->run_dir,
	    strerror(errno));
	return -1;
}

/* Who has what changes from its birth. */
static void
note_concerned(const struct super *s, struct plan *p)
{
	struct apply_aides *a = s->apply.aides;
	bool hang = plan_key(p, "hang_timeout_ms");
	bool actions = plan_key(p, "actions");

	a->concerned[AIDE_PERSIST] = hang || plan_key(p, "store");
	a->concerned[AIDE_CLOCK] = hang;
	a->concerned[AIDE_ACTIONS] = hang || actions || users_change(p);
	for (size_t i = 0; i < p->ntransports; i++)
		p->transports[i].restarts |=
		    (hang || actions) && p->transports[i].fate == PLAN_SAME;
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
		    "key store: its name cannot change while it serves");
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

static int
ready(struct super *s, char *why, size_t size)
{
	const struct apply_aides *a = s->apply.aides;

	if (!a->refused)
		return aides_held(s);
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

	if (same_text(p->now->http.listen, p->next->http.listen))
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

/* The socket stays while those behind it come and go. */
static void
move_actions(struct super *s, const struct plan *p)
{
	struct apply_aides *a = s->apply.aides;
	struct process *actions = &s->aides[AIDE_ACTIONS];
	bool was = actions_wanted(p->now), is = actions_wanted(p->next);

	if (was && !is) {
		close(actions->listen_fd);
		close(s->actions_fd);
		actions->listen_fd = s->actions_fd = -1;
		actions_remove(s->run_dir);
	} else if (is && !was) {
		actions->listen_fd = a->actions_fd;
		s->actions_fd = a->actions_path;
		a->actions_fd = a->actions_path = -1;
	}
	if (is)
		actions_permit(s->conf, s->run_dir);
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
	for (int i = 0; i < AIDES; i++)
		if (a->concerned[i])
			aides_restart(s, i);
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

static bool
settled(struct super *s, const struct plan *p, bool time)
{
	const struct apply_aides *a = s->apply.aides;

	(void)p;
	if (!a->told && apply_devices_swaps(s))
		return false;
	if (!a->told)
		tell(s);
	if (!aides_held(s))
		return false;
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
			reload_renewed(s, &s->aides[i]);
	if (a->http_fd >= 0)
		close(a->http_fd);
	if (a->actions_fd >= 0) {
		close(a->actions_fd);
		close(a->actions_path);
		actions_remove(s->run_dir);
	}
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
