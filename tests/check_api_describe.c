/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describing the store of a program, by calls and by a configuration.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/api/api.h"
#include "supervisor/mem.h"
#include "tests/lib/api_fixture.h"
#include "tests/suite.h"

/* ---- describing ---- */

START_TEST(a_name_is_letters_digits_underscore_and_dash)
{
	static const char *const wrong[] = { "", "a b", "a/b", "a.b",
		"12345678901234567890123456789012345678901" };

	ck_assert_ptr_null(hf_store_new(wrong[_i]));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_nonnull(strstr(hf_error(), "is no name for a store"));
}
END_TEST

START_TEST(without_a_name_each_store_has_one_of_its_own)
{
	struct hf_store *a = api_described(NULL), *b = api_described(NULL);
	uint16_t v;

	ck_assert_str_ne(hf_store_name(a), hf_store_name(b));
	ck_assert_int_eq(api_set1(a, 1), 0);
	ck_assert_int_eq(api_set1(b, 2), 0);
	ck_assert_int_eq(api_get1(a, &v), 0);
	ck_assert_uint_eq(v, 1);
	hf_store_free(a);
	hf_store_free(b);
}
END_TEST

START_TEST(devices_are_found_by_name_and_number)
{
	struct hf_store *s = hf_store_new(api_name);
	struct hf_device *a = hf_store_add_device(s, "a", 1), *b;

	ck_assert_ptr_eq(hf_store_device(s, NULL), a);
	b = hf_store_add_device(s, "b", 2);
	ck_assert_ptr_eq(hf_store_device(s, "b"), b);
	ck_assert_ptr_eq(hf_store_nth_device(s, 0), a);
	ck_assert_ptr_eq(hf_store_nth_device(s, 1), b);
	ck_assert_ptr_null(hf_store_nth_device(s, 2));
	ck_assert_ptr_null(hf_store_device(s, "c"));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(hf_store_device(s, NULL));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(hf_device_name(b), "b");
	hf_store_free(s);
}
END_TEST

static const struct {
	const char *called;
	int unit, err;
} wrong_devices[] = {
	{ "plc", 7, EEXIST },
	{ "other", HF_EVERY_UNIT, EEXIST },
	{ "other", 256, EINVAL },
	{ "other", -2, EINVAL },
	{ "o.ther", 1, EINVAL },
	{ NULL, 1, EINVAL },
};

START_TEST(a_device_that_cannot_be_is_refused)
{
	struct hf_store *s = api_described(api_name);

	ck_assert_ptr_null(hf_store_add_device(
	    s, wrong_devices[_i].called, wrong_devices[_i].unit));
	ck_assert_int_eq(errno, wrong_devices[_i].err);
	ck_assert_ptr_nonnull(api_only(s));
	hf_store_free(s);
}
END_TEST

static const uint16_t some[] = { 1, 2, 3 };
static const char long_name[] = "0123456789012345678901234567890123456789";

static const struct {
	struct hf_range r;
	int err;
} ranges[] = {
	{ { .table = HF_HR, .addr = 99, .count = 2 }, EEXIST },
	{ { .table = HF_CO, .addr = 0, .count = 1 }, EEXIST },
	{ { .table = (enum hf_table)4, .addr = 200 }, EINVAL },
	{ { .table = HF_HR, .addr = 65535, .count = 2 }, EINVAL },
	{ { .table = HF_HR, .addr = 65536, .count = 1 }, EINVAL },
	{ { .table = HF_HR, .addr = 1, .count = UINT32_MAX }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .count = 3, .type = HF_INT32 },
	    EINVAL },
	{ { .table = HF_DI, .addr = 200, .type = HF_INT32 }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .type = (enum hf_type)10 }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .order = (enum hf_order)4 }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .values = some, .nvalues = 3 },
	    EINVAL },
	{ { .table = HF_HR, .addr = 200, .count = 3, .nvalues = 3 }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .name = long_name }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .unit = "0123456789012345" }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .name = "a\nb" }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .action = "a b" }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .parameters = "{}" }, EINVAL },
	{ { .table = HF_HR, .addr = 200, .action = "a", .parameters = "[]" },
	    EINVAL },
	{ { .table = HF_HR, .addr = 200, .action = "a", .parameters = "{" },
	    EINVAL },
	{ { .table = HF_HR, .addr = 100, .count = 65436 }, 0 },
	{ { .table = HF_IR, .addr = 0, .type = HF_FLOAT64, .scale = 2 }, 0 },
	{ { .table = HF_HR,
	      .addr = 200,
	      .action = "increment",
	      .parameters = "{ \"minval\": 1, \"up\": true, }" },
	    0 },
};

