/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view and the store made alike: a real device on the one side, tables in
 * plain memory on the other, and what a keeper that died has left in between.
 */
#include "tests/lib/store_fixture.h"
#include "workers/twin/twin.h"

enum { NSETS = 2, AUTHOR = 20, HRS = 20, COS = 21 };

/* Two sets of one device: hr 2..9 and 12..15, co 3..20, ir 0; tables of 20
 * registers and of 21 and 5 bits. */
static struct fixture fx;
static struct twin tw;
static struct mirror mirror;
static struct mirror_set sets[NSETS];
static uint16_t hr[NSETS][HRS], hr_shadow[NSETS][HRS];
static uint8_t co[NSETS][24], co_shadow[NSETS][24];
static uint8_t di[NSETS][8], di_shadow[NSETS][8];
static uint16_t ir[NSETS][4], ir_shadow[NSETS][4];

static void
set_up_set(unsigned i)
{
	struct mirror_set *m = &sets[i];

	*m = (struct mirror_set){
		.entry = &mirror.ctl->set[i],
		.count = { COS, 5, HRS, 1 },
		.table = { co[i], di[i], hr[i], ir[i] },
		.shadow = { co_shadow[i], di_shadow[i], hr_shadow[i],
		    ir_shadow[i] },
	};
}

/* A keeper: the first one, or the successor of one that died. */
static void
keeper(void)
{
	struct store *stores[NSETS] = { &fx.store, &fx.store };

	ck_assert_int_eq(twin_init(&tw, &mirror, stores, AUTHOR,
			     atomic_load(seg_done(fx.env.control, AUTHOR))),
	    0);
}

static void
set_up(bool shared)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 2, 8),
		fix_range(STORE_HR, 12, 4),
		fix_range(STORE_CO, 3, 18),
		fix_range(STORE_IR, 0, 1),
	};

	fix_open(&fx, r, 4, shared);
	mirror.ctl = calloc(
	    1, sizeof(*mirror.ctl) + NSETS * sizeof(struct mirror_entry));
	mirror.set = sets;
	mirror.nsets = NSETS;
	for (unsigned i = 0; i < NSETS; i++)
		set_up_set(i);
	keeper();
	ck_assert(twin_fill(&tw));
}

static void
set_up_plain(void)
{
	set_up(false);
}

static void
set_up_shared(void)
{
	set_up(true);
}

static void
tear_down(void)
{
	twin_fini(&tw);
	free(mirror.ctl);
	fix_close(&fx);
}

static uint16_t
stored(uint32_t addr)
{
	uint8_t wire[2];

	ck_assert_int_eq(
	    store_read(&fx.store, STORE_HR, addr, 1, wire, NULL), STORE_OK);
	return (uint16_t)(wire[0] << 8 | wire[1]);
}

static uint64_t
commits(void)
{
	return atomic_load(&fx.store.dev->seq) / 2;
}

static void
client_writes(uint32_t addr, uint16_t v)
{
	uint8_t wire[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	ck_assert_int_eq(fix_write(&fx, STORE_HR, addr, 1, wire), STORE_OK);
}

/* ---- both ways ---- */

START_TEST(what_the_store_has_goes_into_all_sets)
{
	client_writes(3, 0x1234);
	ck_assert(twin_differs(&tw));
	ck_assert(twin_pass(&tw));
	for (unsigned i = 0; i < NSETS; i++)
		ck_assert_uint_eq(hr[i][3], 0x1234);
	ck_assert_uint_eq(tw.cells_out, NSETS);
	ck_assert(!tw.wrote);
	ck_assert(!twin_differs(&tw));
}
END_TEST

START_TEST(what_others_change_goes_into_the_store_and_the_other_set)
{
	hr[0][15] = 0xabcd;
	co[0][20] = 200; /* any byte but 0 */
	ir[1][0] = 7;
	ck_assert(twin_differs(&tw));
	ck_assert(twin_pass(&tw) && twin_pass(&tw));
	ck_assert(tw.wrote);
	ck_assert_uint_eq(tw.cells_in, 3);
	ck_assert_uint_eq(stored(15), 0xabcd);
	ck_assert_uint_eq(hr[1][15], 0xabcd);
	ck_assert_uint_eq(co[0][20], 1);
	ck_assert_uint_eq(co[1][20], 1);
	ck_assert_uint_eq(ir[0][0], 7);
	ck_assert(!twin_differs(&tw));
}
END_TEST

START_TEST(all_changes_of_a_set_are_one_commit_and_neighbours_one_event)
{
	struct store_change ch;
	static uint8_t buf[STORE_CHANGE_BYTES];
	uint64_t pos = store_changes_end(&fx.store), was = commits();

	for (int i = 2; i < 10; i++)
		hr[0][i] = (uint16_t)(i * 1000);
	hr[0][12] = 5;
	co[0][3] = co[0][4] = co[0][20] = 1;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits() - was, 1);
	ck_assert_int_eq(store_next_change(&fx.store, &pos, &ch, buf), 1);
	ck_assert(ch.table == STORE_CO && ch.addr == 3 && ch.count == 2);
	ck_assert_int_eq(store_next_change(&fx.store, &pos, &ch, buf), 1);
	ck_assert(ch.table == STORE_CO && ch.addr == 20 && ch.count == 1);
	ck_assert_int_eq(store_next_change(&fx.store, &pos, &ch, buf), 1);
	ck_assert(ch.table == STORE_HR && ch.addr == 2 && ch.count == 8);
	ck_assert_uint_eq(ch.is[14] << 8 | ch.is[15], 9000);
	ck_assert_int_eq(store_next_change(&fx.store, &pos, &ch, buf), 1);
	ck_assert(ch.table == STORE_HR && ch.addr == 12 && ch.count == 1);
	ck_assert_int_eq(store_next_change(&fx.store, &pos, &ch, buf), 0);
}
END_TEST

