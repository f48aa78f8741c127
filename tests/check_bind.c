/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of the data model on real devices: what is read, written, refused,
 * and how the answer is called on the wire.
 */
#include "workers/bind.h"

#include <pthread.h>
#include <time.h>

#include "tests/lib/worker_fixture.h"

static struct fx fx;
static struct bind *b;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
setup(void)
{
	fx_init(&fx);
	b = &fx.worker.bind;
	ck_assert_int_eq(bind_init(b, &fx.proc), 0);
	b->who.author = FX_AUTHOR;
	b->now_ns = now_ms() * 1000000;
}

static void
teardown(void)
{
	bind_fini(b);
	fx_fini(&fx);
}

static enum mb_ex
carry_out(unsigned unit, struct mb_step *s, unsigned n)
{
	struct mb_unit *u = &b->by_unit[unit]->unit;

	b->who.op++;
	return u->step(u->arg, s, n);
}

static struct mb_step
reading(enum mb_table table, uint32_t addr, unsigned count, uint8_t *out)
{
	return (struct mb_step){ .op = MB_READ,
		.table = table,
		.addr = addr,
		.count = (uint16_t)count,
		.out = out };
}

static struct mb_step
writing(enum mb_table table, uint32_t addr, unsigned count, const uint8_t *in)
{
	return (struct mb_step){ .op = MB_WRITE,
		.table = table,
		.addr = addr,
		.count = (uint16_t)count,
		.in = in };
}

static unsigned
reg(unsigned addr)
{
	uint8_t v[2];
	struct mb_step s = reading(MB_HR, addr, 1, v);

	ck_assert_int_eq(carry_out(1, &s, 1), MB_EX_NONE);
	return (unsigned)(v[0] << 8 | v[1]);
}

static const struct {
	enum mb_op op;
	enum mb_table table;
	uint32_t addr;
	unsigned count;
	enum mb_ex ex;
} steps[] = {
	{ MB_READ, MB_HR, 0, 125, MB_EX_NONE },
	{ MB_READ, MB_HR, 75, 125, MB_EX_NONE },
	{ MB_READ, MB_HR, 76, 125, MB_EX_ADDRESS },
	{ MB_READ, MB_HR, 65535, 1, MB_EX_ADDRESS },
	{ MB_READ, MB_HR, 65535, 125, MB_EX_ADDRESS },
	{ MB_READ, MB_HR, 300, 10, MB_EX_NONE },
	{ MB_READ, MB_HR, 300, 11, MB_EX_ADDRESS },
	{ MB_READ, MB_CO, 0, 64, MB_EX_NONE },
	{ MB_READ, MB_CO, 1, 64, MB_EX_ADDRESS },
	{ MB_READ, MB_DI, 0, 16, MB_EX_NONE },
	{ MB_READ, MB_IR, 0, 10, MB_EX_NONE },
	{ MB_READ, MB_IR, 9, 2, MB_EX_ADDRESS },
	{ MB_READ, MB_FILE, 1u << 16, 20, MB_EX_NONE },
	{ MB_READ, MB_FILE, 1u << 16, 21, MB_EX_ADDRESS },
	{ MB_READ, MB_FILE, 2u << 16, 1, MB_EX_ADDRESS },
	{ MB_READ, MB_FIFO, 2000, 0, MB_EX_NONE },
	{ MB_READ, MB_FIFO, 2001, 0, MB_EX_ADDRESS },
	{ MB_WRITE, MB_HR, 0, 100, MB_EX_NONE },
	{ MB_WRITE, MB_HR, 199, 1, MB_EX_NONE },
	{ MB_WRITE, MB_HR, 199, 2, MB_EX_ADDRESS },
	{ MB_WRITE, MB_HR, 300, 1, MB_EX_ADDRESS },
	{ MB_WRITE, MB_HR, 309, 1, MB_EX_ADDRESS },
	{ MB_WRITE, MB_CO, 63, 1, MB_EX_NONE },
	{ MB_WRITE, MB_CO, 63, 2, MB_EX_ADDRESS },
	{ MB_WRITE, MB_FILE, (1u << 16) + 19, 1, MB_EX_NONE },
	{ MB_MASK, MB_HR, 5, 1, MB_EX_NONE },
	{ MB_MASK, MB_HR, 200, 1, MB_EX_ADDRESS },
	{ MB_MASK, MB_HR, 300, 1, MB_EX_ADDRESS },
};

START_TEST(a_step_is_answered_by_what_the_device_has)
{
	static uint8_t bytes[256];
	struct mb_step s = { .op = steps[_i].op,
		.table = steps[_i].table,
		.addr = steps[_i].addr,
		.count = (uint16_t)steps[_i].count,
		.in = bytes,
		.out = bytes };

	ck_assert_int_eq(carry_out(1, &s, 1), steps[_i].ex);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	const uint8_t v[] = { 0x12, 0x34, 0xab, 0xcd };
	uint8_t got[4];
	struct mb_step w = writing(MB_HR, 10, 2, v);
	struct mb_step r = reading(MB_HR, 10, 2, got);

	b->wrote = false;
	ck_assert_int_eq(carry_out(1, &r, 1), MB_EX_NONE);
	ck_assert(!b->wrote);
	ck_assert_int_eq(carry_out(1, &w, 1), MB_EX_NONE);
	ck_assert(b->wrote);
	ck_assert_int_eq(carry_out(1, &r, 1), MB_EX_NONE);
	ck_assert_mem_eq(got, v, 4);
}
END_TEST

