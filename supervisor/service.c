/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports: what their workers' states add up to, their listeners, and
 * what control and the log are told of them. Runs in the supervisor.
 */
#include "supervisor/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/mirror.h"
#include "shm/notice.h"
#include "shm/state.h"
#include "supervisor/inherit.h"
#include "supervisor/super.h"

/* What the state of one worker is to the outside, and how much it weighs in
 * what all of them add up to: the heaviest wins. So a transport is up while any
 * of its workers serves, and draining while any of them drains. */
static const struct view {
	enum shm_state state;
	unsigned weight;
	bool accepts; /* or will, without an order */
} views[LIFE_STATES] = {
	[LIFE_STOPPED] = { SHM_STOPPED, 0, false },
	[LIFE_FAILED] = { SHM_FAILED, 1, false },
	[LIFE_BACKOFF] = { SHM_BACKOFF, 2, true },
	[LIFE_STARTING] = { SHM_STARTING, 3, true },
	[LIFE_UP] = { SHM_UP, 4, true },
	[LIFE_DRAINING] = { SHM_DRAINING, 5, false },
	[LIFE_RESTARTING] = { SHM_DRAINING, 5, true },
};

/* Where it was before, if it was: port 0 is not chosen twice without need,
 * because clients know the first choice. */
static int
bind_one(struct service *sv, char *real, size_t size)
{
	bool udp = sv->conf->type == CONF_UDP;
	int fd =
	    inherit_find(sv->conf->name, sv->conf->listen, udp, real, size);

	if (fd >= 0)
		return fd;
	fd = listen_open(sv->listen, udp, real, size);
	if (fd < 0)
		fd = listen_open(sv->conf->listen, udp, real, size);
	if (fd >= 0 && sv->super->host == NULL)
		inherit_keep(sv->conf->name, fd);
	return fd;
}

struct service *
service_new(struct super *s, const struct conf_transport *t)
{
	struct service *sv = calloc(1, sizeof(*sv));

	if (sv == NULL)
		return NULL;
	sv->super = s;
	sv->conf = t;
	sv->listen_fd = -1;
	sv->wanted = t->autostart;
	sv->nworkers = t->workers;
	sv->nconns = t->max_connections;
	sv->workers = calloc(t->workers, sizeof(*sv->workers));
	snprintf(sv->listen, sizeof(sv->listen), "%s", conf_where(t));
	if (sv->workers != NULL)
		return sv;
	free(sv);
	return NULL;
}

void
service_free(struct service *sv)
{
	explicit_bzero(sv->ticket, sizeof(sv->ticket));
	free(sv->workers);
	free(sv);
}

void
service_free_all(struct service **list)
{
	struct service *sv;

	while ((sv = *list) != NULL) {
		*list = sv->next;
		for (unsigned w = 0; w < sv->nworkers; w++) {
			process_fini(&sv->workers[w]);
			seg_unmap(&sv->workers[w].seg);
		}
		service_free(sv);
	}
}

int
service_open(struct service *sv)
{
	char real[sizeof(sv->listen)];

	/* serial ports and what plugins listen on are their workers' */
	if (sv->listen_fd >= 0 || sv->conf->type == CONF_PLUGIN ||
	    sv->conf->type == CONF_SHM || sv->conf->serial.port != NULL)
		return 0;
	sv->listen_fd = bind_one(sv, real, sizeof(real));
	if (sv->listen_fd < 0)
		return -1;
	sv->listen_round++;
	memcpy(sv->listen, real, sizeof(real));
	if (sv->shm != NULL) {
		snprintf(
		    sv->shm->listen, sizeof(sv->shm->listen), "%s", sv->listen);
	}
	return 0;
}

const char *
service_where(const struct service *sv)
{
	return sv->conf->type == CONF_PLUGIN ? conf_where(sv->conf)
					     : sv->listen;
}

/* Workers that drain have the listener too, and closing one descriptor of
 * several ends nothing: clients would go on being let in and never served. */
static void
service_close(struct service *sv)
{
	if (sv->listen_fd >= 0) {
		if (sv->super->host == NULL)
			inherit_forget(sv->conf->name);
		if (sv->conf->type != CONF_UDP && !inherit_lent(sv->listen_fd))
			shutdown(sv->listen_fd, SHUT_RDWR);
		close(sv->listen_fd);
		sv->listen_fd = -1;
	}
	/* a worker that drains removes its objects; one that died could not */
	if (sv->conf->type == CONF_SHM)
		mirror_remove(sv->conf->shm.prefix, sv->super->conf->store,
		    sv->conf->user != NULL ? sv->uid : geteuid());
}

