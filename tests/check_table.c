/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of tables: each has one, those that Modbus addresses have two.
 */

#include "shm/table.h"
#include "tests/suite.h"

START_TEST(every_table_is_found_by_all_its_names)
{
	enum store_table table = (enum store_table)_i;

	ck_assert_int_eq(table_find(table_name(table)), _i);
	if (_i < TABLE_PLAIN)
		ck_assert_int_eq(table_find(table_short(table)), _i);
	else
		ck_assert_ptr_null(table_short(table));
}
END_TEST

START_TEST(what_is_almost_a_name_is_none)
{
	ck_assert_int_eq(table_find(""), -1);
	ck_assert_int_eq(table_find("coil"), -1);
	ck_assert_int_eq(table_find("HR"), -1);
	ck_assert_int_eq(table_find("hr "), -1);
}
END_TEST

START_TEST(words_are_the_names_of_the_tables_asked_for)
{
	const char *words[TABLE_WORDS];

	ck_assert_uint_eq(table_words(words, TABLE_PLAIN), 2 * TABLE_PLAIN);
	for (int i = 0; i < 2 * TABLE_PLAIN; i++)
		ck_assert_int_eq(table_find(words[i]), i / 2);
	ck_assert_uint_eq(table_words(words, SHM_TABLES), TABLE_WORDS);
	ck_assert_str_eq(words[TABLE_WORDS - 1], "fifos");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_loop_test(
	    tc, every_table_is_found_by_all_its_names, 0, SHM_TABLES);
	tcase_add_test(tc, what_is_almost_a_name_is_none);
	tcase_add_test(tc, words_are_the_names_of_the_tables_asked_for);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
