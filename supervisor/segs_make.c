/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a store: what the daemon before its first fork and a program that
 * uses the library do alike. Runs in both; logs nothing, ends nothing.
 */
#include "supervisor/segs_make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/seg_next.h"

int
segs_clear(const char *store)
{
	char name[SHM_NAME_MAX * 3];
	struct seg old;
	struct shm_control *c;
	int n;

	seg_object_name(name, sizeof(name), store, SHM_CONTROL, "", 0);
	if (seg_attach(&old, name, SHM_CONTROL, true) < 0)
		old.at = NULL;
	/* first the names: whoever attaches just now either finds that they
	 * have gone, or hears that the maker has */
	n = seg_unlink_store(store);
	if (old.at != NULL) {
		/* that we have its byte is the proof */
		c = seg_control(&old);
		slot_declare_dead(c, slot_next_id(c, SEGS_MAKER_SLOT));
		seg_unmap(&old);
	}
	return n;
}

void
segs_take_slot(struct slot_env *env, struct shm_control *control, int lock_fd,
    unsigned slot, enum shm_role role, const char *name)
{
	struct shm_slot *s = seg_slot(control, slot);

	env->control = control;
	env->lock_fd = lock_fd;
	env->me = slot_next_id(control, slot);
	snprintf(s->name, sizeof(s->name), "%s", name);
	atomic_store(&s->pid, (uint32_t)getpid());
	atomic_store(&s->since_ms, clock_unix_ms());
	atomic_store(&s->role, role);
}

/* The ranges of a device as they are laid out, the caller's to free. */
static struct seg_range *
ranges_of(const struct conf_device *d)
{
	struct seg_range *r = calloc(d->nranges + 1, sizeof(*r));
	size_t n;

	for (n = 0; r != NULL && n < d->nranges; n++) {
		const struct conf_range *c = &d->ranges[n];

		r[n].init = c->init;
		r[n].range.addr = c->addr;
		r[n].range.count = c->count;
		r[n].range.table = (uint8_t)c->table;
		r[n].range.read_only = c->read_only;
		r[n].range.durable = c->durable;
		r[n].range.type = (uint8_t)c->type;
		r[n].range.order = (uint8_t)c->order;
		r[n].range.scale = c->scale;
		snprintf(r[n].range.name, sizeof(r[n].range.name), "%s",
		    c->name != NULL ? c->name : "");
		snprintf(r[n].range.unit, sizeof(r[n].range.unit), "%s",
		    c->unit != NULL ? c->unit : "");
	}
	return r;
}

static unsigned
flags_of(const struct conf_device *d)
{
	bool durable = false;

	for (size_t i = 0; i < d->nranges && !durable; i++)
		durable = d->ranges[i].durable;
	return (d->shared_blocks ? SHM_SHARED : 0u) |
	    (durable ? SHM_DURABLE : 0u) |
	    (d->type_exception ? SHM_WHOLE_VALUES : 0u) |
	    (d->counters ? SHM_COUNTS : 0u) |
	    (d->simulator ? SHM_SIMULATOR : 0u);
}

typedef int create_fn(struct seg *, const char *store, const char *device,
    unsigned index, const struct seg_range *, size_t n, unsigned flags);

static int
make(create_fn *create, struct seg *seg, struct store *st, const char *store,
    const struct conf_device *d, unsigned index, const struct slot_env *env)
{
	struct seg_range *r = ranges_of(d);
	int rc = -1, err = ENOMEM;

	if (r != NULL) {
		rc = create(
		    seg, store, d->name, index, r, d->nranges, flags_of(d));
		err = errno;
	}
	free(r);
	if (rc == 0) {
		rc = store_open(st, seg->at, seg->size, true, env);
		err = errno;
	}
	errno = err;
	return rc;
}

int
segs_make_device(struct seg *seg, struct store *st, const char *store,
    const struct conf_device *d, unsigned index, const struct slot_env *env)
{
	int rc = make(seg_create_device, seg, st, store, d, index, env);

	if (rc == 0)
		snprintf(seg_device_name(env->control, index), SHM_NAME_MAX,
		    "%s", d->name);
	return rc;
}

int
segs_make_next(struct seg *seg, struct store *st, const char *store,
    const struct conf_device *d, unsigned index, const struct slot_env *env)
{
	return make(seg_create_next, seg, st, store, d, index, env);
}

int
segs_find_device(struct shm_control *c, const char *name)
{
	for (unsigned i = 0; i < seg_ndevices(c); i++)
		if (strncmp(seg_device_name(c, i), name, SHM_NAME_MAX) == 0)
			return (int)i;
	return -1;
}

unsigned
segs_count_devices(struct shm_control *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < seg_ndevices(c); i++)
		n += seg_device_name(c, i)[0] != '\0';
	return n;
}

static bool
same_range(const struct shm_range *a, const struct shm_range *b)
{
	/* a copy has no bytes in between that nobody has written */
	return a->addr == b->addr && a->count == b->count &&
	    a->table == b->table && a->read_only == b->read_only &&
	    a->type == b->type && a->order == b->order &&
	    memcmp(&a->scale, &b->scale, sizeof(a->scale)) == 0 &&
	    strncmp(a->name, b->name, sizeof(a->name) - 1) == 0 &&
	    strncmp(a->unit, b->unit, sizeof(a->unit) - 1) == 0;
}

bool
segs_fits(const struct store *st, const struct conf_device *d)
{
	struct seg_range *r = ranges_of(d);
	size_t n = 0, found = 0;

	for (unsigned t = 0; t < SHM_TABLES; t++)
		n += st->nranges[t];
	/* there they are in order, and none twice */
	for (size_t i = 0; r != NULL && i < d->nranges; i++) {
		const struct shm_range *is = store_range(
		    st, (enum store_table)r[i].range.table, r[i].range.addr);

		found += is != NULL && same_range(is, &r[i].range);
	}
	free(r);
	return r != NULL && n == d->nranges && found == n &&
	    st->flags == flags_of(d);
}

void
segs_tell_gone(const struct slot_env *env)
{
	if (env->control != NULL && env->me != 0)
		slot_declare_dead(env->control, env->me);
}