void
service_move(struct service *sv, int fd, const char *real)
{
	service_close(sv);
	sv->listen_fd = fd;
	if (fd >= 0)
		inherit_keep(sv->conf->name, fd);
	sv->listen_round++;
	snprintf(sv->listen, sizeof(sv->listen), "%s", real);
	snprintf(sv->shm->listen, sizeof(sv->shm->listen), "%s", sv->listen);
}

void
service_afresh(struct service *sv)
{
	for (unsigned i = 0; i < seg_ndevices(sv->super->control); i++) {
		_Atomic uint64_t *word =
		    seg_diag(sv->super->control, sv->place, i);

		for (size_t k = 0; k < SHM_DIAG_BYTES / sizeof(*word); k++)
			atomic_store_explicit(
			    &word[k], 0, memory_order_relaxed);
	}
}

void
service_want(struct service *sv, bool wanted)
{
	sv->wanted = wanted;
	if (sv->shm != NULL)
		atomic_store(&sv->shm->wanted, wanted);
}

void
service_event(
    struct service *sv, enum life_event ev, unsigned drain_ms, const char *why)
{
	unsigned i;

	for (i = 0; i < sv->nworkers; i++) {
		struct child *c = &sv->workers[i].child;

		if (ev != LIFE_START)
			c->drain_ms = drain_ms;
		child_why(c, "%s", why);
		child_event(c, ev);
	}
}

bool
service_lives(const struct service *sv)
{
	unsigned i;

	for (i = 0; i < sv->nworkers; i++) {
		const struct child *c = &sv->workers[i].child;

		if (child_lives(c) || c->state == LIFE_BACKOFF)
			return true;
	}
	return false;
}

bool
service_all(const struct service *sv, enum life state)
{
	unsigned i;

	for (i = 0; i < sv->nworkers; i++)
		if (sv->workers[i].child.state != state)
			return false;
	return true;
}

static enum shm_state
sum(const struct service *sv, bool *accepts)
{
	const struct view *v, *most = &views[LIFE_STOPPED];
	unsigned i;

	*accepts = false;
	for (i = 0; i < sv->nworkers; i++) {
		v = &views[sv->workers[i].child.state];
		*accepts |= v->accepts;
		if (v->weight > most->weight)
			most = v;
	}
	return most->state;
}

static void
announce(struct service *sv, enum shm_state was, const char *why)
{
	char text[CHILD_WHY_LOG];

	if (sv->state == SHM_UP) {
		log_info("transport %s up listen=%s pid=%u", sv->conf->name,
		    service_where(sv), atomic_load(&sv->shm->pid));
	} else if (sv->state == SHM_FAILED) {
		log_error(
		    "transport %s failed why=\"%s\"", sv->conf->name, why);
	} else {
		log_info("transport %s %s was=%s%s", sv->conf->name,
		    shm_state_name(sv->state), shm_state_name(was),
		    child_why_log(why, text));
	}
	notice_post(
	    &sv->super->env, NOTICE_TRANSPORT, sv->place, was, sv->state, why);
}

/* The first worker that lives; 0 if none does. */
static uint32_t
first_pid(const struct service *sv)
{
	unsigned i;

	for (i = 0; i < sv->nworkers; i++)
		if (sv->workers[i].pid > 0)
			return (uint32_t)sv->workers[i].pid;
	return 0;
}

unsigned
service_survived(const struct service *sv)
{
	unsigned n = sv->survived;

	for (unsigned i = 0; i < sv->nworkers; i++)
		n += sv->workers[i].child.restarts;
	return n;
}

void
service_settle(struct service *sv, const char *why)
{
	enum shm_state was = sv->state;
	bool accepts;

	if (why[0] != '\0')
		snprintf(sv->why, sizeof(sv->why), "%s", why);
	atomic_store(&sv->shm->restarts, service_survived(sv));
	atomic_store(&sv->shm->pid, first_pid(sv));
	sv->state = sum(sv, &accepts);
	if (!accepts)
		service_close(sv);
	if (sv->state != was) {
		atomic_store(&sv->shm->since_ms, clock_unix_ms());
		atomic_store_explicit(
		    &sv->shm->state, sv->state, memory_order_release);
		announce(sv, was, why);
	}
}
