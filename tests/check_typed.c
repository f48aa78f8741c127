/* SPDX-License-Identifier: Apache-2.0 */

/* Typed values: byte orders, bounds, the shortest text. */

#include "shm/typed.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

#define U(t, n)                             \
	{                                   \
		.type = TYPED_##t, .u = (n) \
	}
#define I(t, n)                             \
	{                                   \
		.type = TYPED_##t, .i = (n) \
	}
#define F(t, n)                             \
	{                                   \
		.type = TYPED_##t, .f = (n) \
	}

/* Every type in every order, bytes as they stand on the wire. */
static const struct {
	struct typed_value v;
	uint8_t wire[TYPED_ORDERS][8];
} layouts[] = {
	{ U(UINT16, 0x0102), { { 1, 2 }, { 2, 1 }, { 1, 2 }, { 2, 1 } } },
	{ I(INT16, -2),
	    { { 0xff, 0xfe }, { 0xfe, 0xff }, { 0xff, 0xfe },
		{ 0xfe, 0xff } } },
	{ U(UINT32, 0x01020304),
	    { { 1, 2, 3, 4 }, { 2, 1, 4, 3 }, { 3, 4, 1, 2 },
		{ 4, 3, 2, 1 } } },
	{ I(INT32, -16909061),
	    { { 0xfe, 0xfd, 0xfc, 0xfb }, { 0xfd, 0xfe, 0xfb, 0xfc },
		{ 0xfc, 0xfb, 0xfe, 0xfd }, { 0xfb, 0xfc, 0xfd, 0xfe } } },
	{ U(UINT64, 0x0102030405060708),
	    { { 1, 2, 3, 4, 5, 6, 7, 8 }, { 2, 1, 4, 3, 6, 5, 8, 7 },
		{ 7, 8, 5, 6, 3, 4, 1, 2 }, { 8, 7, 6, 5, 4, 3, 2, 1 } } },
	{ I(INT64, -72623859790382857),
	    { { 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8, 0xf7 },
		{ 0xfd, 0xfe, 0xfb, 0xfc, 0xf9, 0xfa, 0xf7, 0xf8 },
		{ 0xf8, 0xf7, 0xfa, 0xf9, 0xfc, 0xfb, 0xfe, 0xfd },
		{ 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe } } },
	/* 404.17f is 0x43ca15c3 */
	{ F(FLOAT32, 404.17f),
	    { { 0x43, 0xca, 0x15, 0xc3 }, { 0xca, 0x43, 0xc3, 0x15 },
		{ 0x15, 0xc3, 0x43, 0xca }, { 0xc3, 0x15, 0xca, 0x43 } } },
	/* 1.5 is 0x3ff8000000000000; 1 + 2^-52 + ... shows every byte */
	{ F(FLOAT64, 0x1.23456789abcdep+0),
	    { { 0x3f, 0xf2, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde },
		{ 0xf2, 0x3f, 0x56, 0x34, 0x9a, 0x78, 0xde, 0xbc },
		{ 0xbc, 0xde, 0x78, 0x9a, 0x34, 0x56, 0x3f, 0xf2 },
		{ 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0xf2, 0x3f } } },
};

