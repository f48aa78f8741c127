/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of its own for a test. Runs in tests, and in children that they fork.
 */
#include "tests/lib/store_fixture.h"

pid_t fix_suite;

void
fix_names(struct fixture *f)
{
	snprintf(f->name, sizeof(f->name), "check%d", (int)fix_suite);
	snprintf(f->lock_path, sizeof(f->lock_path), "/tmp/%s.lock", f->name);
}

struct seg_range
fix_range(enum store_table table, uint32_t addr, uint32_t count)
{
	return (struct seg_range) {
		.range = {
			.table = (uint8_t)table,
			.addr = addr,
			.count = count,
			.scale = 1,
		},
	};
}

void
fix_open(
    struct fixture *f, const struct seg_range *ranges, size_t n, bool shared)
{
	memset(f, 0, sizeof(*f));
	fix_names(f);
	seg_unlink_store(f->name);
	ck_assert_int_eq(seg_create_control(&f->control, f->name, FIX_SLOTS, 2,
			     1, FIX_AUTHORS),
	    0);
	ck_assert_int_eq(
	    seg_create_device(&f->device, f->name, "plc", 0, ranges, n, shared),
	    0);
	f->env.control = seg_control(&f->control);
	f->env.lock_fd = slot_lock_open(f->lock_path);
	ck_assert_int_ge(f->env.lock_fd, 0);
	f->env.me = slot_next_id(f->env.control, 1);
	ck_assert_int_eq(slot_lock_take(f->env.lock_fd, 1), 0);
	ck_assert_int_eq(
	    store_open(&f->store, f->device.at, f->device.size, true, &f->env),
	    0);
}

void
fix_become(struct fixture *f, unsigned slot)
{
	f->env.lock_fd = slot_lock_open(f->lock_path);
	f->env.me = slot_next_id(f->env.control, slot);
	if (slot_lock_take(f->env.lock_fd, slot) != 0)
		_exit(99);
}

void
fix_close(struct fixture *f)
{
	seg_unlink_store(f->name);
	unlink(f->lock_path);
	seg_unmap(&f->device);
	seg_unmap(&f->control);
	close(f->env.lock_fd);
}

struct store_who
fix_who(struct fixture *f)
{
	return (struct store_who){
		.author = SLOT_OF(f->env.me),
		.op = ++f->op,
		.budget_ns = 1000000000,
	};
}

enum store_rc
fix_write(struct fixture *f, enum store_table t, uint32_t addr, uint32_t count,
    const void *in)
{
	struct store_who who = fix_who(f);
	struct store_step step = {
		.op = STORE_WRITE,
		.table = t,
		.addr = addr,
		.count = count,
		.in = in,
	};

	return store_apply(&f->store, &who, &step, 1, NULL);
}
