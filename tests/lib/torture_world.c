/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of the kill harnesses: made, brought into the state in which a
 * request is made, put back into it, used, and removed. Runs in tests.
 */
#include "tests/lib/torture_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/store_reap.h"
#include "tests/lib/torture_trace.h"

static const uint8_t late_word[2] = { 0x5a, 0xa5 };

bool
world_picture(const struct store *s, struct picture *p)
{
	uint64_t high = 0, coils = 0;

	memset(p, 0, sizeof(*p));
	return store_read(s, STORE_HR, 0, LOW_N, p->hr, &p->seq) == STORE_OK &&
	    store_read(s, STORE_HR, HIGH_AT, HIGH_N, p->hr + LOW_N * 2,
		&high) == STORE_OK &&
	    store_read(s, STORE_CO, 0, COILS, p->co, &coils) == STORE_OK &&
	    high == p->seq && coils == p->seq;
}

void
world_join(struct world *w, unsigned slot)
{
	w->env.lock_fd = slot_lock_open(w->lock_path);
	if (w->env.lock_fd < 0 || slot_lock_take(w->env.lock_fd, slot) != 0)
		_exit(98);
	w->env.me = slot_next_id(w->env.control, slot);
}

enum store_rc
world_write(struct world *w, unsigned author, uint64_t op,
    const struct store_step *step, unsigned n, long budget_ms)
{
	const struct store_who who = { .author = author,
		.op = op,
		.budget_ns = (uint64_t)budget_ms * NS_PER_MS };

	return store_apply(&w->store, &who, step, n, NULL);
}

enum store_rc
world_request(
    struct world *w, const struct request *r, uint64_t op, long budget_ms)
{
	struct store_step step[4];

	memcpy(step, r->step, sizeof(step));
	for (unsigned i = 0; i < r->n; i++)
		step[i].out = w->board->out;
	return world_write(w, VICTIM, op, step, r->n, budget_ms);
}

enum store_rc
world_peer_write(struct world *w, long budget_ms)
{
	const struct store_step s = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = PEER_AT,
		.count = PEER_N,
		.in = oracle_fresh };

	return world_write(w, PEER, 1, &s, 1, budget_ms);
}

void
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

void
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
	if (!world_picture(&w->reader, &w->before))
		trace_broken("first picture");
	memcpy(w->base_control, w->control.at, w->control.size);
	memcpy(w->base_device, w->device.at, w->device.size);
}

void
world_reset(struct world *w)
{
	memcpy(w->control.at, w->base_control, w->control.size);
	memcpy(w->device.at, w->base_device, w->device.size);
	memset(w->board, 0, sizeof(*w->board));
}

void
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

void
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

uint64_t
world_done(struct world *w)
{
	return *seg_done(w->env.control, VICTIM);
}

void
world_reap(struct world *w, uint64_t id)
{
	slot_declare_dead(w->env.control, id);
	store_reap(&w->store, id);
}
