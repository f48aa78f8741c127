/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TORTURE_WORLD_H
#define TESTS_TORTURE_WORLD_H

/*
 * What the kill harnesses share: a store with one small device, the requests
 * that a victim carries out on it, an oracle that says what each of them does,
 * and what must hold once the victim is dead.
 *
 * The oracle is a plain array of registers and bits; it knows nothing of the
 * store. What a reader sees is always seen through a read-only mapping.
 */

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "shm/store_reap.h"
#include "tests/lib/torture_trace.h"

enum { /* slots, and authors of the same numbers */
	SUPER, /* the harness; it owns its byte as any other does */
	FORMER, /* generation 0 of it stands for recoverers that died */
	VICTIM,
	PEER, /* lives, and wants the device, too */
	REAPER, /* a supervisor that dies in its turn */
	LATE, /* writes when all is over */
	WARM, /* wrote before */
	SLOTS
};

enum {
	LOW_N = 40, /* holding registers 0.. */
	HIGH_AT = 100, /* and HIGH_AT.. */
	HIGH_N = 24,
	COILS = 128,
	PEER_AT = HIGH_AT + 16, /* the peer writes only here */
	PEER_N = 4,
	OP_BEFORE = 6, /* the victim's last operation, and the one killed */
	OP = 7,
	NS_PER_MS = 1000000,
	WRITER_MS = 50, /* longest that a writer may have to wait */
};

/* All that a reader can see of the device. */
struct picture {
	uint8_t hr[(LOW_N + HIGH_N) * 2];
	uint8_t co[COILS / 8];
	uint64_t seq;
};

/* What a victim tells before it dies, in memory that outlives it. */
struct board {
	_Atomic int started; /* the peer is about to ask for the device */
	_Atomic int acked; /* the victim's reply has been sent */
	_Atomic int peer_acked;
	_Atomic int64_t finished_ns; /* when the peer was through */
	uint8_t out[64]; /* READ steps */
	uint8_t read[LOW_N * 2]; /* what a stepped reader saw */
	uint64_t read_seq;
};

struct world {
	char name[32], lock_path[256];
	struct seg control, device, view;
	struct slot_env env;
	struct store store; /* as env.me */
	struct store reader;
	struct board *board;
	uint8_t *base_control, *base_device;
	struct picture before;
	uint64_t victim; /* identity */
	uint64_t events_at;
};

/* A request. wraps: it is made when the event ring is about to wrap. */
struct request {
	const char *name;
	struct store_step step[4];
	unsigned n;
	bool wraps;
};

static const uint8_t fresh[80] = { 0x20, 0x01, 0x20, 0x02, 0x20, 0x03, 0x20,
	0x04, 0x20, 0x05, 0x20, 0x06, 0x20, 0x07, 0x20, 0x08, 0x20, 0x09, 0x20,
	0x0a, 0x20, 0x0b, 0x20, 0x0c, 0x20, 0x0d, 0x20, 0x0e, 0x20, 0x0f, 0x20,
	0x10, 0x20, 0x11, 0x20, 0x12, 0x20, 0x13, 0x20, 0x14, 0x20, 0x15, 0x20,
	0x16, 0x20, 0x17, 0x20, 0x18, 0x20, 0x19, 0x20, 0x1a, 0x20, 0x1b, 0x20,
	0x1c, 0x20, 0x1d, 0x20, 0x1e, 0x20, 0x1f, 0x20, 0x20 };
/* what world_open() puts there */
static const uint8_t stale[4] = { 0x10, 0x01, 0x10, 0x02 };
static const uint8_t late_word[2] = { 0x5a, 0xa5 };

#define STEP(o, t, a, c) \
	.op = STORE_##o, .table = STORE_##t, .addr = a, .count = c
static const struct request requests[] = {
	{ "regs", .n = 1, .step = { { STEP(WRITE, HR, 3, 32), .in = fresh } } },
	{ "mask", .n = 1,
	    .step = { { STEP(MASK, HR, 5, 1), .and_mask = 0xf00f,
		.or_mask = 0x0ab0 } } },
	{ "rdwr", .n = 2,
	    .step = { { STEP(WRITE, HR, HIGH_AT, 9), .in = fresh },
		{ STEP(READ, HR, HIGH_AT + 1, 12) } } },
	{ "coils", .n = 1,
	    .step = { { STEP(WRITE, CO, 3, 75), .in = fresh } } },
	{ "transaction", .n = 4,
	    .step = { { STEP(CHECK, HR, 1, 2), .in = stale },
		{ STEP(WRITE, HR, 1, 6), .in = fresh },
		{ STEP(WRITE, CO, 60, 9), .in = fresh },
		{ STEP(READ, HR, 2, 2) } } },
	{ "overlap", .n = 3,
	    .step = { { STEP(WRITE, HR, 2, 9), .in = fresh },
		{ STEP(WRITE, HR, 7, 9), .in = fresh + 2 },
		{ STEP(WRITE, HR, 8, 4), .in = fresh + 6 } } },
	{ "refused", .n = 2,
	    .step = { { STEP(CHECK, HR, 0, 2), .in = stale },
		{ STEP(WRITE, HR, 1, 6), .in = fresh } } },
	{ "same", .n = 1, .step = { { STEP(WRITE, HR, 1, 2), .in = stale } } },
	{ "wrap", .n = 1, .wraps = true,
	    .step = { { STEP(WRITE, HR, 0, 18), .in = fresh } } },
};
#undef STEP
enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

