/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking over from a supervisor that was killed: what there is, and what to do
 * if nobody calls (callers.c). Runs in the supervisor, but for adopt_call() and
 * what it needs.
 */
#include "supervisor/keeper/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/seg_next.h"
#include "shm/store_reap.h"
#include "supervisor/boot.h"
#include "supervisor/listen.h"
#include "supervisor/places.h"
#include "supervisor/segs.h"
#include "supervisor/segs_make.h"
#include "supervisor/super.h"

int
adopt_socket(const char *run_dir, struct sockaddr_un *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/" ADOPT_SOCKET,
		run_dir) >= (int)sizeof(sa->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return socket(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int
adopt_call(const char *run_dir)
{
	struct sockaddr_un sa;
	int fd = adopt_socket(run_dir, &sa);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- what is there ---- */

/* What somebody else has laid there under our names is not taken. */
static int
attach(struct super *s, struct seg *seg, enum shm_kind kind, const char *name,
    unsigned worker)
{
	char object[SHM_NAME_MAX * 3];

	seg_object_name(
	    object, sizeof(object), s->conf->store, kind, name, worker);
	if (seg_attach(seg, object, kind, true) < 0)
		return -1;
	if (seg->owner == geteuid())
		return 0;
	log_warnx(
	    "%s is of user %u: not taken over", object, (unsigned)seg->owner);
	seg_unmap(seg);
	errno = EPERM;
	return -1;
}

/* The place of the transport of a service, if it is laid out as that is. */
static bool
find_place(const struct super *s, struct shm_control *c, struct service *sv)
{
	for (unsigned i = 0; i < seg_ntransports(c); i++) {
		const struct shm_transport *t = seg_transport(c, i);

		if (strncmp(t->name, sv->conf->name, SHM_NAME_MAX) != 0)
			continue;
		sv->place = i;
		sv->slot = t->first_slot;
		sv->author = t->first_author;
		return t->nworkers == sv->nworkers && t->nconns == sv->nconns &&
		    places_sound(s, t);
	}
	return false;
}

static bool
same_structure(const struct super *s, struct shm_control *c)
{
	const struct conf *conf = s->conf;

	if (segs_count_devices(c) != conf->ndevices)
		return false;
	for (unsigned i = 0; i < conf->ndevices; i++)
		if (segs_find_device(c, conf->devices[i].name) < 0)
			return false;
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (!find_place(s, c, sv))
			return false;
	return true;
}

/* The control segment of the same configuration, as far as it can be told. */
static bool
attach_control(struct super *s)
{
	struct shm_control *c;
	uint64_t hash;

	if (attach(s, &s->control_seg, SHM_CONTROL, "", 0) < 0)
		return false;
	c = seg_control(&s->control_seg);
	hash = boot_hash(s->conf);
	/* another version may dump the same configuration otherwise */
	s->upgraded = upgrade_taken();
	s->control = c;
	if ((s->upgraded || (c->conf_hash == hash && hash != 0)) &&
	    same_structure(s, c)) {
		c->conf_hash = hash;
		if (c->began_ns <= s->began_ns)
			s->began_ns = c->began_ns;
		return true;
	}
	s->control = NULL;
	log_warnx("a former daemon's workers serve another configuration; they "
		  "end");
	seg_unmap(&s->control_seg);
	return false;
}

/* Names are the same by now; its ranges may have been changed in the file
 * without a reload, which a new program does not see from the hash. */
static bool
same_ranges(const struct super *s, size_t i)
{
	const struct conf_device *d = &s->conf->devices[i];

	if (segs_fits(&s->stores[i], d))
		return true;
	log_warnx("device %s: a former daemon's workers serve another "
		  "configuration; they end",
	    d->name);
	return false;
}

static bool
attach_devices(struct super *s)
{
	for (size_t i = 0; i < s->conf->ndevices; i++) {
		struct seg *seg = &s->device_segs[i];
		const char *name = s->conf->devices[i].name;

		/* a reload may have been killed between two of its names */
		if (attach(s, seg, SHM_DEVICE, name, 0) == 0 &&
		    seg_superseded(seg)) {
			seg_install_next(s->conf->store, name);
			seg_unmap(seg);
		}
		if (seg->at == NULL && attach(s, seg, SHM_DEVICE, name, 0) < 0)
			return false;
		if (store_open(
			&s->stores[i], seg->at, seg->size, true, &s->env) < 0 ||
		    (int)s->stores[i].index !=
			segs_find_device(s->control, name) ||
		    !same_ranges(s, i))
			return false;
	}
	return true;
}

static bool
attach_workers(struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		for (unsigned w = 0; w < sv->nworkers; w++)
			if (attach(s, &sv->workers[w].seg, SHM_WORKER,
				sv->conf->name, w) < 0)
				return false;
	return true;
}

/* Whose keeper lives, or who lives without one, is awaited. */
static bool
look_for_keepers(struct super *s, struct service *sv)
{
	for (unsigned w = 0; w < sv->nworkers; w++)
		sv->awaited |=
		    claim_keeper(&s->claim, s->control, sv->slot + w);
	sv->untold = sv->awaited;
	return sv->awaited;
}

/* A transport as it was, of which something serves or not. Anybody may have
 * written there where it listens: at most the port is taken from that, and only
 * if it was the system's choice. */
static void
enter(struct super *s, struct service *sv)
{
	char text[LISTEN_ADDR_MAX];

	sv->shm = seg_transport(s->control, sv->place);
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(sv->shm->listen) - 1,
	    sv->shm->listen);
	if (sv->conf->listen != NULL && listen_same(sv->conf->listen, text))
		snprintf(sv->listen, sizeof(sv->listen), "%s", text);
	sv->wanted = atomic_load(&sv->shm->wanted) != 0;
	sv->survived = atomic_load(&sv->shm->restarts);
}

static bool
take_over(struct super *s)
{
	struct service *sv;
	bool any = false;

	if (segs_room(s) < 0 || !attach_control(s))
		return false;
	segs_take_slot(&s->env, s->control, s->claim.store_fd, SEGS_MAKER_SLOT,
	    SHM_SUPERVISOR, "supervisor");
	if (!attach_devices(s) || !attach_workers(s))
		return false;
	for (sv = s->services; sv != NULL; sv = sv->next)
		any |= look_for_keepers(s, sv);
	for (sv = s->services; any && sv != NULL; sv = sv->next)
		enter(s, sv);
	return any;
}

bool
adopt_remains(struct super *s)
{
	if (!take_over(s)) {
		log_as("supervisor", NULL);
		segs_free(s);
		s->control = NULL;
		for (struct service *sv = s->services; sv != NULL;
		     sv = sv->next)
			sv->awaited = sv->untold = false;
		s->env = (struct slot_env){ .lock_fd = -1 };
		return false;
	}
	log_as("supervisor", &s->env);
	/* what the dead one held itself */
	for (size_t i = 0; i < s->conf->ndevices; i++)
		store_reap(&s->stores[i], s->env.me);
	claim_end_aides(&s->claim, s->control);
	log_info("taking over what a former daemon has left serving");
	return s->adopted = true;
}

bool
adopt_hold(const struct process *p)
{
	const struct service *sv = p->service;

	if (sv == NULL || !sv->untold || p->keeper.awaited)
		return false;
	for (unsigned w = 0; w < sv->nworkers; w++)
		if (sv->workers[w].keeper.awaited &&
		    sv->workers[w].keeper.pid == 0)
			return true;
	return false;
}

int
adopt_await(struct process *p, int chan)
{
	p->keeper.pending = fcntl(chan, F_DUPFD_CLOEXEC, 0);
	return p->keeper.pending < 0 ? -1 : 0;
}

void
adopt_give_up(struct process *p)
{
	log_warnx("%s: its keeper does not come back; ending both", p->name);
	claim_end_former(&p->super->claim, p->super->control, p->slot);
	keeper_end(&p->keeper);
	if (service_open(p->service) < 0)
		log_warn("%s: cannot listen", p->name);
}
