/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often clients have done something to a device, as programs are told.
 */
#include <errno.h>
#include <string.h>

#include "shm/store_client.h"
#include "supervisor/api/api.h"
#include "supervisor/holdfast.h"
#include "tests/suite.h"

static struct hf_store *store, *reader;
static struct hf_device *dev, *seen;

static void
setup(void)
{
	const struct hf_range hr = { .table = HF_HR, .addr = 10, .count = 40 },
			      co = { .table = HF_CO, .addr = 10, .count = 40 };

	store = hf_store_new(NULL);
	dev = hf_store_add_device(store, "plc", HF_EVERY_UNIT);
	ck_assert_int_eq(hf_device_add_range(dev, &hr), 0);
	ck_assert_int_eq(hf_device_add_range(dev, &co), 0);
}

static void
begin(void)
{
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

START_TEST(what_clients_read_and_write_is_counted)
{
	uint32_t r[3], w[3];
	uint16_t v = 1;

	ck_assert_int_eq(hf_device_count(dev), 0);
	begin();
	ck_assert_int_eq(hf_device_count(dev), -1);
	ck_assert_int_eq(errno, EBUSY);
	store_count(&dev->st, STORE_HR, 10, 2, false);
	store_count(&dev->st, STORE_HR, 11, 2, true);
	store_count(&dev->st, STORE_CO, 10, 2, true);
	/* neither of these counts */
	ck_assert_int_eq(hf_set_values(dev, 3, 10, 1, &v), 0);
	ck_assert_int_eq(hf_get_values(seen, 3, 10, 1, &v), 0);
	for (int i = 0; i < 2; i++) {
		memset(r, 7, sizeof(r));
		memset(w, 7, sizeof(w));
		ck_assert_int_eq(
		    hf_get_counts(i ? dev : seen, HF_HR, 10, 3, r, w), 0);
		ck_assert_uint_eq(r[0] * 100 + r[1] * 10 + r[2], 110);
		ck_assert_uint_eq(w[0] * 100 + w[1] * 10 + w[2], 11);
	}
	ck_assert_int_eq(hf_get_counts(dev, HF_CO, 10, 1, NULL, w), 0);
	ck_assert_uint_eq(w[0], 2);
	ck_assert_int_eq(hf_get_counts(dev, HF_CO, 10, 1, r, NULL), 0);
	ck_assert_uint_eq(r[0], 0);
}
END_TEST

START_TEST(a_device_that_does_not_count_has_zeros)
{
	uint32_t r[2] = { 7, 7 }, w[2] = { 7, 7 };

	begin();
	store_count(&dev->st, STORE_HR, 10, 2, true);
	ck_assert_int_eq(hf_get_counts(dev, HF_HR, 10, 2, r, w), 0);
	ck_assert_uint_eq(r[0] + r[1] + w[0] + w[1], 0);
}
END_TEST

static const struct {
	unsigned table;
	uint32_t addr, count;
	int err;
} wrong[] = {
	{ HF_HR, 10, 0, EINVAL },
	{ 9, 10, 1, EINVAL },
	{ UINT32_MAX, 10, 1, EINVAL },
	{ HF_HR, 9, 1, EADDRNOTAVAIL },
	{ HF_HR, 49, 2, EADDRNOTAVAIL },
	{ HF_IR, 10, 1, EADDRNOTAVAIL },
	{ HF_HR, 10, 1u << 31, EADDRNOTAVAIL },
	{ HF_HR, UINT32_MAX, 2, EADDRNOTAVAIL },
};

START_TEST(what_is_not_there_is_told)
{
	uint32_t r[2], w[2];

	ck_assert_int_eq(hf_device_count(dev), 0);
	begin();
	ck_assert_int_eq(hf_get_counts(dev, (enum hf_table)wrong[_i].table,
			     wrong[_i].addr, wrong[_i].count, r, w),
	    -1);
	ck_assert_int_eq(errno, wrong[_i].err);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("api_counts");
	TCase *tc = tcase_create("counts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_clients_read_and_write_is_counted);
	tcase_add_test(tc, a_device_that_does_not_count_has_zeros);
	tcase_add_loop_test(
	    tc, what_is_not_there_is_told, 0, sizeof(wrong) / sizeof(wrong[0]));
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