static inline const struct request *
request_find(const char *name)
{
	for (int i = 0; i < REQUESTS; i++)
		if (strcmp(requests[i].name, name) == 0)
			return &requests[i];
	return NULL;
}

/* True if a list, parted by spaces or commas, holds a name. */
static inline bool
name_in(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *at = list;

	while ((at = strstr(at, name))) {
		if ((at == list || at[-1] == ' ' || at[-1] == ',') &&
		    (at[len] == '\0' || at[len] == ' ' || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

/* ---- the oracle ---- */

static inline uint8_t *
oracle_reg(struct picture *p, uint32_t addr)
{
	uint32_t i = addr < LOW_N ? addr : addr - HIGH_AT + LOW_N;

	return p->hr + i * 2;
}

static inline bool
oracle_bit(const uint8_t *bits, uint32_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static inline void
oracle_set_bit(uint8_t *bits, uint32_t i, bool on)
{
	bits[i / 8] =
	    (uint8_t)((bits[i / 8] & ~(1u << i % 8)) | (unsigned)on << i % 8);
}

/* Copies a range of a picture out into wire form, or in from it. */
static inline void
oracle_move(struct picture *p, enum store_table table, uint32_t addr,
    uint32_t count, uint8_t *out, const uint8_t *in)
{
	if (out)
		memset(out, 0, store_bytes(table, count));
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *r = oracle_reg(p, addr + i);

		if (table == STORE_CO && in)
			oracle_set_bit(p->co, addr + i, oracle_bit(in, i));
		else if (table == STORE_CO)
			oracle_set_bit(out, i, oracle_bit(p->co, addr + i));
		else if (in)
			memcpy(r, in + i * 2, 2);
		else
			memcpy(out + i * 2, r, 2);
	}
}

static inline enum store_rc
oracle_apply(
    struct picture *p, const struct store_step *step, unsigned n, uint8_t *read)
{
	uint8_t has[256];

	for (unsigned i = 0; i < n; i++) {
		const struct store_step *s = &step[i];

		if (s->op != STORE_CHECK)
			continue;
		oracle_move(p, s->table, s->addr, s->count, has, NULL);
		if (memcmp(has, s->in, store_bytes(s->table, s->count)) != 0)
			return STORE_MISMATCH;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct store_step *s = &step[i];
		uint8_t *r = oracle_reg(p, s->addr);
		unsigned v = (unsigned)r[0] << 8 | r[1];

		if (s->op == STORE_READ) {
			oracle_move(p, s->table, s->addr, s->count, read, NULL);
		} else if (s->op == STORE_WRITE) {
			oracle_move(
			    p, s->table, s->addr, s->count, NULL, s->in);
		} else if (s->op == STORE_MASK) {
			v = (v & s->and_mask) | (s->or_mask & ~s->and_mask);
			r[0] = (uint8_t)(v >> 8);
			r[1] = (uint8_t)v;
		}
	}
	p->seq++;
	return STORE_OK;
}

/* ---- the world ---- */

static inline bool
picture_take(const struct store *s, struct picture *p)
{
	uint64_t high = 0, coils = 0;

	memset(p, 0, sizeof(*p));
	return store_read(s, STORE_HR, 0, LOW_N, p->hr, &p->seq) == STORE_OK &&
	    store_read(s, STORE_HR, HIGH_AT, HIGH_N, p->hr + LOW_N * 2,
		&high) == STORE_OK &&
	    store_read(s, STORE_CO, 0, COILS, p->co, &coils) == STORE_OK &&
	    high == p->seq && coils == p->seq;
}

/* The same values; the number is another matter, since undoing a write that
 * was not committed uses up one, too. */
static inline bool
picture_same(const struct picture *a, const struct picture *b)
{
	return memcmp(a, b, offsetof(struct picture, seq)) == 0;
}

/* Becomes the occupant of a slot: the byte first, as every process does. */
static inline void
world_join(struct world *w, unsigned slot)
{
	w->env.lock_fd = slot_lock_open(w->lock_path);
	if (w->env.lock_fd < 0 || slot_lock_take(w->env.lock_fd, slot) != 0)
		_exit(98);
	w->env.me = slot_next_id(w->env.control, slot);
}

static inline enum store_rc
world_write(struct world *w, unsigned author, uint64_t op,
    const struct store_step *step, unsigned n, long budget_ms)
{
	const struct store_who who = { .author = author,
		.op = op,
		.budget_ns = (uint64_t)budget_ms * NS_PER_MS };

	return store_apply(&w->store, &who, step, n, NULL);
}

/* Carries out a request as the victim; READ steps go to the board. */
static inline enum store_rc
world_request(
    struct world *w, const struct request *r, uint64_t op, long budget_ms)
{
	struct store_step step[4];

	memcpy(step, r->step, sizeof(step));
	for (unsigned i = 0; i < r->n; i++)
		step[i].out = w->board->out;
	return world_write(w, VICTIM, op, step, r->n, budget_ms);
}

static inline enum store_rc
world_peer_write(struct world *w, long budget_ms)
{
	const struct store_step s = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = PEER_AT,
		.count = PEER_N,
		.in = fresh };

	return world_write(w, PEER, 1, &s, 1, budget_ms);
}

static inline void
oracle_peer_write(struct picture *p)
{
	memcpy(oracle_reg(p, PEER_AT), fresh, PEER_N * 2);
	p->seq++;
}

static inline void
world_map(struct world *w, const char *tag)
{
	struct seg_range range[3] = {
		{ .range = { .addr = 0, .count = LOW_N, .table = STORE_HR } },
		{ .range = { .addr = HIGH_AT,
		      .count = HIGH_N,
		      .table = STORE_HR } },
		{ .range = { .addr = 0, .count = COILS, .table = STORE_CO } },
	};

	snprintf(w->name, sizeof(w->name), "torture-%s-%d", tag, getpid());
	trace_scratch(w->lock_path, sizeof(w->lock_path), w->name);
	if (seg_create_control(&w->control, w->name, SLOTS, 1, 1, SLOTS) ||
	    seg_create_device(&w->device, w->name, "d", 0, range, 3, false) ||
	    seg_attach(&w->view, w->device.object, SHM_DEVICE, false))
		trace_broken("making the segments");
	seg_unlink_store(w->name); /* everybody inherits the mappings */
	w->board = mmap(NULL, sizeof(*w->board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w->base_control = malloc(w->control.size);
	w->base_device = malloc(w->device.size);
	if (w->board == MAP_FAILED || !w->base_control || !w->base_device)
		trace_broken("memory");
	w->env.control = seg_control(&w->control);
	world_join(w, SUPER);
	if (store_open(
		&w->store, w->device.at, w->device.size, true, &w->env) ||
	    store_open(&w->reader, w->view.at, w->view.size, false, NULL))
		trace_broken("opening the store");
}

/* Brings the device into the state in which the request is made. */
static inline void
world_prepare(struct world *w, const struct request *r)
{
	uint8_t init[LOW_N * 2], bits[COILS / 8];
	uint32_t room = w->store.dev->events_size;
	struct store_step s[2] = {
		{ .op = STORE_WRITE,
		    .table = STORE_HR,
		    .count = LOW_N,
		    .in = init },
		{ .op = STORE_WRITE,
		    .table = STORE_CO,
		    .count = COILS,
		    .in = bits },
	};
	uint64_t op = 0, at;

	for (int i = 0; i < LOW_N; i++) {
		init[i * 2] = 0x10;
		init[i * 2 + 1] = (uint8_t)i;
	}
	memset(bits, 0x35, sizeof(bits));
	do {
		init[LOW_N * 2 - 1] = (uint8_t)op;
		if (world_write(w, WARM, ++op, s, 2, WRITER_MS) != STORE_OK)
			trace_broken("preparing the device");
		at = store_changes_end(&w->store) % room;
		s[0].count = op > 2 ? 1 : LOW_N; /* smaller steps from now */
		s[0].addr = op > 2 ? LOW_N - 1 : 0;
		s[0].in = op > 2 ? init + LOW_N * 2 - 2 : init;
	} while (r->wraps && room - at > 96);
	/* something that the victim has done before */
	s[0] = (struct store_step){ .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = LOW_N - 1,
		.count = 1,
		.in = late_word };
	if (world_write(w, VICTIM, OP_BEFORE, s, 1, WRITER_MS) != STORE_OK)
		trace_broken("preparing the victim");
	if (r->wraps && room - store_changes_end(&w->store) % room > 96)
		trace_broken("the ring would not wrap");
	w->victim = slot_next_id(w->env.control, VICTIM);
	w->events_at = store_changes_end(&w->store);
	if (!picture_take(&w->reader, &w->before))
		trace_broken("first picture");
	memcpy(w->base_control, w->control.at, w->control.size);
	memcpy(w->base_device, w->device.at, w->device.size);
}

static inline void
world_reset(struct world *w)
{
	memcpy(w->control.at, w->base_control, w->control.size);
	memcpy(w->device.at, w->base_device, w->device.size);
	memset(w->board, 0, sizeof(*w->board));
}

static inline void
world_unmake(struct world *w)
{
	close(w->env.lock_fd);
	unlink(w->lock_path);
	seg_unmap(&w->control);
	seg_unmap(&w->device);
	seg_unmap(&w->view);
	munmap(w->board, sizeof(*w->board));
	free(w->base_control);
	free(w->base_device);
}

/* ---- findings ---- */

struct point { /* of what a kill harness looks at, so as to replay it */
	const char *program, *mode, *request;
	const char *chain; /* else: */
	long at;
};

struct findings {
	long points, bad_points;
	bool bad; /* the point in hand */
	const char *what[24];
	long times[24];
};

static inline void
finding(struct findings *f, const struct point *p, const char *what)
{
	enum { MAX = 24, SHOWN = 3 };
	int i = 0;

	while (i < MAX - 1 && f->what[i] && strcmp(f->what[i], what) != 0)
		i++;
	f->what[i] = what;
	if (f->times[i]++ < SHOWN) {
		printf("FAIL %s\n     replay: %s --request %s ", what,
		    p->program, p->request);
		if (p->chain)
			printf("--chain %s\n", p->chain);
		else
			printf("--mode %s --at %ld\n", p->mode, p->at);
		fflush(stdout);
	}
	f->bad = true;
}

static inline void
findings_next(struct findings *f)
{
	f->points++;
	f->bad_points += f->bad;
	f->bad = false;
}

static inline void
findings_sum(const struct findings *f)
{
	for (int i = 0; i < 24 && f->what[i]; i++)
		printf("%6ld x %s\n", f->times[i], f->what[i]);
	printf("%ld passed, %ld failed\n", f->points - f->bad_points,
	    f->bad_points);
}

/* ---- what must hold ---- */

/* Follows the changes since the request from a picture: each must tell what
 * was there before its commit and be different. False if one is not right. */
static inline bool
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

/* Every change that a reader can see belongs to what it can read, and the
 * other way round. */
static inline bool
changes_match(struct world *w, const struct picture *seen)
{
	struct picture p = w->before;

	return changes_follow(w, &p, seen->seq) && picture_same(&p, seen);
}

/* At rest: free, available, and the same on both sides. */
static inline const char *
rest_check(struct world *w)
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

/* What the picture must be, the victim's request having been committed or
 * not; and the peer's, if it was let. */
static inline void
world_expect(struct world *w, const struct request *r, bool committed,
    bool peer, struct picture *p)
{
	uint8_t read[256];

	*p = w->before;
	if (committed)
		oracle_apply(p, r->step, r->n, read);
	if (peer)
		oracle_peer_write(p);
}

static inline uint64_t
world_done(struct world *w)
{
	return *seg_done(w->env.control, VICTIM);
}

/* Somebody else writes all over what the victim may have written. */
static inline const char *
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
static inline const char *
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
	if (!picture_take(&w->reader, &seen) || !picture_same(&seen, p))
		return "the replay left other values";
	if (r->step[r->n - 1].op == STORE_READ && got == STORE_OK &&
	    memcmp(w->board->out, read,
		store_bytes(STORE_HR, r->step[r->n - 1].count)) != 0)
		return "the replay read other values";
	return changes_match(w, &seen) ? NULL : "changes after the replay";
}

static inline void
world_reap(struct world *w, uint64_t id)
{
	slot_declare_dead(w->env.control, id);
	store_reap(&w->store, id);
}

/* After recovery: `was` is what readers saw before it, NULL if nobody looked;
 * peer: its write has been carried out, too. */
static inline const char *
recovered_check(struct world *w, const struct request *r,
    const struct picture *was, bool peer)
{
	bool committed = world_done(w) == OP;
	struct picture seen, want;
	const char *what;

	world_expect(w, r, committed, peer, &want);
	if (!picture_take(&w->reader, &seen))
		return "a reader is held up after recovery";
	if (was && !picture_same(&seen, was))
		return "recovery changed what readers had seen";
	if (!picture_same(&seen, &want) ||
	    (!committed && world_done(w) != OP_BEFORE))
		return "done or not is told wrongly, or values are torn";
	if (w->board->acked && !committed)
		return "an acknowledged write is lost";
	if (!changes_match(w, &seen))
		return "changes do not match what is committed";
	if ((what = rest_check(w)) || (what = late_write(w, &want)) ||
	    (what = replay(w, r, committed, &want)))
		return what;
	return rest_check(w);
}

#endif
