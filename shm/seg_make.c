/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control and worker segments: where their parts lie, and their making. Runs
 * in the supervisor; other processes recompute the places when they attach.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/ring.h"
#include "shm/seg_map.h"

#define SHM_DIR "/dev/shm"
#define NEXT ".next"

enum {
	PARTS_MAX = 65536, /* transports, devices, connections, batches */
	TRACE_MIN = 16384,
	TRACE_MAX = 1 << 26,
};

/* Puts n things of `each` bytes behind what the view holds so far. There is
 * always room for one, so that a wrong index has somewhere to point. */
static void
place(struct seg_view *v, enum seg_part p, uint64_t each, uint32_t n)
{
	v->part[p].off = v->size;
	v->part[p].each = each;
	v->part[p].n = n;
	v->size += each * (n ? n : 1);
	v->size = (v->size + SHM_LINE - 1) & ~(uint64_t)(SHM_LINE - 1);
}

static void
begin(struct seg_view *v, size_t header)
{
	memset(v, 0, sizeof(*v));
	v->size = (header + SHM_LINE - 1) & ~(size_t)(SHM_LINE - 1);
}

int
seg_view_control(struct seg_view *v, const struct shm_control *c)
{
	uint32_t slots = c->nslots, transports = c->ntransports;
	uint32_t devices = c->ndevices, authors = c->nauthors;
	uint32_t rings = c->nrings;

	if (slots == 0 || slots > SHM_SLOTS_MAX || rings > slots ||
	    transports > PARTS_MAX || devices > PARTS_MAX ||
	    authors > SHM_AUTHORS_MAX) {
		errno = EINVAL;
		return -1;
	}
	begin(v, sizeof(struct shm_control));
	place(v, SEG_SLOTS, sizeof(struct shm_slot), slots);
	place(v, SEG_TRANSPORTS, sizeof(struct shm_transport), transports);
	place(v, SEG_DIAG, SHM_DIAG_BYTES, transports * devices);
	place(v, SEG_DEVICES, SHM_NAME_MAX, devices);
	place(v, SEG_RINGS, sizeof(struct shm_ring) + SHM_RING_BYTES, rings);
	/* last, so that it can get its pages later */
	place(v, SEG_DONE, sizeof(uint64_t), authors);
	return 0;
}

int
seg_view_worker(struct seg_view *v, const struct shm_worker *w)
{
	uint32_t conns = w->nconns, batches = w->nbatches;
	uint32_t trace = w->trace_bytes;

	if (conns > PARTS_MAX || batches > PARTS_MAX || w->ndgrams > 1 ||
	    trace < TRACE_MIN || trace > TRACE_MAX ||
	    (trace & (trace - 1)) != 0) {
		errno = EINVAL;
		return -1;
	}
	begin(v, sizeof(struct shm_worker));
	place(v, SEG_TRACE, sizeof(struct shm_ring) + trace, 1);
	place(v, SEG_CONNS, sizeof(struct shm_conn), conns);
	place(v, SEG_COLDS, sizeof(struct shm_conn_cold), conns);
	place(v, SEG_WHOS, sizeof(struct shm_conn_who), conns);
	place(v, SEG_BATCHES, sizeof(struct shm_batch), batches);
	if (w->ndgrams != 0) /* else not even room for a wrong index */
		place(v, SEG_DGRAMS, sizeof(struct shm_dgrams), 1);
	return 0;
}

/* The kernel's boot id: memory that survived nothing but a name. */
static void
read_boot_id(char *out, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = 0;
	if (f) {
		if (fgets(out, (int)size, f))
			out[strcspn(out, "\n")] = 0;
		fclose(f);
	}
}

static int
object_for(struct seg *s, const char *store, enum shm_kind kind,
    const char *name, unsigned worker)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	if (!seg_name_ok(store) ||
	    (kind != SHM_CONTROL && !seg_name_ok(name))) {
		errno = EINVAL;
		return -1;
	}
	seg_object_name(
	    s->object, sizeof(s->object), store, kind, name, worker);
	return 0;
}

static void
fill_control(struct shm_control *c, const struct seg_view *v,
    const struct shm_control *counts)
{
	c->nslots = counts->nslots;
	c->ntransports = counts->ntransports;
	c->ndevices = counts->ndevices;
	c->nauthors = counts->nauthors;
	c->started_ms = clock_unix_ms();
	c->nrings = counts->nrings;
	c->slots_off = v->part[SEG_SLOTS].off;
	c->transports_off = v->part[SEG_TRANSPORTS].off;
	c->diag_off = v->part[SEG_DIAG].off;
	c->done_off = v->part[SEG_DONE].off;
	c->devices_off = v->part[SEG_DEVICES].off;
	c->started_ms = clock_unix_ms();
	read_boot_id(c->boot, sizeof(c->boot));
	for (unsigned i = 0; i < counts->nslots; i++)
		atomic_init(&seg_slot(c, i)->gen, 1);
	for (unsigned i = 0; i < counts->ntransports; i++)
		atomic_init(&seg_transport(c, i)->last_exit, -1);
}

