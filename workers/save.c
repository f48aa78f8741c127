/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies that wait for the disk, and the exceptions that replace them. Runs in
 * the workers, for writes to durable ranges alone. Allocates nothing; waits
 * only where nobody but the caller's client is waited for.
 */
#include "workers/save.h"

#include <string.h>

#include "shm/durable.h"
#include "shm/seg.h"
#include "workers/hooks/hooks.h"

static struct shm_saved *
saved(const struct link *l)
{
	return &l->worker->proc->env.control->saved;
}

enum frame_rc
save_note(struct run *r, struct shm_batch *b, const struct batch_prog *prog,
    unsigned in, unsigned out)
{
	r->link->worker->bind.saving = false;
	if (prog->out == out) {
		durable_take(saved(r->link));
		return FRAME_OK;
	}
	batch_save(b, in, out, prog->out - out);
	return batch_saves(b) < BATCH_SAVES ? FRAME_OK : FRAME_MORE;
}

size_t
save_refuse(
    struct link *l, struct shm_conn *c, const struct frame *f, uint8_t *out)
{
	struct worker *w = l->worker;
	struct bind_device *d = w->bind.by_unit[f->unit];
	uint8_t *pdu = out + l->framer->head;
	size_t len;

	pdu[0] = f->pdu[0] | 0x80;
	pdu[1] = MB_EX_FAILURE;
	serve_count_reply(&w->shm->stats, pdu);
	if (d != NULL)
		mb_diag_count(d->unit.diag, MB_CPT_EXCEPTIONS);
	len = l->framer->seal(f, link_delimiter(l), out, 2);
	if ((w->traced & HOOK_PACKET) != 0)
		len = hooks_packet(w, c, NULL, true, out, len, l->out_max);
	if (record_on(w))
		record_unsaved(&l->rec, c, f->unit, out, len);
	return len;
}

size_t
save_answer(struct link *l, struct link_peer *p, const struct frame *f,
    uint8_t *out, size_t len)
{
	l->worker->bind.saving = false;
	if (len == 0) {
		durable_take(saved(l));
		return 0;
	}
	p->saving = p->parks;
	if (p->parks || bind_durable_wait(&l->worker->bind))
		return len;
	return save_refuse(l, p->shm, f, out);
}

/* Bytes of a batch's output behind the *at that stand in u. What is counted
 * there is not read again: others can write there, too. */
static bool
append(struct shm_unsaved *u, unsigned *at, const uint8_t *from, unsigned len)
{
	if (len > BATCH_OUT - *at)
		return false;
	memcpy(u->out + *at, from, len);
	*at += len;
	return true;
}

/* The exception that replaces a reply goes behind the *at that stand in u. */
static bool
replace(struct link *l, struct shm_conn *c, const struct shm_batch *b,
    const struct shm_save *s, struct shm_unsaved *u, unsigned *at)
{
	unsigned len = atomic_load_explicit(&b->in_len, memory_order_relaxed);
	struct frame f = { .arg = l->framer->arg };

	if (len > BATCH_IN || s->in >= len || *at + l->out_max > BATCH_OUT ||
	    l->framer->stream(&l->fcs, link_delimiter(l), b->in + s->in,
		len - s->in, &f) != FRAME_OK)
		return false;
	*at += (unsigned)save_refuse(l, c, &f, u->out + *at);
	return true;
}

bool
save_unsaved(struct link *l, struct shm_conn *c, struct shm_batch *b)
{
	struct shm_unsaved *u = &l->worker->shm->unsaved;
	unsigned out = batch_prog_get(b).out, from = 0, len = 0;

	if (out > BATCH_OUT)
		return false;
	for (unsigned i = 0, n = batch_saves(b); i < n; i++) {
		struct shm_save s = b->save[i];

		if (s.out < from || s.out + s.len > out ||
		    !append(u, &len, b->out + from, s.out - from))
			return false;
		from = s.out + s.len;
		if (!replace(l, c, b, &s, u, &len))
			return false;
	}
	if (!append(u, &len, b->out + from, out - from))
		return false;
	u->len = len;
	atomic_store_explicit(&u->own,
	    atomic_load_explicit(&b->own, memory_order_relaxed),
	    memory_order_release);
	batch_unsaved(b, u);
	return true;
}

void
save_inherit(struct worker *w)
{
	struct shm_unsaved *u = &w->shm->unsaved;
	uint64_t own = atomic_load_explicit(&u->own, memory_order_acquire);

	for (unsigned i = 0; own != 0 && i < w->shm->nbatches; i++) {
		struct shm_batch *b = seg_batch(w->shm, i);

		if (batch_in_force(w->shm, b) &&
		    atomic_load_explicit(&b->own, memory_order_relaxed) == own)
			batch_unsaved(b, u);
	}
	atomic_store_explicit(&u->own, 0, memory_order_relaxed);
}
