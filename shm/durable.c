/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets for what is to be on a disk before it is answered, and the sleep
 * until it is. Runs in the workers, for writes to durable ranges alone, and in
 * the process that saves. A word that somebody has spoilt makes a wait end too
 * early or in vain, and no longer.
 */

#include "shm/durable.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/clock.h"

enum { WORD_BITS = 16, USUAL_MS = 1000, MOST_MS = 60000 };

static void
sleep_at(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000) };

	/* awake for whatever reason, the caller looks again */
	syscall(SYS_futex, word, FUTEX_WAIT, value, &ts, NULL, 0);
}

static void
wake_at(_Atomic uint32_t *word)
{
	atomic_fetch_add_explicit(word, 1, memory_order_release);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

uint64_t
durable_take(struct shm_saved *s)
{
	uint64_t ticket = 1 +
	    atomic_fetch_add_explicit(
		&s->durable_want, 1, memory_order_acq_rel);

	wake_at(&s->durable_ask);
	return ticket;
}

enum durable
durable_state(const struct shm_saved *s, uint64_t ticket)
{
	if (atomic_load_explicit(&s->durable_done, memory_order_acquire) >=
	    ticket)
		return DURABLE_DONE;
	if (atomic_load_explicit(&s->durable_failed, memory_order_acquire) >=
	    ticket)
		return DURABLE_FAILED;
	return DURABLE_WAITS;
}

int
durable_wait(struct shm_saved *s, uint64_t budget_ns)
{
	return durable_wait_for(s, durable_take(s), budget_ns);
}

int
durable_wait_for(struct shm_saved *s, uint64_t ticket, uint64_t budget_ns)
{
	uint64_t end = clock_mono_ns() + budget_ns, now;

	for (;;) {
		uint32_t bell = atomic_load_explicit(
		    &s->durable_bell, memory_order_acquire);

		switch (durable_state(s, ticket)) {
		case DURABLE_DONE:
			return 0;
		case DURABLE_FAILED:
			errno = EIO;
			return -1;
		case DURABLE_WAITS:
			break;
		}
		now = clock_mono_ns();
		if (now >= end) {
			errno = ETIMEDOUT;
			return -1;
		}
		sleep_at(&s->durable_bell, bell, end - now);
	}
}

/* The first and the last register or bit; of a shared device the registers
 * behind all of its tables. */
static void
place(const struct store *st, enum store_table table, uint32_t addr,
    uint32_t count, uint32_t *first, uint32_t *last)
{
	bool bits = table == STORE_CO || table == STORE_DI;

	*first = addr;
	*last = addr + count - 1;
	if (st->shared && bits) {
		*first /= WORD_BITS;
		*last /= WORD_BITS;
	}
}

static bool
touches(const struct store *st, const struct store_step *s)
{
	bool all = st->shared && s->table < STORE_FILE;
	uint32_t first, last, from, to;

	place(st, s->table, s->addr, s->count, &first, &last);
	for (unsigned t = 0; t < SHM_TABLES; t++) {
		const struct shm_range *r = st->ranges + st->ranges_at[t];

		if (all ? t >= STORE_FILE : t != s->table)
			continue;
		for (uint32_t i = 0; i < st->nranges[t]; i++) {
			if (r[i].durable == 0)
				continue;
			place(st, (enum store_table)t, r[i].addr, r[i].count,
			    &from, &to);
			if (first <= to && from <= last)
				return true;
		}
	}
	return false;
}

bool
durable_touched(
    const struct store *st, const struct store_step *step, unsigned n)
{
	if ((st->flags & SHM_DURABLE) == 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		if ((step[i].op == STORE_WRITE || step[i].op == STORE_MASK) &&
		    step[i].count != 0 && touches(st, &step[i]))
			return true;
	return false;
}

uint64_t
durable_budget_ns(const struct shm_saved *s)
{
	uint64_t ms =
	    atomic_load_explicit(&s->durable_ms, memory_order_relaxed);

	return (ms == 0 || ms > MOST_MS ? USUAL_MS : ms) * UINT64_C(1000000);
}

uint64_t
durable_asked(const struct shm_saved *s)
{
	return atomic_load_explicit(&s->durable_want, memory_order_acquire);
}

void
durable_sleep(struct shm_saved *s, uint64_t ticket, uint64_t ns)
{
	uint32_t ask =
	    atomic_load_explicit(&s->durable_ask, memory_order_acquire);

	if (durable_asked(s) == ticket)
		sleep_at(&s->durable_ask, ask, ns);
}

void
durable_tell(struct shm_saved *s, uint64_t ticket, int error)
{
	atomic_store_explicit(
	    &s->durable_error, (uint64_t)error, memory_order_relaxed);
	atomic_store_explicit(
	    error == 0 ? &s->durable_done : &s->durable_failed, ticket,
	    memory_order_release);
	wake_at(&s->durable_bell);
}

void
durable_ring(struct shm_saved *s, int *fd)
{
	bell_ring_armed(&s->bells, fd);
}
