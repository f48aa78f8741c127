/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold in the world of the kill harnesses once a victim is dead.
 * Runs in tests.
 */
#include "tests/lib/torture_holds.h"

#include <semaphore.h>
#include <string.h>

#include "tests/lib/torture_trace.h"

/* Follows the changes since the request from a picture: each must tell what
 * was there before its commit and be different. False if one is not right. */
static bool
changes_follow(struct world *w, struct picture *p, uint64_t newest)
{
	static uint8_t buf[STORE_CHANGE_BYTES];
	struct picture before = *p;
	uint8_t has[256];
	struct store_change c;
	uint64_t pos = w->events_at, last = 0;
	size_t bytes;
	int rc;

	while ((rc = store_next_change(&w->reader, &pos, &c, buf)) == 1) {
		bytes = store_bytes(c.table, c.count);
		if (c.seq <= w->before.seq || c.seq < last || c.seq > newest ||
		    bytes > sizeof(has))
			return false;
		if (c.seq != last)
			before = *p;
		oracle_move(&before, c.table, c.addr, c.count, has, NULL);
		if (memcmp(has, c.was, bytes) != 0 ||
		    memcmp(c.is, c.was, bytes) == 0)
			return false;
		oracle_move(p, c.table, c.addr, c.count, NULL, c.is);
		last = c.seq;
	}
	return rc == 0;
}

bool
holds_changes(struct world *w, const struct picture *seen)
{
	struct picture p = w->before;

	return changes_follow(w, &p, seen->seq) && oracle_same(&p, seen);
}

const char *
holds_rest(struct world *w)
{
	const struct shm_device *d = w->store.dev;
	const struct shm_side *a = &d->side[0], *b = &d->side[1];
	int tokens = 0;

	sem_getvalue(w->store.gate, &tokens);
	if (d->owner != 0)
		return "the device is not free";
	if (tokens < 1)
		return "the gate holds no token";
	if (d->seq % 2 != 0)
		return "the sequence is odd at rest";
	if (a->tag != b->tag || a->events != b->events || a->who != b->who)
		return "the sides differ in tag, events or writer";
	for (uint32_t i = 0; i < d->words; i++)
		if (w->store.data[0][i] != w->store.data[1][i])
			return "the sides differ in data";
	return NULL;
}

/* Somebody else writes all over what the victim may have written. */
static const char *
late_write(struct world *w, struct picture *p)
{
	uint8_t regs[LOW_N * 2], bits[COILS / 8], read[1];
	const struct store_step s[2] = {
		{ .op = STORE_WRITE,
		    .table = STORE_HR,
		    .count = LOW_N,
		    .in = regs },
		{ .op = STORE_WRITE,
		    .table = STORE_CO,
		    .count = COILS,
		    .in = bits },
	};
	int64_t began = trace_now_ns();

	memset(regs, 0x5a, sizeof(regs));
	memset(bits, 0xc6, sizeof(bits));
	if (world_write(w, LATE, 1, s, 2, WRITER_MS) != STORE_OK)
		return "the device cannot be had after recovery";
	if (trace_now_ns() - began > 2 * WRITER_MS * (int64_t)NS_PER_MS)
		return "the device could only be had late";
	oracle_apply(p, s, 2, read);
	return NULL;
}

/* The victim's successor carries the same request out again: it must be
 * refused as a replay exactly if the victim had committed it. */
static const char *
replay(
    struct world *w, const struct request *r, bool committed, struct picture *p)
{
	uint8_t read[256];
	struct picture seen;
	enum store_rc want = STORE_REPLAYED, got;
	uint64_t me = w->env.me;

	w->env.me = slot_next_id(w->env.control, VICTIM);
	got = world_request(w, r, OP, WRITER_MS);
	w->env.me = me;
	if (!committed)
		want = oracle_apply(p, r->step, r->n, read);
	if (got != want)
		return "executed twice, or not at all";
	if (!world_picture(&w->reader, &seen) || !oracle_same(&seen, p))
		return "the replay left other values";
	if (r->step[r->n - 1].op == STORE_READ && got == STORE_OK &&
	    memcmp(w->board->out, read,
		store_bytes(STORE_HR, r->step[r->n - 1].count)) != 0)
		return "the replay read other values";
	return holds_changes(w, &seen) ? NULL : "changes after the replay";
}

const char *
holds_recovered(struct world *w, const struct request *r,
    const struct picture *was, bool peer)
{
	bool committed = world_done(w) == OP;
	struct picture seen, want;
	const char *what;

	world_expect(w, r, committed, peer, &want);
	if (!world_picture(&w->reader, &seen))
		return "a reader is held up after recovery";
	if (was && !oracle_same(&seen, was))
		return "recovery changed what readers had seen";
	if (!oracle_same(&seen, &want) ||
	    (!committed && world_done(w) != OP_BEFORE))
		return "done or not is told wrongly, or values are torn";
	if (w->board->acked && !committed)
		return "an acknowledged write is lost";
	if (!holds_changes(w, &seen))
		return "changes do not match what is committed";
	if ((what = holds_rest(w)) || (what = late_write(w, &want)) ||
	    (what = replay(w, r, committed, &want)))
		return what;
	return holds_rest(w);
}