START_TEST(addresses_that_ascend_over_two_tables_are_no_neighbours)
{
	uint64_t was = commits();

	co[0][11] = 1;
	hr[0][12] = 0x55;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits() - was, 1);
	ck_assert_uint_eq(stored(12), 0x55);
	ck_assert(!twin_differs(&tw));
}
END_TEST

START_TEST(what_does_not_exist_is_put_back)
{
	uint64_t was = commits();

	hr[0][1] = hr[0][10] = hr[0][11] = hr[0][16] = hr[0][19] = 9;
	co[0][2] = 1;
	di[0][0] = di[0][4] = 1;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits(), was);
	ck_assert_uint_eq(tw.refused, 8);
	for (int i = 0; i < HRS; i++)
		ck_assert_uint_eq(hr[0][i], 0);
	ck_assert(co[0][2] == 0 && di[0][0] == 0 && di[0][4] == 0);
}
END_TEST

/* A table of 5 bits fills one word of 8; the rest is nobody's. */
START_TEST(what_lies_behind_the_last_cell_is_not_looked_at)
{
	di[0][5] = di[0][7] = 1;
	co[0][21] = 1;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(tw.refused, 0);
	ck_assert(di[0][5] == 1 && di[0][7] == 1 && co[0][21] == 1);
}
END_TEST

START_TEST(what_is_read_only_is_taken_back)
{
	client_writes(2, 5);
	ck_assert(twin_pass(&tw));
	tw.read_only = true;
	hr[0][2] = 6;
	co[1][3] = 3;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(hr[0][2], 5);
	ck_assert_uint_eq(co[1][3], 0);
	ck_assert_uint_eq(stored(2), 5);
	ck_assert_uint_eq(tw.refused, 2);
}
END_TEST

START_TEST(a_byte_that_means_the_same_is_made_1_and_is_no_change)
{
	uint64_t was;

	co[0][5] = 1;
	ck_assert(twin_pass(&tw));
	was = commits();
	co[0][5] = 99;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(co[0][5], 1);
	ck_assert_uint_eq(commits(), was);
}
END_TEST

START_TEST(of_two_changes_that_of_the_view_is_the_later)
{
	uint64_t was = commits();

	client_writes(4, 1);
	client_writes(5, 3);
	hr[0][4] = 2;
	ck_assert(twin_pass(&tw) && twin_pass(&tw));
	ck_assert_uint_eq(commits() - was, 3);
	ck_assert_uint_eq(stored(4), 2);
	ck_assert_uint_eq(hr[0][4], 2);
	ck_assert_uint_eq(hr[1][4], 2);
	ck_assert_uint_eq(hr[0][5], 3);
}
END_TEST

START_TEST(more_changes_than_are_kept_are_all_taken)
{
	client_writes(15, 4711);
	for (unsigned i = 0; i < 5000; i++)
		client_writes(2 + i % 8, (uint16_t)i);
	hr[0][14] = 8;
	for (int i = 0; i < 4 && twin_differs(&tw); i++)
		ck_assert(twin_pass(&tw));
	ck_assert(!twin_differs(&tw));
	for (uint32_t i = 2; i < 10; i++)
		ck_assert_uint_eq(hr[1][i], stored(i));
	ck_assert_uint_eq(hr[1][15], 4711);
	ck_assert_uint_eq(stored(14), 8);
}
END_TEST

