/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a view into the store: cells that differ from their shadow. Runs in the
 * workers of type shm.
 */
#include "workers/twin/twin_cell.h"
#include "workers/twin/twin_ways.h"

bool
twin_exists(const struct twin_set *ts, unsigned t, uint32_t i, unsigned *at)
{
	while (*at < ts->nruns[t] &&
	    i - ts->run[t][*at].addr >= ts->run[t][*at].count &&
	    i >= ts->run[t][*at].addr)
		(*at)++;
	return *at < ts->nruns[t] && i >= ts->run[t][*at].addr;
}

/* A cell that somebody else has changed. Notes it to be written; false if
 * what has been noted so far could not be. */
static bool
push_cell(struct twin *tw, unsigned t, uint32_t i, uint16_t v)
{
	struct mirror_stage *s = &tw->ctl->stage;
	struct mirror_step *last = s->n > 0 ? &s->step[s->n - 1] : NULL;
	uint32_t used = 0;

	if (last != NULL)
		used = last->off +
		    (uint32_t)store_bytes(
			(enum store_table)last->table, last->count);
	if (last == NULL || last->table != t || last->addr + last->count != i) {
		if (s->n == MIRROR_STEPS || used + 2 > sizeof(s->wire)) {
			if (!twin_stage_go(tw, MIRROR_TO_STORE))
				return false;
			s->n = used = 0;
		}
		last = &s->step[s->n++];
		*last =
		    (struct mirror_step){ .table = t, .addr = i, .off = used };
	} else if (used + 2 > sizeof(s->wire)) {
		if (!twin_stage_go(tw, MIRROR_TO_STORE))
			return false;
		s->n = 1;
		last = &s->step[0];
		*last = (struct mirror_step){ .table = t, .addr = i };
	}
	wire_put(s->wire + last->off, t, last->count++, v);
	return true;
}

static bool
push_word(struct twin *tw, unsigned set, unsigned t, uint32_t first,
    uint32_t end, unsigned *at)
{
	const struct twin_set *ts = &tw->set[set];
	struct mirror_set *m = ts->set;

	for (uint32_t i = first; i < end && i < m->count[t]; i++) {
		uint16_t have = cell_get(m->table[t], t, i);
		uint16_t was = cell_get(m->shadow[t], t, i);
		uint16_t is = meaning(t, have);

		if (is != was &&
		    (tw->read_only || !twin_exists(ts, t, i, at))) {
			cell_swap(m->table[t], t, i, have, was);
			tw->refused++;
			continue;
		}
		if (is != have)
			cell_swap(m->table[t], t, i, have, is);
		if (is != was && !push_cell(tw, t, i, is))
			return false;
	}
	return true;
}

static const _Atomic uint64_t *
words_of(const void *cells)
{
	return cells;
}

uint32_t
twin_next_word(const struct mirror_set *m, unsigned t, uint32_t w, uint32_t n)
{
	const _Atomic uint64_t *have = words_of(m->table[t]);
	const _Atomic uint64_t *was = words_of(m->shadow[t]);

	while (w < n &&
	    atomic_load_explicit(have + w, memory_order_relaxed) ==
		atomic_load_explicit(was + w, memory_order_relaxed))
		w++;
	return w;
}

static uint32_t
cells_a_word(unsigned t)
{
	return is_bits(t) ? 8 : 4;
}

bool
twin_push(struct twin *tw, unsigned set)
{
	struct mirror_stage *s = &tw->ctl->stage;
	const struct mirror_set *m = tw->set[set].set;

	s->n = 0;
	s->set = set;
	for (unsigned t = 0; t < MIRROR_TABLES; t++) {
		uint32_t n = nwords(m, t), per = cells_a_word(t);
		unsigned at = 0;

		for (uint32_t w = 0; (w = twin_next_word(m, t, w, n)) < n; w++)
			if (!push_word(tw, set, t, w * per, (w + 1) * per, &at))
				return false;
	}
	return twin_stage_go(tw, MIRROR_TO_STORE);
}
