/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores of programs, for the suites of the library.
 */
#include "tests/lib/api_fixture.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

char api_name[40];

void
api_names(void)
{
	snprintf(api_name, sizeof(api_name), "check-%d", (int)getpid());
}

void
api_add(struct hf_device *d, enum hf_table t, uint32_t addr, uint32_t count)
{
	struct hf_range r = { .table = t, .addr = addr, .count = count };

	ck_assert_int_eq(hf_device_add_range(d, &r), 0);
}

struct hf_store *
api_described(const char *called)
{
	struct hf_store *s = hf_store_new(called);
	struct hf_device *d;

	ck_assert_ptr_nonnull(s);
	d = hf_store_add_device(s, "plc", HF_EVERY_UNIT);
	ck_assert_ptr_nonnull(d);
	api_add(d, HF_HR, 0, 100);
	api_add(d, HF_CO, 0, 100);
	return s;
}

struct hf_store *
api_made(void)
{
	struct hf_store *s = api_described(api_name);

	ck_assert_int_eq(hf_store_open(s), 0);
	return s;
}

struct hf_device *
api_only(struct hf_store *s)
{
	return hf_store_device(s, NULL);
}

int
api_get1(struct hf_store *s, uint16_t *v)
{
	return hf_get_values(api_only(s), 3, 5, 1, v);
}

int
api_set1(struct hf_store *s, uint16_t v)
{
	return hf_set_values(api_only(s), 3, 5, 1, &v);
}
