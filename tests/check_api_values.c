/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values through the library: every table by every function code, typed forms
 * in all orders, text, names, transactions, and what each of them refuses.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/store_own.h"
#include "supervisor/api/api.h"
#include "supervisor/holdfast.h"
#include "tests/suite.h"

enum { REGS = 300, BITS = 200, FIRST = 3 };

static struct hf_store *store, *reader;
static struct hf_device *dev, *seen; /* seen: attached for reading */

static void
add(enum hf_table t, uint32_t addr, uint32_t count)
{
	struct hf_range r = { .table = t, .addr = addr, .count = count };

	ck_assert_int_eq(hf_device_add_range(dev, &r), 0);
}

static void
add_named(const char *name, uint32_t addr, enum hf_type type, double scale)
{
	struct hf_range r = {
		.table = HF_IR,
		.addr = addr,
		.type = type,
		.order = HF_CDAB,
		.name = name,
		.scale = scale,
	};

	ck_assert_int_eq(hf_device_add_range(dev, &r), 0);
}

static void
setup(void)
{
	store = hf_store_new(NULL);
	dev = hf_store_add_device(store, "plc", HF_EVERY_UNIT);
	add(HF_CO, FIRST, BITS);
	add(HF_DI, FIRST, BITS);
	add(HF_HR, FIRST, REGS);
	add(HF_HR, 65535, 1);
	add(HF_IR, FIRST, REGS);
	add_named("flow", 1000, HF_FLOAT32, 0);
	add_named("level", 1002, HF_INT16, 0.1);
	add_named("total", 1004, HF_UINT64, 0);
	add_named("text", 1010, HF_STRING, 0);
	ck_assert_int_eq(hf_store_open(store), 0);
	reader = hf_store_attach_readonly(hf_store_name(store));
	ck_assert_ptr_nonnull(reader);
	seen = hf_store_device(reader, "plc");
}

static void
teardown(void)
{
	hf_store_free(reader);
	hf_store_free(store);
}

/* ---- by function code ---- */

static const struct {
	unsigned fc;
	enum store_table table;
} codes[] = {
	{ 1, STORE_CO },
	{ 2, STORE_DI },
	{ 3, STORE_HR },
	{ 4, STORE_IR },
	{ 5, STORE_CO },
	{ 6, STORE_HR },
	{ 15, STORE_CO },
	{ 16, STORE_HR },
	{ 22, STORE_HR },
	{ 23, STORE_HR },
};

START_TEST(each_function_code_reads_and_writes_its_table)
{
	bool bits = codes[_i].table <= STORE_DI;
	uint16_t in[] = { 0x1234, 0, 0xffff }, out[3] = { 7, 7, 7 };
	uint8_t wire[6];

	ck_assert_int_eq(hf_set_values(dev, codes[_i].fc, 10, 3, in), 0);
	ck_assert_int_eq(hf_get_values(seen, codes[_i].fc, 10, 3, out), 0);
	ck_assert_uint_eq(out[0], bits ? 1 : 0x1234);
	ck_assert_uint_eq(out[1], 0);
	ck_assert_uint_eq(out[2], bits ? 1 : 0xffff);
	ck_assert_int_eq(
	    store_read(&dev->st, codes[_i].table, 10, 3, wire, NULL), STORE_OK);
	if (bits)
		ck_assert_uint_eq(wire[0], 5);
	else
		ck_assert_mem_eq(wire, "\x12\x34\0\0\xff\xff", 6);
}
END_TEST

