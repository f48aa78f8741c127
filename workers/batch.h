/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_BATCH_H
#define WORKERS_BATCH_H

/*
 * The life of a batch record (layout_worker.h), in the one order of stores
 * that lets a successor take over after a kill at any instruction:
 *
 *	begin	while not in force: left-over, bases, prog 0; then own
 *	read	bytes into in[]; hooks may change them: grown; then in_len
 *	step	reply into out[]; commit; then prog      (link.c, per request)
 *	save	where the reply stands, and its request; nsaves; then prog of
 *		that step. Later nsaves 0, and then what is in out[] is sent
 *	unsaved	what is to be sent instead into unsaved.out; its own; then
 *		out[]; prog; nsaves 0; own 0
 *	flip	out[] full and all sent: the other base; then prog, out_len 0
 *	end	all sent: the connection's other half; then seq + 1, which
 *		advances the counts and puts the record out of force at once
 *	void	nothing was read: own 0
 *	move	what is in it goes on elsewhere: the connection's half in force
 *		says apart; then own 0. Its next half says so no more
 *
 * Every "then" is a release store.
 */

#include <stdbool.h>

#include "shm/layout_worker.h"

enum { BATCH_OPS_MAX = 0xffff }; /* a field of prog */

/* What prog says. ops counts operation numbers given out: one for each
 * request, for a broadcast one for each device. */
struct batch_prog {
	unsigned done; /* bytes of in[] that have been served */
	unsigned out; /* bytes of out[] that are valid */
	unsigned ops;
	unsigned round;
};

static inline struct batch_prog
batch_prog_get(const struct shm_batch *b)
{
	uint64_t p = atomic_load_explicit(&b->prog, memory_order_relaxed);

	return (struct batch_prog){ .done = p & 0xffff,
		.out = p >> 16 & 0xffff,
		.ops = p >> 32 & 0xffff,
		.round = p >> 48 & 1 };
}

static inline void
batch_prog_set(struct shm_batch *b, const struct batch_prog *p)
{
	atomic_store_explicit(&b->prog,
	    (uint64_t)p->done | (uint64_t)p->out << 16 |
		(uint64_t)p->ops << 32 | (uint64_t)p->round << 48,
	    memory_order_release);
}

/* One connection's part of the segment. */
struct batch_conn {
	struct shm_conn *shm;
	struct shm_conn_cold *cold;
	unsigned index;
};

/* The half in force of a connection. */
static inline struct shm_conn_half *
batch_half(struct shm_conn *c)
{
	return &c->half[atomic_load_explicit(&c->seq, memory_order_relaxed) &
	    1];
}

/*
 * A connection's record begins: its operations are numbered from op + 1.
 * Leaves it CONN_USED.
 */
void batch_adopt(const struct batch_conn *, uint64_t op);

/* True if the record holds something of the connection that owns it. */
bool batch_in_force(struct shm_worker *, const struct shm_batch *);

/* Puts a record in force for a connection; it then owns what is read into
 * in + the result, which is the length of the left-over. */
unsigned batch_begin(struct shm_batch *, const struct batch_conn *);

/* Takes a record out of force into which nothing was read. */
void batch_void(struct shm_batch *);

/* Takes a record out of force whose content goes on in memory of the worker's
 * own. Until that has ended the connection is marked: a successor must not go
 * on with it. */
void batch_move_out(struct shm_batch *, const struct batch_conn *);

/*
 * Requests whose replies wait for the disk. How many there are; whether there
 * is room for one more; adds the one that begins at in and whose reply, len
 * bytes, stands at out. To be followed by batch_prog_set().
 */
static inline unsigned
batch_saves(const struct shm_batch *b)
{
	unsigned n = atomic_load_explicit(&b->nsaves, memory_order_relaxed);

	return n <= BATCH_SAVES ? n : BATCH_SAVES;
}

void batch_save(struct shm_batch *, unsigned in, unsigned out, unsigned len);

/* Forgets those that prog does not know of: their worker died before. */
void batch_saves_trim(struct shm_batch *);

/* All of them are on the disk. */
void batch_saved(struct shm_batch *);

/* What stands in u, for b, goes into out[] in place of what is there. */
void batch_unsaved(struct shm_batch *, struct shm_unsaved *u);

/* All of out[] has been sent: room for another round. */
void batch_flip(struct shm_batch *);

/* All is served and sent. Returns the bytes left over, which the caller has
 * made sure are no more than CONN_LEFT_MAX. */
unsigned batch_end(struct shm_batch *, const struct batch_conn *);

/* For what comes as datagrams, which have no batch record: one has been served,
 * rx bytes long, its reply tx; op is the last number that was given out. All
 * of it is in force at once. */
void batch_count(
    const struct batch_conn *, uint64_t rx, uint64_t tx, uint64_t op);

#endif