START_TEST(a_range_that_cannot_be_is_refused)
{
	struct hf_store *s = api_described(api_name);
	int rc = hf_device_add_range(api_only(s), &ranges[_i].r);

	ck_assert_int_eq(rc, ranges[_i].err ? -1 : 0);
	if (rc != 0) {
		ck_assert_int_eq(errno, ranges[_i].err);
		ck_assert_uint_gt(strlen(hf_error()), 20);
	}
	ck_assert_int_eq(hf_store_open(s), 0);
	hf_store_free(s);
}
END_TEST

START_TEST(a_range_starts_with_its_values_in_turn)
{
	struct hf_store *s = hf_store_new(api_name);
	struct hf_device *d = hf_store_add_device(s, "plc", 1);
	struct hf_range r = { .table = HF_IR,
		.addr = 7,
		.count = 5,
		.values = some,
		.nvalues = 3 };
	uint16_t v[5];

	ck_assert_int_eq(hf_device_add_range(d, &r), 0);
	r.table = HF_DI;
	r.nvalues = 2;
	r.values = (const uint16_t[]){ 0, 9 };
	ck_assert_int_eq(hf_device_add_range(d, &r), 0);
	ck_assert_int_eq(hf_get_values(d, 4, 7, 5, v), 0);
	ck_assert_mem_eq(v, ((uint16_t[]){ 1, 2, 3, 1, 2 }), 10);
	ck_assert_int_eq(hf_get_values(d, 2, 7, 5, v), 0);
	ck_assert_mem_eq(v, ((uint16_t[]){ 0, 1, 0, 1, 0 }), 10);
	hf_store_free(s);
}
END_TEST

START_TEST(what_a_range_is_called_reaches_those_who_attach)
{
	struct hf_store *s = hf_store_new(api_name), *a;
	struct hf_device *d = hf_store_add_device(s, "plc", 1);
	struct hf_range r = { .table = HF_HR,
		.addr = 7,
		.type = HF_FLOAT32,
		.order = HF_DCBA,
		.name = "flow",
		.unit = "m3/h",
		.read_only = 1,
		.scale = 0.5 };
	double v = 0;

	ck_assert_int_eq(hf_device_add_range(d, &r), 0);
	ck_assert_int_eq(hf_set(d, "flow", 2.25), 0);
	a = hf_store_attach_readonly(api_name);
	ck_assert_int_eq(hf_get(api_only(a), "flow", &v), 0);
	ck_assert_double_eq(v, 2.25);
	ck_assert_str_eq(api_only(a)->st.ranges[0].unit, "m3/h");
	ck_assert_uint_eq(api_only(a)->st.ranges[0].read_only, 1);
	hf_store_free(a);
	hf_store_free(s);
}
END_TEST

START_TEST(shared_blocks_are_one_array)
{
	struct hf_store *s = hf_store_new(api_name);
	struct hf_device *d = hf_store_add_device(s, "plc", 1);
	uint16_t v = 0x8001, bits[16];

	api_add(d, HF_HR, 0, 2);
	api_add(d, HF_CO, 0, 32);
	ck_assert_int_eq(hf_device_share_blocks(d), 0);
	ck_assert_int_eq(hf_set_values(d, 3, 1, 1, &v), 0);
	ck_assert_int_eq(hf_get_values(d, 1, 16, 16, bits), 0);
	ck_assert_uint_eq(bits[0], 1);
	ck_assert_uint_eq(bits[1], 0);
	ck_assert_uint_eq(bits[15], 1);
	hf_store_free(s);
}
END_TEST

