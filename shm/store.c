/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The register store as its users see it: reading beside any writer, and
 * carrying out steps. Runs in every process. A read takes no lock; a write
 * owns the device for as long as it copies.
 */

#include "shm/store.h"

#include "shm/store_change.h"
#include "shm/store_copy.h"
#include "shm/store_find.h"
#include "shm/seg.h"
#include "shm/store_next.h"
#include "shm/store_own.h"

enum { REG_BITS = 16 };

/* A step as it was found to be: where it lies, and whether it leaves a trace
 * of its own in the event ring. */
struct planned {
	struct store_run run;
	uint32_t count;
	bool writes;
	bool hidden; /* another step of the same call covers it */
};

static enum store_rc
read_run(const struct store *st, const struct store_run *run, uint8_t *out,
    uint64_t *seq)
{
	const struct shm_device *d = st->dev;
	uint64_t q;

	for (int tries = 0; tries < STORE_TRIES; tries++) {
		q = atomic_load_explicit(&d->seq, memory_order_acquire);
		store_copy_out(st->data[q & 1], run, out);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&d->seq, memory_order_relaxed) == q) {
			if (seq)
				*seq = q / 2;
			return store_superseded(st) ? STORE_GONE : STORE_OK;
		}
	}
	return STORE_BUSY;
}

enum store_rc
store_read(const struct store *st, enum store_table t, uint32_t addr,
    uint32_t count, uint8_t *out, uint64_t *seq)
{
	struct store_run run;

	if (!store_find(st, t, addr, count, &run))
		return STORE_NO_ADDRESS;
	return read_run(st, &run, out, seq);
}

enum store_rc
store_read_host(const struct store *st, enum store_table t, uint32_t addr,
    uint32_t count, void *out, uint64_t *seq)
{
	struct store_run run;

	if (!store_find(st, t, addr, count, &run))
		return STORE_NO_ADDRESS;
	if (run.form == STORE_WIRE)
		run.form = STORE_HOST;
	return read_run(st, &run, out, seq);
}

/* ---- steps ---- */

static bool
covers(
    const struct store_step *s, const struct planned *p, unsigned a, unsigned b)
{
	return p[a].writes && p[b].writes && s[a].table == s[b].table &&
	    s[a].addr <= s[b].addr &&
	    (uint64_t)s[a].addr + p[a].count >=
	    (uint64_t)s[b].addr + p[b].count;
}

/* What changed is told once, by the widest step. */
static void
hide_covered(const struct store_step *s, struct planned *p, unsigned last)
{
	for (unsigned k = 0; k < last; k++)
		if (covers(s, p, last, k))
			p[k].hidden = true;
		else if (covers(s, p, k, last))
			p[last].hidden = true;
}

/* Finds where each step lies and whether it is allowed; nothing is touched. */
static enum store_rc
plan(const struct store *st, const struct store_who *who,
    const struct store_step *s, unsigned n, struct planned *p, bool *writes)
{
	size_t bytes = 0;

	*writes = false;
	for (unsigned i = 0; i < n; i++) {
		p[i].writes = s[i].op == STORE_WRITE || s[i].op == STORE_MASK;
		p[i].hidden = false;
		p[i].count = s[i].op == STORE_MASK ? 1 : s[i].count;
		if (!store_find(
			st, s[i].table, s[i].addr, p[i].count, &p[i].run) ||
		    (s[i].op == STORE_MASK && p[i].run.bits != REG_BITS))
			return STORE_NO_ADDRESS;
		if (who->host && p[i].run.form == STORE_WIRE)
			p[i].run.form = STORE_HOST;
		if (!p[i].writes)
			continue;
		if (who->heed_read_only &&
		    !store_may_write(st, s[i].table, s[i].addr, p[i].count))
			return STORE_DENIED;
		bytes += store_bytes(s[i].table, p[i].count);
		if (bytes > STORE_STEP_BYTES)
			return STORE_TOO_LONG;
		*writes = true;
		hide_covered(s, p, i);
	}
	return STORE_OK;
}

static bool
checks_hold(const struct store *st, const struct store_step *s, unsigned n,
    const struct planned *p)
{
	for (unsigned i = 0; i < n; i++)
		if (s[i].op == STORE_CHECK &&
		    !store_copy_equal(st->data[0], &p[i].run, s[i].in))
			return false;
	return true;
}

