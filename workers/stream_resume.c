/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stream begins with what a dead predecessor has left (resume.h), and
 * what it does so that its own successor can. Runs in the workers that have
 * connections.
 */
#include <string.h>

#include "workers/conns_wait.h"
#include "workers/hooks/hooks.h"
#include "workers/resume.h"
#include "workers/save.h"
#include "workers/stream_wait.h"

/*
 * Shows hooks what has come; how many bytes there are then. By how many there
 * are more or fewer than the kernel has given out is noted: a successor counts
 * in the kernel's bytes. What came is kept until in_len is set: a successor
 * whose predecessor died before that puts it back and shows it again.
 */
static size_t
show(struct stream *st, struct conn *c, struct shm_batch *b, size_t n)
{
	struct shm_came *came = &st->worker->shm->came;
	uint64_t own = atomic_load_explicit(&b->own, memory_order_relaxed);
	uint8_t *in = b->in + b->pre;
	size_t kept;

	if (c->resumed &&
	    atomic_load_explicit(&came->own, memory_order_relaxed) == own)
		memcpy(in, came->in, n);
	else
		memcpy(came->in, in, n);
	atomic_store_explicit(&came->own, own, memory_order_release);
	conns_hand(&st->conns, c);
	kept = hooks_packet(st->worker, c->rec.shm, NULL, false, in, n,
	    st->link.in_max - b->pre);
	conns_hand(&st->conns, NULL);
	b->grown = (int32_t)kept - (int32_t)n;
	atomic_signal_fence(memory_order_release);
	return kept;
}

void
stream_got(struct stream *st, struct conn *c, struct shm_batch *b, size_t n)
{
	size_t kept = n;

	if ((st->worker->traced & HOOK_PACKET) != 0)
		kept = show(st, c, b, n);
	atomic_store_explicit(
	    &b->in_len, b->pre + (uint32_t)kept, memory_order_relaxed);
}

void
stream_take_over(
    struct stream *st, struct conn *c, struct shm_batch *b, unsigned sent)
{
	c->owner = st;
	c->ready = true;
	c->held = b;
	c->sent = sent;
	c->resumed = c->begun = b != NULL;
	event_assign(&c->ev, st->worker->base, c->fd, EV_READ | EV_PERSIST,
	    stream_readable, c);
	if (b != NULL) /* nothing is read before that has gone */
		event_active(&st->resume, EV_TIMEOUT, 0);
	else
		event_add(&c->ev, NULL);
	if (b == NULL && batch_half(c->rec.shm)->left != 0)
		conns_slow(&st->conns, c);
	stream_sweep_arm(st);
}

/* Goes on with the batches that a dead worker has begun. */
static void
resume(evutil_socket_t fd, short what, void *arg)
{
	struct stream *st = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < st->conns.fresh; i++) {
		struct conn *c = &st->conns.pool[i];

		if (c->fd == -1 || !c->resumed || c->since_ns != 0)
			continue;
		worker_tick(st->worker);
		stream_go_on(st, c);
	}
}

int
stream_inherit(struct stream *st)
{
	struct worker *w = st->worker;
	struct conns *cs = &st->conns;
	struct shm_batch *b;

	event_assign(&st->resume, w->base, -1, 0, resume, st);
	save_inherit(w);
	if ((w->proc->kept && st->ops->resumes
		    ? resume_connections(st)
		    : resume_wipe(cs, &st->link, st->door.listen_fd)) == -1)
		return -1;
	conns_hand(cs, NULL);
	for (unsigned i = 0; i < w->shm->nbatches; i++) {
		b = seg_batch(w->shm, i);
		if (!batch_in_force(w->shm, b))
			st->batch[st->nbatches++] = b;
	}
	return 0;
}
