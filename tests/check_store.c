/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store as its users see it: every table, address and count against a
 * plain model, steps that go together, rights, replays.
 */

#include "tests/lib/store_fixture.h"

/* Holes, extents that end within a word, and runs that touch. */
static const struct {
	enum store_table table;
	uint32_t addr, count;
} layout[] = {
	{ STORE_CO, 0, 70 },
	{ STORE_CO, 70, 3 },
	{ STORE_CO, 80, 200 },
	{ STORE_CO, 65535, 1 },
	{ STORE_DI, 5, 64 },
	{ STORE_DI, 1000, 129 },
	{ STORE_HR, 0, 10 },
	{ STORE_HR, 10, 140 },
	{ STORE_HR, 200, 1 },
	{ STORE_HR, 202, 5 },
	{ STORE_HR, 65400, 136 },
	{ STORE_IR, 3, 131 },
	{ STORE_FILE, 1 << 16, 100 },
	{ STORE_FILE, (3 << 16) + 7, 9 },
	{ STORE_FIFO, 1000 << 5, 32 },
};

enum {
	NLAYOUT = sizeof(layout) / sizeof(layout[0]),
	RUN_MAX = 200,
	WIRE_MAX = 2 * RUN_MAX + 8,
};

static struct fixture fix;
static uint16_t model[NLAYOUT][RUN_MAX];
static uint64_t rnd_state = 88172645463325252ull;

static uint32_t
rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 11) % below;
}

static bool
is_bits(enum store_table t)
{
	return t == STORE_CO || t == STORE_DI;
}

static uint16_t *
cell(enum store_table t, uint64_t addr)
{
	for (int i = 0; i < NLAYOUT; i++)
		if (layout[i].table == t && addr >= layout[i].addr &&
		    addr < (uint64_t)layout[i].addr + layout[i].count)
			return &model[i][addr - layout[i].addr];
	return NULL;
}

static bool
exists(enum store_table t, uint64_t addr, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!cell(t, addr + i))
			return false;
	return count > 0;
}

static void
model_write(enum store_table t, uint32_t addr, uint32_t n, const uint8_t *in)
{
	for (uint32_t i = 0; i < n; i++) {
		*cell(t, addr + i) = is_bits(t)
		    ? in[i / 8] >> i % 8 & 1
		    : (uint16_t)(in[2 * i] << 8 | in[2 * i + 1]);
	}
}

static void
model_read(enum store_table t, uint32_t addr, uint32_t n, uint8_t *out)
{
	memset(out, 0, store_bytes(t, n));
	for (uint32_t i = 0; i < n; i++) {
		uint16_t v = *cell(t, addr + i);

		if (is_bits(t)) {
			out[i / 8] |= (uint8_t)(v << i % 8);
		} else {
			out[2 * i] = (uint8_t)(v >> 8);
			out[2 * i + 1] = (uint8_t)v;
		}
	}
}

static void
fill_random(uint8_t *p, size_t n)
{
	while (n-- > 0)
		*p++ = (uint8_t)rnd(256);
}

/* One read against the model; nothing beyond its bytes is written. */
static void
compare(enum store_table t, uint32_t addr, uint32_t n)
{
	uint8_t want[WIRE_MAX], got[WIRE_MAX];
	size_t len = store_bytes(t, n);

	memset(got, 0x5a, sizeof(got));
	memset(want, 0x5a, sizeof(want));
	model_read(t, addr, n, want);
	ck_assert_int_eq(
	    store_read(&fix.store, t, addr, n, got, NULL), STORE_OK);
	ck_assert_mem_eq(got, want, len + 8);
}

static void
compare_all(void)
{
	for (int i = 0; i < NLAYOUT; i++)
		compare(layout[i].table, layout[i].addr, layout[i].count);
	ck_assert_mem_eq((void *)(uintptr_t)fix.store.data[0],
	    (void *)(uintptr_t)fix.store.data[1], fix.store.words * 8);
}

static void
setup(void)
{
	struct seg_range r[NLAYOUT];

	for (int i = 0; i < NLAYOUT; i++) {
		/* backwards, since any order will do */
		r[NLAYOUT - 1 - i] =
		    fix_range(layout[i].table, layout[i].addr, layout[i].count);
	}
	memset(model, 0, sizeof(model));
	fix_open(&fix, r, NLAYOUT, false);
}

static void
teardown(void)
{
	fix_close(&fix);
}

