/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what was answered to requests that come again. Runs in the
 * workers of type udp, for what is no plain reading; never allocates, never
 * waits, and whatever lies in the table costs no more than looking at a set.
 */
#include "workers/repeats.h"

#include <string.h>

enum { WAYS = 4, SETS = SHM_REPEATS / WAYS, RUN_SETS = SHM_RUNS / WAYS };

_Static_assert((SETS & (SETS - 1)) == 0 && (RUN_SETS & (RUN_SETS - 1)) == 0,
    "picked by bits of a hash");

void
repeats_init(struct repeats *r, struct shm_dgrams *shm, bool heir)
{
	r->shm = shm;
	r->late = heir;
	shm->era += shm->era == 0;
}

void
repeats_caught_up(struct repeats *r)
{
	if (!r->late)
		return;
	r->late = false;
	r->shm->era++;
	r->shm->era += r->shm->era == 0;
}

uint64_t
repeats_hash(const uint8_t *p, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ len, word;

	for (; len > 0; p += word, len -= word) {
		uint64_t v = 0;

		word = len < sizeof(v) ? len : sizeof(v);
		memcpy(&v, p, word);
		h = (h ^ v) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

static uint64_t
mix(uint64_t h, const struct acl_peer *p)
{
	h ^= p->port;
	for (size_t i = 0; i < sizeof(p->addr); i++)
		h = h * 31 + p->addr[i];
	return h ^ h >> 32;
}

static struct shm_repeat *
set_of(const struct repeats *r, const struct repeats_key *k)
{
	return &r->shm->repeat[mix(k->hash, k->peer) % SETS * WAYS];
}

static struct shm_run *
runs_of(const struct repeats *r, const struct acl_peer *p)
{
	return &r->shm->run[mix(0, p) % RUN_SETS * WAYS];
}

/* That peer's, or NULL. */
static struct shm_run *
run_of(const struct repeats *r, const struct acl_peer *p)
{
	struct shm_run *run = runs_of(r, p);

	for (int i = 0; i < WAYS; i++, run++)
		if (run->run != 0 && run->port == p->port &&
		    memcmp(run->addr, p->addr, sizeof(run->addr)) == 0)
			return run;
	return NULL;
}

/* The one of those that a peer may have that is nobody's, or whose peer has
 * asked nothing for longest. */
static struct shm_run *
oldest_run(const struct repeats *r, const struct acl_peer *p)
{
	struct shm_run *run = runs_of(r, p), *oldest = run;

	for (int i = 0; i < WAYS; i++, run++) {
		if (run->run == 0)
			return run;
		if (r->shm->asked - run->used > r->shm->asked - oldest->used)
			oldest = run;
	}
	return oldest;
}

/* The one for exactly that, or NULL. */
static struct shm_repeat *
find(const struct repeats *r, const struct repeats_key *k)
{
	struct shm_repeat *e = set_of(r, k);

	for (int i = 0; i < WAYS; i++, e++)
		if (atomic_load_explicit(&e->at_ns, memory_order_relaxed) !=
			0 &&
		    e->hash == k->hash && e->port == k->peer->port &&
		    memcmp(e->addr, k->peer->addr, sizeof(e->addr)) == 0)
			return e;
	return NULL;
}

const struct shm_repeat *
repeats_find(
    const struct repeats *r, const struct repeats_key *k, uint64_t now_ns)
{
	const struct shm_repeat *e = find(r, k);
	const struct shm_run *run = run_of(r, k->peer);
	uint64_t at;

	if (e == NULL || e->len > sizeof(e->reply))
		return NULL;
	at = atomic_load_explicit(&e->at_ns, memory_order_relaxed);
	if (now_ns > at && now_ns - at > REPEAT_MS * 1000000ull)
		return NULL;
	if (r->late && e->era == r->shm->era)
		return e;
	return run != NULL && e->run == run->run ? e : NULL;
}

/* Begins a run of a peer, in place of whatever it has there. */
static void
begin_run(struct repeats *r, struct shm_run *run, const struct acl_peer *p)
{
	run->run = 0;
	atomic_signal_fence(memory_order_seq_cst); /* nobody's, then: */
	run->port = p->port;
	memcpy(run->addr, p->addr, sizeof(run->addr));
	run->len = 1;
	r->shm->runs++;
	r->shm->runs += r->shm->runs == 0;
	atomic_signal_fence(memory_order_seq_cst);
	run->run = r->shm->runs;
}

uint32_t
repeats_count(struct repeats *r, const struct acl_peer *p, uint16_t tid)
{
	struct shm_run *run = run_of(r, p);

	if (run == NULL)
		begin_run(r, run = oldest_run(r, p), p);
	else if (tid == (uint16_t)(run->tid + 1))
		run->len += run->len < REPEAT_RUN;
	else if (tid != run->tid)
		begin_run(r, run, p);
	run->tid = tid;
	run->used = ++r->shm->asked;
	return run->len >= REPEAT_RUN ? run->run : 0;
}

void
repeats_put(struct repeats *r, const struct repeats_key *k, uint32_t run,
    const uint8_t *reply, size_t len, uint64_t now_ns)
{
	struct shm_repeat *e = find(r, k), *set = set_of(r, k);

	if (len > sizeof(e->reply))
		return; /* a plugin has made more of it */
	if (e == NULL) {
		e = set;
		for (int i = 1; i < WAYS; i++)
			if (atomic_load_explicit(
				&set[i].at_ns, memory_order_relaxed) <
			    atomic_load_explicit(
				&e->at_ns, memory_order_relaxed))
				e = &set[i];
	}
	atomic_store_explicit(&e->at_ns, 0, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); /* first of all */
	e->hash = k->hash;
	e->run = run;
	e->era = r->late ? r->shm->era : 0;
	e->port = k->peer->port;
	memcpy(e->addr, k->peer->addr, sizeof(e->addr));
	e->len = (uint16_t)len;
	memcpy(e->reply, reply, len);
	atomic_store_explicit(&e->at_ns, now_ns, memory_order_release);
}
