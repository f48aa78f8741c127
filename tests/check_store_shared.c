/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Shared blocks: one register array behind all four tables, bit n of a coil
 * table being bit n % 16 of register n / 16.
 */

#include "tests/lib/store_fixture.h"

enum { REGS = 200, FIRST = 3 };

static struct fixture fix;
static uint16_t model[65536];

static void
setup(void)
{
	/* what the ranges of all tables cover together: registers 3..202 */
	struct seg_range r[] = {
		fix_range(STORE_HR, FIRST, 100),
		fix_range(STORE_IR, 103, 50),
		fix_range(STORE_CO, 16 * 153, 16 * 40 - 3),
		fix_range(STORE_DI, 16 * 193 + 5, 16 * 10 - 5),
		fix_range(STORE_HR, 5000, 3),
		fix_range(STORE_FILE, 1 << 16, 10),
	};

	memset(model, 0, sizeof(model));
	r[0].range.read_only = 0;
	fix_open(&fix, r, 6, true);
}

static void
teardown(void)
{
	fix_close(&fix);
}

static bool
bit(uint32_t n)
{
	return model[n / 16] >> n % 16 & 1;
}

START_TEST(all_four_tables_show_the_same_memory)
{
	static uint8_t in[2 * REGS], out[2 * REGS];
	uint64_t x = 88172645463325252ull;

	for (int round = 0; round < 3000; round++) {
		enum store_table t = (enum store_table)(round % 4);
		bool bits = t < STORE_HR;
		uint32_t all = bits ? REGS * 16 : REGS, at, n;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at = (uint32_t)(x >> 40) % all;
		n = 1 + (uint32_t)(x >> 20) % (all - at);
		n = n > 700 ? 700 : n;
		n = !bits && n > 90 ? 90 : n;
		at += bits ? FIRST * 16 : FIRST;
		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = (uint8_t)(x >> i % 8 * 8) ^ (uint8_t)i;
		ck_assert_int_eq(fix_write(&fix, t, at, n, in), STORE_OK);
		for (uint32_t i = 0; i < n; i++) {
			if (bits) {
				uint16_t m = (uint16_t)(1 << (at + i) % 16);
				uint16_t *w = &model[(at + i) / 16];

				*w = in[i / 8] >> i % 8 & 1 ? *w | m : *w & ~m;
			} else {
				model[at + i] =
				    (uint16_t)(in[2 * i] << 8 | in[2 * i + 1]);
			}
		}
		store_read(&fix.store, STORE_IR, FIRST, REGS, out, NULL);
		for (uint32_t i = 0; i < REGS; i++) {
			ck_assert_uint_eq(
			    out[2 * i] << 8 | out[2 * i + 1], model[FIRST + i]);
		}
		ck_assert_int_eq(
		    store_read(&fix.store, STORE_DI, at * 1, 1, out, NULL),
		    bits || store_has(&fix.store, STORE_DI, at, 1)
			? STORE_OK
			: STORE_NO_ADDRESS);
		n = bits ? n : 100;
		at = bits ? at : FIRST * 16 + 7;
		store_read(&fix.store, STORE_CO, at, n, out, NULL);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_uint_eq(out[i / 8] >> i % 8 & 1, bit(at + i));
	}
}
END_TEST

START_TEST(every_table_has_the_registers_that_any_range_covers)
{
	static const struct {
		enum store_table table;
		uint32_t addr, count;
		bool has;
	} v[] = {
		{ STORE_HR, 3, 200, true },
		{ STORE_IR, 3, 200, true },
		{ STORE_HR, 2, 1, false },
		{ STORE_HR, 203, 1, false },
		{ STORE_CO, 48, 3200, true },
		{ STORE_DI, 48, 3200, true },
		{ STORE_DI, 47, 1, false },
		{ STORE_CO, 3248, 1, false },
		{ STORE_HR, 5000, 3, true },
		{ STORE_IR, 5002, 2, false },
		/* bits of register 4096 and above have no address */
		{ STORE_CO, 65535, 1, false },
		{ STORE_FILE, 1 << 16, 10, true },
		{ STORE_FILE, 3, 1, false },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		ck_assert_int_eq(
		    store_has(&fix.store, v[i].table, v[i].addr, v[i].count),
		    v[i].has);
	}
}
END_TEST