START_TEST(every_start_and_count_of_a_run_is_written_and_read_exactly)
{
	enum store_table t = layout[_i].table;
	uint32_t first = layout[_i].addr, n = layout[_i].count;
	uint8_t in[WIRE_MAX];

	for (uint32_t at = 0; at < n; at++) {
		for (uint32_t count = 1; count <= n - at; count++) {
			fill_random(in, store_bytes(t, count));
			ck_assert_int_eq(
			    fix_write(&fix, t, first + at, count, in),
			    STORE_OK);
			model_write(t, first + at, count, in);
			compare(t, first, n);
			compare(t, first + at, count);
		}
	}
	compare_all();
}
END_TEST

START_TEST(an_access_is_allowed_exactly_where_every_address_exists)
{
	uint8_t buf[2 * 400 + 8] = { 0 };

	for (int i = 0; i < NLAYOUT; i++) {
		enum store_table t = layout[i].table;
		uint32_t edges[] = { layout[i].addr,
			layout[i].addr + layout[i].count };

		for (int e = 0; e < 2; e++) {
			for (int d = -3; d <= 3; d++) {
				uint32_t addr = edges[e] + (uint32_t)d;

				for (uint32_t n = 0; n < 210; n += 1 + n / 9) {
					bool ok = (int64_t)edges[e] + d >= 0 &&
					    exists(t, addr, n);
					enum store_rc want =
					    ok ? STORE_OK : STORE_NO_ADDRESS;

					ck_assert_int_eq(
					    store_has(&fix.store, t, addr, n),
					    ok);
					ck_assert_int_eq(
					    store_read(&fix.store, t, addr, n,
						buf, NULL),
					    want);
				}
			}
		}
	}
}
END_TEST

static const struct {
	enum store_table table;
	uint32_t addr, count;
} nowhere[] = {
	{ STORE_HR, 0, UINT32_MAX },
	{ STORE_HR, 5, UINT32_MAX },
	{ STORE_HR, UINT32_MAX, 1 },
	{ STORE_HR, UINT32_MAX, UINT32_MAX },
	{ STORE_HR, 65535, 2 },
	{ STORE_HR, 65536, 1 },
	{ STORE_CO, 65535, 65535 },
	{ STORE_IR, 0, 1 },
	{ STORE_IR, 134, 1 },
	{ STORE_FILE, 0, 1 },
	{ STORE_FILE, (1 << 16) + 99, 2 },
	{ STORE_FIFO, 999 << 5, 1 },
	{ (enum store_table)6, 0, 1 },
	{ (enum store_table) - 1, 0, 1 },
	{ STORE_HR, 0, 0 },
};

START_TEST(what_lies_outside_is_refused_and_nothing_is_touched)
{
	uint8_t buf[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint64_t seq = atomic_load(&fix.store.dev->seq);
	struct store_step s = {
		.table = nowhere[_i].table,
		.addr = nowhere[_i].addr,
		.count = nowhere[_i].count,
		.in = buf,
		.out = buf,
	};
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(
	    store_read(&fix.store, s.table, s.addr, s.count, buf, NULL),
	    STORE_NO_ADDRESS);
	for (int op = STORE_READ; op <= STORE_CHECK; op++) {
		s.op = (enum store_op)op;
		if (op == STORE_MASK)
			continue; /* has no count */
		ck_assert_int_eq(store_apply(&fix.store, &who, &s, 1, NULL),
		    STORE_NO_ADDRESS);
	}
	ck_assert_uint_eq(buf[0], 1);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->seq), seq);
	ck_assert_uint_eq(atomic_load(seg_done(fix.env.control, 1)), 0);
	compare_all();
}
END_TEST

/* ---- steps that go together ---- */

enum { STEPS = 6, ROUNDS = 30000 };

/* A random step that is in bounds; its wire bytes go to buf. */
static struct store_step
random_step(uint8_t *in, uint8_t *out)
{
	int i = (int)rnd(NLAYOUT);
	struct store_step s = {
		.op = (enum store_op)rnd(4),
		.table = layout[i].table,
		.in = in,
		.out = out,
	};
	uint32_t at = rnd(layout[i].count);

	s.addr = layout[i].addr + at;
	s.count = 1 + rnd(layout[i].count - at);
	fill_random(in, store_bytes(s.table, s.count));
	if (s.op == STORE_MASK) {
		if (is_bits(s.table))
			s.op = STORE_WRITE;
		s.and_mask = (uint16_t)rnd(65536);
		s.or_mask = (uint16_t)rnd(65536);
		s.count = s.op == STORE_MASK ? rnd(2) : s.count;
	}
	if (s.op == STORE_CHECK)
		model_read(s.table, s.addr, s.count, in);
	return s;
}

