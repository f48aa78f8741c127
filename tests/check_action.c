/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Numbers in registers of any type and order, and the setting of values: in as
 * few commits as can be, nobody's write undone.
 */

#include "workers/action/set.h"

#include <math.h>

#include "shm/action.h"
#include "tests/lib/worker_fixture.h"
#include "tests/suite.h"
#include "workers/action/number.h"
#include "workers/action/wave.h"
#include "workers/hooks/bind_hook.h"
#include "workers/hooks/hooks_own.h"

/* ---- numbers ---- */

static const struct {
	enum hf_type type;
	double put, got; /* by number_near() */
} near_[] = {
	{ HF_UINT16, 1.49, 1 },
	{ HF_UINT16, 1.5, 2 },
	{ HF_UINT16, -1, 0 },
	{ HF_UINT16, 1e9, 65535 },
	{ HF_UINT16, INFINITY, 65535 },
	{ HF_INT16, -1.5, -1 },
	{ HF_INT16, -1.6, -2 },
	{ HF_INT16, -1e9, -32768 },
	{ HF_INT16, 1e9, 32767 },
	{ HF_UINT32, 4294967295.4, 4294967295. },
	{ HF_UINT32, 5e9, 4294967295. },
	{ HF_INT32, -5e9, -2147483648. },
	{ HF_UINT64, 1e300, 18446744073709549568. },
	{ HF_UINT64, 1e19, 1e19 },
	{ HF_INT64, -1e300, -9223372036854775808. },
	{ HF_INT64, 1e300, 9223372036854774784. },
	{ HF_INT64, -3, -3 },
	{ HF_FLOAT32, 0.5, 0.5 },
	{ HF_FLOAT32, 1e300, 3.4028234663852886e38 },
	{ HF_FLOAT64, -1e300, -1e300 },
	{ HF_BITS, 0.49, 0 },
	{ HF_BITS, 0.5, 1 },
	{ HF_BITS, -7, 0 },
};

START_TEST(a_number_is_rounded_and_kept_within_its_type)
{
	for (int order = HF_ABCD; order <= HF_DCBA; order++) {
		uint16_t v[NUMBER_REGS] = { 0 };
		struct hf_cell c = { .type = near_[_i].type,
			.order = (enum hf_order)order,
			.count = (uint16_t)(near_[_i].type == HF_BITS
				? 1
				: typed_regs((enum typed_type)near_[_i].type)),
			.values = v };
		double x = 77;

		number_near(&c, near_[_i].put);
		ck_assert(number_get(&c, &x));
		ck_assert_double_eq(x, near_[_i].got);
		number_near(&c, NAN); /* nothing */
		ck_assert(number_get(&c, &x));
		ck_assert_double_eq(x, near_[_i].got);
	}
}
END_TEST

START_TEST(what_does_not_fit_is_refused_where_it_is_not_to_be_near)
{
	uint16_t v[NUMBER_REGS] = { 5 };
	struct hf_cell c = { .type = HF_UINT16, .count = 1, .values = v };

	ck_assert_int_eq(number_put(&c, 65536), HF_EX_FAILURE);
	ck_assert_int_eq(number_put(&c, -1), HF_EX_FAILURE);
	ck_assert_int_eq(number_put(&c, NAN), HF_EX_FAILURE);
	ck_assert_uint_eq(v[0], 5);
	ck_assert_int_eq(number_put(&c, 65535.9), HF_EX_FAILURE);
	ck_assert_int_eq(number_put(&c, 9.9), HF_EX_NONE);
	ck_assert_uint_eq(v[0], 9);
	c.type = HF_STRING;
	ck_assert(!number_get(&c, &(double){ 0 }));
}
END_TEST

/* ---- rows ---- */

START_TEST(each_row_has_its_function_and_its_parameters_their_places)
{
	static const struct {
		const char *action, *name;
		unsigned at;
	} places[] = { { "increment", "minval", 1 }, { "random", "maxval", 2 },
		{ "ramp", "max", 2 }, { "ramp", "step", 5 },
		{ "sine", "amplitude", 2 }, { "sine", "phase", 4 },
		{ "square", "duty", 5 }, { "walk", "step", 3 },
		{ "replay", "interpolation", 3 }, { "copy", "scale", 6 },
		{ "copy", "offset", 7 }, { "lua", "instructions", 3 },
		{ "lua", "memory_kb", 4 } };

	for (unsigned i = 0; i < ACTION_IDS; i++) {
		const struct action_row *r = &action_rows[i];

		ck_assert_ptr_eq(action_find(r->name), r);
		ck_assert_ptr_nonnull(action_builtin(r->name)->built_in);
		ck_assert_ptr_null(r->params[ACTION_PARAMS_MAX].name);
		ck_assert(!(r->flags & ACTION_ON_CLOCK) ||
		    strcmp(r->params[ACTION_PERIOD].name, "period_ms") == 0);
		for (const struct action_param *p = r->params; p->name; p++)
			ck_assert_ptr_nonnull(p->help);
	}
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		ck_assert_str_eq(
		    action_find(places[i].action)->params[places[i].at].name,
		    places[i].name);
}
END_TEST

/* ---- setting ---- */

static struct fx fx;
static struct set set;
static struct set_range range[64];
static struct conf_range conf[64];
static unsigned nranges, runs, disturb;

static enum hf_exception
one_more(const struct action_call *call, struct hf_cell *c)
{
	uint16_t other = (uint16_t)(1000 * ++runs);

	(void)call;
	if (disturb > 0) {
		disturb--;
		c->write(c, c->table, c->addr, 1, &other);
	}
	c->values[0]++;
	return HF_EX_NONE;
}

