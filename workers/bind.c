/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The units of a transport: what a Modbus request asks of the data model,
 * carried out on the devices of the store. Runs in the workers. Reading takes
 * no lock; it never waits longer than its budget to write.
 */
#include "workers/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/patience.h"
#include "workers/action/action.h"
#include "workers/bind_durable.h"
#include "workers/special.h"

_Static_assert(sizeof(struct mb_diag) <= SHM_DIAG_BYTES, "a device's counters");
_Static_assert((int)MB_CO == STORE_CO && (int)MB_DI == STORE_DI &&
	(int)MB_HR == STORE_HR && (int)MB_IR == STORE_IR &&
	(int)MB_FILE == STORE_FILE && (int)MB_FIFO == STORE_FIFO,
    "tables are numbered alike");
_Static_assert((int)MB_STEPS_MAX <= STORE_STEPS_MAX, "steps of one PDU");

enum {
	FIFO_SHIFT = 5, /* store.h: addr = pointer << 5 */
	FIFO_REGS = 1 + MB_FIFO_MAX, /* the count and the values */
	SELF_AHEAD = 2, /* a predecessor dies in one write at most, and another
			 * process may yet have to credit it */
	READ_TRIES = 100, /* for one picture over several ranges */
};

#define BUDGET_NS (PATIENCE_WRITE_MS * 1000000ull)
#define BUDGET_AGAIN_NS (PATIENCE_WRITE_AGAIN_MS * 1000000ull)
#define AGAIN_NS (PATIENCE_AGAIN_MS * 1000000ull)

enum mb_ex
bind_exception(enum store_rc rc)
{
	switch (rc) {
	case STORE_OK:
		return MB_EX_NONE;
	case STORE_NO_ADDRESS:
	case STORE_DENIED:
		return MB_EX_ADDRESS;
	case STORE_BUSY:
	case STORE_GONE: /* and so is this worker, in a moment */
		return MB_EX_BUSY;
	case STORE_REPLAYED:
	case STORE_MISMATCH:
	case STORE_TOO_LONG:
	case STORE_UNSAVED:
		break;
	}
	return MB_EX_FAILURE;
}

/* Where a step is in the store: FIFO queues have room of their own there. */
static void
place(const struct mb_step *s, uint32_t *addr, uint32_t *count)
{
	*addr = s->addr;
	*count = s->count;
	if (s->table == MB_FIFO) {
		*addr = s->addr << FIFO_SHIFT;
		*count = FIFO_REGS;
	}
}

static void
fifo_count(struct mb_step *s)
{
	if (s->table == MB_FIFO)
		s->count = (uint16_t)(s->out[0] << 8 | s->out[1]);
}

static enum store_rc
read_one(const struct store *st, struct mb_step *s, uint64_t *seq)
{
	uint32_t addr, count;
	enum store_rc rc;

	place(s, &addr, &count);
	rc = store_read(
	    st, (enum store_table)s->table, addr, count, s->out, seq);
	if (rc == STORE_OK)
		fifo_count(s);
	return rc;
}

/* Several ranges in one picture: taken again until no commit came between. */
__attribute__((noinline)) static enum store_rc
read_all(const struct store *st, struct mb_step *s, unsigned n)
{
	uint64_t first = 0, seq = 0;
	enum store_rc rc;
	unsigned i;

	for (int tries = 0; tries < READ_TRIES; tries++) {
		for (i = 0; i < n; i++) {
			rc = read_one(st, &s[i], &seq);
			if (rc != STORE_OK)
				return rc;
			if (i == 0)
				first = seq;
			else if (seq != first)
				break;
		}
		if (i == n)
			return STORE_OK;
	}
	return STORE_BUSY;
}

/* The wait is over, which the parent should not take for a hang. */
static void
found_busy(struct bind_device *d, const struct store_who *who)
{
	uint64_t now = clock_mono_ns();

	if (who->budget_ns == BUDGET_NS)
		d->busy_ns = now;
	proc_busy(d->bind->proc, now);
}

static inline enum store_rc
commit(struct bind_device *d, struct store_who *who,
    const struct store_step *step, unsigned n)
{
	struct bind *b = d->bind;
	bool durable = d->durable != NULL && bind_durable_touched(d, step, n);
	enum store_rc rc;

	/* one that was begun may have been carried out */
	if (durable && !b->begun) {
		if (bind_durable_fails(b))
			return STORE_UNSAVED;
		if (b->crowded)
			return STORE_BUSY;
	}
	who->budget_ns = BUDGET_NS;
	if (d->busy_ns != 0 && b->now_ns < d->busy_ns + AGAIN_NS)
		who->budget_ns = BUDGET_AGAIN_NS;
	rc = store_apply(d->store, who, step, n, NULL);
	if (rc == STORE_BUSY)
		found_busy(d, who);
	if (rc == STORE_REPLAYED && b->resumed)
		rc = STORE_OK; /* and who did it may not have told of it */
	if (rc != STORE_OK)
		return rc;
	b->wrote = true;
	if (durable)
		b->saving = true;
	return STORE_OK;
}

void
bind_committed(struct bind_device *d, const struct store_step *step, unsigned n)
{
	d->bind->wrote = true;
	if (d->durable != NULL && bind_durable_touched(d, step, n))
		d->bind->saving = true;
}

enum store_rc
bind_commit(struct bind_device *d, struct store_who *who,
    const struct store_step *step, unsigned n)
{
	return commit(d, who, step, n);
}