START_TEST(random_transactions_do_what_the_model_does)
{
	static uint8_t in[STEPS][WIRE_MAX], out[STEPS][WIRE_MAX];
	static uint8_t want[STEPS][WIRE_MAX];
	struct store_step s[STEPS];

	for (int round = 0; round < ROUNDS; round++) {
		unsigned n = 1 + rnd(STEPS);
		struct store_who who = fix_who(&fix);

		for (unsigned i = 0; i < n; i++)
			s[i] = random_step(in[i], out[i]);
		for (unsigned i = 0; i < n; i++) {
			uint16_t *c = cell(s[i].table, s[i].addr);

			if (s[i].op == STORE_WRITE) {
				model_write(
				    s[i].table, s[i].addr, s[i].count, s[i].in);
			} else if (s[i].op == STORE_MASK) {
				*c = (uint16_t)((*c & s[i].and_mask) |
				    (s[i].or_mask & ~s[i].and_mask));
			} else if (s[i].op == STORE_READ) {
				model_read(
				    s[i].table, s[i].addr, s[i].count, want[i]);
			}
		}
		ck_assert_int_eq(
		    store_apply(&fix.store, &who, s, n, NULL), STORE_OK);
		for (unsigned i = 0; i < n; i++) {
			if (s[i].op == STORE_READ) {
				ck_assert_mem_eq(out[i], want[i],
				    store_bytes(s[i].table, s[i].count));
			}
		}
		if (round % 50 == 0)
			compare_all();
	}
	compare_all();
}
END_TEST

START_TEST(reads_of_a_transaction_see_its_earlier_writes_only)
{
	uint8_t one[2] = { 0, 1 }, two[2] = { 0, 2 };
	uint8_t before[2], between[2], after[2];
	struct store_step s[] = {
		{ STORE_READ, STORE_HR, 5, 1, 0, 0, NULL, before },
		{ STORE_WRITE, STORE_HR, 5, 1, 0, 0, one, NULL },
		{ STORE_READ, STORE_HR, 5, 1, 0, 0, NULL, between },
		{ STORE_WRITE, STORE_HR, 5, 1, 0, 0, two, NULL },
		{ STORE_READ, STORE_HR, 5, 1, 0, 0, NULL, after },
	};
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(store_apply(&fix.store, &who, s, 5, NULL), STORE_OK);
	ck_assert_uint_eq(before[1], 0);
	ck_assert_uint_eq(between[1], 1);
	ck_assert_uint_eq(after[1], 2);
}
END_TEST

START_TEST(a_check_is_made_before_the_first_write)
{
	uint8_t zero[2] = { 0, 0 }, one[2] = { 0, 1 };
	struct store_step s[] = {
		{ STORE_WRITE, STORE_HR, 5, 1, 0, 0, one, NULL },
		{ STORE_CHECK, STORE_HR, 5, 1, 0, 0, zero, NULL },
	};
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(store_apply(&fix.store, &who, s, 2, NULL), STORE_OK);
	who = fix_who(&fix);
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 2, NULL), STORE_MISMATCH);
}
END_TEST

START_TEST(a_mismatch_leaves_no_trace)
{
	uint8_t in[40], out[40] = { 7 };
	struct store_change ch;
	uint8_t *buf = malloc(STORE_CHANGE_BYTES);
	uint64_t pos = store_changes_end(&fix.store), seq = 99;
	struct store_step s[] = {
		{ STORE_READ, STORE_HR, 3, 20, 0, 0, NULL, out },
		{ STORE_WRITE, STORE_HR, 3, 20, 0, 0, in, NULL },
		{ STORE_MASK, STORE_IR, 9, 1, 0, 0xffff, NULL, NULL },
		{ STORE_CHECK, STORE_CO, 3, 77, 0, 0, in, NULL },
	};
	struct store_who who = fix_who(&fix);

	/* a single wrong bit, wherever in the range it is */
	s[3].count = 70;
	for (uint32_t bit = 0; bit < 70; bit++) {
		memset(in, 0, sizeof(in));
		in[bit / 8] = (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(
		    store_apply(&fix.store, &who, s, 4, &seq), STORE_MISMATCH);
	}
	ck_assert_uint_eq(out[0], 7);
	ck_assert_uint_eq(seq, 99);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->seq), 0);
	ck_assert_uint_eq(atomic_load(seg_done(fix.env.control, 1)), 0);
	ck_assert_int_eq(store_next_change(&fix.store, &pos, &ch, buf), 0);
	compare_all();
	free(buf);
}
END_TEST

