/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's records into another segment. Runs in the supervisor, while
 * nobody writes to either. What they say was written by a worker, and decides
 * about nothing but the next one's own.
 */
#include "supervisor/reload/moving.h"

#include <string.h>

#include "supervisor/keeper/adopt.h"
#include "supervisor/super.h"

struct move {
	struct shm_worker *from, *to;
	struct shm_control *control;
	unsigned author_from, author_to; /* of connection 0 */
	unsigned n; /* connections that there is room for */
	unsigned batches; /* of to that are used */
	bool stats; /* it is the same transport */
};

/*
 * By how much the number of an operation grows: the author that had it and the
 * one that has it from now on have done as much, relative to it. Whoever died
 * has been buried, and with that all that it has done has been noted.
 */
static uint64_t
shift(const struct move *m, unsigned i, unsigned k)
{
	_Atomic uint64_t *from = seg_done(m->control, m->author_from + i);
	_Atomic uint64_t *to = seg_done(m->control, m->author_to + k);
	uint64_t had = atomic_load(from), has = atomic_load(to);

	if (has < had)
		atomic_store(to, has = had);
	return has - had;
}

static void
move_batch(struct move *m, unsigned i, unsigned k)
{
	const struct shm_conn *c = seg_conn(m->from, i);
	uint64_t own = atomic_load(&c->seq) << 16 | i;
	unsigned nfrom = seg_batches(m->from), nto = seg_batches(m->to);

	for (unsigned b = 0; b < nfrom && m->batches < nto; b++) {
		const struct shm_batch *was = seg_batch(m->from, b);
		struct shm_batch *is = seg_batch(m->to, m->batches);

		if (atomic_load(&was->own) != own)
			continue;
		memcpy(is, was, sizeof(*is));
		atomic_store(&is->own, own - i + k);
		m->batches++;
	}
}

/* From i to k. */
static void
move_conn(struct move *m, unsigned i, unsigned k)
{
	struct shm_conn *c = seg_conn(m->to, k);
	uint64_t by = shift(m, i, k), who = atomic_load(&m->from->journal.who);

	memcpy(c, seg_conn(m->from, i), sizeof(*c));
	memcpy(seg_cold(m->to, k), seg_cold(m->from, i),
	    sizeof(struct shm_conn_cold));
	memcpy(seg_who(m->to, k), seg_who(m->from, i),
	    sizeof(struct shm_conn_who));
	c->half[0].op += by;
	c->half[1].op += by;
	if (atomic_load(&c->used) != CONN_FREE)
		move_batch(m, i, k);
	if (atomic_load(&m->from->hand) == i + 1)
		atomic_store(&m->to->hand, k + 1);
	if (who >> SHM_TAG_OP_BITS == m->author_from + i)
		atomic_store(&m->to->journal.who,
		    ((uint64_t)(m->author_to + k) << SHM_TAG_OP_BITS) |
			((who + by) & (((uint64_t)1 << SHM_TAG_OP_BITS) - 1)));
}

/* Those behind the last one that there is room for get what is free before it;
 * their keeper hands them over by what stands here. */
static void
move_those_behind(struct move *m)
{
	unsigned k = 0, nfrom = seg_conns(m->from);

	for (unsigned i = m->n; i < nfrom; i++) {
		struct shm_conn *c = seg_conn(m->from, i), *there;

		if (atomic_load(&c->used) != CONN_USED)
			continue;
		while (k < m->n &&
		    atomic_load(&seg_conn(m->from, k)->used) != CONN_FREE)
			k++;
		if (k == m->n)
			return;
		move_conn(m, i, k);
		there = seg_conn(m->from, k);
		there->fd = c->fd;
		atomic_store(&c->used, CONN_FREE);
		atomic_store(&there->used, CONN_USED);
	}
}

static void
count_open(struct move *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += atomic_load(&seg_conn(m->to, i)->used) != CONN_FREE;
	atomic_store(&m->to->stats.conns_open, n);
}

static void
move_rest(struct move *m)
{
	struct shm_worker *from = m->from, *to = m->to;

	if (m->stats)
		memcpy(&to->stats, &from->stats, sizeof(to->stats));
	memcpy(&to->journal, &from->journal, sizeof(to->journal));
	memcpy(&to->came, &from->came, sizeof(to->came));
	memcpy(&to->unsaved, &from->unsaved, sizeof(to->unsaved));
	memcpy(to->poison, from->poison, sizeof(to->poison));
	atomic_store(&to->journal.who, 0);
	atomic_store(&to->shut_ns, atomic_load(&from->shut_ns));
	atomic_store(&to->next_serial, atomic_load(&from->next_serial));
	atomic_store(&to->accepting, atomic_load(&from->accepting));
	atomic_store(&to->suspect, atomic_load(&from->suspect));
	atomic_store(&to->wary_ns, atomic_load(&from->wary_ns));
	atomic_store(&to->hand, 0);
}

void
moving_worker(struct service *from, struct service *to, unsigned worker)
{
	struct process *was = &from->workers[worker];
	struct process *is = &to->workers[worker];
	struct move m = {
		.from = seg_worker(&was->seg),
		.to = seg_worker(&is->seg),
		.control = from->super->control,
		.author_from = from->author + worker * from->nconns,
		.author_to = to->author + worker * to->nconns,
		.n = from->nconns < to->nconns ? from->nconns : to->nconns,
		.stats = from->heir == to,
	};

	move_rest(&m);
	for (unsigned i = 0; i < m.n; i++)
		move_conn(&m, i, i);
	move_those_behind(&m);
	count_open(&m);
	is->keeper = was->keeper;
	is->keeper.stale = true;
	if (is->keeper.caller != NULL)
		is->keeper.caller->process = is;
	keeper_init(&was->keeper);
	atomic_store(&was->shm->keeper, 0);
}