static enum hf_exception
nothing(const struct action_call *call, struct hf_cell *c)
{
	(void)call;
	(void)c;
	runs++;
	return HF_EX_NONE;
}

static enum hf_exception
fails(const struct action_call *call, struct hf_cell *c)
{
	(void)call;
	c->values[0] = 4711;
	return HF_EX_BUSY;
}

static const struct hook_action one_more_ = { .built_in = one_more };
static const struct hook_action nothing_ = { .built_in = nothing };
static const struct hook_action fails_ = { .built_in = fails };

static void
setup(void)
{
	fx_init(&fx);
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	memset(&set, 0, sizeof(set));
	memset(range, 0, sizeof(range));
	set.proc = &fx.proc;
	nranges = runs = disturb = 0;
}

static void
teardown(void)
{
	bind_fini(&fx.worker.bind);
	fx_fini(&fx);
}

static void
add(const struct hook_action *a, enum store_table t, uint32_t addr, uint32_t n)
{
	struct set_range *r = &range[nranges];

	conf[nranges] = (struct conf_range){ .table = t,
		.addr = addr,
		.count = n,
		.type = t <= STORE_DI ? TYPED_BITS : TYPED_UINT16,
		.action = (char *)(uintptr_t) "mine" };
	*r = (struct set_range){ .a.conf = &conf[nranges],
		.a.action = a,
		.a.device = "a",
		.a.step = 1,
		.d = &fx.worker.bind.device[0],
		.goes_on = true };
	nranges++;
}

static uint16_t
hr(unsigned addr, uint64_t *seq)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[0], STORE_HR, addr, 1, v, seq), STORE_OK);
	return (uint16_t)(v[0] << 8 | v[1]);
}

/* Sets all; how many commits that took. */
static uint64_t
turn(void)
{
	uint64_t before, after;

	hr(0, &before);
	for (unsigned i = 0; i < nranges; i++)
		set_range(&set, &range[i], 1);
	set_flush(&set);
	hr(0, &after);
	return after - before;
}

START_TEST(neighbours_and_others_are_one_commit)
{
	add(&one_more_, STORE_HR, 0, 3);
	add(&one_more_, STORE_HR, 3, 1);
	add(&one_more_, STORE_HR, 4, 10);
	add(&one_more_, STORE_HR, 20, 2);
	add(&one_more_, STORE_HR, 300, 10); /* ro to clients */
	add(&one_more_, STORE_CO, 0, 9);
	add(&one_more_, STORE_CO, 9, 9);
	add(&one_more_, STORE_IR, 0, 10);
	for (unsigned i = 0; i < 14; i++)
		ck_assert_uint_eq(hr(i, NULL), i);
	ck_assert_uint_eq(turn(), 1);
	for (unsigned i = 0; i < 30; i++)
		ck_assert_uint_eq(
		    hr(i, NULL), i < 14 || i / 2 == 10 ? i + 1 : i);
	ck_assert(fx.worker.bind.wrote);
	ck_assert_uint_eq(turn(), 1);
	ck_assert_uint_eq(hr(13, NULL), 15);
}
END_TEST

START_TEST(what_there_is_no_room_for_is_another_commit)
{
	for (unsigned i = 0; i < SET_STEPS + 8; i++)
		add(&one_more_, STORE_HR, 3 * i, 1);
	ck_assert_uint_eq(turn(), 2);
	for (unsigned i = 0; i < SET_STEPS + 8; i++)
		ck_assert_uint_eq(hr(3 * i, NULL), 3 * i + 1);
}
END_TEST

START_TEST(what_stays_is_not_written)
{
	add(&nothing_, STORE_HR, 0, 50);
	ck_assert_uint_eq(turn(), 0);
	ck_assert_uint_eq(runs, 50);
	ck_assert(!fx.worker.bind.wrote);
}
END_TEST

START_TEST(what_fails_stays)
{
	add(&fails_, STORE_HR, 0, 3);
	add(&one_more_, STORE_HR, 3, 1);
	ck_assert_uint_eq(turn(), 1);
	ck_assert_uint_eq(hr(0, NULL), 0);
	ck_assert_uint_eq(hr(2, NULL), 2);
	ck_assert_uint_eq(hr(3, NULL), 4);
}
END_TEST

/* Somebody writes the last of three values as it is made: all are made anew,
 * on what is there then. */
START_TEST(what_others_write_meanwhile_is_gone_on_from)
{
	add(&one_more_, STORE_HR, 10, 1);
	add(&one_more_, STORE_HR, 11, 1);
	disturb = 3;
	turn();
	ck_assert_uint_eq(disturb, 0);
	/* 10: disturbed with 1000 at first and with 3000 when it was made
	 * again; 11: with 2000 */
	ck_assert_uint_eq(hr(10, NULL), 3001);
	ck_assert_uint_eq(hr(11, NULL), 2001);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("action");
	TCase *tc = tcase_create("numbers");

	tcase_add_loop_test(tc, a_number_is_rounded_and_kept_within_its_type, 0,
	    sizeof(near_) / sizeof(near_[0]));
	tcase_add_test(
	    tc, what_does_not_fit_is_refused_where_it_is_not_to_be_near);
	tcase_add_test(
	    tc, each_row_has_its_function_and_its_parameters_their_places);
	suite_add_tcase(s, tc);
	tc = tcase_create("setting");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, neighbours_and_others_are_one_commit);
	tcase_add_test(tc, what_there_is_no_room_for_is_another_commit);
	tcase_add_test(tc, what_stays_is_not_written);
	tcase_add_test(tc, what_fails_stays);
	tcase_add_test(tc, what_others_write_meanwhile_is_gone_on_from);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