/* Everything at once: more places than one step has. */
START_TEST(more_places_than_a_step_has_take_several)
{
	static struct twin_run every[1] = { { 0, 4096 } };
	static uint16_t wide[4096], wide_shadow[4096];
	struct seg_range r = fix_range(STORE_HR, 0, 4096);
	uint64_t was;

	tear_down();
	fix_open(&fx, &r, 1, false);
	mirror.ctl = calloc(
	    1, sizeof(*mirror.ctl) + NSETS * sizeof(struct mirror_entry));
	for (unsigned i = 0; i < NSETS; i++)
		set_up_set(i);
	sets[0].count[STORE_HR] = 4096;
	sets[0].table[STORE_HR] = wide;
	sets[0].shadow[STORE_HR] = wide_shadow;
	keeper();
	ck_assert(twin_fill(&tw));
	ck_assert_mem_eq(tw.set[0].run[STORE_HR], every, sizeof(every));
	was = commits();
	for (int i = 0; i < 2 * MIRROR_STEPS + 1; i++)
		wide[2 * i] = 7;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits() - was, 3);
	for (int i = 0; i < 4096; i++)
		wide[i] = (uint16_t)(i + 1);
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits() - was, 4);
	ck_assert_uint_eq(stored(4095), 4096);
}
END_TEST

/* One array: co 3..20 is part of register 0 and 1, hr 2.. are bits 32.. */
START_TEST(one_array_shows_in_every_table)
{
	co[0][17] = 1;
	ck_assert(twin_pass(&tw) && twin_pass(&tw));
	ck_assert_uint_eq(hr[0][1], 2);
	ck_assert_uint_eq(hr[1][1], 2);
	client_writes(1, 5);
	ck_assert(twin_pass(&tw));
	ck_assert(co[0][16] == 1 && co[0][17] == 0 && co[0][18] == 1);
	ck_assert(!twin_differs(&tw));
}
END_TEST

/* ---- deaths ---- */

/* Notes a write of hr 4 as a keeper does before it carries it out. */
static void
note(enum mirror_way way, uint64_t op, uint16_t v)
{
	struct mirror_stage *s = &mirror.ctl->stage;

	s->set = 0;
	s->n = 1;
	s->op = op;
	s->step[0] =
	    (struct mirror_step){ .table = STORE_HR, .addr = 4, .count = 1 };
	s->wire[0] = (uint8_t)(v >> 8);
	s->wire[1] = (uint8_t)v;
	mirror.ctl->op = op;
	s->way = way;
}

static void
carry_out(uint64_t op, uint16_t v)
{
	uint8_t wire[2] = { (uint8_t)(v >> 8), (uint8_t)v };
	struct store_who who = {
		.author = AUTHOR, .op = op, .budget_ns = 1000000000
	};
	struct store_step step = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = 4,
		.count = 1,
		.in = wire };

	ck_assert_int_eq(
	    store_apply(&fx.store, &who, &step, 1, NULL), STORE_OK);
}

START_TEST(a_write_that_was_noted_is_carried_out_by_the_successor)
{
	hr[0][4] = 77;
	note(MIRROR_TO_STORE, 1, 77);
	twin_fini(&tw);
	keeper();
	ck_assert(twin_differs(&tw));
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(stored(4), 77);
	ck_assert(!twin_differs(&tw) || twin_pass(&tw));
	ck_assert_uint_eq(hr[0][4], 77);
}
END_TEST

/* It had been committed, and a client wrote after it: that stays. */
START_TEST(a_write_that_was_done_is_not_done_again)
{
	uint64_t was;

	hr[0][4] = 77;
	note(MIRROR_TO_STORE, 1, 77);
	carry_out(1, 77);
	client_writes(4, 88);
	was = commits();
	twin_fini(&tw);
	keeper();
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits(), was);
	ck_assert_uint_eq(stored(4), 88);
	ck_assert_uint_eq(hr[0][4], 88);
}
END_TEST

/* The value of a client was in the view already, and not yet in the shadow; the
 * client has written another one since. */
START_TEST(what_was_being_shown_is_not_taken_for_a_tools)
{
	uint64_t was;

	client_writes(4, 5);
	note(MIRROR_TO_VIEW, 0, 5);
	hr[0][4] = 5;
	client_writes(4, 6);
	was = commits();
	twin_fini(&tw);
	keeper();
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(commits(), was);
	ck_assert_uint_eq(stored(4), 6);
	ck_assert_uint_eq(hr[0][4], 6);
}
END_TEST

START_TEST(what_a_tool_wrote_meanwhile_is_not_lost)
{
	client_writes(4, 5);
	note(MIRROR_TO_VIEW, 0, 5);
	hr[0][4] = 9; /* after the death */
	twin_fini(&tw);
	keeper();
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(stored(4), 9);
	ck_assert_uint_eq(hr[0][4], 9);
}
END_TEST

