/* SPDX-License-Identifier: Apache-2.0 */

/* Counting and drawing in whole numbers of 64 bits, where a double is no
 * help. */

#include "workers/action/wide.h"

#include "tests/suite.h"
#include "workers/action/number.h"

#define FREE_U 18446744073709551616. /* no maxval: shm/action.c */
#define FREE_I 9223372036854775808.
#define U(x) ((uint64_t)(x))

static uint16_t regs[NUMBER_REGS];
static struct hf_cell cell;

static void
take(enum hf_type type, enum hf_order order, uint64_t bits)
{
	struct typed_value v = { .type = (enum typed_type)type, .u = bits };

	cell = (struct hf_cell){
		.type = type, .order = order, .count = 4, .values = regs
	};
	ck_assert(number_put_typed(&cell, &v));
}

static uint64_t
bits(void)
{
	struct typed_value v;

	ck_assert(number_get_typed(&cell, &v));
	return v.u;
}

static const struct {
	enum hf_type type;
	uint64_t was;
	double min, max;
	uint64_t is;
} count[] = {
	{ HF_UINT64, 0, 0, FREE_U, 1 },
	/* where a double has no room for one more */
	{ HF_UINT64, U(1) << 53, 0, FREE_U, (U(1) << 53) + 1 },
	{ HF_UINT64, (U(1) << 53) + 1, 0, FREE_U, (U(1) << 53) + 2 },
	{ HF_UINT64, U(1) << 63, 0, FREE_U, (U(1) << 63) + 1 },
	{ HF_UINT64, UINT64_MAX - 1, 0, FREE_U, UINT64_MAX },
	{ HF_UINT64, UINT64_MAX, 0, FREE_U, 0 },
	{ HF_UINT64, UINT64_MAX, 7, FREE_U, 7 },
	{ HF_UINT64, 99, 3, 99, 3 },
	{ HF_UINT64, 98, 3, 99.5, 99 },
	{ HF_UINT64, 1, 3, 99, 3 },
	{ HF_UINT64, U(1) << 60, 3, 99, 3 },
	{ HF_INT64, 0, 0, FREE_I, 1 },
	{ HF_INT64, U(-1), 0, FREE_I, 0 },
	{ HF_INT64, U(INT64_MIN), 0, FREE_I, U(INT64_MIN) + 1 },
	{ HF_INT64, U(1) << 62, 0, FREE_I, (U(1) << 62) + 1 },
	{ HF_INT64, INT64_MAX - 1, 0, FREE_I, INT64_MAX },
	{ HF_INT64, INT64_MAX, 0, FREE_I, 0 },
	{ HF_INT64, INT64_MAX, -9, FREE_I, U(-9) },
	{ HF_INT64, U(-9007199254740993), 0, FREE_I, U(-9007199254740992) },
	{ HF_INT64, 2, -4, 2, U(-4) },
	{ HF_INT64, U(-70), -4, 2, U(-4) },
};

START_TEST(each_number_is_followed_by_the_next)
{
	for (int order = HF_ABCD; order <= HF_DCBA; order++) {
		take(count[_i].type, (enum hf_order)order, count[_i].was);
		ck_assert_int_eq(
		    wide_increment(&cell, count[_i].min, count[_i].max),
		    HF_EX_NONE);
		ck_assert_uint_eq(bits(), count[_i].is);
	}
}
END_TEST

static const struct {
	enum hf_type type;
	double min, max;
	uint64_t low, span;
} draw[] = {
	{ HF_UINT64, 5, 5, 5, 0 },
	{ HF_UINT64, 5, 7, 5, 2 },
	{ HF_INT64, -2, 2, U(-2), 4 },
	{ HF_INT64, -9007199254740992., -9007199254740989.,
	    U(-9007199254740992), 3 },
};

START_TEST(what_is_drawn_is_any_of_them_and_none_else)
{
	uint64_t seen = 0, x;

	for (int i = 0; i < 1000; i++) {
		take(draw[_i].type, HF_ABCD, 77);
		ck_assert_int_eq(
		    wide_random(&cell, draw[_i].min, draw[_i].max), HF_EX_NONE);
		x = bits() - draw[_i].low;
		ck_assert_uint_le(x, draw[_i].span);
		seen |= U(1) << x;
	}
	/* the odds of missing one of five in a thousand are 1 in 10^96 */
	ck_assert_uint_eq(seen, (U(2) << draw[_i].span) - 1);
}
END_TEST

START_TEST(without_bounds_every_bit_is_drawn)
{
	uint64_t ones = 0, zeros = 0;

	for (int i = 0; i < 200; i++) {
		take(HF_UINT64, HF_ABCD, 0);
		ck_assert_int_eq(wide_random(&cell, 0, FREE_U), HF_EX_NONE);
		ones |= bits();
		zeros |= ~bits();
	}
	ck_assert_uint_eq(ones, UINT64_MAX);
	ck_assert_uint_eq(zeros, UINT64_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wide");
	TCase *tc = tcase_create("wide");

	tcase_add_loop_test(tc, each_number_is_followed_by_the_next, 0,
	    sizeof(count) / sizeof(count[0]));
	tcase_add_loop_test(tc, what_is_drawn_is_any_of_them_and_none_else, 0,
	    sizeof(draw) / sizeof(draw[0]));
	tcase_add_test(tc, without_bounds_every_bit_is_drawn);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
