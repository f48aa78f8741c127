/* SPDX-License-Identifier: Apache-2.0 */

/* The trace: frames in a worker's segment, which outlive the worker. */

#include "shm/trace.h"

#include <signal.h>

#include "tests/lib/store_fixture.h"

static struct fixture fix;
static struct seg seg;
static struct shm_ring *ring;
static struct trace_frame f;

static void
setup(void)
{
	struct seg_range r = fix_range(STORE_HR, 0, 10);

	fix_open(&fix, &r, 1, false);
	ck_assert_int_eq(
	    seg_create_worker(&seg, fix.name, "tcp1", 0, 0, 2, 1, 16384), 0);
	ring = seg_trace(seg_worker(&seg));
}

static void
teardown(void)
{
	seg_unmap(&seg);
	fix_close(&fix);
}

START_TEST(a_frame_comes_back_as_it_was_put)
{
	static const uint8_t adu[] = { 0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };
	uint64_t pos = 0;

	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
	trace_put(ring, 1234567, 42, true, 17, adu, sizeof(adu));
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.unix_us, 1234567);
	ck_assert_uint_eq(f.conn, 42);
	ck_assert_uint_eq(f.sent, 1);
	ck_assert_uint_eq(f.unit, 17);
	ck_assert_uint_eq(f.len, sizeof(adu));
	ck_assert_mem_eq(f.adu, adu, sizeof(adu));
	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
}
END_TEST

START_TEST(a_frame_too_long_is_cut_and_one_of_no_bytes_is_kept)
{
	static uint8_t big[BATCH_IN + 100];
	uint64_t pos = 0;

	big[BATCH_IN - 1] = 9;
	trace_put(ring, 1, 1, false, 1, big, sizeof(big));
	trace_put(ring, 2, 1, false, 1, big, 0);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.len, BATCH_IN);
	ck_assert_uint_eq(f.adu[BATCH_IN - 1], 9);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.len, 0);
}
END_TEST

START_TEST(frames_outlive_the_worker_that_wrote_them)
{
	static const uint8_t adu[260] = { 1, 2, 3 };
	uint64_t pos = 0, n = 0;
	struct seg other;
	pid_t pid = fork();
	int rc;

	if (pid == 0) {
		for (uint64_t i = 1; i <= 500; i++)
			trace_put(ring, i, i, false, 1, adu, 200 + i % 60);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* another process that attaches later reads the last ones */
	ck_assert_int_eq(seg_attach(&other, seg.object, SHM_WORKER, false), 0);
	while (
	    (rc = trace_next(seg_trace(seg_worker(&other)), &pos, &f)) == 1) {
		ck_assert_uint_eq(f.len, 200 + f.conn % 60);
		ck_assert(n == 0 || f.conn == n + 1);
		n = f.conn;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(n, 500);
	seg_unmap(&other);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("trace");
	TCase *t = tcase_create("trace");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_frame_comes_back_as_it_was_put);
	tcase_add_test(t, a_frame_too_long_is_cut_and_one_of_no_bytes_is_kept);
	tcase_add_test(t, frames_outlive_the_worker_that_wrote_them);
	suite_add_tcase(s, t);
	return fix_run(s);
}
