/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments of the store, made from the configuration before the first
 * fork, and what the supervisor itself is in them. Runs in the supervisor.
 */
#include "supervisor/segs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "supervisor/boot.h"
#include "supervisor/places.h"
#include "supervisor/segs_make.h"
#include "supervisor/super.h"

enum {
	BATCHES = 64, /* of a worker: connections answered at the same time */
	BATCHES_DURABLE = 272, /* the same, where replies wait for the disk */
	TRACE_NONE = 16384, /* the least */
};

void
segs_enter(struct service *sv)
{
	struct shm_transport *t = seg_transport(sv->super->control, sv->place);

	sv->shm = t;
	snprintf(t->name, sizeof(t->name), "%s", sv->conf->name);
	snprintf(t->type, sizeof(t->type), "%s", sv->conf->type_name);
	snprintf(t->listen, sizeof(t->listen), "%s", sv->listen);
	atomic_store(&t->state, SHM_STOPPED);
	atomic_store(&t->wanted, sv->wanted);
	atomic_store(&t->pid, 0);
	atomic_store(&t->restarts, sv->survived);
	atomic_store(&t->last_exit, -1);
	atomic_store(&t->since_ms, clock_unix_ms());
	t->nworkers = sv->nworkers;
	t->nconns = sv->nconns;
	t->first_slot = sv->slot;
	t->first_author = sv->author;
}

int
segs_control(struct super *s)
{
	const struct conf *conf = s->conf;
	struct seg_counts n = places_counts(conf);

	if (seg_create_control_for(&s->control_seg, conf->store, &n) < 0) {
		log_warn("cannot create the control segment of store %s",
		    conf->store);
		return boot_code(errno);
	}
	s->control = seg_control(&s->control_seg);
	s->control->started_ms = clock_unix_ms();
	s->control->began_ns = s->began_ns;
	s->control->conf_hash = boot_hash(conf);
	/* it takes part in the store: it repairs. claim_store() has the byte */
	segs_take_slot(&s->env, s->control, s->claim.store_fd, SEGS_MAKER_SLOT,
	    SHM_SUPERVISOR, "supervisor");
	log_as("supervisor", &s->env);
	places_first(s);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		segs_enter(sv);
	return 0;
}

/* Batch records, which hold what streams have begun. A datagram is served as a
 * whole, or not at all. */
static unsigned
batches_of(const struct conf *conf, const struct conf_transport *t)
{
	unsigned most = conf_durable(conf) ? BATCHES_DURABLE : BATCHES;

	if (t->type == CONF_UDP || t->type == CONF_SHM)
		return 0;
	return t->max_connections < most ? t->max_connections : most;
}

int
segs_room(struct super *s)
{
	size_t n = s->conf->ndevices;

	s->device_segs = calloc(n + 1, sizeof(*s->device_segs));
	s->stores = calloc(n + 1, sizeof(*s->stores));
	s->holds = calloc(n + 1, sizeof(*s->holds));
	return s->device_segs == NULL || s->stores == NULL || s->holds == NULL
	    ? -1
	    : 0;
}

int
segs_devices(struct super *s)
{
	const struct conf *conf = s->conf;
	size_t i;

	if (segs_room(s) < 0) {
		log_error("out of memory");
		return EX_SOFTWARE;
	}
	for (i = 0; i < conf->ndevices; i++) {
		if (segs_make_device(&s->device_segs[i], &s->stores[i],
			conf->store, &conf->devices[i], (unsigned)i,
			&s->env) < 0) {
			log_warn("cannot create the segment of device %s",
			    conf->devices[i].name);
			return boot_code(errno);
		}
	}
	atomic_store(&s->control->devices_made, 1);
	return 0;
}

/* A view has no frames. */
static size_t
trace_bytes(const struct conf_transport *t)
{
	return t->type == CONF_SHM ? TRACE_NONE : (size_t)t->trace_kib * 1024;
}

/* The same for a worker that may go on for one that has more of them in force:
 * who waits for the disk there has one to himself. */
static unsigned
batches_next(const struct service *sv, const struct conf *conf, unsigned worker)
{
	const struct service *was = super_service(sv->super, sv->conf->name);
	unsigned n = batches_of(conf, sv->conf), most = 0;

	if (n != 0 && was != NULL && was != sv && worker < was->nworkers &&
	    was->workers[worker].seg.at != NULL)
		most = seg_worker(&was->workers[worker].seg)->nbatches;
	if (most > sv->conf->max_connections)
		most = sv->conf->max_connections;
	return most > n && most <= BATCHES_DURABLE ? most : n;
}

int
segs_worker(struct service *sv, unsigned worker, bool next)
{
	const struct super *s = sv->super;
	struct seg *seg = &sv->workers[worker].seg;
	const struct conf_transport *t = sv->conf;
	const struct conf *conf =
	    s->apply.next != NULL ? s->apply.next : s->conf;

	if (seg_create_worker_for(seg, s->conf->store, t->name, sv->place,
		worker,
		&(struct seg_worker_counts){
		    .conns = t->max_connections,
		    .batches = batches_next(sv, conf, worker),
		    .dgrams = t->type == CONF_UDP,
		    .trace_bytes = trace_bytes(t),
		    .next = next,
		}) < 0)
		return -1;
	atomic_store(&seg_worker(seg)->trace_on, t->trace);
	return 0;
}

int
segs_workers(struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		for (unsigned w = 0; w < sv->nworkers; w++)
			if (segs_worker(sv, w, false) < 0)
				return boot_fail(s, boot_code(errno), errno,
				    "cannot create the segment of transport "
				    "%s: %s",
				    sv->conf->name, strerror(errno));
	return 0;
}

void
segs_free(struct super *s)
{
	size_t i;

	for (i = 0; s->device_segs != NULL && i < s->conf->ndevices; i++)
		seg_unmap(&s->device_segs[i]);
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		for (unsigned w = 0; w < sv->nworkers; w++)
			seg_unmap(&sv->workers[w].seg);
	for (i = 0; s->former != NULL && i < s->conf->ndevices; i++)
		seg_unmap(&s->former[i]);
	seg_unmap(&s->control_seg);
	free(s->former);
	free(s->device_segs);
	free(s->stores);
	free(s->holds);
	s->former = NULL;
	s->device_segs = NULL;
	s->stores = NULL;
	s->holds = NULL;
}
