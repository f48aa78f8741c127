/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch records: the stores by which input, replies and progress of a
 * connection outlive the worker. Runs in the workers. Knows no sockets and no
 * Modbus.
 */
#include "workers/batch.h"

#include <string.h>

#include "shm/seg.h"

_Static_assert(BATCH_IN <= 0xffff && BATCH_OUT <= 0xffff, "fields of prog");

static uint64_t
owner(const struct batch_conn *c)
{
	return atomic_load_explicit(&c->shm->seq, memory_order_relaxed) << 16 |
	    c->index;
}

void
batch_adopt(const struct batch_conn *c, uint64_t op)
{
	uint64_t seq = atomic_load_explicit(&c->shm->seq, memory_order_relaxed);
	struct shm_conn_half *h = &c->shm->half[(seq + 1) & 1];

	h->rx = 0;
	h->tx = 0;
	h->op = op;
	h->left = 0;
	h->apart = 0;
	atomic_store_explicit(&c->shm->seq, seq + 1, memory_order_release);
	atomic_store_explicit(&c->shm->used, CONN_USED, memory_order_release);
}

bool
batch_in_force(struct shm_worker *w, const struct shm_batch *b)
{
	uint64_t own = atomic_load_explicit(&b->own, memory_order_relaxed);
	unsigned i = own & 0xffff;
	struct shm_conn *c;

	if (own == 0 || i >= w->nconns)
		return false;
	c = seg_conn(w, i);
	return atomic_load_explicit(&c->used, memory_order_relaxed) ==
	    CONN_USED &&
	    (atomic_load_explicit(&c->seq, memory_order_relaxed) << 16 | i) ==
	    own;
}

unsigned
batch_begin(struct shm_batch *b, const struct batch_conn *c)
{
	uint64_t seq = atomic_load_explicit(&c->shm->seq, memory_order_relaxed);
	const struct shm_conn_half *h = &c->shm->half[seq & 1];
	/* others can write there, too */
	uint32_t left = h->left <= CONN_LEFT_MAX ? h->left : 0;

	atomic_store_explicit(&b->in_len, 0, memory_order_relaxed);
	b->pre = left;
	b->grown = 0;
	b->deaths = (struct shm_deaths){ 0 };
	atomic_store_explicit(&b->nsaves, 0, memory_order_relaxed);
	atomic_store_explicit(&b->aside, 0, memory_order_relaxed);
	b->tx_base[0] = h->tx;
	if (left != 0)
		memcpy(b->in, c->cold->in[seq & 1], left);
	atomic_store_explicit(&b->prog, 0, memory_order_release);
	atomic_store_explicit(&b->own, owner(c), memory_order_release);
	return left;
}

void
batch_void(struct shm_batch *b)
{
	atomic_store_explicit(&b->own, 0, memory_order_release);
}

void
batch_move_out(struct shm_batch *b, const struct batch_conn *c)
{
	batch_half(c->shm)->apart = 1;
	batch_void(b);
}

void
batch_save(struct shm_batch *b, unsigned in, unsigned out, unsigned len)
{
	unsigned n = batch_saves(b);

	b->save[n] =
	    (struct shm_save){ (uint16_t)in, (uint16_t)out, (uint16_t)len };
	atomic_store_explicit(&b->nsaves, n + 1, memory_order_release);
}

void
batch_saves_trim(struct shm_batch *b)
{
	unsigned n = batch_saves(b), done = batch_prog_get(b).done;

	while (n > 0 && b->save[n - 1].in >= done)
		n--;
	atomic_store_explicit(&b->nsaves, n, memory_order_release);
}

void
batch_saved(struct shm_batch *b)
{
	atomic_store_explicit(&b->nsaves, 0, memory_order_release);
}

void
batch_unsaved(struct shm_batch *b, struct shm_unsaved *u)
{
	struct batch_prog p = batch_prog_get(b);
	/* read once: others can write there, too */
	uint32_t len = *(const volatile uint32_t *)&u->len;

	p.out = len <= BATCH_OUT ? len : BATCH_OUT;
	memcpy(b->out, u->out, p.out);
	batch_prog_set(b, &p);
	batch_saved(b);
	atomic_store_explicit(&u->own, 0, memory_order_release);
}

void
batch_flip(struct shm_batch *b)
{
	struct batch_prog p = batch_prog_get(b);

	b->tx_base[!p.round] = b->tx_base[p.round] + p.out;
	p.round = !p.round;
	p.out = 0;
	batch_prog_set(b, &p);
}

unsigned
batch_end(struct shm_batch *b, const struct batch_conn *c)
{
	struct batch_prog p = batch_prog_get(b);
	uint64_t seq = atomic_load_explicit(&c->shm->seq, memory_order_relaxed);
	const struct shm_conn_half *h = &c->shm->half[seq & 1];
	struct shm_conn_half *next = &c->shm->half[!(seq & 1)];
	uint32_t len = atomic_load_explicit(&b->in_len, memory_order_relaxed);

	next->rx = h->rx + (len - b->pre) - (uint64_t)(int64_t)b->grown;
	next->tx = b->tx_base[p.round] + p.out;
	next->op = h->op + p.ops;
	next->left = len - p.done;
	next->apart = 0;
	if (next->left != 0)
		memcpy(c->cold->in[!(seq & 1)], b->in + p.done, next->left);
	atomic_store_explicit(&c->shm->seq, seq + 1, memory_order_release);
	return next->left;
}

void
batch_count(const struct batch_conn *c, uint64_t rx, uint64_t tx, uint64_t op)
{
	uint64_t seq = atomic_load_explicit(&c->shm->seq, memory_order_relaxed);
	const struct shm_conn_half *h = &c->shm->half[seq & 1];
	struct shm_conn_half *next = &c->shm->half[!(seq & 1)];

	next->rx = h->rx + rx;
	next->tx = h->tx + tx;
	next->op = op;
	next->left = 0;
	next->apart = 0;
	atomic_store_explicit(&c->shm->seq, seq + 1, memory_order_release);
}
