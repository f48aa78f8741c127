/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The right to write: gate, owner word, repair, reap. Runs in every process
 * that writes, and in the supervisor. Between taking and releasing there is
 * no system call, no allocation and no log. The essay is in layout.h; the
 * order of every single step matters, and the kill harnesses in tests/ are
 * what says whether it is right.
 */

#include "shm/store_own.h"

#include "shm/clock.h"
#include "shm/seg.h"
#include "shm/store_reap.h"

#define NS_PER_S 1000000000
#define BUDGET_MAX ((uint64_t)3600 * NS_PER_S)

static _Atomic uint64_t *
claim_of(const struct store *st, uint64_t id)
{
	return &seg_slot(st->env->control, SLOT_OF(id))->claim;
}

/* Says what this process is about to own: before it reaches for the owner
 * word, and not a moment longer than it owns or reaches. The number that
 * counts up tells one claim from the next: see store_forged(). */
static void
claim(const struct store *st)
{
	_Atomic uint64_t *word = claim_of(st, st->env->me);
	uint64_t n = atomic_load_explicit(word, memory_order_relaxed) >> 32;

	atomic_store_explicit(word, (n + 1) << 32 | (1 + (uint64_t)st->index),
	    memory_order_relaxed);
}

static void
unclaim(const struct store *st)
{
	_Atomic uint64_t *word = claim_of(st, st->env->me);
	uint64_t n = atomic_load_explicit(word, memory_order_relaxed) >> 32;

	atomic_store_explicit(word, n << 32, memory_order_release);
}

_Atomic uint64_t *
store_own_done(struct store *st, unsigned author)
{
	return seg_done(st->env->control, author);
}

/*
 * Tells the author of the last committed write that it was carried out. The
 * tag names the author; the dead owner may itself have been repairing. A
 * living author has noted it while it owned, so this store can only be for a
 * dead one. Operation numbers never decrease.
 */
static void
credit(struct store *st)
{
	struct shm_side *s = &st->dev->side[0];
	uint64_t tag = atomic_load_explicit(&s->tag, memory_order_relaxed);
	uint64_t op = tag & (((uint64_t)1 << SHM_TAG_OP_BITS) - 1);
	unsigned author = (unsigned)(tag >> SHM_TAG_OP_BITS);
	_Atomic uint64_t *done;

	if (author >= seg_authors(st->env->control))
		return;
	done = store_own_done(st, author);
	if (atomic_load_explicit(done, memory_order_relaxed) < op)
		atomic_store_explicit(done, op, memory_order_release);
}

static void
copy_word(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
	atomic_store_explicit(to,
	    atomic_load_explicit(from, memory_order_relaxed),
	    memory_order_relaxed);
}

/* One side over the other. */
static void
copy_side(struct store *st, int to, int from)
{
	struct shm_side *t = &st->dev->side[to], *f = &st->dev->side[from];

	for (uint32_t i = 0; i < st->words; i++)
		copy_word(st->data[to] + i, st->data[from] + i);
	copy_word(&t->tag, &f->tag);
	copy_word(&t->events, &f->events);
	copy_word(&t->who, &f->who);
}

/* Brings both sides into agreement: the caller has just taken the device from
 * a dead owner. Idempotent; may itself be killed anywhere and done again. */
static void
repair(struct store *st)
{
	struct shm_device *d = st->dev;
	uint64_t q = atomic_load_explicit(&d->seq, memory_order_acquire);
	int from = (int)(q & 1);

	atomic_thread_fence(memory_order_release);
	copy_side(st, !from, from);
	if (from)
		atomic_store_explicit(&d->seq, q + 1, memory_order_release);
	credit(st);
	atomic_store_explicit(&d->repairs,
	    atomic_load_explicit(&d->repairs, memory_order_relaxed) + 1,
	    memory_order_relaxed);
}

/* Compare-and-swap of the owner word; *o is what it holds if that fails. */
static bool
swap_owner(struct store *st, uint64_t *o)
{
	return atomic_compare_exchange_strong_explicit(&st->dev->owner, o,
	    st->env->me, memory_order_acq_rel, memory_order_acquire);
}

/* Takes the device if it is free or its owner is dead; ask: may the kernel be
 * asked about it, which costs a system call. */
static bool
try_owner(struct store *st, bool ask)
{
	uint64_t o = 0;

	if (swap_owner(st, &o))
		return true;
	if (!slot_declared_dead(st->env->control, o) &&
	    !(ask && slot_probe(st->env, o)))
		return false;
	if (!swap_owner(st, &o))
		return false;
	repair(st); /* if we die in it, the next one repairs */
	return true;
}

/* Sleeps at the gate until `until`; true if it was let in. */
static bool
wait_at_gate(struct store *st, int64_t until)
{
	struct timespec ts = {
		.tv_sec = until / NS_PER_S,
		.tv_nsec = until % NS_PER_S,
	};

	return sem_clockwait(st->gate, CLOCK_MONOTONIC, &ts) == 0;
}

int
store_own_take(struct store *st, uint64_t budget_ns)
{
	int64_t now, end, ask_at, until;
	bool got;

	claim(st);
	/* without a token, too: a crash may have eaten it */
	if ((sem_trywait(st->gate) == 0 && try_owner(st, false)) ||
	    try_owner(st, false))
		return 0;
	now = (int64_t)clock_mono_ns();
	end = now + (int64_t)(budget_ns < BUDGET_MAX ? budget_ns : BUDGET_MAX);
	ask_at = now + STORE_SLICE_NS;
	for (;;) {
		until = now + STORE_SLICE_NS;
		unclaim(st);
		got = wait_at_gate(st, until < end ? until : end);
		now = (int64_t)clock_mono_ns();
		claim(st);
		/* a token got while another one owns is simply absorbed */
		if (try_owner(st, !got || now >= ask_at))
			return 0;
		if (now >= end)
			break;
		if (now >= ask_at)
			ask_at = now + STORE_SLICE_NS;
	}
	unclaim(st);
	return -1;
}

void
store_own_release(struct store *st)
{
	int tokens = 0;

	atomic_store_explicit(&st->dev->owner, 0, memory_order_release);
	unclaim(st);
	/* at most one free token is ever of use */
	sem_getvalue(st->gate, &tokens);
	if (tokens <= 0)
		sem_post(st->gate);
}

/*
 * An owner claims before it swaps its name in and until it has taken it out,
 * and each claim is another number. So a claim that was the same before and
 * after the name was seen, and is not for this device, is not an owner's.
 */
bool
store_forged(const struct store *st, uint64_t id)
{
	_Atomic uint64_t *word = claim_of(st, id);
	uint64_t was = atomic_load_explicit(word, memory_order_acquire);
	uint64_t o =
	    atomic_load_explicit(&st->dev->owner, memory_order_acquire);

	return o == id && (uint32_t)was != 1 + st->index &&
	    atomic_load_explicit(word, memory_order_relaxed) == was &&
	    !slot_declared_dead(st->env->control, id);
}

bool
store_reap(struct store *st, uint64_t dead)
{
	uint64_t o = dead;
	bool had;

	claim(st);
	had = dead != 0 && swap_owner(st, &o);
	if (had) {
		repair(st);
		store_own_release(st);
	}
	unclaim(st);
	/* in any case: the dead may have taken a token or a wake-up along */
	sem_post(st->gate);
	return had;
}