START_TEST(the_identification_has_its_defaults_and_what_is_set)
{
	struct hf_store *s = api_described(api_name);
	const struct conf_device *c = &api_only(s)->conf;
	char big[246];

	ck_assert_uint_eq(c->nidentity, 3);
	ck_assert_str_eq(c->identity[2].text, hf_version());
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 200, "own"), 0);
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 4, "Pump"), 0);
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 0, "Acme"), 0);
	ck_assert_uint_eq(c->nidentity, 5);
	ck_assert_str_eq(c->identity[0].text, "Acme");
	ck_assert_uint_eq(c->identity[3].id, 4);
	ck_assert_uint_eq(c->identity[4].id, 200);
	memset(big, 'x', 245);
	big[245] = '\0';
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 1, big), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 7, "x"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 127, "x"), -1);
	ck_assert_int_eq(errno, EINVAL);
	hf_store_free(s);
}
END_TEST

START_TEST(an_open_store_stays_as_it_is)
{
	struct hf_store *s = api_made(), *a = hf_store_attach(api_name);
	struct hf_range r = { .table = HF_IR };

	ck_assert_int_eq(hf_store_open(s), 0);
	ck_assert_ptr_null(hf_store_add_device(s, "more", 4));
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_int_eq(hf_device_add_range(api_only(s), &r), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_int_eq(hf_device_share_blocks(api_only(s)), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 0, "x"), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_ptr_null(hf_store_add_device(a, "more", 4));
	ck_assert_int_eq(errno, EBUSY);
	hf_store_free(a);
	hf_store_free(s);
}
END_TEST

/* ---- a configuration ---- */

START_TEST(the_devices_of_a_configuration_are_taken_and_nothing_else)
{
	struct hf_store *s = hf_store_parse(api_name,
	    "{ \"store\": { \"name\": \"other\", \"what\": 1 },\n"
	    "  \"transports\": 17, \"no such key\": [],\n"
	    "  \"devices\": { \"a\": { \"holding_registers\": [ // note\n"
	    "    { \"addr\": 3, \"values\": [7, 8], \"name\": \"x\" } ] },\n"
	    "  \"b\": { \"coils\": [ { \"addr\": 0 } ],\n"
	    "    \"identity\": { \"VendorName\": \"Acme\" } } } }");
	uint16_t v[2];
	double x;

	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(hf_store_name(s), api_name);
	ck_assert_int_eq(hf_get_values(hf_store_device(s, "a"), 3, 3, 2, v), 0);
	ck_assert_uint_eq(v[1], 8);
	ck_assert_int_eq(hf_get(hf_store_device(s, "a"), "x", &x), 0);
	ck_assert_double_eq(x, 7);
	ck_assert_int_eq(hf_store_device(s, "a")->unit, 1);
	ck_assert_int_eq(hf_store_device(s, "b")->unit, 2);
	ck_assert_str_eq(
	    hf_store_device(s, "b")->conf.identity[0].text, "Acme");
	hf_store_free(s);
}
END_TEST

START_TEST(a_configuration_names_its_store)
{
	struct hf_store *s = hf_store_parse(NULL,
	    "{ \"store\": { \"name\": \"mine\" }, \"devices\": { \"a\": {} } }");

	ck_assert_str_eq(hf_store_name(s), "mine");
	ck_assert_int_eq(api_only(s)->unit, HF_EVERY_UNIT);
	hf_store_free(s);
	s = hf_store_parse(NULL, "{ \"devices\": { \"a\": {} } }");
	ck_assert(api_is_auto(hf_store_name(s)));
	hf_store_free(s);
}
END_TEST

START_TEST(all_mistakes_of_a_configuration_are_told)
{
	ck_assert_ptr_null(hf_store_parse(api_name,
	    "{ \"devices\": { \"a\": {\n"
	    "  \"coils\": [ { \"addr\": 70000 } ],\n"
	    "  \"hodling_registers\": [] } } }"));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_nonnull(strstr(hf_error(), "text:2:"));
	ck_assert_ptr_nonnull(strstr(hf_error(), "70000"));
	ck_assert_ptr_nonnull(strstr(hf_error(), "text:3:"));
	ck_assert_ptr_nonnull(strstr(hf_error(), "did you mean"));
	ck_assert_ptr_null(hf_store_parse(api_name, ""));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(hf_store_parse(api_name, "{}"));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_nonnull(strstr(hf_error(), "devices"));
	ck_assert_ptr_null(hf_store_parse(api_name, "[]"));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(hf_store_parse("a b", "{\"devices\":{\"a\":{}}}"));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(null_is_told_where_something_must_be)
{
	struct hf_store *s = api_described(api_name);
	const struct hf_range hr = {
		.table = HF_HR, .addr = 500, .nvalues = 1
	};

	errno = 0;
	ck_assert_ptr_null(hf_store_parse(api_name, NULL));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(hf_store_load(NULL));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(hf_store_add_device(NULL, "b", 9));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_int_eq(hf_device_add_range(NULL, &hr), -1);
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_int_eq(hf_device_add_range(api_only(s), NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_int_eq(hf_device_share_blocks(NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_device_set_identity(api_only(s), 0, NULL), -1);
	ck_assert_ptr_nonnull(strstr(hf_error(), "no text"));
	ck_assert_int_eq(hf_device_add_range(api_only(s), &hr), -1);
	ck_assert_ptr_nonnull(strstr(hf_error(), "values are NULL"));
	hf_store_free(s);
}
END_TEST

START_TEST(a_configuration_is_read_from_its_file)
{
	struct hf_store *s;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/%s.json", api_name);
	ck_assert_ptr_null(hf_store_load(path));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(hf_error(), path));
	f = fopen(path, "w");
	fprintf(f, "{\"store\":{\"name\":\"%s\"},\"devices\":{\"d\":{}}}",
	    api_name);
	fclose(f);
	s = hf_store_load(path);
	unlink(path);
	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(hf_store_name(s), api_name);
	ck_assert_int_eq(hf_store_open(s), 0);
	hf_store_free(s);
}
END_TEST

/* their malloc() ends the program instead */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static void
take_too_much(void *arg)
{
	(void)arg;
	mem_zero(1, SIZE_MAX / 4);
}

START_TEST(running_out_of_memory_does_not_end_the_program)
{
	ck_assert_int_eq(mem_try(take_too_much, NULL), -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(mem_try(take_too_much, NULL), -1);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("api_describe");
	TCase *tc = tcase_create("describe");

	tcase_add_checked_fixture(tc, api_names, NULL);
	tcase_set_timeout(tc, 30);
#define N(a) (int)(sizeof(a) / sizeof((a)[0]))
	tcase_add_loop_test(
	    tc, a_name_is_letters_digits_underscore_and_dash, 0, 5);
	tcase_add_test(tc, without_a_name_each_store_has_one_of_its_own);
	tcase_add_test(tc, devices_are_found_by_name_and_number);
	tcase_add_loop_test(
	    tc, a_device_that_cannot_be_is_refused, 0, N(wrong_devices));
	tcase_add_loop_test(
	    tc, a_range_that_cannot_be_is_refused, 0, N(ranges));
	tcase_add_test(tc, a_range_starts_with_its_values_in_turn);
	tcase_add_test(tc, what_a_range_is_called_reaches_those_who_attach);
	tcase_add_test(tc, shared_blocks_are_one_array);
	tcase_add_test(tc, the_identification_has_its_defaults_and_what_is_set);
	tcase_add_test(tc, an_open_store_stays_as_it_is);
	tcase_add_test(
	    tc, the_devices_of_a_configuration_are_taken_and_nothing_else);
	tcase_add_test(tc, a_configuration_names_its_store);
	tcase_add_test(tc, all_mistakes_of_a_configuration_are_told);
	tcase_add_test(tc, null_is_told_where_something_must_be);
	tcase_add_test(tc, a_configuration_is_read_from_its_file);
	if (!SANITIZED)
		tcase_add_test(
		    tc, running_out_of_memory_does_not_end_the_program);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