START_TEST(bits_beyond_the_count_are_ignored_on_the_way_in)
{
	uint8_t in[2] = { 0xff, 0xff }, zero[2] = { 0, 0xfc };
	struct store_step check = { STORE_CHECK, STORE_CO, 20, 10, 0, 0, zero,
		NULL };
	struct store_who who;

	ck_assert_int_eq(fix_write(&fix, STORE_CO, 0, 10, in), STORE_OK);
	model_write(STORE_CO, 0, 10, in);
	compare(STORE_CO, 0, 70);
	who = fix_who(&fix);
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, &check, 1, NULL), STORE_OK);
}
END_TEST

START_TEST(a_mask_is_for_registers_only)
{
	struct store_step s = { STORE_MASK, STORE_CO, 0, 1, 0, 0xffff, NULL,
		NULL };
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(
	    store_apply(&fix.store, &who, &s, 1, NULL), STORE_NO_ADDRESS);
	compare_all();
}
END_TEST

START_TEST(the_first_step_that_cannot_be_stops_all_of_them)
{
	uint8_t in[8] = { 1, 2, 3, 4 };
	struct store_step s[] = {
		{ STORE_WRITE, STORE_HR, 0, 4, 0, 0, in, NULL },
		{ STORE_WRITE, STORE_HR, 150, 1, 0, 0, in, NULL },
	};
	struct store_who who = fix_who(&fix);

	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 2, NULL), STORE_NO_ADDRESS);
	compare_all();
}
END_TEST

START_TEST(a_call_is_limited_in_bytes_and_steps)
{
	static uint8_t in[2 * STORE_STEP_BYTES];
	struct store_step s[STORE_STEPS_MAX + 1];
	struct store_who who = fix_who(&fix);

	for (int i = 0; i <= STORE_STEPS_MAX; i++) {
		s[i] = (struct store_step){ STORE_WRITE, STORE_HR, 10, 64, 0, 0,
			in, NULL };
	}
	/* 64 times 128 bytes are the most */
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, STORE_STEPS_MAX, NULL), STORE_OK);
	who = fix_who(&fix);
	s[7].count = 65;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, STORE_STEPS_MAX, NULL),
	    STORE_TOO_LONG);
	s[7].count = 1;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, STORE_STEPS_MAX + 1, NULL),
	    STORE_TOO_LONG);
}
END_TEST

START_TEST(commits_are_numbered_from_one)
{
	uint8_t in[2] = { 0, 1 }, out[2];
	uint64_t seq = 9;
	struct store_step read = { STORE_READ, STORE_HR, 0, 1, 0, 0, NULL,
		out };
	struct store_step write = { STORE_WRITE, STORE_HR, 0, 1, 0, 0, in,
		NULL };
	struct store_who who;

	store_read(&fix.store, STORE_HR, 0, 1, out, &seq);
	ck_assert_uint_eq(seq, 0);
	for (uint64_t n = 1; n <= 3; n++) {
		who = fix_who(&fix);
		store_apply(&fix.store, &who, &write, 1, &seq);
		ck_assert_uint_eq(seq, n);
		store_read(&fix.store, STORE_HR, 0, 1, out, &seq);
		ck_assert_uint_eq(seq, n);
		/* a transaction that only reads makes none */
		who = fix_who(&fix);
		store_apply(&fix.store, &who, &read, 1, &seq);
		ck_assert_uint_eq(seq, n);
	}
}
END_TEST

/* ---- exactly once ---- */