enum { NLAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

START_TEST(each_type_lies_on_the_wire_as_its_order_says)
{
	const struct typed_value *v = &layouts[_i].v;
	struct typed_value back;
	uint8_t wire[8];

	for (int o = 0; o < TYPED_ORDERS; o++) {
		unsigned len = 2 * typed_regs(v->type);

		memset(wire, 0xaa, sizeof(wire));
		ck_assert_int_eq(
		    typed_put(v->type, (enum typed_order)o, v, wire), 0);
		ck_assert_mem_eq(wire, layouts[_i].wire[o], len);
		for (unsigned k = len; k < sizeof(wire); k++)
			ck_assert_uint_eq(wire[k], 0xaa);
		typed_get(v->type, (enum typed_order)o, wire, &back);
		ck_assert_int_eq(back.type, v->type);
		ck_assert_uint_eq(back.u, v->u);
	}
}
END_TEST

/* Which values a type takes, from whatever kind of number. */
static const struct {
	enum typed_type type;
	struct typed_value v;
	int error;
	uint64_t raw; /* as the wire reads in order abcd */
} bounds[] = {
	{ TYPED_UINT16, U(UINT64, 65535), 0, 65535 },
	{ TYPED_UINT16, U(UINT64, 65536), ERANGE, 0 },
	{ TYPED_UINT16, I(INT64, -1), ERANGE, 0 },
	{ TYPED_INT16, I(INT64, -32768), 0, 0x8000 },
	{ TYPED_INT16, I(INT64, -32769), ERANGE, 0 },
	{ TYPED_INT16, I(INT64, 32767), 0, 32767 },
	{ TYPED_INT16, I(INT64, 32768), ERANGE, 0 },
	{ TYPED_INT16, U(UINT64, 40000), ERANGE, 0 },
	{ TYPED_UINT32, U(UINT64, 0xffffffff), 0, 0xffffffff },
	{ TYPED_UINT32, U(UINT64, 0x100000000), ERANGE, 0 },
	{ TYPED_INT32, I(INT64, INT32_MIN), 0, 0x80000000 },
	{ TYPED_INT32, I(INT64, (int64_t)INT32_MIN - 1), ERANGE, 0 },
	{ TYPED_UINT64, U(UINT64, UINT64_MAX), 0, UINT64_MAX },
	{ TYPED_UINT64, I(INT64, -1), ERANGE, 0 },
	{ TYPED_INT64, U(UINT64, (uint64_t)INT64_MAX + 1), ERANGE, 0 },
	{ TYPED_INT64, I(INT64, INT64_MIN), 0, 0x8000000000000000 },
	{ TYPED_UINT16, F(FLOAT64, 404.0), 0, 404 },
	{ TYPED_UINT16, F(FLOAT64, 404.5), ERANGE, 0 },
	{ TYPED_UINT16, F(FLOAT64, -1.0), ERANGE, 0 },
	{ TYPED_INT16, F(FLOAT64, -1.0), 0, 0xffff },
	{ TYPED_UINT64, F(FLOAT64, 0x1p64), ERANGE, 0 },
	{ TYPED_UINT64, F(FLOAT64, 0x1p63), 0, (uint64_t)1 << 63 },
	{ TYPED_INT64, F(FLOAT64, 0x1p63), ERANGE, 0 },
	{ TYPED_INT64, F(FLOAT64, -0x1p63), 0, (uint64_t)1 << 63 },
	{ TYPED_INT64, F(FLOAT64, NAN), ERANGE, 0 },
	{ TYPED_INT32, F(FLOAT64, INFINITY), ERANGE, 0 },
	{ TYPED_FLOAT32, U(UINT16, 3), 0, 0x40400000 },
	{ TYPED_FLOAT32, I(INT16, -3), 0, 0xc0400000 },
	{ TYPED_FLOAT32, F(FLOAT64, 3.4028234e38), 0, 0x7f7fffff },
	{ TYPED_FLOAT32, F(FLOAT64, 3.5e38), ERANGE, 0 },
	{ TYPED_FLOAT32, F(FLOAT64, -1e300), ERANGE, 0 },
	{ TYPED_FLOAT32, F(FLOAT64, INFINITY), 0, 0x7f800000 },
	{ TYPED_FLOAT32, F(FLOAT64, -INFINITY), 0, 0xff800000 },
	{ TYPED_FLOAT32, F(FLOAT64, 1e-60), 0, 0 },
	{ TYPED_FLOAT32, F(FLOAT64, -0.0), 0, 0x80000000 },
	{ TYPED_FLOAT64, I(INT64, -1), 0, 0xbff0000000000000 },
	{ TYPED_BITS, U(UINT16, 1), 0, 1 },
};

enum { NBOUNDS = sizeof(bounds) / sizeof(bounds[0]) };

START_TEST(a_value_outside_its_type_is_refused_with_erange)
{
	uint8_t wire[8] = { 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a };
	uint64_t raw = 0;
	int rc;

	errno = 0;
	rc = typed_put(bounds[_i].type, TYPED_ABCD, &bounds[_i].v, wire);
	ck_assert_int_eq(rc, bounds[_i].error ? -1 : 0);
	ck_assert_int_eq(errno, bounds[_i].error);
	if (bounds[_i].error) {
		ck_assert_uint_eq(wire[0], 0x5a); /* left alone */
		return;
	}
	for (unsigned k = 0; k < 2 * typed_regs(bounds[_i].type); k++)
		raw = raw << 8 | wire[k];
	ck_assert_uint_eq(raw, bounds[_i].raw);
}
END_TEST

static const struct {
	struct typed_value v;
	const char *text;
} texts[] = {
	{ U(UINT16, 65535), "65535" },
	{ I(INT16, -32768), "-32768" },
	{ U(UINT64, UINT64_MAX), "18446744073709551615" },
	{ I(INT64, INT64_MIN), "-9223372036854775808" },
	{ F(FLOAT32, 404.17f), "404.17" },
	{ F(FLOAT32, 0.1f), "0.1" },
	{ F(FLOAT32, 16777216.0f), "16777216" },
	{ F(FLOAT32, 3.4028234e38f), "3.4028235e+38" },
	{ F(FLOAT32, 1e-45f), "1.4013e-45" },
	{ F(FLOAT32, 1.0f / 3), "0.33333334" },
	{ F(FLOAT32, -0.0f), "-0" },
	{ F(FLOAT64, 404.17), "404.17" },
	{ F(FLOAT64, 0.1), "0.1" },
	{ F(FLOAT64, 0.1 + 0.2), "0.30000000000000004" },
	{ F(FLOAT64, 1e22), "1e+22" },
	{ F(FLOAT64, 1.0 / 3), "0.3333333333333333" },
	{ F(FLOAT64, 5e-324), "4.94065645841247e-324" },
	{ F(FLOAT64, NAN), "NaN" },
	{ F(FLOAT32, INFINITY), "Infinity" },
	{ F(FLOAT64, -INFINITY), "-Infinity" },
};

enum { NTEXTS = sizeof(texts) / sizeof(texts[0]) };

START_TEST(text_is_the_shortest_that_reads_back)
{
	char buf[64], small[4];
	int n = typed_text(&texts[_i].v, buf, sizeof(buf));

	ck_assert_str_eq(buf, texts[_i].text);
	ck_assert_int_eq(n, (int)strlen(texts[_i].text));
	/* cut, never overrun, as snprintf does */
	ck_assert_int_eq(typed_text(&texts[_i].v, small, sizeof(small)), n);
	ck_assert_uint_lt(strlen(small), sizeof(small));
}
END_TEST

START_TEST(every_float_text_reads_back_bit_for_bit)
{
	uint64_t x = 88172645463325252ull;

	for (int i = 0; i < 20000; i++) {
		struct typed_value v = { .type = TYPED_FLOAT32 };
		uint32_t raw;
		float f;
		char buf[64];

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		raw = (uint32_t)x;
		memcpy(&f, &raw, sizeof(f));
		if (isnan(f))
			continue;
		v.f = f;
		typed_text(&v, buf, sizeof(buf));
		ck_assert(strtof(buf, NULL) == f);
		v.type = TYPED_FLOAT64;
		memcpy(&v.f, &x, sizeof(x));
		if (!isnan(v.f)) {
			typed_text(&v, buf, sizeof(buf));
			ck_assert(strtod(buf, NULL) == v.f);
		}
	}
}
END_TEST

START_TEST(names_are_found_and_unknown_ones_are_not)
{
	static const char *const types[TYPED_TYPES] = { "uint16", "int16",
		"uint32", "int32", "uint64", "int64", "float32", "float64",
		"string", "bits" };
	static const char *const orders[TYPED_ORDERS] = { "abcd", "badc",
		"cdab", "dcba" };
	static const unsigned regs[TYPED_TYPES] = { 1, 1, 2, 2, 4, 4, 2, 4, 1,
		1 };

	for (int i = 0; i < TYPED_TYPES; i++) {
		ck_assert_int_eq(typed_type_find(types[i]), i);
		ck_assert_str_eq(typed_type_name((enum typed_type)i), types[i]);
		ck_assert_uint_eq(typed_regs((enum typed_type)i), regs[i]);
	}
	for (int i = 0; i < TYPED_ORDERS; i++) {
		ck_assert_int_eq(typed_order_find(orders[i]), i);
		ck_assert_str_eq(
		    typed_order_name((enum typed_order)i), orders[i]);
	}
	ck_assert_int_eq(typed_type_find("float"), -1);
	ck_assert_int_eq(typed_type_find(""), -1);
	ck_assert_int_eq(typed_order_find("abdc"), -1);
}
END_TEST

START_TEST(a_type_or_order_that_does_not_exist_harms_nothing)
{
	uint8_t wire[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct typed_value v;

	typed_get((enum typed_type)200, (enum typed_order)99, wire, &v);
	ck_assert_uint_eq(v.u, 0x0102);
	ck_assert_str_eq(typed_type_name((enum typed_type)200), "uint16");
	ck_assert_uint_eq(typed_regs((enum typed_type) - 1), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("typed");
	TCase *t = tcase_create("typed");

	tcase_add_loop_test(
	    t, each_type_lies_on_the_wire_as_its_order_says, 0, NLAYOUTS);
	tcase_add_loop_test(
	    t, a_value_outside_its_type_is_refused_with_erange, 0, NBOUNDS);
	tcase_add_loop_test(t, text_is_the_shortest_that_reads_back, 0, NTEXTS);
	tcase_add_test(t, every_float_text_reads_back_bit_for_bit);
	tcase_add_test(t, names_are_found_and_unknown_ones_are_not);
	tcase_add_test(t, a_type_or_order_that_does_not_exist_harms_nothing);
	suite_add_tcase(s, t);
	return suite_run(s);
}
