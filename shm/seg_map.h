/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SEG_MAP_H
#define SHM_SEG_MAP_H

/*
 * Between the files that make segments: how an object is made and published,
 * and the private page in front of a mapping. Nobody else includes this.
 */

#include "shm/seg.h"

/* Where the parts of a control or worker segment are, and how many there are.
 * Computed from the counts alone, so that a header cannot lie about it. */
enum seg_part {
	SEG_SLOTS,
	SEG_TRANSPORTS,
	SEG_DIAG,
	SEG_DEVICES,
	SEG_RINGS,
	SEG_DONE,
	SEG_CONNS = 0,
	SEG_COLDS,
	SEG_WHOS,
	SEG_BATCHES,
	SEG_TRACE,
	SEG_DGRAMS,
	SEG_PARTS = 6
};

struct seg_view {
	uint64_t size; /* of all */
	struct {
		uint64_t off;
		uint64_t each; /* bytes */
		uint32_t n;
	} part[SEG_PARTS];
};

/* The view of a mapping lies right in front of it. */
static inline struct seg_view *
seg_view_of(const void *at)
{
	return (struct seg_view *)((uintptr_t)at - sizeof(struct seg_view));
}

/* Fills a view from the counts of a header; -1 with EINVAL if they are
 * beyond the limits. */
int seg_view_control(struct seg_view *, const struct shm_control *);
int seg_view_worker(struct seg_view *, const struct shm_worker *);

/* seg_create_device() under another object name. */
int seg_create_device_as(struct seg *, const char *object, const char *store,
    const char *device, unsigned index, const struct seg_range *ranges,
    size_t n, unsigned flags);

/* Makes the object, allocates its pages up to `ready`, maps it read-write. */
int seg_object_create(struct seg *, uint64_t size, uint64_t ready);

/* Keeps the view in front of a control or worker segment's mapping. */
int seg_view_keep(struct seg *, const struct seg_view *);

/* Keeps this process's part of the gate behind a device's mapping. */
int seg_gate_keep(struct seg *);

/* Fills in and stores the head, its magic last. */
void seg_publish(
    struct seg *, const char *store, enum shm_kind, const char *name);

/* Undoes seg_object_create; errno is kept. */
void seg_object_drop(struct seg *);

#endif