/* Apart from reading, which should not pay for this one's steps. */
__attribute__((noinline)) static enum store_rc
apply(struct bind_device *d, struct mb_step *s, unsigned n)
{
	static const enum store_op op[] = {
		[MB_READ] = STORE_READ,
		[MB_WRITE] = STORE_WRITE,
		[MB_MASK] = STORE_MASK,
	};
	struct store_step step[MB_STEPS_MAX];
	enum store_rc rc;
	unsigned i = 0;

	do {
		step[i] = (struct store_step){ .op = op[s[i].op],
			.table = (enum store_table)s[i].table,
			.and_mask = s[i].and_mask,
			.or_mask = s[i].or_mask,
			.in = s[i].in,
			.out = s[i].out };
		place(&s[i], &step[i].addr, &step[i].count);
	} while (++i < n);
	rc = commit(d, &d->bind->who, step, n);
	if (rc != STORE_OK)
		return rc;
	for (i = 0; i < n; i++)
		if (s[i].op == MB_READ)
			fifo_count(&s[i]);
	return STORE_OK;
}

static inline enum mb_ex
plain(struct bind_device *d, struct mb_step *s, unsigned n)
{
	unsigned reads = 0;

	if (n == 1 && s[0].op == MB_READ)
		return bind_exception(read_one(d->store, &s[0], NULL));
	while (reads < n && s[reads].op == MB_READ)
		reads++;
	if (reads == n)
		return bind_exception(read_all(d->store, s, n));
	if (!d->store->writable)
		return MB_EX_FAILURE;
	return bind_exception(apply(d, s, n));
}

enum mb_ex
bind_plain(struct bind_device *d, struct mb_step *s, unsigned n)
{
	return plain(d, s, n);
}

static enum mb_ex
carry_out(void *arg, struct mb_step *s, unsigned n)
{
	struct bind_device *d = arg;

	if (n == 0 || n > MB_STEPS_MAX)
		return MB_EX_FAILURE;
	if (d->special && !d->bind->bare)
		return special_step(d, s, n);
	return plain(d, s, n);
}

static int
identify(struct bind_device *d, const struct conf_object *object, size_t n)
{
	d->objects = calloc(n + 1, sizeof(*d->objects));
	if (d->objects == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		d->objects[i].id = object[i].id;
		d->objects[i].text = object[i].text;
		d->objects[i].len = (uint8_t)strnlen(object[i].text, 255);
	}
	d->identity.obj = d->objects;
	d->identity.n = (unsigned)n;
	return 0;
}

static int
device_init(struct bind *b, struct bind_device *d, int index)
{
	struct proc *p = b->proc;

	d->bind = b;
	d->index = (unsigned)index;
	d->store = &p->stores[index];
	d->special = special_store(d->store);
	if (bind_durable_init(d) == -1)
		return -1;
	d->unit.step = carry_out;
	d->unit.arg = d;
	d->unit.identity = &d->identity;
	d->unit.diag =
	    seg_diag(p->env.control, p->transport_index, d->store->index);
	d->unit.alone = p->transport->workers == 1;
	d->unit.read_only = p->transport->read_only;
	/* a datagram can be sent in anybody's name, and would silence the unit
	 * for all */
	d->unit.no_silence = p->transport->type == CONF_UDP;
	if (p->transport->nidentity > 0)
		return identify(
		    d, p->transport->identity, p->transport->nidentity);
	return identify(d, p->conf->devices[index].identity,
	    p->conf->devices[index].nidentity);
}

bool
bind_done(const struct bind *b)
{
	return b->resumed &&
	    atomic_load_explicit(seg_done(b->proc->env.control, b->who.author),
		memory_order_acquire) >= b->who.op;
}

void
bind_self(struct bind *b)
{
	const struct slot_env *env = &b->proc->env;

	b->self.author = SLOT_OF(env->me);
	b->self.op =
	    atomic_load_explicit(
		seg_done(env->control, b->self.author), memory_order_acquire) +
	    SELF_AHEAD;
}

int
bind_init(struct bind *b, struct proc *p)
{
	struct bind_device **by_index;
	int rc = -1;

	memset(b, 0, sizeof(*b));
	b->proc = p;
	b->who.heed_read_only = true;
	b->ops_max = 1;
	bind_self(b);
	b->device = calloc(p->conf->ndevices + 1, sizeof(*b->device));
	by_index = calloc(p->conf->ndevices + 1, sizeof(struct bind_device *));
	if (b->device == NULL || by_index == NULL)
		goto out;
	for (unsigned u = 0; u < CONF_UNITS; u++) {
		int i = p->transport->units[u];

		if (i < 0 || (size_t)i >= p->conf->ndevices ||
		    p->stores[i].dev == NULL)
			continue;
		if (by_index[i] == NULL) {
			by_index[i] = &b->device[b->ndevices++];
			if (device_init(b, by_index[i], i) == -1)
				goto out;
		}
		b->by_unit[u] = by_index[i];
	}
	rc = 0;
out:
	free(by_index);
	return rc;
}

void
bind_fini(struct bind *b)
{
	for (unsigned i = 0; i < b->ndevices; i++) {
		free(b->device[i].objects);
		bind_durable_fini(&b->device[i]);
		for (unsigned k = 0; k < b->device[i].nactions; k++)
			action_release(&b->device[i].actions[k]);
		free(b->device[i].actions);
	}
	free(b->device);
	memset(b, 0, sizeof(*b));
}