START_TEST(a_mask_changes_the_bits_it_names)
{
	const uint8_t v[] = { 0, 0x12 };
	struct mb_step s[] = { writing(MB_HR, 4, 1, v),
		{ .op = MB_MASK,
		    .table = MB_HR,
		    .addr = 4,
		    .count = 1,
		    .and_mask = 0xf2,
		    .or_mask = 0x25 } };

	ck_assert_int_eq(carry_out(1, &s[0], 1), MB_EX_NONE);
	ck_assert_int_eq(carry_out(1, &s[1], 1), MB_EX_NONE);
	ck_assert_uint_eq(reg(4), 0x17);
}
END_TEST

START_TEST(a_read_in_a_step_that_writes_sees_what_it_wrote)
{
	const uint8_t v[] = { 0, 77 };
	uint8_t got[4];
	struct mb_step s[] = { writing(MB_HR, 6, 1, v),
		reading(MB_HR, 5, 2, got) };

	ck_assert_int_eq(carry_out(1, s, 2), MB_EX_NONE);
	ck_assert_mem_eq(got, "\0\5\0\x4d", 4);
}
END_TEST

START_TEST(steps_happen_wholly_or_not_at_all)
{
	const uint8_t v[] = { 0, 99 };
	uint8_t got[2];
	struct mb_step s[] = { writing(MB_HR, 6, 1, v),
		reading(MB_HR, 200, 1, got) };

	ck_assert_int_eq(carry_out(1, s, 2), MB_EX_ADDRESS);
	s[1] = writing(MB_HR, 300, 1, v);
	ck_assert_int_eq(carry_out(1, s, 2), MB_EX_ADDRESS);
	ck_assert_uint_eq(reg(6), 6);
}
END_TEST

START_TEST(a_queue_tells_how_many_it_holds)
{
	const uint8_t v[] = { 0, 2, 0x11, 0x11, 0x22, 0x22 };
	struct store_who who = {
		.author = 1, .op = 1, .budget_ns = 1000000000
	};
	struct store_step w = { .op = STORE_WRITE,
		.table = STORE_FIFO,
		.addr = 2000u << 5,
		.count = 3,
		.in = v };
	uint8_t got[2 + 2 * MB_FIFO_MAX];
	struct mb_step s = reading(MB_FIFO, 2000, 0, got);

	ck_assert_int_eq(
	    store_apply(&fx.stores[0], &who, &w, 1, NULL), STORE_OK);
	ck_assert_int_eq(carry_out(1, &s, 1), MB_EX_NONE);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_mem_eq(got, v, 6);
}
END_TEST

START_TEST(units_of_one_device_are_one_unit)
{
	bind_fini(b);
	fx.transport.units[3] = 0;
	fx.transport.units[255] = 1;
	fx.transport.units[4] = 77; /* no such device */
	ck_assert_int_eq(bind_init(b, &fx.proc), 0);
	ck_assert_uint_eq(b->ndevices, 2);
	ck_assert_ptr_eq(b->by_unit[3], b->by_unit[1]);
	ck_assert_ptr_eq(b->by_unit[255], b->by_unit[2]);
	ck_assert_ptr_null(b->by_unit[0]);
	ck_assert_ptr_null(b->by_unit[4]);
	ck_assert_ptr_ne(b->by_unit[1]->unit.diag, b->by_unit[2]->unit.diag);
}
END_TEST

START_TEST(a_unit_names_itself)
{
	const struct mb_identity *id = b->by_unit[1]->unit.identity;

	ck_assert_uint_eq(id->n, 3);
	ck_assert_uint_eq(id->obj[0].len, 4);
	ck_assert_mem_eq(id->obj[0].text, "Acme", 4);
	ck_assert_uint_eq(id->obj[2].id, 2);
}
END_TEST

START_TEST(nothing_and_too_much_at_once_are_failures)
{
	struct mb_step s[MB_STEPS_MAX + 1];

	memset(s, 0, sizeof(s));
	ck_assert_int_eq(carry_out(1, s, 0), MB_EX_FAILURE);
	ck_assert_int_eq(carry_out(1, s, MB_STEPS_MAX + 1), MB_EX_FAILURE);
}
END_TEST

START_TEST(a_device_mapped_read_only_is_not_written)
{
	const uint8_t v[] = { 0, 1 };
	struct mb_step s = writing(MB_HR, 6, 1, v);

	ck_assert_int_eq(store_open(&fx.stores[0], fx.device_seg[0].at,
			     fx.device_seg[0].size, false, &fx.proc.env),
	    0);
	ck_assert_int_eq(carry_out(1, &s, 1), MB_EX_FAILURE);
	ck_assert_uint_eq(reg(6), 6);
}
END_TEST

