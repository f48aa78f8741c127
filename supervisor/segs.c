/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments of the store, made from the configuration before the first
 * fork, and what the supervisor itself is in them. Runs in the supervisor.
 */
#include "supervisor/segs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/boot.h"
#include "supervisor/super.h"

enum {
	BATCHES = 64, /* of a worker: connections answered at the same time */
	TRACE_BYTES = 1 << 18,
};

/* The supervisor takes part in the store: it repairs. */
static void
take_slot(struct super *s)
{
	struct shm_slot *slot = seg_slot(s->control, SUPER_SLOT);

	s->env.control = s->control;
	s->env.lock_fd = s->claim.store_fd; /* byte 0 is ours: claim_store */
	s->env.me = slot_next_id(s->control, SUPER_SLOT);
	snprintf(slot->name, sizeof(slot->name), "supervisor");
	atomic_store(&slot->pid, (uint32_t)getpid());
	atomic_store(&slot->role, SHM_SUPERVISOR);
	atomic_store(&slot->since_ms, super_unix_ms());
	log_as("supervisor", &s->env);
}

static void
fill_transports(struct super *s)
{
	unsigned slot = SHM_WORKER_SLOT, author = s->control->nslots;
	size_t i;

	for (i = 0; i < s->conf->ntransports; i++) {
		struct service *sv = &s->services[i];
		struct shm_transport *t =
		    seg_transport(s->control, (unsigned)i);

		sv->shm = t;
		snprintf(t->name, sizeof(t->name), "%s", sv->conf->name);
		snprintf(t->type, sizeof(t->type), "%s", sv->conf->type_name);
		snprintf(t->listen, sizeof(t->listen), "%s", sv->listen);
		atomic_store(&t->last_exit, -1);
		atomic_store(&t->since_ms, super_unix_ms());
		t->nworkers = sv->conf->workers;
		t->nconns = sv->conf->max_connections;
		t->first_slot = slot;
		t->first_author = author;
		slot += t->nworkers;
		author += t->nworkers * t->nconns;
	}
}

int
segs_control(struct super *s)
{
	const struct conf *conf = s->conf;
	unsigned nslots =
	    SHM_WORKER_SLOT + (unsigned)s->nprocesses - 1 + SHM_EXTERNALS;
	unsigned nauthors = nslots; /* conf_transport.c has seen to the most */
	size_t i;

	for (i = 0; i < conf->ntransports; i++) {
		nauthors += conf->transports[i].workers *
		    conf->transports[i].max_connections;
	}
	if (seg_create_control(&s->control_seg, conf->store, nslots,
		(unsigned)conf->ntransports, (unsigned)conf->ndevices,
		nauthors) < 0) {
		log_warn("cannot create the control segment of store %s",
		    conf->store);
		return boot_code(errno);
	}
	s->control = seg_control(&s->control_seg);
	s->control->started_ms = super_unix_ms();
	for (i = 0; i < conf->ndevices; i++) {
		snprintf(seg_device_name(s->control, (unsigned)i), SHM_NAME_MAX,
		    "%s", conf->devices[i].name);
	}
	take_slot(s);
	fill_transports(s);
	return 0;
}

static int
make_device(struct super *s, unsigned i)
{
	const struct conf_device *d = &s->conf->devices[i];
	struct seg_range *r = calloc(d->nranges + 1, sizeof(*r));
	struct seg *seg = &s->device_segs[i];
	size_t n;
	int rc, err;

	if (r == NULL)
		return -1;
	for (n = 0; n < d->nranges; n++) {
		const struct conf_range *c = &d->ranges[n];

		r[n].init = c->init;
		r[n].range.addr = c->addr;
		r[n].range.count = c->count;
		r[n].range.table = (uint8_t)c->table;
		r[n].range.read_only = c->read_only;
		r[n].range.type = (uint8_t)c->type;
		r[n].range.order = (uint8_t)c->order;
		r[n].range.scale = c->scale;
		snprintf(r[n].range.name, sizeof(r[n].range.name), "%s",
		    c->name != NULL ? c->name : "");
		snprintf(r[n].range.unit, sizeof(r[n].range.unit), "%s",
		    c->unit != NULL ? c->unit : "");
	}
	rc = seg_create_device(
	    seg, s->conf->store, d->name, i, r, d->nranges, d->shared_blocks);
	err = errno;
	free(r);
	if (rc == 0) {
		rc = store_open(
		    &s->stores[i], seg->at, seg->size, true, &s->env);
		err = errno;
	}
	errno = err;
	return rc;
}

/* Batch records, which hold what streams have begun. A datagram is served as a
 * whole, or not at all. */
static unsigned
batches_of(const struct conf_transport *t)
{
	if (t->type == CONF_UDP)
		return 0;
	return t->max_connections < BATCHES ? t->max_connections : BATCHES;
}

int
segs_rest(struct super *s)
{
	const struct conf *conf = s->conf;
	struct seg *seg;
	size_t i;
	unsigned w;

	s->device_segs = calloc(conf->ndevices + 1, sizeof(*s->device_segs));
	s->stores = calloc(conf->ndevices + 1, sizeof(*s->stores));
	s->holds = calloc(conf->ndevices + 1, sizeof(*s->holds));
	s->worker_segs = calloc(s->nprocesses, sizeof(*s->worker_segs));
	if (s->device_segs == NULL || s->stores == NULL || s->holds == NULL ||
	    s->worker_segs == NULL) {
		log_error("out of memory");
		return EX_SOFTWARE;
	}
	for (i = 0; i < conf->ndevices; i++) {
		if (make_device(s, (unsigned)i) < 0) {
			log_warn("cannot create the segment of device %s",
			    conf->devices[i].name);
			return boot_code(errno);
		}
	}
	seg = s->worker_segs;
	for (i = 0; i < conf->ntransports; i++) {
		const struct conf_transport *t = &conf->transports[i];
		unsigned n = t->max_connections;

		for (w = 0; w < t->workers; w++, seg++) {
			if (seg_create_worker(seg, conf->store, t->name,
				(unsigned)i, w, n, batches_of(t),
				TRACE_BYTES) < 0) {
				log_warn("cannot create the segment of "
					 "transport %s",
				    t->name);
				return boot_code(errno);
			}
			atomic_store(&seg_worker(seg)->trace_on, t->trace);
		}
	}
	return 0;
}

void
segs_free(struct super *s)
{
	size_t i;

	for (i = 0; s->device_segs != NULL && i < s->conf->ndevices; i++)
		seg_unmap(&s->device_segs[i]);
	for (i = 0; s->worker_segs != NULL && i + 1 < s->nprocesses; i++)
		seg_unmap(&s->worker_segs[i]);
	seg_unmap(&s->control_seg);
	free(s->device_segs);
	free(s->stores);
	free(s->holds);
	free(s->worker_segs);
}