/* Allocates the pages of some things of a part. */
static int
more(const struct seg *s, enum seg_part p, unsigned first, unsigned n)
{
	const struct seg_view *v = seg_view_of(s->at);
	uint64_t each = v->part[p].each;
	struct stat st;
	int fd, e = EINVAL;

	fd = shm_open(s->object, O_RDWR, 0);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_ino != s->inode)
		e = ESTALE;
	else if (n > 0 && first < v->part[p].n && n <= v->part[p].n - first)
		do {
			e = posix_fallocate(fd,
			    (off_t)(v->part[p].off + first * each),
			    (off_t)(n * each));
		} while (e == EINTR);
	close(fd);
	errno = e;
	return e == 0 ? 0 : -1;
}

int
seg_more_authors(const struct seg *s, unsigned first, unsigned n)
{
	return more(s, SEG_DONE, first, n);
}

int
seg_more_rings(const struct seg *s, unsigned first, unsigned n)
{
	const struct seg_view *v = seg_view_of(s->at);

	if (more(s, SEG_RINGS, first, n) < 0)
		return -1;
	for (unsigned i = first; i < first + n; i++) {
		struct shm_slot *slot = seg_slot(s->at, i);
		uint64_t off =
		    v->part[SEG_RINGS].off + i * v->part[SEG_RINGS].each;

		/* one that a former occupant has used goes on */
		if (atomic_load(&slot->ring_off) != 0)
			continue;
		ring_init((void *)((char *)s->at + off), SHM_RING_BYTES);
		atomic_store(&slot->ring_off, off);
	}
	return 0;
}

int
seg_create_control_for(
    struct seg *s, const char *store, const struct seg_counts *n)
{
	struct shm_control counts = {
		.nslots = n->slots,
		.nrings = n->rings,
		.ntransports = n->transports,
		.ndevices = n->devices,
		.nauthors = n->authors,
	};
	struct seg_view v;

	if (object_for(s, store, SHM_CONTROL, "", 0) < 0 ||
	    seg_view_control(&v, &counts) < 0 ||
	    seg_object_create(s, v.size, v.part[SEG_RINGS].off) < 0)
		return -1;
	if (seg_view_keep(s, &v) < 0 ||
	    (n->rings_now > 0 && seg_more_rings(s, 0, n->rings_now) < 0) ||
	    (n->authors_now > 0 &&
		seg_more_authors(s, 0, n->authors_now) < 0)) {
		seg_object_drop(s);
		return -1;
	}
	fill_control(s->at, &v, &counts);
	seg_publish(s, store, SHM_CONTROL, "");
	return 0;
}

int
seg_create_control(struct seg *s, const char *store, unsigned nslots,
    unsigned ntransports, unsigned ndevices, unsigned nauthors)
{
	return seg_create_control_for(s, store,
	    &(struct seg_counts){
		.slots = nslots,
		.rings = nslots,
		.rings_now = nslots,
		.transports = ntransports,
		.devices = ndevices,
		.authors = nauthors,
		.authors_now = nauthors,
	    });
}

int
seg_take_name(struct seg *s)
{
	char from[sizeof(SHM_DIR) + sizeof(s->object)];
	char to[sizeof(from)], *end;

	snprintf(from, sizeof(from), SHM_DIR "%s", s->object);
	end = strrchr(s->object, '.');
	if (end == NULL || strcmp(end, NEXT) != 0)
		return 0;
	*end = '\0';
	snprintf(to, sizeof(to), SHM_DIR "%s", s->object);
	return rename(from, to);
}

int
seg_create_worker(struct seg *s, const char *store, const char *transport,
    unsigned transport_index, unsigned worker, unsigned nconns,
    unsigned nbatches, size_t trace_bytes)
{
	return seg_create_worker_for(s, store, transport, transport_index,
	    worker,
	    &(struct seg_worker_counts){ .conns = nconns,
		.batches = nbatches,
		.trace_bytes = trace_bytes });
}

int
seg_create_worker_for(struct seg *s, const char *store, const char *transport,
    unsigned transport_index, unsigned worker,
    const struct seg_worker_counts *n)
{
	uint32_t trace = TRACE_MIN;
	struct seg_view v;
	struct shm_worker *w;

	while (trace < n->trace_bytes && trace < TRACE_MAX)
		trace *= 2;
	if (object_for(s, store, SHM_WORKER, transport, worker) < 0)
		return -1;
	if (n->next) {
		strncat(
		    s->object, NEXT, sizeof(s->object) - strlen(s->object) - 1);
		shm_unlink(s->object);
	}
	if (seg_view_worker(&v,
		&(struct shm_worker){ .nconns = n->conns,
		    .nbatches = n->batches,
		    .ndgrams = n->dgrams,
		    .trace_bytes = trace }) < 0 ||
	    seg_object_create(s, v.size, v.size) < 0)
		return -1;
	if (seg_view_keep(s, &v) < 0) {
		seg_object_drop(s);
		return -1;
	}
	w = s->at;
	w->transport = transport_index;
	w->worker = worker;
	w->nconns = n->conns;
	w->nbatches = n->batches;
	w->ndgrams = n->dgrams;
	w->trace_bytes = trace;
	w->conns_off = v.part[SEG_CONNS].off;
	w->colds_off = v.part[SEG_COLDS].off;
	w->whos_off = v.part[SEG_WHOS].off;
	w->batches_off = v.part[SEG_BATCHES].off;
	w->trace_off = v.part[SEG_TRACE].off;
	ring_init(seg_trace(w), trace);
	for (unsigned i = 0; i < n->conns; i++)
		seg_conn(w, i)->fd = -1;
	seg_publish(s, store, SHM_WORKER, transport);
	return 0;
}
