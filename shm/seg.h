/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SEG_H
#define SHM_SEG_H

/*
 * Segments: making, mapping and removing the shared memory objects that
 * layout.h describes. The supervisor creates them before it forks; children
 * inherit its mappings and give back those they do not serve; other programs
 * attach by name. A segment's header is checked at every attach.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shm/layout_control.h"
#include "shm/layout_device.h"
#include "shm/layout_dgram.h"
#include "shm/layout_worker.h"

/* One mapping of one segment. at == NULL: not mapped. In front of it lies a
 * page of this process alone, which holds where the parts are: what others
 * write into the segment's own header afterwards changes nothing here. */
struct seg {
	void *at;
	size_t size;
	int fd; /* -1: a mapping needs none */
	bool writable;
	uint64_t inode; /* of the object, so that a later one is told apart */
	uid_t owner; /* of the object; anybody may make one of any name */
	char object[SHM_NAME_MAX * 3]; /* "/holdfast-plant.device.plc1" */
};

/* What seg_plan_device() needs to know of one range. */
struct seg_range {
	struct shm_range range;
	const uint8_t *init; /* initial value in wire form, or NULL for zeros;
			      * count registers or bits */
};

/*
 * Each creates one segment of the store, mapped read-write, mode 0600, its
 * pages allocated (ENOSPC now rather than SIGBUS later), its header written
 * last. An object of that name must not exist: EEXIST. 0, or -1 with errno.
 */
struct seg_counts {
	unsigned slots;
	unsigned rings; /* the first slots may post notices, 16 KiB each */
	unsigned rings_now; /* the others of them get their pages later */
	unsigned transports, devices;
	unsigned authors;
	unsigned authors_now; /* likewise */
};
int seg_create_control_for(
    struct seg *, const char *store, const struct seg_counts *);
/* The same with room for the notices of all slots, and all pages. */
int seg_create_control(struct seg *, const char *store, unsigned nslots,
    unsigned ntransports, unsigned ndevices, unsigned nauthors);
/* Allocates the pages of n authors of a segment that is mapped, or those for
 * the notices of n slots. -1 with errno: ENOSPC; EINVAL there are not so many;
 * ESTALE if the object of that name is another one by now. */
int seg_more_authors(const struct seg *, unsigned first, unsigned n);
int seg_more_rings(const struct seg *, unsigned first, unsigned n);
/* ranges: any order; EINVAL if they overlap within a table or leave its
 * addresses. SHM_SHARED: the first four tables show one register array, bit n
 * of a bit table being bit n % 16 of register n / 16; what the ranges of all
 * four cover together defines it, and where two give a value the later one
 * holds.
 * flags: enum shm_device_flag. */
int seg_create_device(struct seg *, const char *store, const char *device,
    unsigned index, const struct seg_range *ranges, size_t n, unsigned flags);
/* trace_bytes: rounded up to a power of two, at least 16 KiB. */
int seg_create_worker(struct seg *, const char *store, const char *transport,
    unsigned transport_index, unsigned worker, unsigned nconns,
    unsigned nbatches, size_t trace_bytes);
/* The same, also for a worker that takes datagrams. */
struct seg_worker_counts {
	unsigned conns, batches;
	unsigned dgrams; /* 1: there is a struct shm_dgrams */
	size_t trace_bytes;
	bool next; /* seg_take_name() is going to give it its name */
};
int seg_create_worker_for(struct seg *, const char *store,
    const char *transport, unsigned transport_index, unsigned worker,
    const struct seg_worker_counts *);

/* From now on it is what is found under its name, instead of what was. */
int seg_take_name(struct seg *);

/* What tells layouts apart: programs of different ones do not attach to each
 * other's segments. */
uint32_t seg_layout(void);

/*
 * Attaches to an object by its name and checks magic, layout, kind and size.
 * -1 with errno: ENOENT, EACCES, EPROTO (made by another version), EINVAL
 * (damaged or another kind).
 */
int seg_attach(struct seg *, const char *object, enum shm_kind, bool writable);

/* Replaces a mapping by a read-only one, at the same address, that cannot be
 * made writable again. -1 with errno: ESTALE if the object of that name is
 * another one by now. */
int seg_make_readonly(struct seg *);

/* Forgets the mapping; the object stays. Safe on what is not mapped. */
void seg_unmap(struct seg *);

/* Removes every object of a store from the system, by listing /dev/shm.
 * Mappings stay valid. Returns how many there were. */
int seg_unlink_store(const char *store);

/* "/holdfast-STORE.control" and so on into out; name may be "". */
void seg_object_name(char *out, size_t size, const char *store, enum shm_kind,
    const char *name, unsigned worker);

/* A name may hold letters, digits, '_' and '-', at most 40 of them. */
bool seg_name_ok(const char *name);

/* The parts of a control segment, and of a worker's; never NULL (but for
 * notices, which not every slot has), an index that does not exist giving the
 * first. The segment is one that this file mapped,
 * in this process or before the fork. */
struct shm_control *seg_control(const struct seg *);
unsigned seg_slots(const struct shm_control *); /* how many */
unsigned seg_authors(const struct shm_control *);
unsigned seg_ndevices(const struct shm_control *);
unsigned seg_ntransports(const struct shm_control *); /* places for them */
struct shm_ring *seg_notices(struct shm_control *, unsigned slot); /* or NULL */
struct shm_slot *seg_slot(struct shm_control *, unsigned i);
struct shm_transport *seg_transport(struct shm_control *, unsigned i);
void *seg_diag(struct shm_control *, unsigned transport, unsigned device);
_Atomic uint64_t *seg_done(struct shm_control *, unsigned author);
char *seg_device_name(struct shm_control *, unsigned i);
struct shm_worker *seg_worker(const struct seg *);
unsigned seg_conns(const struct shm_worker *); /* how many */
struct shm_conn *seg_conn(struct shm_worker *, unsigned i);
struct shm_conn_cold *seg_cold(struct shm_worker *, unsigned i);
struct shm_conn_who *seg_who(struct shm_worker *, unsigned i);
unsigned seg_batches(const struct shm_worker *); /* how many */
struct shm_batch *seg_batch(struct shm_worker *, unsigned i);
struct shm_dgrams *seg_dgrams(struct shm_worker *); /* or NULL */
struct shm_ring *seg_trace(struct shm_worker *);
uint32_t seg_trace_bytes(const struct shm_ring *); /* of its data */

#endif
