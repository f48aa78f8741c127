/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends IPC_REFRESH to the workers of type tls and collects their answers,
 * which go to the log and, if control waits for the reload, to control as
 * well: one message a transport. Runs in the supervisor; never blocks.
 */
#include "supervisor/reload/refresh.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "shm/log.h"
#include "supervisor/super.h"

/* A transport's workers have all answered, or will not. */
static void
report(struct super *s, struct service *sv)
{
	struct ipc_msg m = {
		.kind = IPC_REFRESHED,
		.tag = s->reload.tag,
		.transport = sv->place,
		.rc = sv->refresh_why[0] != '\0',
	};

	if (m.rc == 0)
		log_info("refreshed transport=%s", sv->conf->name);
	else
		log_warnx("not refreshed transport=%s why=\"%s\"",
		    sv->conf->name, sv->refresh_why);
	memcpy(m.text, sv->refresh_why, sizeof(m.text));
	if (s->reload.asker != NULL)
		process_send(s->reload.asker, &m, -1);
}

static void
end(struct super *s)
{
	refresh_stop(s);
	reload_refreshed(s);
}

static bool
more_to_come(const struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (sv->refreshing > 0)
			return true;
	return false;
}

/* One worker less to wait for; why: what went wrong, or "". The first words
 * stay. */
static void
note(struct process *p, const char *why)
{
	struct service *sv = p->service;
	char *c = sv->refresh_why;

	p->refresh = 0;
	if (*c == '\0')
		snprintf(c, sizeof(sv->refresh_why), "%s", why);
	for (; *c != '\0'; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	if (--sv->refreshing == 0)
		report(p->super, sv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;

	(void)fd;
	(void)what;
	for (struct process *p = s->processes; p != NULL; p = p->next)
		if (p->refresh != 0)
			note(p, "it does not answer");
	end(s);
}

/* How many have been told. */
static unsigned
tell(struct super *s)
{
	struct ipc_msg m = { .kind = IPC_REFRESH, .tag = s->refresh.round };
	unsigned n = 0;

	for (struct process *p = s->processes; p != NULL; p = p->next) {
		/* what one that has ended was of may be gone */
		if (p->service == NULL || p->chan < 0 ||
		    p->service->conf->type != CONF_TLS)
			continue;
		if (p->service->refreshing++ == 0)
			p->service->refresh_why[0] = '\0';
		p->refresh = m.tag;
		process_send(p, &m, -1);
		n++;
	}
	return n;
}

void
refresh_start(struct super *s)
{
	struct refresh *r = &s->refresh;
	struct timeval limit = { REFRESH_MS / 1000, 0 };
	unsigned n;

	if (++r->round == 0)
		r->round++;
	n = tell(s);
	if (n > 0)
		log_info("certificates are read again workers=%u", n);
	r->timer = n > 0 ? evtimer_new(s->base, on_timer, s) : NULL;
	if (n == 0 || r->timer == NULL || event_add(r->timer, &limit) < 0)
		on_timer(-1, 0, s); /* nobody to wait for, or no way to */
}

void
refresh_take(struct process *p, const struct ipc_msg *m)
{
	struct super *s = p->super;

	if (p->refresh == 0 || m->tag != p->refresh)
		return; /* too late */
	note(p, m->rc == 0 ? "" : m->text[0] != '\0' ? m->text : "it failed");
	if (!more_to_come(s))
		end(s);
}

void
refresh_died(struct process *p)
{
	if (p->refresh == 0)
		return;
	note(p, "its worker has ended");
	if (!more_to_come(p->super))
		end(p->super);
}

void
refresh_stop(struct super *s)
{
	struct refresh *r = &s->refresh;

	if (r->timer != NULL)
		event_free(r->timer);
	r->timer = NULL;
	for (struct process *p = s->processes; p != NULL; p = p->next)
		p->refresh = 0;
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		sv->refreshing = 0;
}
