/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts of a mapped control or worker segment. Runs in every process, on
 * every request. Never asks the segment itself where they are.
 */

#include "shm/seg_map.h"

static void *
part(const void *segment, enum seg_part p, unsigned i)
{
	const struct seg_view *v = seg_view_of(segment);

	if (i >= v->part[p].n)
		i = 0;
	return (
	    void *)((uintptr_t)segment + v->part[p].off + i * v->part[p].each);
}

struct shm_control *
seg_control(const struct seg *s)
{
	return s->at;
}

unsigned
seg_slots(const struct shm_control *c)
{
	return seg_view_of(c)->part[SEG_SLOTS].n;
}

unsigned
seg_authors(const struct shm_control *c)
{
	return seg_view_of(c)->part[SEG_DONE].n;
}

unsigned
seg_ndevices(const struct shm_control *c)
{
	return seg_view_of(c)->part[SEG_DEVICES].n;
}

unsigned
seg_ntransports(const struct shm_control *c)
{
	return seg_view_of(c)->part[SEG_TRANSPORTS].n;
}

struct shm_slot *
seg_slot(struct shm_control *c, unsigned i)
{
	return part(c, SEG_SLOTS, i);
}

struct shm_transport *
seg_transport(struct shm_control *c, unsigned i)
{
	return part(c, SEG_TRANSPORTS, i);
}

void *
seg_diag(struct shm_control *c, unsigned transport, unsigned device)
{
	unsigned ndevices = seg_ndevices(c);

	if (device >= ndevices)
		device = 0;
	return part(c, SEG_DIAG, transport * ndevices + device);
}

_Atomic uint64_t *
seg_done(struct shm_control *c, unsigned author)
{
	return part(c, SEG_DONE, author);
}

char *
seg_device_name(struct shm_control *c, unsigned i)
{
	return part(c, SEG_DEVICES, i);
}

struct shm_ring *
seg_notices(struct shm_control *c, unsigned slot)
{
	return slot < seg_view_of(c)->part[SEG_RINGS].n &&
		atomic_load_explicit(
		    &seg_slot(c, slot)->ring_off, memory_order_acquire) != 0
	    ? part(c, SEG_RINGS, slot)
	    : NULL;
}

struct shm_worker *
seg_worker(const struct seg *s)
{
	return s->at;
}

unsigned
seg_conns(const struct shm_worker *w)
{
	return seg_view_of(w)->part[SEG_CONNS].n;
}

struct shm_conn *
seg_conn(struct shm_worker *w, unsigned i)
{
	return part(w, SEG_CONNS, i);
}

struct shm_conn_cold *
seg_cold(struct shm_worker *w, unsigned i)
{
	return part(w, SEG_COLDS, i);
}

struct shm_conn_who *
seg_who(struct shm_worker *w, unsigned i)
{
	return part(w, SEG_WHOS, i);
}

unsigned
seg_batches(const struct shm_worker *w)
{
	return seg_view_of(w)->part[SEG_BATCHES].n;
}

struct shm_batch *
seg_batch(struct shm_worker *w, unsigned i)
{
	return part(w, SEG_BATCHES, i);
}

struct shm_dgrams *
seg_dgrams(struct shm_worker *w)
{
	return seg_view_of(w)->part[SEG_DGRAMS].n != 0 ? part(w, SEG_DGRAMS, 0)
						       : NULL;
}

struct shm_ring *
seg_trace(struct shm_worker *w)
{
	return part(w, SEG_TRACE, 0);
}

uint32_t
seg_trace_bytes(const struct shm_ring *r)
{
	const void *w = (const char *)r - SHM_TRACE_OFF;

	return (uint32_t)(seg_view_of(w)->part[SEG_TRACE].each -
	    sizeof(struct shm_ring));
}
