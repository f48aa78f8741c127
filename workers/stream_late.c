/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a reply that is put off may leave, and what holds it meanwhile. Runs in
 * the workers that have streams, and only there where fault rules are, or
 * plugins that put replies off. Sends nothing, blocks for nothing; memory is
 * bounded and given back with the reply.
 */
#include "workers/stream_late.h"

#include <stdlib.h>
#include <string.h>

#include "workers/conns_wait.h"

#define MS 1000000ull

/* Loops have milliseconds, and may be one early: late_due() looks again. */
static void
arm(struct stream *st, struct conn_late *l, uint64_t ns)
{
	struct timeval tv = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_usec = (suseconds_t)(ns % 1000000000 / 1000 + 1),
	};

	l->due_ns = st->worker->now_ns + ns;
	event_add(&l->timer, &tv);
}

/* What matters of a batch: what was read, what is still to be sent. */
static struct shm_batch *
copy_batch(const struct shm_batch *b)
{
	unsigned in_len =
	    atomic_load_explicit(&b->in_len, memory_order_relaxed);
	struct shm_batch *copy =
	    aligned_alloc(_Alignof(struct shm_batch), sizeof(*copy));
	unsigned out;

	if (copy == NULL)
		return NULL;
	memcpy(copy, b, offsetof(struct shm_batch, in));
	memcpy(copy->in, b->in, in_len <= BATCH_IN ? in_len : BATCH_IN);
	/* what prog says may have been scribbled on since */
	out = batch_prog_get(copy).out;
	if (out > BATCH_OUT) {
		free(copy);
		return NULL;
	}
	memcpy(copy->out, b->out, out);
	return copy;
}

/* Has the connection hold the batch, or a copy of it. NULL if there is no room
 * for that. */
static struct shm_batch *
hold(struct stream *st, struct conn *c, struct shm_batch *b)
{
	bool held = c->held != NULL;
	/* b is the last of the free ones, or not among them any more */
	unsigned spare = held ? st->nbatches : st->nbatches - 1;
	struct shm_batch *copy;

	if (c->late->copy)
		return b;
	/* there may be one for everybody */
	if (spare >= LATE_SPARE ||
	    st->worker->shm->nbatches >= st->conns.nconns) {
		if (!held)
			st->nbatches--;
		return c->held = b;
	}
	copy = st->copies && batch_saves(b) == 0 && st->ncopies < LATE_COPIES
	    ? copy_batch(b)
	    : NULL;
	if (copy == NULL)
		return NULL;
	batch_move_out(b, &c->rec);
	if (held)
		st->batch[st->nbatches++] = b;
	st->ncopies++;
	c->late->copy = true;
	return c->held = copy;
}

struct shm_batch *
late_begin(struct stream *st, struct conn *c, struct shm_batch *b,
    event_callback_fn over)
{
	const struct late *late = &st->link.faults.late;
	struct shm_batch *held;

	if (c->late == NULL) {
		c->late = calloc(1, sizeof(*c->late));
		if (c->late == NULL)
			return b;
		event_assign(&c->late->timer, st->worker->base, -1, 0, over, c);
	}
	c->late->gate = UINT_MAX;
	if (c->held == NULL)
		conns_not_slow(&st->conns, c);
	held = hold(st, c, b);
	if (held == NULL) {
		if (c->held == NULL) {
			free(c->late);
			c->late = NULL;
		}
		return b;
	}
	c->late->due = false;
	c->late->split_ms = late->split_ms;
	c->late->part = late->at + late->first;
	c->late->gate = late->delay_ms != 0 ? late->at : c->late->part;
	arm(st, c->late,
	    (late->delay_ms != 0 ? late->delay_ms : late->split_ms) * MS);
	return held;
}

bool
late_due(struct stream *st, struct conn *c)
{
	struct conn_late *l = c->late;
	uint64_t now = st->worker->now_ns;

	if (now < l->due_ns) {
		arm(st, l, l->due_ns - now);
		return false;
	}
	l->due = true;
	return true;
}

bool
late_next(struct stream *st, struct conn *c)
{
	struct conn_late *l = c->late;

	if (!l->due)
		return false;
	l->due = false;
	if (l->split_ms != 0 && l->gate < l->part) {
		l->gate = l->part;
		arm(st, l, l->split_ms * MS);
	} else {
		l->gate = UINT_MAX;
	}
	return true;
}

void
late_hurry(struct conn *c)
{
	if (c->late == NULL)
		return;
	event_del(&c->late->timer);
	/* what is being offered to a transport stays as it is until it is
	 * taken; the rest follows it at once */
	c->late->due = true;
	c->late->split_ms = 0;
}

struct shm_batch *
late_end(struct stream *st, struct conn *c)
{
	struct shm_batch *b = c->held;

	if (c->late == NULL)
		return b;
	event_del(&c->late->timer);
	if (c->late->copy) {
		free(b);
		st->ncopies--;
		b = NULL;
	}
	free(c->late);
	c->late = NULL;
	return b;
}
