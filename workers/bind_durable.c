/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which writes are to be on the disk before they are answered, and whether that
 * may be hoped for. Runs in the workers, and only there where a device has
 * durable ranges; allocates nothing once it has begun.
 */
#include "workers/bind_durable.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "shm/durable.h"
#include "shm/patience.h"

#define MS UINT64_C(1000000)

enum { WORD_BITS = 16 };

/* A run of addresses of a table; where the tables share their words, of the
 * registers behind all of them. */
struct bind_run {
	enum store_table table;
	uint32_t first, last;
};

static struct bind_run
run_of(const struct store *st, enum store_table table, uint32_t addr,
    uint32_t count)
{
	struct bind_run r = { table, addr, addr + count - 1 };

	if (!st->shared || table >= STORE_FILE)
		return r;
	if (table == STORE_CO || table == STORE_DI) {
		r.first /= WORD_BITS;
		r.last /= WORD_BITS;
	}
	r.table = STORE_HR;
	return r;
}

int
bind_durable_init(struct bind_device *d)
{
	const struct conf *conf = d->bind->proc->conf;
	const struct conf_device *c = &conf->devices[d->index];

	/* the store of a program has nobody who saves it */
	if (conf->snapshot.path == NULL)
		return 0;
	for (size_t i = 0; i < c->nranges; i++) {
		const struct conf_range *r = &c->ranges[i];

		if (!r->durable)
			continue;
		if (d->durable == NULL)
			d->durable = calloc(c->nranges, sizeof(*d->durable));
		if (d->durable == NULL)
			return -1;
		d->durable[d->ndurable++] =
		    run_of(d->store, r->table, r->addr, r->count);
	}
	return 0;
}

void
bind_durable_fini(struct bind_device *d)
{
	free(d->durable);
}

static bool
touches(const struct bind_device *d, const struct store_step *s)
{
	struct bind_run w = run_of(d->store, s->table, s->addr, s->count);

	for (unsigned i = 0; i < d->ndurable; i++) {
		const struct bind_run *r = &d->durable[i];

		if (r->table == w.table && w.first <= r->last &&
		    r->first <= w.last)
			return true;
	}
	return false;
}

bool
bind_durable_touched(
    const struct bind_device *d, const struct store_step *step, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((step[i].op == STORE_WRITE || step[i].op == STORE_MASK) &&
		    step[i].count != 0 && touches(d, &step[i]))
			return true;
	return false;
}

bool
bind_durable_fails(struct bind *b)
{
	const struct shm_saved *s = &b->proc->env.control->saved;

	if (durable_fails(s))
		return true;
	if (b->late_ticket == 0)
		return false;
	if (durable_state(s, b->late_ticket) == DURABLE_WAITS)
		return true;
	b->late_ticket = 0;
	return false;
}

bool
bind_durable_wait(struct bind *b)
{
	const struct slot_env *env = &b->proc->env;
	struct shm_saved *s = &env->control->saved;
	bool busy = atomic_load_explicit(
			&seg_slot(env->control, SLOT_OF(env->me))->busy_ns,
			memory_order_relaxed) != 0;
	bool late;
	int rc;

	/* what the request has taken before is not part of the wait, which the
	 * parent should not take for a hang once it is over; nor what comes
	 * after a request that had ended before */
	proc_busy(b->proc, clock_mono_ns());
	rc = durable_wait(s, PATIENCE_ACTION_MAX_MS * MS);
	late = rc == -1 && errno == ETIMEDOUT;
	proc_busy(b->proc, busy ? clock_mono_ns() : 0);
	if (late)
		b->late_ticket = durable_asked(s);
	return rc == 0;
}
