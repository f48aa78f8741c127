/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors over bytes. */

#include <stdlib.h>

#include "tests/suite.h"
#include "workers/proto/buf.h"

START_TEST(bytes_are_read_high_byte_first)
{
	static const uint8_t bytes[] = { 0x01, 0xfe, 0xdc, 0x80 };
	struct rbuf b;

	rbuf_init(&b, bytes, sizeof(bytes));
	ck_assert_uint_eq(rbuf_u8(&b), 0x01);
	ck_assert_uint_eq(rbuf_u16(&b), 0xfedc);
	ck_assert(rbuf_ok(&b));
	ck_assert(!rbuf_done(&b));
	ck_assert_ptr_eq(rbuf_take(&b, 1), bytes + 3);
	ck_assert(rbuf_done(&b));
}
END_TEST

START_TEST(a_read_past_the_end_yields_0_for_good)
{
	static const uint8_t bytes[] = { 0xff, 0xff, 0xff };
	struct rbuf b;

	rbuf_init(&b, bytes, sizeof(bytes));
	ck_assert_uint_eq(rbuf_u16(&b), 0xffff);
	ck_assert_uint_eq(rbuf_u16(&b), 0);
	ck_assert(!rbuf_ok(&b));
	ck_assert_uint_eq(rbuf_u8(&b), 0); /* though one is left */
	ck_assert_ptr_null(rbuf_take(&b, 0));
	ck_assert(!rbuf_done(&b));
}
END_TEST

START_TEST(nothing_can_be_read_of_nothing)
{
	struct rbuf b;

	rbuf_init(&b, NULL, 0);
	ck_assert(rbuf_done(&b));
	ck_assert_ptr_null(rbuf_take(&b, 0));
	ck_assert(rbuf_done(&b));
	ck_assert_uint_eq(rbuf_u8(&b), 0);
	ck_assert(!rbuf_done(&b));
}
END_TEST

START_TEST(a_count_larger_than_any_buffer_is_refused)
{
	static const uint8_t bytes[] = { 1, 2 };
	uint8_t out[2];
	struct rbuf b;
	struct wbuf w;

	rbuf_init(&b, bytes, sizeof(bytes));
	rbuf_u8(&b);
	ck_assert_ptr_null(rbuf_take(&b, SIZE_MAX));
	wbuf_init(&w, out, sizeof(out));
	wbuf_u8(&w, 1);
	ck_assert_ptr_null(wbuf_room(&w, SIZE_MAX));
	ck_assert(w.bad);
}
END_TEST

START_TEST(bytes_are_written_high_byte_first)
{
	uint8_t out[8] = { 0 };
	struct wbuf b;

	wbuf_init(&b, out, sizeof(out));
	wbuf_u8(&b, 0x01);
	wbuf_u16(&b, 0xfedc);
	wbuf_put(&b, (const uint8_t *)"ab", 2);
	ck_assert_ptr_eq(wbuf_room(&b, 3), out + 5);
	ck_assert_uint_eq(b.len, 8);
	ck_assert(!b.bad);
	ck_assert_mem_eq(out, "\x01\xfe\xdc\x61\x62\0\0\0", 8);
}
END_TEST

START_TEST(a_write_past_the_end_writes_nothing_for_good)
{
	uint8_t out[4] = { 9, 9, 9, 9 };
	struct wbuf b;

	wbuf_init(&b, out, 3);
	wbuf_u16(&b, 0x0101);
	wbuf_u16(&b, 0x0202);
	ck_assert(b.bad);
	wbuf_u8(&b, 0x03); /* though one would fit */
	wbuf_put(&b, out, 1);
	ck_assert_uint_eq(b.len, 2);
	ck_assert_mem_eq(out, "\x01\x01\x09\x09", 4);
}
END_TEST

START_TEST(what_was_written_can_be_dropped_from_its_end)
{
	uint8_t out[4];
	struct wbuf b;

	wbuf_init(&b, out, sizeof(out));
	wbuf_u16(&b, 0x0102);
	wbuf_cut(&b, 1);
	wbuf_u16(&b, 0x0304);
	ck_assert_uint_eq(b.len, 3);
	ck_assert_mem_eq(out, "\x01\x03\x04", 3);
	wbuf_cut(&b, 4); /* was never written */
	ck_assert(b.bad);
	ck_assert_uint_eq(b.len, 3);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("buf");
	TCase *t = tcase_create("cursors");

	tcase_add_test(t, bytes_are_read_high_byte_first);
	tcase_add_test(t, a_read_past_the_end_yields_0_for_good);
	tcase_add_test(t, nothing_can_be_read_of_nothing);
	tcase_add_test(t, a_count_larger_than_any_buffer_is_refused);
	tcase_add_test(t, bytes_are_written_high_byte_first);
	tcase_add_test(t, a_write_past_the_end_writes_nothing_for_good);
	tcase_add_test(t, what_was_written_can_be_dropped_from_its_end);
	suite_add_tcase(s, t);
	return suite_run(s);
}
