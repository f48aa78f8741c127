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
};

/*
 * By how much the number of an operation grows: the author that had it and the
 * one that has it from now on have done as much, relative to it. Whoever died
 * has been buried, and with that all that it has done has been noted.
 */
static uint64_t
shift(const struct move *m, unsigned i)
{
	_Atomic uint64_t *from = seg_done(m->control, m->author_from + i);
	_Atomic uint64_t *to = seg_done(m->control, m->author_to + i);
	uint64_t had = atomic_load(from), has = atomic_load(to);

	if (has < had)
		atomic_store(to, has = had);
	return has - had;
}

static void
move_batch(struct move *m, unsigned i)
{
	const struct shm_conn *c = seg_conn(m->from, i);
	uint64_t own = atomic_load(&c->seq) << 16 | i;
	unsigned nfrom = seg_batches(m->from), nto = seg_batches(m->to);

	for (unsigned k = 0; k < nfrom && m->batches < nto; k++) {
		const struct shm_batch *b = seg_batch(m->from, k);

		if (atomic_load(&b->own) == own)
			memcpy(seg_batch(m->to, m->batches++), b, sizeof(*b));
	}
}

static void
move_conn(struct move *m, unsigned i)
{
	struct shm_conn *c = seg_conn(m->to, i);
	uint64_t by = shift(m, i), who = atomic_load(&m->from->journal.who);

	memcpy(c, seg_conn(m->from, i), sizeof(*c));
	memcpy(seg_cold(m->to, i), seg_cold(m->from, i),
	    sizeof(struct shm_conn_cold));
	memcpy(seg_who(m->to, i), seg_who(m->from, i),
	    sizeof(struct shm_conn_who));
	c->half[0].op += by;
	c->half[1].op += by;
	if (atomic_load(&c->used) != CONN_FREE)
		move_batch(m, i);
	if (who >> SHM_TAG_OP_BITS == m->author_from + i)
		atomic_store(&m->to->journal.who,
		    ((uint64_t)(m->author_to + i) << SHM_TAG_OP_BITS) |
			((who + by) & (((uint64_t)1 << SHM_TAG_OP_BITS) - 1)));
}

static void
move_rest(struct move *m)
{
	struct shm_worker *from = m->from, *to = m->to;
	uint32_t hand = atomic_load(&from->hand);

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
	atomic_store(&to->hand, hand <= m->n ? hand : 0);
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
	};

	move_rest(&m);
	for (unsigned i = 0; i < m.n; i++)
		move_conn(&m, i);
	is->keeper = was->keeper;
	is->keeper.stale = true;
	if (is->keeper.caller != NULL)
		is->keeper.caller->process = is;
	keeper_init(&was->keeper);
	atomic_store(&was->shm->keeper, 0);
}
