/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of a device, and files of them: what went in comes out, and what
 * was not written so is refused. */

#include "shm/snap.h"

#include <errno.h>

#include "shm/crc32c.h"
#include "tests/lib/store_fixture.h"

static struct fixture fix;

static void
setup(void)
{
	struct seg_range r[] = {
		fix_range(STORE_CO, 5, 13),
		fix_range(STORE_HR, 100, 4),
		fix_range(STORE_HR, 200, 2),
		fix_range(STORE_FILE, 1 << 16, 3),
	};

	fix_open(&fix, r, 4, false);
	fix_write(&fix, STORE_CO, 5, 13, "\x55\x15");
	fix_write(&fix, STORE_HR, 100, 4, "\1\2\3\4\5\6\7\10");
	fix_write(&fix, STORE_HR, 200, 2, "\11\12\13\14");
}

static void
teardown(void)
{
	fix_close(&fix);
}

static void
make(struct snap *s)
{
	struct store_picture p;

	ck_assert_int_eq(store_picture_take(&fix.store, 1000000, &p), STORE_OK);
	snap_begin(s, "plant", 1234567890123);
	snap_add(s, "plc1", &p);
	snap_add(s, "plc2", &p);
	ck_assert_int_eq(snap_end(s), 0);
	store_picture_free(&p);
}

START_TEST(the_checksum_is_that_of_the_standard)
{
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(a_picture_stays_as_it_was)
{
	struct store_picture p;
	uint8_t out[8];

	ck_assert_int_eq(store_picture_take(&fix.store, 1000000, &p), STORE_OK);
	ck_assert_uint_eq(p.seq, 3);
	fix_write(&fix, STORE_HR, 100, 4, "\0\0\0\0\0\0\0\0");
	ck_assert(store_picture_read(&p, STORE_HR, 100, 4, out));
	ck_assert_mem_eq(out, "\1\2\3\4\5\6\7\10", 8);
	ck_assert(store_picture_read(&p, STORE_CO, 6, 3, out));
	ck_assert_uint_eq(out[0], 2);
	ck_assert(!store_picture_read(&p, STORE_HR, 103, 2, out));
	store_picture_free(&p);
	/* and nobody is kept waiting */
	fix_write(&fix, STORE_HR, 100, 1, "\1\1");
}
END_TEST

START_TEST(what_went_in_comes_out)
{
	static const struct {
		enum store_table table;
		uint32_t addr, count;
		const char *values;
	} wanted[] = {
		{ STORE_CO, 5, 13, "\x55\x15" },
		{ STORE_HR, 100, 4, "\1\2\3\4\5\6\7\10" },
		{ STORE_HR, 200, 2, "\11\12\13\14" },
		{ STORE_FILE, 1 << 16, 3, "\0\0\0\0\0\0" },
	};
	struct snap s = { 0 };
	struct snap_device d;
	struct snap_block b;
	char why[SNAP_WHY];
	size_t at = 0, i;
	int n = 0;

	make(&s);
	ck_assert_int_eq(snap_check(&s, why), 0);
	ck_assert_uint_eq(snap_time_ms(&s), 1234567890123);
	while (snap_next_device(&s, &at, &d)) {
		ck_assert_str_eq(d.name, n++ == 0 ? "plc1" : "plc2");
		ck_assert_uint_eq(d.seq, 3);
		for (i = 0; snap_next_block(&s, &d, &b); i++) {
			ck_assert_int_eq(b.table, wanted[i].table);
			ck_assert_uint_eq(b.addr, wanted[i].addr);
			ck_assert_uint_eq(b.count, wanted[i].count);
			ck_assert_mem_eq(b.values, wanted[i].values,
			    store_bytes(b.table, b.count));
		}
		ck_assert_uint_eq(i, 4);
	}
	ck_assert_int_eq(n, 2);
	snap_free(&s);
}
END_TEST

START_TEST(each_byte_counts)
{
	struct snap s = { 0 };
	char why[SNAP_WHY];
	size_t len;

	make(&s);
	len = s.len;
	for (size_t i = 0; i < len; i++) {
		s.data[i] ^= 0x40;
		ck_assert_int_eq(snap_check(&s, why), -1);
		s.data[i] ^= 0x40;
	}
	for (s.len = 0; s.len < len; s.len++)
		ck_assert_int_eq(snap_check(&s, why), -1);
	ck_assert_int_eq(snap_check(&s, why), 0);
	snap_free(&s);
}
END_TEST

START_TEST(a_file_is_written_whole_over_nothing_but_its_like)
{
	struct snap s = { 0 }, back = { 0 };
	char dir[] = "/tmp/hf-snap-XXXXXX", path[64], why[SNAP_WHY];
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	make(&s);
	ck_assert_int_eq(snap_write(&s, path), 0);
	ck_assert_int_eq(snap_write(&s, path), 0);
	ck_assert_int_eq(snap_read(&back, path, why), 0);
	ck_assert_uint_eq(back.len, s.len);
	ck_assert_mem_eq(back.data, s.data, s.len);
	snap_free(&back);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("HOLDSNAq", f);
	fclose(f);
	ck_assert_int_eq(snap_write(&s, path), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(snap_read(&back, path, why), -1);
	snap_free(&back);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing is left beside it */
	snap_free(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("snap");
	TCase *tc = tcase_create("snap");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_checksum_is_that_of_the_standard);
	tcase_add_test(tc, a_picture_stays_as_it_was);
	tcase_add_test(tc, what_went_in_comes_out);
	tcase_add_test(tc, each_byte_counts);
	tcase_add_test(tc, a_file_is_written_whole_over_nothing_but_its_like);
	return fix_run(s);
}