static uint64_t
timed_write(enum mb_ex want)
{
	const uint8_t v[] = { 0, 1 };
	struct mb_step s = writing(MB_HR, 6, 1, v);
	uint64_t from = now_ms();

	ck_assert_int_eq(carry_out(1, &s, 1), want);
	return now_ms() - from;
}

START_TEST(a_device_held_by_the_living_is_busy_and_costs_one_wait)
{
	struct shm_device *dev = fx.device_seg[0].at;
	uint64_t holder = slot_next_id(fx.proc.env.control, FX_SLOT + 1);
	struct shm_slot *slot = seg_slot(fx.proc.env.control, FX_SLOT);
	uint64_t from = now_ms(), shortest = UINT64_MAX;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fx.proc.env.lock_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(slot_lock_take(fd, FX_SLOT + 1), 0);
	atomic_store(&dev->owner, holder);
	ck_assert_uint_ge(timed_write(MB_EX_BUSY), 300);
	ck_assert_uint_eq(reg(6), 6);
	/* a machine that is busy holds up some of them */
	for (int i = 0; i < 20; i++) {
		uint64_t took = timed_write(MB_EX_BUSY);

		if (took < shortest)
			shortest = took;
	}
	ck_assert_uint_lt(shortest, 200);
	ck_assert_msg(atomic_load(&slot->busy_ns) > from * 1000000,
	    "the parent would take the waits for a hang");
	b->now_ns += 20000000000;
	ck_assert_uint_ge(timed_write(MB_EX_BUSY), 300);
	close(fd); /* the holder dies */
	timed_write(MB_EX_NONE);
	ck_assert_uint_eq(reg(6), 1);
}
END_TEST

static _Atomic bool stop;

/* Another process of the daemon, with a slot and handles of its own. */
static void *
write_both_ends(void *arg)
{
	struct slot_env env = fx.proc.env;
	struct store st;
	_Atomic uint64_t *count = arg;
	uint64_t n = 0;

	env.me = slot_next_id(env.control, FX_SLOT + 1);
	ck_assert_int_eq(store_open(&st, fx.device_seg[0].at,
			     fx.device_seg[0].size, true, &env),
	    0);
	while (!atomic_load(&stop)) {
		uint8_t v[2] = { (uint8_t)(n >> 8), (uint8_t)n };
		struct store_who who = {
			.author = 2, .op = ++n, .budget_ns = 1000000000
		};
		struct store_step s[] = {
			{ .op = STORE_WRITE,
			    .table = STORE_HR,
			    .addr = 0,
			    .count = 1,
			    .in = v },
			{ .op = STORE_WRITE,
			    .table = STORE_HR,
			    .addr = 199,
			    .count = 1,
			    .in = v },
		};

		store_apply(&st, &who, s, 2, NULL);
		atomic_store(count, n);
	}
	return NULL;
}

START_TEST(several_ranges_are_read_in_one_picture)
{
	_Atomic uint64_t written = 0;
	uint8_t got[2][2];
	const uint8_t v[] = { 0, 0 };
	struct mb_step start[] = { writing(MB_HR, 0, 1, v),
		writing(MB_HR, 199, 1, v) };
	unsigned seen = 0;
	pthread_t writer;

	ck_assert_int_eq(carry_out(1, start, 2), MB_EX_NONE);
	ck_assert_int_eq(
	    pthread_create(&writer, NULL, write_both_ends, &written), 0);
	while (seen < 20000 || atomic_load(&written) < 20000) {
		struct mb_step s[] = { reading(MB_HR, 0, 1, got[0]),
			reading(MB_HR, 199, 1, got[1]) };
		enum mb_ex ex = carry_out(1, s, 2);

		if (ex == MB_EX_BUSY)
			continue;
		ck_assert_int_eq(ex, MB_EX_NONE);
		ck_assert_mem_eq(got[0], got[1], 2);
		seen++;
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bind");
	TCase *tc = tcase_create("bind");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_step_is_answered_by_what_the_device_has, 0,
	    sizeof(steps) / sizeof(steps[0]));
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, a_mask_changes_the_bits_it_names);
	tcase_add_test(tc, a_read_in_a_step_that_writes_sees_what_it_wrote);
	tcase_add_test(tc, steps_happen_wholly_or_not_at_all);
	tcase_add_test(tc, a_queue_tells_how_many_it_holds);
	tcase_add_test(tc, units_of_one_device_are_one_unit);
	tcase_add_test(tc, a_unit_names_itself);
	tcase_add_test(tc, nothing_and_too_much_at_once_are_failures);
	tcase_add_test(tc, a_device_mapped_read_only_is_not_written);
	tcase_add_test(
	    tc, a_device_held_by_the_living_is_busy_and_costs_one_wait);
	tcase_add_test(tc, several_ranges_are_read_in_one_picture);
	return fx_report(s);
}
