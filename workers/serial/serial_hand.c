/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker has in hand of a serial line, as far as its successor is
 * concerned: that is not gone on with, but if the worker has died of it, it is
 * known (poison.h), since its master asks again. Runs in the workers of type
 * serial. Never writes to the line.
 */
#include <string.h>

#include "workers/conns_wait.h"
#include "workers/poison.h"
#include "workers/serial/serial.h"

_Static_assert((int)SHM_ADU_MAX == FRAME_ADU_MAX, "any frame");

void
serial_hand(
    struct serial *s, const struct frame *f, const uint8_t *adu, size_t len)
{
	struct shm_asked *a = &s->worker->shm->asked;

	a->len = (uint16_t)(len < sizeof(a->adu) ? len : sizeof(a->adu));
	memcpy(a->adu, adu, a->len);
	a->pdu_len = 0;
	if (f != NULL) {
		a->unit = f->unit;
		a->pdu_len = (uint8_t)f->pdu_len;
		memcpy(a->pdu, f->pdu, f->pdu_len);
	}
	atomic_signal_fence(memory_order_seq_cst); /* then: */
	conns_hand(&s->conns, s->conn);
}

void
serial_hand_over(struct serial *s)
{
	conns_hand(&s->conns, NULL);
	atomic_signal_fence(memory_order_seq_cst);
	s->worker->shm->asked.len = s->worker->shm->asked.pdu_len = 0;
}

void
serial_judge(struct serial *s)
{
	struct shm_worker *shm = s->worker->shm;
	struct shm_asked a = shm->asked;
	struct frame f = { .unit = a.unit, .pdu = a.pdu };
	struct poison_death d = { .way = POISON_LINE,
		.frame = &f,
		.bytes = a.adu,
		.len = a.len <= sizeof(a.adu) ? a.len : 0 };
	uint32_t hand;

	d.suspect = poison_heir(s->worker, &hand);
	if (a.pdu_len <= sizeof(a.pdu))
		f.pdu_len = a.pdu_len;
	shm->asked.len = shm->asked.pdu_len = 0;
	if (d.suspect == SUSPECT_NO || hand == 0 || hand > s->conns.nconns)
		return;
	d.conn = seg_conn(shm, hand - 1);
	poison_died(&s->conns, &d);
}
