/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are not carried out since workers die of them, and replies that
 * are first put aside. Runs in the workers, on the request path, but only where
 * there is cause. Allocates nothing.
 */
#include "workers/wary.h"

#include <string.h>

#include "workers/batch.h"

void
wary_begin(struct run *r, const struct shm_batch *b)
{
	const struct worker *w = r->link->worker;

	r->wary = poison_wary(w);
	if (!w->bind.resumed || b->deaths.died == 0 || b->deaths.at >= BATCH_IN)
		return;
	r->wary = true;
	r->suspect = b->in + b->deaths.at;
	r->died = b->deaths.died;
}

void
wary_begin_one(struct run *r, const uint8_t *in, unsigned died)
{
	r->wary = died != 0 || poison_wary(r->link->worker);
	r->suspect = died != 0 ? in : NULL;
	r->died = died;
	if (r->wary)
		r->straight = false;
}

enum poison
wary_meet(struct run *r, const uint8_t *in)
{
	return poison_meet(r->link->worker, r->conn, &r->frame,
	    in == r->suspect ? r->died : 0, &r->watched);
}

void
wary_done(const struct run *r, const uint8_t *in)
{
	if (r->watched != NULL)
		quarantine_forgive(r->watched, in == r->suspect);
}

size_t
wary_spare(struct run *r, uint8_t *adu)
{
	const struct framer *fr = r->link->framer;
	uint8_t *pdu = adu + fr->head;
	size_t len;

	r->spoiled = false;
	len = serve_spared(r, r->reply);
	if (len == 0)
		return 0;
	memcpy(pdu, r->reply, len);
	serve_count_reply(&r->link->worker->shm->stats, pdu);
	return fr->seal(&r->frame, r->delimiter, adu, len);
}

void
wary_put_aside(struct run *r, struct shm_batch *b)
{
	unsigned from = batch_prog_get(b).out + (unsigned)r->link->framer->head;

	if (r->link->worker->bind.resumed && from + MB_PDU_MAX <= BATCH_OUT &&
	    atomic_load_explicit(&b->aside, memory_order_relaxed) == 0)
		memcpy(b->reply, b->out + from, MB_PDU_MAX);
	atomic_store_explicit(&b->aside, 1, memory_order_release);
	r->reply = b->reply;
	r->straight = false;
}