static void
carry_out(struct store *st, const struct store_step *s, unsigned n,
    const struct planned *p)
{
	for (unsigned i = 0; i < n; i++) {
		switch (s[i].op) {
		case STORE_READ:
			store_copy_out(st->data[0], &p[i].run, s[i].out);
			break;
		case STORE_WRITE:
			store_copy_in(st->data[0], &p[i].run, s[i].in);
			break;
		case STORE_MASK:
			store_copy_mask(st->data[0], &p[i].run, s[i].and_mask,
			    s[i].or_mask);
			break;
		case STORE_CHECK:
			break;
		}
	}
}

/* Records what the steps changed; returns where the event ring ends then. */
static uint64_t
log_changes(struct store *st, const struct store_step *s, unsigned n,
    const struct planned *p, uint64_t commit)
{
	uint64_t head = atomic_load_explicit(
	    &st->dev->side[0].events, memory_order_relaxed);

	for (unsigned i = 0; i < n; i++) {
		if (p[i].writes && !p[i].hidden &&
		    !store_copy_same(st->data[0], st->data[1], &p[i].run)) {
			store_change_put(st, &head, commit, s[i].table,
			    s[i].addr, p[i].count, &p[i].run);
		}
	}
	return head;
}

static void
set_side(struct shm_side *side, uint64_t tag, uint64_t events, uint64_t who)
{
	atomic_store_explicit(&side->tag, tag, memory_order_relaxed);
	atomic_store_explicit(&side->events, events, memory_order_relaxed);
	atomic_store_explicit(&side->who, who, memory_order_relaxed);
}

/* The write itself, by the owner of a clean device: returns the number of the
 * commit. */
static uint64_t
commit(struct store *st, const struct store_who *who,
    const struct store_step *s, unsigned n, const struct planned *p)
{
	struct shm_device *d = st->dev;
	uint64_t q = atomic_load_explicit(&d->seq, memory_order_relaxed);
	uint64_t tag = (uint64_t)who->author << SHM_TAG_OP_BITS | who->op;
	uint64_t events;

	q += q & 1; /* only a scribbler leaves an odd one behind */
	atomic_store_explicit(&d->seq, q + 1, memory_order_release);
	atomic_thread_fence(memory_order_release);
	carry_out(st, s, n, p); /* readers are on side 1 */
	events = log_changes(st, s, n, p, q / 2 + 1);
	set_side(&d->side[0], tag, events, st->env->me);
	/* the commit: readers go to side 0 */
	atomic_store_explicit(&d->seq, q + 2, memory_order_release);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < n; i++)
		if (p[i].writes)
			store_copy_words(st->data[1], st->data[0], &p[i].run);
	set_side(&d->side[1], tag, events, st->env->me);
	atomic_store_explicit(&d->writes,
	    atomic_load_explicit(&d->writes, memory_order_relaxed) + 1,
	    memory_order_relaxed);
	return q / 2 + 1;
}

/* Everything that happens while owning, and the release. */
static enum store_rc
carry_out_owned(struct store *st, const struct store_who *who,
    const struct store_step *s, unsigned n, const struct planned *p,
    bool writes, uint64_t *seq)
{
	_Atomic uint64_t *done = store_own_done(st, who->author);
	uint64_t number;

	/* it is the same lock that its successor was filled under */
	if (store_superseded(st)) {
		store_own_release(st);
		return STORE_GONE;
	}
	/* only an owner may ask: until then a helper may still be repairing */
	if (atomic_load_explicit(done, memory_order_acquire) >= who->op) {
		store_own_release(st);
		return STORE_REPLAYED;
	}
	if (!checks_hold(st, s, n, p)) {
		store_own_release(st);
		return STORE_MISMATCH;
	}
	if (!writes) {
		number =
		    atomic_load_explicit(&st->dev->seq, memory_order_relaxed) /
		    2;
		carry_out(st, s, n, p);
		store_own_release(st);
	} else {
		number = commit(st, who, s, n, p);
		atomic_store_explicit(done, who->op, memory_order_release);
		store_own_release(st);
	}
	if (seq)
		*seq = number;
	return STORE_OK;
}

enum store_rc
store_apply(struct store *st, const struct store_who *who,
    const struct store_step *s, unsigned n, uint64_t *seq)
{
	struct planned p[STORE_STEPS_MAX];
	enum store_rc rc;
	bool writes;

	if (!st->writable || !st->env || st->env->me == 0 ||
	    who->author >= seg_authors(st->env->control) ||
	    who->op >> SHM_TAG_OP_BITS)
		return STORE_DENIED;
	if (n > STORE_STEPS_MAX)
		return STORE_TOO_LONG;
	rc = plan(st, who, s, n, p, &writes);
	if (rc != STORE_OK)
		return rc;
	if (store_own_take(st, who->budget_ns) < 0)
		return STORE_BUSY;
	return carry_out_owned(st, who, s, n, p, writes, seq);
}