START_TEST(an_operation_is_carried_out_once_per_author)
{
	uint8_t one[2] = { 0, 1 }, two[2] = { 0, 2 }, out[2] = { 9, 9 };
	struct store_step s[] = {
		{ STORE_WRITE, STORE_HR, 0, 1, 0, 0, one, NULL },
		{ STORE_READ, STORE_HR, 0, 1, 0, 0, NULL, out },
	};
	struct store_who who = { .author = 30, .op = 5, .budget_ns = 1000000 };
	uint64_t seq = 77;

	ck_assert_int_eq(store_apply(&fix.store, &who, s, 1, NULL), STORE_OK);
	ck_assert_uint_eq(atomic_load(seg_done(fix.env.control, 30)), 5);
	s[0].in = two;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 2, &seq), STORE_REPLAYED);
	who.op = 4;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 2, &seq), STORE_REPLAYED);
	who.op = 0;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, s, 2, &seq), STORE_REPLAYED);
	ck_assert_uint_eq(out[0], 9); /* untouched */
	ck_assert_uint_eq(seq, 77);
	store_read(&fix.store, STORE_HR, 0, 1, out, NULL);
	ck_assert_uint_eq(out[1], 1);
	/* another author's numbers are its own */
	who.author = 31;
	who.op = 5;
	ck_assert_int_eq(store_apply(&fix.store, &who, s, 1, NULL), STORE_OK);
	/* 48 bits of them */
	who.op = ((uint64_t)1 << 48) - 1;
	ck_assert_int_eq(store_apply(&fix.store, &who, s, 1, NULL), STORE_OK);
	ck_assert_uint_eq(atomic_load(seg_done(fix.env.control, 31)), who.op);
}
END_TEST

START_TEST(who_may_not_write_is_told_so)
{
	uint8_t in[2] = { 0, 1 };
	struct store_step s = { STORE_WRITE, STORE_HR, 0, 1, 0, 0, in, NULL };
	struct store_who who = fix_who(&fix);
	struct slot_env nobody = fix.env;
	struct store st;

	who.author = FIX_AUTHORS; /* no such author */
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, &s, 1, NULL), STORE_DENIED);
	who = fix_who(&fix);
	who.op = (uint64_t)1 << 48;
	ck_assert_int_eq(
	    store_apply(&fix.store, &who, &s, 1, NULL), STORE_DENIED);
	who = fix_who(&fix);
	store_open(&st, fix.device.at, fix.device.size, false, &fix.env);
	ck_assert_int_eq(store_apply(&st, &who, &s, 1, NULL), STORE_DENIED);
	store_open(&st, fix.device.at, fix.device.size, true, NULL);
	ck_assert_int_eq(store_apply(&st, &who, &s, 1, NULL), STORE_DENIED);
	nobody.me = 0;
	store_open(&st, fix.device.at, fix.device.size, true, &nobody);
	ck_assert_int_eq(store_apply(&st, &who, &s, 1, NULL), STORE_DENIED);
	compare_all();
}
END_TEST

/* ---- rights and ranges ---- */

static void
setup_rights(void)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 10),
		fix_range(STORE_HR, 10, 5),
		fix_range(STORE_HR, 15, 10),
		fix_range(STORE_CO, 0, 8),
		fix_range(STORE_CO, 8, 1),
		fix_range(STORE_IR, 0, 8),
	};

	r[1].range.read_only = 1;
	snprintf(r[1].range.name, sizeof(r[1].range.name), "serial");
	r[1].range.type = 6;
	r[4].range.read_only = 1;
	r[5].range.read_only = 1;
	fix_open(&fix, r, 6, false);
}

static const struct {
	enum store_table table;
	uint32_t addr, count;
	bool denied;
} rights[] = {
	{ STORE_HR, 0, 10, false },
	{ STORE_HR, 9, 2, true },
	{ STORE_HR, 10, 1, true },
	{ STORE_HR, 14, 1, true },
	{ STORE_HR, 14, 5, true },
	{ STORE_HR, 15, 5, false },
	{ STORE_HR, 0, 25, true },
	{ STORE_HR, 24, 1, false },
	{ STORE_CO, 0, 8, false },
	{ STORE_CO, 7, 2, true },
	{ STORE_CO, 8, 1, true },
	{ STORE_IR, 0, 1, true },
};