START_TEST(a_code_without_a_table_is_told)
{
	static const unsigned wrong[] = { 0, 7, 8, 20, 24, 43, 128, 1u << 31 };
	uint16_t v = 1;

	ck_assert_int_eq(hf_get_values(dev, wrong[_i], 10, 1, &v), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_set_values(dev, wrong[_i], 10, 1, &v), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_nonnull(strstr(hf_error(), "function code"));
}
END_TEST

/* Every place in a word, every length: the order of the host is what the
 * wire's order says. */
START_TEST(registers_in_the_order_of_the_host_are_those_of_the_wire)
{
	uint16_t in[REGS], out[REGS + 1];
	uint8_t wire[2 * REGS];

	for (unsigned i = 0; i < REGS; i++)
		in[i] = (uint16_t)(0x0102 + i * 0x0311);
	for (uint32_t addr = FIRST; addr < FIRST + 9; addr++) {
		for (uint32_t n = 1; n < 40; n++) {
			memset(wire, 0xee, sizeof(wire));
			ck_assert_int_eq(
			    hf_set_values(dev, 3, addr, n, in + n), 0);
			store_read(&dev->st, STORE_HR, addr, n, wire, NULL);
			out[n] = 0xabcd;
			ck_assert_int_eq(
			    hf_get_values(dev, 3, addr, n, out), 0);
			for (uint32_t i = 0; i < n; i++) {
				ck_assert_uint_eq(
				    wire[2 * i] << 8 | wire[2 * i + 1],
				    in[n + i]);
				ck_assert_uint_eq(out[i], in[n + i]);
			}
			ck_assert_uint_eq(out[n], 0xabcd);
		}
	}
}
END_TEST

START_TEST(what_others_are_told_of_a_change_is_in_the_order_of_the_wire)
{
	uint8_t buf[STORE_CHANGE_BYTES];
	uint64_t at = store_changes_end(&dev->st);
	uint16_t v[] = { 0x0102, 0x0304, 0x0506 };
	struct store_change ch;

	ck_assert_int_eq(hf_set_values(dev, 16, 10, 3, v), 0);
	ck_assert_int_eq(store_next_change(&seen->st, &at, &ch, buf), 1);
	ck_assert_mem_eq(ch.was, "\0\0\0\0\0\0", 6);
	ck_assert_mem_eq(ch.is, "\1\2\3\4\5\6", 6);
}
END_TEST

static const struct {
	unsigned fc;
	uint32_t addr, count;
	int ok;
} places[] = {
	{ 3, FIRST, REGS, 1 },
	{ 3, FIRST, REGS + 1, 0 },
	{ 3, FIRST - 1, 1, 0 },
	{ 3, 65535, 1, 1 },
	{ 3, 65535, 2, 0 },
	{ 3, 65536, 1, 0 },
	{ 3, UINT32_MAX, 2, 0 },
	{ 1, FIRST, BITS, 1 },
	{ 1, FIRST, BITS + 1, 0 },
	{ 1, FIRST, UINT32_MAX, 0 },
	{ 2, FIRST + BITS - 1, 1, 1 },
	{ 2, FIRST + BITS, 1, 0 },
	{ 4, 0, 1, 0 },
};

START_TEST(all_addresses_of_a_call_exist_or_none_is_touched)
{
	uint16_t v[REGS + 1] = { 0 };
	int want = places[_i].ok ? 0 : -1;

	errno = 0;
	ck_assert_int_eq(hf_get_values(seen, places[_i].fc, places[_i].addr,
			     places[_i].count, v),
	    want);
	ck_assert_int_eq(errno, places[_i].ok ? 0 : EADDRNOTAVAIL);
	errno = 0;
	ck_assert_int_eq(hf_set_values(dev, places[_i].fc, places[_i].addr,
			     places[_i].count, v),
	    want);
	ck_assert_int_eq(errno, places[_i].ok ? 0 : EADDRNOTAVAIL);
}
END_TEST

START_TEST(a_whole_table_is_read_at_once_and_written_in_pieces_of_4096)
{
	struct hf_store *s = hf_store_new(NULL);
	struct hf_device *d = hf_store_add_device(s, "big", 1);
	uint16_t *v = calloc(65536, 2), *w = calloc(65536, 2);
	struct hf_range all = { .count = 65536 };

	for (int t = HF_CO; t <= HF_IR; t++) {
		all.table = (enum hf_table)t;
		ck_assert_int_eq(hf_device_add_range(d, &all), 0);
	}
	for (unsigned i = 0; i < 65536; i++)
		v[i] = (uint16_t)(i * 7);
	ck_assert_int_eq(hf_set_values(d, 3, 0, 4097, v), -1);
	ck_assert_int_eq(errno, EINVAL);
	for (unsigned i = 0; i < 65536; i += 4096)
		ck_assert_int_eq(hf_set_values(d, 3, i, 4096, v + i), 0);
	ck_assert_int_eq(hf_get_values(d, 3, 0, 65536, w), 0);
	ck_assert_mem_eq(v, w, 65536 * 2);
	for (unsigned i = 0; i < 65536; i++)
		v[i] = i % 3 == 0;
	ck_assert_int_eq(hf_set_values(d, 15, 0, 65536, v), 0);
	ck_assert_int_eq(hf_get_values(d, 1, 0, 65536, w), 0);
	ck_assert_mem_eq(v, w, 65536 * 2);
	hf_store_free(s);
	free(v);
	free(w);
}
END_TEST

/* ---- typed ---- */

START_TEST(a_type_lies_in_registers_as_its_order_says)
{
	/* a is the highest byte: 0xaabbccdd */
	static const char *const wide[] = { "\xaa\xbb\xcc\xdd",
		"\xbb\xaa\xdd\xcc", "\xcc\xdd\xaa\xbb", "\xdd\xcc\xbb\xaa" };
	static const char *const wider[] = {
		"\x11\x22\x33\x44\x55\x66\x77\x08",
		"\x22\x11\x44\x33\x66\x55\x08\x77",
		"\x77\x08\x55\x66\x33\x44\x11\x22",
		"\x08\x77\x66\x55\x44\x33\x22\x11",
	};
	int64_t one[] = { 0xaabbccdd, 1 }, big = 0x1122334455667708;
	uint8_t wire[8];

	ck_assert_int_eq(hf_set_integers(dev, HF_HR, 20, HF_UINT32,
			     (enum hf_order)_i, 2, one),
	    0);
	store_read(&seen->st, STORE_HR, 20, 2, wire, NULL);
	ck_assert_mem_eq(wire, wide[_i], 4);
	ck_assert_int_eq(hf_set_integers(dev, HF_IR, 20, HF_INT64,
			     (enum hf_order)_i, 1, &big),
	    0);
	store_read(&seen->st, STORE_IR, 20, 4, wire, NULL);
	ck_assert_mem_eq(wire, wider[_i], 8);
}
END_TEST

static const struct {
	enum hf_type type;
	double low, high; /* the least and the greatest that fit */
	double below, above;
} bounds[] = {
	{ HF_UINT16, 0, 65535, -1, 65536 },
	{ HF_INT16, -32768, 32767, -32769, 32768 },
	{ HF_UINT32, 0, 4294967295.0, -1, 4294967296.0 },
	{ HF_INT32, -2147483648.0, 2147483647, -2147483649.0, 2147483648.0 },
	{ HF_UINT64, 0, 18446744073709549568.0, -1, 18446744073709551616.0 },
	{ HF_INT64, -9223372036854775808.0, 9223372036854774784.0,
	    -9223372036854777856.0, 9223372036854775808.0 },
	{ HF_FLOAT32, -0x1.fffffep127, 0x1.fffffep127, -0x1p128, 0x1p128 },
};

START_TEST(a_number_that_does_not_fit_its_type_is_told_and_nothing_written)
{
	enum hf_type type = bounds[_i].type;
	double in[2] = { bounds[_i].low, bounds[_i].high }, out[2];
	double bad[2][2] = { { 0, bounds[_i].below }, { 0, bounds[_i].above } };
	char which[80];

	for (int o = HF_ABCD; o <= HF_DCBA; o++) {
		enum hf_order order = (enum hf_order)o;

		ck_assert_int_eq(
		    hf_set_doubles(dev, HF_HR, 40, type, order, 2, in), 0);
		for (int k = 0; k < 2; k++) {
			ck_assert_int_eq(hf_set_doubles(dev, HF_HR, 40, type,
					     order, 2, bad[k]),
			    -1);
			ck_assert_int_eq(errno, ERANGE);
			snprintf(which, sizeof(which),
			    "value %.17g (index 1) does not fit", bad[k][1]);
			ck_assert_ptr_nonnull(strstr(hf_error(), which));
		}
		ck_assert_int_eq(
		    hf_get_doubles(seen, HF_HR, 40, type, order, 2, out), 0);
		ck_assert_double_eq(out[0], in[0]);
		ck_assert_double_eq(out[1], in[1]);
	}
}
END_TEST

START_TEST(a_fraction_fits_floating_types_alone)
{
	double half = 0.5, back = 0;

	for (int t = HF_UINT16; t <= HF_FLOAT64; t++) {
		int ok = t == HF_FLOAT32 || t == HF_FLOAT64 ? 0 : -1;

		ck_assert_int_eq(hf_set_doubles(dev, HF_HR, 50, (enum hf_type)t,
				     HF_BADC, 1, &half),
		    ok);
		if (ok != 0)
			ck_assert_int_eq(errno, ERANGE);
	}
	hf_set_doubles(dev, HF_HR, 50, HF_FLOAT64, HF_BADC, 1, &half);
	hf_get_doubles(dev, HF_HR, 50, HF_FLOAT64, HF_BADC, 1, &back);
	ck_assert_double_eq(back, 0.5);
}
END_TEST

START_TEST(infinities_and_nan_are_kept)
{
	double in[] = { INFINITY, -INFINITY, NAN }, out[3];

	for (int t = HF_FLOAT32; t <= HF_FLOAT64; t++) {
		ck_assert_int_eq(hf_set_doubles(dev, HF_HR, 60, (enum hf_type)t,
				     HF_CDAB, 3, in),
		    0);
		ck_assert_int_eq(hf_get_doubles(seen, HF_HR, 60,
				     (enum hf_type)t, HF_CDAB, 3, out),
		    0);
		ck_assert(isinf(out[0]) && out[0] > 0);
		ck_assert(isinf(out[1]) && out[1] < 0);
		ck_assert(isnan(out[2]));
	}
	ck_assert_int_eq(
	    hf_set_doubles(dev, HF_HR, 60, HF_INT32, HF_ABCD, 3, in), -1);
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

START_TEST(an_integer_comes_out_whole_or_not_at_all)
{
	double d[] = { 1e300, 0.5, -0x1p63, 0x1p63, NAN };
	static const bool ok[] = { false, false, true, false, false };
	int64_t v[2], most = INT64_MIN;

	for (unsigned i = 0; i < 5; i++) {
		hf_set_doubles(dev, HF_HR, 70, HF_FLOAT64, HF_ABCD, 1, &d[i]);
		ck_assert_int_eq(
		    hf_get_integers(seen, HF_HR, 70, HF_FLOAT64, HF_ABCD, 1, v),
		    ok[i] ? 0 : -1);
		if (!ok[i])
			ck_assert_int_eq(errno, ERANGE);
	}
	ck_assert_int_eq(
	    hf_set_integers(dev, HF_HR, 70, HF_INT64, HF_DCBA, 1, &most), 0);
	ck_assert_int_eq(
	    hf_get_integers(dev, HF_HR, 70, HF_INT64, HF_DCBA, 1, v), 0);
	ck_assert(v[0] == INT64_MIN);
	/* the same bits without a sign are beyond */
	ck_assert_int_eq(
	    hf_get_integers(dev, HF_HR, 70, HF_UINT64, HF_DCBA, 1, v), -1);
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

START_TEST(bits_are_numbers_0_and_1)
{
	double in[] = { 1, 0, 1 }, out[3], two = 2;
	int64_t whole[3], minus = -1;

	for (int t = HF_CO; t <= HF_DI; t++) {
		enum hf_table table = (enum hf_table)t;

		ck_assert_int_eq(
		    hf_set_doubles(dev, table, 9, HF_BITS, HF_ABCD, 3, in), 0);
		ck_assert_int_eq(
		    hf_get_doubles(seen, table, 9, HF_BITS, HF_ABCD, 3, out),
		    0);
		ck_assert_mem_eq(in, out, sizeof(in));
		ck_assert_int_eq(
		    hf_get_integers(seen, table, 9, HF_BITS, HF_ABCD, 3, whole),
		    0);
		ck_assert_int_eq(whole[0], 1);
		ck_assert_int_eq(whole[1], 0);
		ck_assert_int_eq(
		    hf_set_doubles(dev, table, 9, HF_BITS, HF_ABCD, 1, &two),
		    -1);
		ck_assert_int_eq(errno, ERANGE);
		ck_assert_int_eq(
		    hf_set_integers(dev, table, 9, HF_BITS, HF_ABCD, 1, &minus),
		    -1);
		ck_assert_int_eq(errno, ERANGE);
		ck_assert_int_eq(
		    hf_get_doubles(dev, table, 9, HF_FLOAT32, HF_ABCD, 1, out),
		    -1);
		ck_assert_int_eq(errno, EINVAL);
	}
}
END_TEST

START_TEST(typed_calls_refuse_what_there_is_not)
{
	double v[4] = { 0 };

	ck_assert_int_eq(
	    hf_get_doubles(dev, (enum hf_table)4, 9, HF_INT16, HF_ABCD, 1, v),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(
	    hf_set_doubles(dev, HF_HR, 9, (enum hf_type)77, HF_ABCD, 1, v), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(
	    hf_set_doubles(dev, HF_HR, 9, HF_INT16, (enum hf_order) - 1, 1, v),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(
	    hf_get_doubles(dev, HF_HR, 9, HF_STRING, HF_ABCD, 1, v), -1);
	ck_assert_int_eq(errno, EINVAL);
	/* the last value would end outside */
	ck_assert_int_eq(hf_get_doubles(dev, HF_HR, FIRST + REGS - 3,
			     HF_FLOAT64, HF_ABCD, 1, v),
	    -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	ck_assert_int_eq(
	    hf_get_doubles(dev, HF_HR, 9, HF_FLOAT64, HF_ABCD, SIZE_MAX / 4, v),
	    -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

/* ---- text ---- */

START_TEST(text_is_padded_and_comes_back)
{
	char buf[21], small[20];
	uint8_t wire[6];

	ck_assert_int_eq(hf_set_text(dev, HF_HR, 100, 10, "a longer text"), 0);
	ck_assert_int_eq(hf_set_text(dev, HF_HR, 100, 3, "abc"), 0);
	store_read(&dev->st, STORE_HR, 100, 3, wire, NULL);
	ck_assert_mem_eq(wire, "abc\0\0\0", 6);
	ck_assert_int_eq(hf_get_text(seen, HF_HR, 100, 3, buf, 7), 0);
	ck_assert_str_eq(buf, "abc");
	ck_assert_int_eq(hf_set_text(dev, HF_IR, 100, 3, "sixsix"), 0);
	ck_assert_int_eq(hf_get_text(seen, HF_IR, 100, 3, buf, 7), 0);
	ck_assert_str_eq(buf, "sixsix");
	ck_assert_int_eq(hf_set_text(dev, HF_HR, 100, 3, "seven77"), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(hf_get_text(dev, HF_HR, 100, 10, small, 20), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_get_text(dev, HF_CO, 100, 3, buf, 21), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_set_text(dev, HF_HR, 65534, 2, "x"), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

/* ---- names ---- */

START_TEST(a_name_is_a_value_times_its_scale)
{
	int64_t raw;
	double v;

	ck_assert_int_eq(hf_set(dev, "flow", 404.5), 0);
	ck_assert_int_eq(hf_get(seen, "flow", &v), 0);
	ck_assert_double_eq(v, 404.5);
	ck_assert_int_eq(hf_set(dev, "level", -12.34), 0);
	hf_get_integers(dev, HF_IR, 1002, HF_INT16, HF_CDAB, 1, &raw);
	ck_assert_int_eq(raw, -123);
	ck_assert_int_eq(hf_get(seen, "level", &v), 0);
	ck_assert_double_eq_tol(v, -12.3, 1e-9);
	ck_assert_int_eq(hf_set(dev, "total", 1e15), 0);
	ck_assert_int_eq(hf_get(seen, "total", &v), 0);
	ck_assert_double_eq(v, 1e15);
	ck_assert_int_eq(hf_set(dev, "level", 3276.8), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(hf_set(dev, "total", -1), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(hf_get(dev, "text", &v), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(a_name_that_is_none_is_told)
{
	static const char *const none[] = { "", "flo", "flows", "zzz", "a" };
	double v;

	ck_assert_int_eq(hf_get(seen, none[_i], &v), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(hf_set(dev, none[_i], 1), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* What has been refused as an argument that makes no sense, in words. */
static void
refused(int rc, const char *words)
{
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_msg(strstr(hf_error(), words) != NULL, "%s", hf_error());
}

START_TEST(nothing_is_too_little_to_read_or_write)
{
	uint16_t r = 1;
	double f = 1;
	int64_t i = 1;
	char buf[3];

	refused(hf_get_values(dev, 3, 9, 0, &r), "count is 0");
	refused(hf_set_values(dev, 16, 9, 0, &r), "count is 0");
	refused(hf_get_values(dev, 1, 9, 0, &r), "count is 0");
	refused(hf_set_values(dev, 15, 9, 0, &r), "count is 0");
	refused(hf_get_doubles(dev, HF_HR, 9, HF_INT16, HF_ABCD, 0, &f), "n");
	refused(hf_set_doubles(dev, HF_HR, 9, HF_INT16, HF_ABCD, 0, &f), "n");
	refused(hf_get_integers(dev, HF_HR, 9, HF_INT16, HF_ABCD, 0, &i), "n");
	refused(hf_set_integers(dev, HF_CO, 9, HF_BITS, HF_ABCD, 0, &i), "n");
	refused(hf_get_text(dev, HF_HR, 9, 0, buf, sizeof(buf)), "count is 0");
	refused(hf_set_text(dev, HF_HR, 9, 0, ""), "count is 0");
}
END_TEST

START_TEST(names_and_text_that_are_null_are_told)
{
	double v;

	refused(hf_get(dev, NULL, &v), "no name");
	refused(hf_set(dev, NULL, 1), "no name");
	refused(hf_get(dev, "flow", NULL), "no place");
	refused(hf_set_text(dev, HF_HR, 9, 1, NULL), "no text");
}
END_TEST

START_TEST(words_say_which_value_does_not_fit)
{
	const double f[] = { 1, 2, 1e39 };
	const int64_t i[] = { 1, -70000 }, bits[] = { 1, 0, 7 };

	ck_assert_int_eq(
	    hf_set_doubles(dev, HF_HR, 9, HF_FLOAT32, HF_ABCD, 3, f), -1);
	ck_assert_str_eq(hf_error(),
	    "value 9.9999999999999994e+38 (index 2) does not fit into "
	    "float32");
	ck_assert_int_eq(
	    hf_set_integers(dev, HF_HR, 9, HF_INT16, HF_ABCD, 2, i), -1);
	ck_assert_str_eq(
	    hf_error(), "value -70000 (index 1) does not fit into int16");
	ck_assert_int_eq(
	    hf_set_integers(dev, HF_CO, 9, HF_BITS, HF_ABCD, 3, bits), -1);
	ck_assert_str_eq(hf_error(), "value 7 (index 2) is neither 0 nor 1");
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

/* ---- transactions ---- */

START_TEST(steps_are_carried_out_in_order_as_one_commit)
{
	uint16_t a[] = { 1, 2, 3 }, bits[] = { 1, 0, 9 }, r[3], b[3];
	struct hf_step steps[] = {
		{ .op = HF_WRITE, HF_HR, 10, 3, a },
		{ .op = HF_MASK, HF_HR, 11, .and_mask = 0xf0, .or_mask = 5 },
		{ .op = HF_READ, HF_HR, 10, 3, r },
		{ .op = HF_WRITE, HF_CO, 11, 3, bits },
		{ .op = HF_READ, HF_CO, 11, 3, b },
	};
	uint64_t seq = 0, now = 0;

	ck_assert_int_eq(hf_transact(dev, steps, 5, &seq), 0);
	ck_assert_uint_eq(r[0], 1);
	ck_assert_uint_eq(r[1], (2 & 0xf0) | (5 & ~0xf0));
	ck_assert_uint_eq(b[0], 1);
	ck_assert_uint_eq(b[1], 0);
	ck_assert_uint_eq(b[2], 1);
	store_read(&seen->st, STORE_HR, 10, 1, (uint8_t *)r, &now);
	ck_assert_uint_eq(now, seq);
	ck_assert_uint_gt(seq, 0);
}
END_TEST

START_TEST(a_check_that_does_not_hold_leaves_everything)
{
	uint16_t was[] = { 5, 6 }, is[] = { 7, 8 }, bit = 1, off = 0, r[2];
	struct hf_step good[] = {
		{ .op = HF_WRITE, HF_HR, 10, 2, is },
		/* against the values before the transaction */
		{ .op = HF_CHECK, HF_HR, 10, 2, was },
		{ .op = HF_CHECK, HF_CO, 12, 1, &off },
	};
	struct hf_step bad[] = {
		{ .op = HF_WRITE, HF_HR, 10, 2, was },
		{ .op = HF_CHECK, HF_CO, 12, 1, &bit },
	};

	hf_set_values(dev, 3, 10, 2, was);
	ck_assert_int_eq(hf_transact(dev, good, 3, NULL), 0);
	ck_assert_int_eq(hf_transact(dev, good, 3, NULL), -1);
	ck_assert_int_eq(errno, ECANCELED);
	ck_assert_int_eq(hf_transact(dev, bad, 2, NULL), -1);
	ck_assert_int_eq(errno, ECANCELED);
	hf_get_values(seen, 3, 10, 2, r);
	ck_assert_mem_eq(r, is, sizeof(r));
}
END_TEST

START_TEST(who_may_only_read_reads_and_checks_in_one_picture)
{
	uint16_t v[] = { 5, 6 }, r[2] = { 0 }, b = 7, on = 1;
	struct hf_step steps[] = {
		{ .op = HF_READ, HF_HR, 10, 2, r },
		{ .op = HF_READ, HF_CO, 10, 1, &b },
		{ .op = HF_CHECK, HF_HR, 10, 2, v },
	};
	uint64_t seq = 0;

	hf_set_values(dev, 3, 10, 2, v);
	hf_set_values(dev, 1, 10, 1, &on);
	ck_assert_int_eq(hf_transact(seen, steps, 3, &seq), 0);
	ck_assert_mem_eq(r, v, sizeof(r));
	ck_assert_uint_eq(b, 1);
	ck_assert_uint_eq(seq, 2);
	v[0]++;
	ck_assert_int_eq(hf_transact(seen, steps, 3, &seq), -1);
	ck_assert_int_eq(errno, ECANCELED);
	steps[2].op = HF_WRITE;
	ck_assert_int_eq(hf_transact(seen, steps, 3, &seq), -1);
	ck_assert_int_eq(errno, EROFS);
	steps[2] = (struct hf_step){ .op = HF_READ, HF_HR, 0, 1, v };
	ck_assert_int_eq(hf_transact(seen, steps, 3, &seq), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

static const struct {
	struct hf_step step;
	size_t n;
	int err;
} wrong_steps[] = {
	{ { .op = HF_READ, HF_HR, 10, 1, NULL }, 1, EINVAL },
	{ { .op = HF_WRITE, HF_HR, 10, 1, NULL }, 1, EINVAL },
	{ { .op = (enum hf_op)4, HF_HR, 10, 1, NULL }, 1, EINVAL },
	{ { .op = HF_MASK, HF_CO, 10, 1, NULL }, 1, EINVAL },
	{ { .op = HF_MASK, (enum hf_table)4, 10, 1, NULL }, 1, EINVAL },
	{ { .op = HF_MASK, HF_HR, 9, 1, NULL }, 0, EINVAL },
	{ { .op = HF_MASK, HF_HR, 9, 1, NULL }, 65, EINVAL },
	{ { .op = HF_MASK, HF_HR, 9, 1, NULL }, SIZE_MAX, EINVAL },
	{ { .op = HF_MASK, HF_HR, 2, 1, NULL }, 1, EADDRNOTAVAIL },
};

START_TEST(a_transaction_that_makes_no_sense_is_refused)
{
	struct hf_step steps[65];

	for (unsigned i = 0; i < 65; i++)
		steps[i] = wrong_steps[_i].step;
	ck_assert_int_eq(hf_transact(dev, steps, wrong_steps[_i].n, NULL), -1);
	ck_assert_int_eq(errno, wrong_steps[_i].err);
}
END_TEST

START_TEST(sixty_four_steps_are_fine)
{
	uint16_t v[64], r[64];
	struct hf_step steps[64];

	for (unsigned i = 0; i < 64; i++) {
		v[i] = (uint16_t)(i + 1);
		steps[i] = (struct hf_step){
			.op = HF_WRITE, HF_HR, FIRST + 2 * i, 1, &v[i]
		};
	}
	ck_assert_int_eq(hf_transact(dev, steps, 64, NULL), 0);
	for (unsigned i = 0; i < 64; i++) {
		hf_get_values(seen, 3, FIRST + 2 * i, 1, &r[i]);
		ck_assert_uint_eq(r[i], v[i]);
	}
}
END_TEST

/* ---- who else is there ---- */

START_TEST(who_attached_for_reading_cannot_write)
{
	uint16_t v = 1;
	double d = 1;

	ck_assert_int_eq(hf_set_values(seen, 3, 10, 1, &v), -1);
	ck_assert_int_eq(errno, EROFS);
	ck_assert_int_eq(
	    hf_set_doubles(seen, HF_HR, 10, HF_INT16, HF_ABCD, 1, &d), -1);
	ck_assert_int_eq(errno, EROFS);
	ck_assert_int_eq(hf_set(seen, "flow", 1), -1);
	ck_assert_int_eq(errno, EROFS);
	ck_assert_int_eq(hf_set_text(seen, HF_HR, 10, 1, ""), -1);
	ck_assert_int_eq(errno, EROFS);
}
END_TEST

START_TEST(a_device_that_another_one_holds_is_busy_after_350_ms)
{
	struct hf_store *other = hf_store_attach(hf_store_name(store));
	struct hf_device *d = hf_store_device(other, NULL);
	uint16_t v = 77, r = 0;
	long clock = 0;

	ck_assert_int_eq(store_own_take(&d->st, 1000000), 0);
	ck_assert(suite_while(&clock, 2000));
	ck_assert_int_eq(hf_set_values(dev, 3, 10, 1, &v), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert(!suite_while(&clock, 340));
	ck_assert(suite_while(&clock, 2000));
	/* reading does not wait for it */
	ck_assert_int_eq(hf_get_values(dev, 3, 10, 1, &r), 0);
	store_own_release(&d->st);
	ck_assert_int_eq(hf_set_values(dev, 3, 10, 1, &v), 0);
	hf_store_free(other);
}
END_TEST

START_TEST(a_scribbled_operation_number_loses_no_write)
{
	uint16_t v = 5, r = 0;

	ck_assert_int_eq(hf_set_values(dev, 3, 10, 1, &v), 0);
	atomic_store(seg_done(store->env.control, 0), 1000000);
	v = 6;
	ck_assert_int_eq(hf_set_values(dev, 3, 10, 1, &v), 0);
	hf_get_values(seen, 3, 10, 1, &r);
	ck_assert_uint_eq(r, 6);
	v = 7;
	ck_assert_int_eq(hf_set_values(dev, 3, 10, 1, &v), 0);
	hf_get_values(seen, 3, 10, 1, &r);
	ck_assert_uint_eq(r, 7);
}
END_TEST

enum { THREADS = 4, ADDS = 3000 };

/* Counts up by comparing and swapping; reads beside it. */
static void *
count_up(void *arg)
{
	uint16_t old, new, all[100];

	(void)arg;
	for (int i = 0; i < ADDS;) {
		struct hf_step steps[] = {
			{ .op = HF_CHECK, HF_HR, 10, 1, &old },
			{ .op = HF_WRITE, HF_HR, 10, 1, &new },
		};

		if (hf_get_values(dev, 3, 10, 1, &old) < 0 ||
		    hf_get_values(seen, 3, 10, 100, all) < 0)
			return "cannot read";
		new = (uint16_t)(old + 1);
		if (hf_transact(dev, steps, 2, NULL) == 0)
			i++;
		else if (errno != ECANCELED)
			return "cannot write";
	}
	return NULL;
}

START_TEST(threads_are_one_writer_and_lose_nothing)
{
	pthread_t t[THREADS];
	void *why;
	uint16_t v;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
		    pthread_create(&t[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(t[i], &why), 0);
		ck_assert_ptr_null(why);
	}
	hf_get_values(seen, 3, 10, 1, &v);
	ck_assert_uint_eq(v, THREADS * ADDS);
}
END_TEST

static void *
failing(void *arg)
{
	uint16_t v;

	(void)arg;
	if (hf_error()[0] != '\0')
		return "words of another thread";
	hf_get_values(dev, 99, 0, 1, &v);
	return NULL;
}

START_TEST(words_are_of_the_thread_that_failed)
{
	pthread_t t;
	void *why;
	uint16_t v;

	ck_assert_str_eq(hf_error(), "");
	ck_assert_int_eq(hf_get_values(dev, 3, 0, 1, &v), -1);
	ck_assert_ptr_nonnull(strstr(hf_error(), "plc"));
	pthread_create(&t, NULL, failing, NULL);
	pthread_join(t, &why);
	ck_assert_ptr_null(why);
	ck_assert_ptr_nonnull(strstr(hf_error(), "plc"));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("api_values");
	TCase *tc = tcase_create("values");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
#define N(a) (int)(sizeof(a) / sizeof((a)[0]))
	tcase_add_loop_test(
	    tc, each_function_code_reads_and_writes_its_table, 0, N(codes));
	tcase_add_loop_test(tc, a_code_without_a_table_is_told, 0, 8);
	tcase_add_test(
	    tc, registers_in_the_order_of_the_host_are_those_of_the_wire);
	tcase_add_test(
	    tc, what_others_are_told_of_a_change_is_in_the_order_of_the_wire);
	tcase_add_loop_test(
	    tc, all_addresses_of_a_call_exist_or_none_is_touched, 0, N(places));
	tcase_add_test(
	    tc, a_whole_table_is_read_at_once_and_written_in_pieces_of_4096);
	tcase_add_loop_test(
	    tc, a_type_lies_in_registers_as_its_order_says, 0, 4);
	tcase_add_loop_test(tc,
	    a_number_that_does_not_fit_its_type_is_told_and_nothing_written, 0,
	    N(bounds));
	tcase_add_test(tc, a_fraction_fits_floating_types_alone);
	tcase_add_test(tc, infinities_and_nan_are_kept);
	tcase_add_test(tc, an_integer_comes_out_whole_or_not_at_all);
	tcase_add_test(tc, bits_are_numbers_0_and_1);
	tcase_add_test(tc, typed_calls_refuse_what_there_is_not);
	tcase_add_test(tc, text_is_padded_and_comes_back);
	tcase_add_test(tc, a_name_is_a_value_times_its_scale);
	tcase_add_loop_test(tc, a_name_that_is_none_is_told, 0, 5);
	tcase_add_test(tc, nothing_is_too_little_to_read_or_write);
	tcase_add_test(tc, names_and_text_that_are_null_are_told);
	tcase_add_test(tc, words_say_which_value_does_not_fit);
	tcase_add_test(tc, steps_are_carried_out_in_order_as_one_commit);
	tcase_add_test(tc, a_check_that_does_not_hold_leaves_everything);
	tcase_add_test(tc, who_may_only_read_reads_and_checks_in_one_picture);
	tcase_add_loop_test(tc, a_transaction_that_makes_no_sense_is_refused, 0,
	    N(wrong_steps));
	tcase_add_test(tc, sixty_four_steps_are_fine);
	tcase_add_test(tc, who_attached_for_reading_cannot_write);
	tcase_add_test(
	    tc, a_device_that_another_one_holds_is_busy_after_350_ms);
	tcase_add_test(tc, a_scribbled_operation_number_loses_no_write);
	tcase_add_test(tc, threads_are_one_writer_and_lose_nothing);
	tcase_add_test(tc, words_are_of_the_thread_that_failed);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
