/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of a device, and files of them: what went in comes out, and what
 * was not written so is refused. */

#include "shm/snap.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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
	snap_begin(s, "plant", 1234567890123,
	    &(struct snap_place){ .sequence = 77, .run = 5, .base = 70 });
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

START_TEST(who_holds_the_device_is_not_waited_for)
{
	struct store_picture p;
	uint8_t out[8];
	uint64_t owner = fix.store.env->me + 1;

	/* whoever that is, he has stopped in the middle of a write */
	atomic_store(&fix.store.dev->owner, owner);
	atomic_store(&fix.store.dev->seq, atomic_load(&fix.store.dev->seq) + 1);
	memset((void *)(uintptr_t)fix.store.data[0], 0xee,
	    fix.store.words * sizeof(uint64_t));
	ck_assert_int_eq(store_picture_take(&fix.store, 1000000, &p), STORE_OK);
	ck_assert(store_picture_read(&p, STORE_HR, 100, 4, out));
	ck_assert_mem_eq(out, "\1\2\3\4\5\6\7\10", 8);
	ck_assert_uint_eq(p.seq, 3);
	ck_assert_uint_eq(atomic_load(&fix.store.dev->owner), owner);
	store_picture_free(&p);
}
END_TEST

/* ---- beside a writer ---- */

/* Files of 10000 records: as many as make several thousand slices; the first
 * record of each is a cell. Commit n writes n to a cell that goes round, and to
 * one at either end: so each commit is another picture. */
enum { FILES = 200, RECORDS = 10000, PICTURES = 25 };

static uint32_t
cell(unsigned i)
{
	return (1 + i % FILES) << 16 | (i % 7 * 1000);
}

static void
write_for_ever(unsigned slot)
{
	uint8_t n[2], at_end[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fix_become(&fix, slot);
	for (unsigned i = 1;; i++) {
		struct store_who who = fix_who(&fix);
		struct store_step s[3] = {
			{ .op = STORE_WRITE, .table = STORE_FILE, .count = 1 },
			{ .op = STORE_WRITE, .table = STORE_FILE, .count = 1 },
			{ .op = STORE_WRITE, .table = STORE_FILE, .count = 1 },
		};

		n[0] = at_end[0] = (uint8_t)(i >> 8);
		n[1] = at_end[1] = (uint8_t)i;
		s[0].addr = 1 << 16 | 9999;
		s[1].addr = FILES << 16 | 9999;
		s[2].addr = cell(i) + 1;
		s[0].in = s[1].in = at_end;
		s[2].in = n;
		store_apply(&fix.store, &who, s, 3, NULL);
	}
}

static unsigned
value(const struct store_picture *p, uint32_t addr)
{
	uint8_t out[2];

	ck_assert(store_picture_read(p, STORE_FILE, addr, 1, out));
	return (unsigned)out[0] << 8 | out[1];
}

/* What commit n left, and nothing that another did. */
static void
check_picture(const struct store_picture *p, uint64_t n)
{
	unsigned span = FILES * 7;

	ck_assert_uint_eq(value(p, 1 << 16 | 9999), n & 0xffff);
	ck_assert_uint_eq(value(p, FILES << 16 | 9999), n & 0xffff);
	for (uint64_t i = n >= span ? n - span + 1 : 1; i <= n; i++)
		ck_assert_uint_eq(value(p, cell((unsigned)i) + 1), i & 0xffff);
}

START_TEST(a_large_picture_is_of_one_commit)
{
	static struct seg_range r[FILES];
	struct store_picture p;
	uint64_t last = 0;
	unsigned moved = 0;
	pid_t child;

	fix_close(&fix);
	for (unsigned i = 0; i < FILES; i++)
		r[i] = fix_range(STORE_FILE, (i + 1) << 16, RECORDS);
	fix_open(&fix, r, FILES, false);
	child = fork();
	if (child == 0)
		write_for_ever(2);
	while (atomic_load(&fix.store.dev->seq) < 20)
		sched_yield();
	for (int i = 0; i < PICTURES; i++) {
		uint64_t before = atomic_load(&fix.store.dev->seq) / 2;

		ck_assert_int_eq(
		    store_picture_take(&fix.store, 20000000000, &p), STORE_OK);
		check_picture(&p, p.seq);
		ck_assert_uint_ge(p.seq, before);
		moved += p.seq > before;
		ck_assert_uint_ge(p.seq, last);
		last = p.seq;
		store_picture_free(&p);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* there were writes while it was taken, so the copy was mended */
	ck_assert_uint_gt(moved, 0);
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
	ck_assert_uint_eq(snap_place(&s).sequence, 77);
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

START_TEST(who_is_killed_as_he_writes_leaves_nothing)
{
	const struct rlimit short_files = { 200, 200 };
	struct snap s = { 0 };
	char dir[] = "/tmp/hf-snap-XXXXXX", path[64];
	int status;
	pid_t child;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	make(&s);
	ck_assert_uint_gt(s.len, 300);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_FSIZE, &short_files);
		signal(SIGXFSZ, SIG_DFL);
		snap_write(&s, path);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
	ck_assert_int_eq(rmdir(dir), 0);
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
	tcase_add_test(tc, who_holds_the_device_is_not_waited_for);
	tcase_add_test(tc, a_large_picture_is_of_one_commit);
	tcase_add_test(tc, what_went_in_comes_out);
	tcase_add_test(tc, each_byte_counts);
	tcase_add_test(tc, a_file_is_written_whole_over_nothing_but_its_like);
	tcase_add_test(tc, who_is_killed_as_he_writes_leaves_nothing);
	return fix_run(s);
}
