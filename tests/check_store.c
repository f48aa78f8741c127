/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store seen as its users see it: every table, address and count against
 * a plain model, steps that go together, rights, replays.
 */

#include "tests/store_fixture.h"

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
	{ STORE_HR, 65000, 536 },
	{ STORE_IR, 3, 131 },
	{ STORE_FILE, 1 << 16, 100 },
	{ STORE_FILE, (3 << 16) + 7, 9 },
	{ STORE_FIFO, 1000 << 5, 32 },
};

enum { NLAYOUT = sizeof(layout) / sizeof(layout[0]) };

static struct fixture fix;

static void
setup(void)
{
	struct seg_range r[NLAYOUT];

	for (int i = 0; i < NLAYOUT; i++) {
		/* backwards, since any order will do */
		r[NLAYOUT - 1 - i] =
		    fix_range(layout[i].table, layout[i].addr, layout[i].count);
	}
	fix_open(&fix, r, NLAYOUT, false);
}

static void
teardown(void)
{
	fix_close(&fix);
}

START_TEST(what_is_written_is_read_back)
{
	uint8_t in[250], out[250];
	uint64_t seq;

	for (int i = 0; i < 250; i++) {
		in[i] = (uint8_t)(i + 1);
	}
	ck_assert_int_eq(fix_write(&fix, STORE_HR, 3, 123, in), STORE_OK);
	ck_assert_int_eq(
	    store_read(&fix.store, STORE_HR, 3, 123, out, &seq), STORE_OK);
	ck_assert_mem_eq(in, out, 246);
	ck_assert_uint_eq(seq, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("basic");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_written_is_read_back);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