START_TEST(memory_is_spent_once_for_all_four_tables)
{
	/* 200 registers, 3 of 5000, 10 records: four to a word */
	ck_assert_uint_eq(fix.store.words, 50 + 1 + 3);
}
END_TEST

START_TEST(bit_addresses_end_at_65535)
{
	struct seg_range r = fix_range(STORE_HR, 4090, 20);
	struct seg s;
	struct store st;
	uint8_t in[40], out[2];

	memset(in, 0xff, sizeof(in));
	r.init = in;
	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "high", 0, &r, 1, true), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	ck_assert(store_has(&st, STORE_HR, 4090, 20));
	ck_assert(store_has(&st, STORE_CO, 4090 * 16, 6 * 16));
	ck_assert(!store_has(&st, STORE_CO, 65536, 1));
	ck_assert_int_eq(
	    store_read(&st, STORE_CO, 65535, 1, out, NULL), STORE_OK);
	ck_assert_uint_eq(out[0], 1);
	seg_unmap(&s);
}
END_TEST

START_TEST(a_bit_range_gives_its_value_to_the_registers)
{
	static const uint8_t regs[] = { 0x12, 0x34, 0xff, 0xff };
	static const uint8_t bits[] = { 0x05 };
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 2),
		fix_range(STORE_CO, 16, 8),
	};
	struct seg s;
	struct store st;
	uint8_t out[4];

	r[0].init = regs;
	r[1].init = bits;
	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "both", 0, r, 2, true), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	store_read(&st, STORE_HR, 0, 2, out, NULL);
	ck_assert_mem_eq(out, "\x12\x34\xff\x05", 4);
	store_read(&st, STORE_DI, 4, 4, out, NULL);
	ck_assert_uint_eq(out[0], 3);
	seg_unmap(&s);
}
END_TEST

static const struct {
	enum store_table table;
	uint32_t addr, count;
	bool denied;
} rights[] = {
	{ STORE_HR, 0, 10, false },
	{ STORE_HR, 9, 2, true },
	{ STORE_CO, 159, 1, false },
	{ STORE_CO, 159, 2, true },
	{ STORE_CO, 175, 1, true },
	{ STORE_CO, 176, 1, false },
	/* coils 320..335 are closed: register 20 is, too */
	{ STORE_CO, 335, 1, true },
	{ STORE_HR, 20, 1, true },
	{ STORE_HR, 21, 1, false },
	{ STORE_HR, 4999, 1, false },
};

START_TEST(what_is_read_only_as_one_table_is_not_written_as_another)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 10),
		fix_range(STORE_HR, 10, 1),
		fix_range(STORE_HR, 11, 4989),
		fix_range(STORE_CO, 320, 16),
		fix_range(STORE_IR, 0, 5000),
	};
	uint8_t in[64] = { 0 };
	struct store_step step = {
		.op = STORE_WRITE,
		.table = rights[_i].table,
		.addr = rights[_i].addr,
		.count = rights[_i].count,
		.in = in,
	};
	struct store_who who = fix_who(&fix);
	struct seg s;
	struct store st;

	r[1].range.read_only = 1;
	r[3].range.read_only = 1;
	r[4].range.read_only = 1; /* input registers always are */
	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "rights", 0, r, 5, true), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	who.heed_read_only = true;
	ck_assert_int_eq(store_apply(&st, &who, &step, 1, NULL),
	    rights[_i].denied ? STORE_DENIED : STORE_OK);
	seg_unmap(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_shared");
	TCase *t = tcase_create("shared");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, all_four_tables_show_the_same_memory);
	tcase_add_test(t, every_table_has_the_registers_that_any_range_covers);
	tcase_add_test(t, memory_is_spent_once_for_all_four_tables);
	tcase_add_test(t, bit_addresses_end_at_65535);
	tcase_add_test(t, a_bit_range_gives_its_value_to_the_registers);
	tcase_add_loop_test(t,
	    what_is_read_only_as_one_table_is_not_written_as_another, 0,
	    (int)(sizeof(rights) / sizeof(rights[0])));
	suite_add_tcase(s, t);
	return fix_run(s);
}