START_TEST(an_author_goes_on_where_the_store_knows_it)
{
	carry_out(40, 1);
	twin_fini(&tw);
	keeper(); /* whose notes are new */
	hr[0][6] = 3;
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(stored(6), 3);
	ck_assert_uint_eq(mirror.ctl->op, 41);
}
END_TEST

static void
break_set(struct mirror_stage *s)
{
	s->set = NSETS;
}

static void
break_n(struct mirror_stage *s)
{
	s->n = MIRROR_STEPS + 1;
}

static void
break_table(struct mirror_stage *s)
{
	s->step[0].table = MIRROR_TABLES;
}

static void
break_addr(struct mirror_stage *s)
{
	s->step[0].addr = HRS;
}

static void
break_count(struct mirror_stage *s)
{
	s->step[0].count = UINT32_MAX;
}

static void
break_off(struct mirror_stage *s)
{
	s->step[0].off = STORE_STEP_BYTES - 1;
}

static void
break_off_far(struct mirror_stage *s)
{
	s->step[0].off = (uint32_t)(offsetof(struct mirror_ctl, set) -
	    offsetof(struct mirror_ctl, stage.wire) + 8);
}

static void (*const broken[])(struct mirror_stage *) = { break_set, break_n,
	break_table, break_addr, break_count, break_off, break_off_far };

START_TEST(notes_that_cannot_be_are_dropped)
{
	uint64_t was = commits();

	note(_i % 2 ? MIRROR_TO_VIEW : MIRROR_TO_STORE, 1, 77);
	broken[_i](&mirror.ctl->stage);
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(mirror.ctl->stage.way, MIRROR_IDLE);
	ck_assert_uint_eq(commits(), was);
	ck_assert_uint_eq(hr[0][4], 0);
	ck_assert_uint_eq(hr[1][0], 0); /* where the first set's end */
}
END_TEST

/* Another process owns the device and lives: the pass is given up, and the
 * next one does what is left. */
START_TEST(a_busy_device_loses_nothing)
{
	uint64_t owner = slot_next_id(fx.env.control, 2);
	int fd = slot_lock_open(fx.lock_path);

	ck_assert_int_eq(slot_lock_take(fd, 2), 0);
	atomic_store(&fx.store.dev->owner, owner);
	hr[0][4] = 5;
	ck_assert(!twin_pass(&tw));
	ck_assert(tw.busy && !tw.wrote);
	hr[0][4] = 6;
	hr[0][5] = 7;
	ck_assert(!twin_pass(&tw));
	atomic_store(&fx.store.dev->owner, 0);
	ck_assert(twin_pass(&tw));
	ck_assert_uint_eq(stored(4), 6);
	ck_assert_uint_eq(stored(5), 7);
	close(fd);
}
END_TEST

static TCase *
with(Suite *s, const char *name, void (*before)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, before, tear_down);
	suite_add_tcase(s, tc);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("twin");
	TCase *ways = with(s, "ways", set_up_plain);
	TCase *shared = with(s, "shared", set_up_shared);
	TCase *deaths = with(s, "deaths", set_up_plain);

	tcase_add_test(ways, what_the_store_has_goes_into_all_sets);
	tcase_add_test(
	    ways, what_others_change_goes_into_the_store_and_the_other_set);
	tcase_add_test(
	    ways, all_changes_of_a_set_are_one_commit_and_neighbours_one_event);
	tcase_add_test(
	    ways, addresses_that_ascend_over_two_tables_are_no_neighbours);
	tcase_add_test(ways, what_does_not_exist_is_put_back);
	tcase_add_test(ways, what_lies_behind_the_last_cell_is_not_looked_at);
	tcase_add_test(ways, what_is_read_only_is_taken_back);
	tcase_add_test(
	    ways, a_byte_that_means_the_same_is_made_1_and_is_no_change);
	tcase_add_test(ways, of_two_changes_that_of_the_view_is_the_later);
	tcase_add_test(ways, more_changes_than_are_kept_are_all_taken);
	tcase_add_test(ways, more_places_than_a_step_has_take_several);
	tcase_add_test(shared, one_array_shows_in_every_table);
	tcase_add_test(
	    deaths, a_write_that_was_noted_is_carried_out_by_the_successor);
	tcase_add_test(deaths, a_write_that_was_done_is_not_done_again);
	tcase_add_test(deaths, what_was_being_shown_is_not_taken_for_a_tools);
	tcase_add_test(deaths, what_a_tool_wrote_meanwhile_is_not_lost);
	tcase_add_test(deaths, an_author_goes_on_where_the_store_knows_it);
	tcase_add_loop_test(deaths, notes_that_cannot_be_are_dropped, 0,
	    sizeof(broken) / sizeof(broken[0]));
	tcase_add_test(deaths, a_busy_device_loses_nothing);
	return fix_run(s);
}
