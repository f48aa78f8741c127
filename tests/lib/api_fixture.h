/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_API_FIXTURE_H
#define TESTS_LIB_API_FIXTURE_H

/* Stores of programs, for the suites of the library. */

#include "supervisor/holdfast.h"

/* Of this test alone; api_names() makes it. */
extern char api_name[40];
void api_names(void);

void api_add(struct hf_device *, enum hf_table, uint32_t addr, uint32_t count);

/* A store with a device of 100 registers and coils, described; and made. */
struct hf_store *api_described(const char *called);
struct hf_store *api_made(void);

/* Its device. */
struct hf_device *api_only(struct hf_store *);

/* One of its registers. */
int api_get1(struct hf_store *, uint16_t *v);
int api_set1(struct hf_store *, uint16_t v);

#endif