START_TEST(read_only_ranges_are_closed_to_those_who_must_heed_them)
{
	static uint8_t in[64];
	struct store_step s = {
		.op = _i % 2 ? STORE_WRITE : STORE_MASK,
		.table = rights[_i / 2].table,
		.addr = rights[_i / 2].addr,
		.count = rights[_i / 2].count,
		.in = in,
	};
	struct store_who who = fix_who(&fix);

	if (s.op == STORE_MASK && (s.table == STORE_CO || s.count > 1))
		return; /* a mask is for one register */
	who.heed_read_only = true;
	ck_assert_int_eq(store_apply(&fix.store, &who, &s, 1, NULL),
	    rights[_i / 2].denied ? STORE_DENIED : STORE_OK);
	/* reading and checking is open to all */
	s.op = STORE_CHECK;
	who.op++;
	ck_assert_int_eq(store_apply(&fix.store, &who, &s, 1, NULL), STORE_OK);
	s.op = STORE_WRITE;
	who.op++;
	who.heed_read_only = false;
	ck_assert_int_eq(store_apply(&fix.store, &who, &s, 1, NULL), STORE_OK);
}
END_TEST

START_TEST(the_range_of_an_address_is_found)
{
	const struct shm_range *r;

	r = store_range(&fix.store, STORE_HR, 14);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_eq(r->addr, 10);
	ck_assert_uint_eq(r->type, 6);
	ck_assert_str_eq(r->name, "serial");
	ck_assert_uint_eq(store_range(&fix.store, STORE_HR, 9)->addr, 0);
	ck_assert_uint_eq(store_range(&fix.store, STORE_HR, 15)->addr, 15);
	ck_assert_uint_eq(store_range(&fix.store, STORE_CO, 8)->addr, 8);
	ck_assert_ptr_null(store_range(&fix.store, STORE_HR, 25));
	ck_assert_ptr_null(store_range(&fix.store, STORE_CO, 9));
	ck_assert_ptr_null(store_range(&fix.store, STORE_DI, 0));
	ck_assert_ptr_null(store_range(&fix.store, (enum store_table)9, 0));
}
END_TEST

START_TEST(wire_bytes_of_a_count)
{
	ck_assert_uint_eq(store_bytes(STORE_CO, 1), 1);
	ck_assert_uint_eq(store_bytes(STORE_DI, 8), 1);
	ck_assert_uint_eq(store_bytes(STORE_CO, 9), 2);
	ck_assert_uint_eq(store_bytes(STORE_HR, 125), 250);
	ck_assert_uint_eq(store_bytes(STORE_FIFO, 32), 64);
	ck_assert_uint_eq(store_bytes(STORE_FILE, 1), 2);
}
END_TEST

START_TEST(a_device_of_nothing_has_no_address)
{
	struct seg s;
	struct store st;
	uint8_t out[2];

	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "none", 0, NULL, 0, false), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	for (int t = 0; t < SHM_TABLES; t++) {
		ck_assert_int_eq(
		    store_read(&st, (enum store_table)t, 0, 1, out, NULL),
		    STORE_NO_ADDRESS);
	}
	seg_unmap(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("tables");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t,
	    every_start_and_count_of_a_run_is_written_and_read_exactly, 0,
	    NLAYOUT);
	tcase_add_test(
	    t, an_access_is_allowed_exactly_where_every_address_exists);
	tcase_add_loop_test(t,
	    what_lies_outside_is_refused_and_nothing_is_touched, 0,
	    sizeof(nowhere) / sizeof(nowhere[0]));
	tcase_add_test(t, random_transactions_do_what_the_model_does);
	tcase_add_test(t, reads_of_a_transaction_see_its_earlier_writes_only);
	tcase_add_test(t, a_check_is_made_before_the_first_write);
	tcase_add_test(t, a_mismatch_leaves_no_trace);
	tcase_add_test(t, bits_beyond_the_count_are_ignored_on_the_way_in);
	tcase_add_test(t, a_mask_is_for_registers_only);
	tcase_add_test(t, the_first_step_that_cannot_be_stops_all_of_them);
	tcase_add_test(t, a_call_is_limited_in_bytes_and_steps);
	tcase_add_test(t, commits_are_numbered_from_one);
	tcase_add_test(t, an_operation_is_carried_out_once_per_author);
	tcase_add_test(t, who_may_not_write_is_told_so);
	tcase_add_test(t, a_device_of_nothing_has_no_address);
	suite_add_tcase(s, t);
	t = tcase_create("rights");
	tcase_add_checked_fixture(t, setup_rights, teardown);
	tcase_add_loop_test(t,
	    read_only_ranges_are_closed_to_those_who_must_heed_them, 0,
	    2 * (int)(sizeof(rights) / sizeof(rights[0])));
	tcase_add_test(t, the_range_of_an_address_is_found);
	tcase_add_test(t, wire_bytes_of_a_count);
	suite_add_tcase(s, t);
	return fix_run(s);
}
