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

/* A frame of `len` bytes with nothing special about it. */
static uint64_t
put(uint64_t us, uint64_t conn, uint8_t flags, const uint8_t *adu, size_t len)
{
	static const uint8_t host[] = { 10, 0, 0, 7 };
	struct trace_head h = {
		.unix_us = us,
		.conn = conn,
		.flags = flags,
		.unit = 17,
		.framer = TRACE_RTU,
		.port = 4021,
		.peer_len = 4,
		.len = (uint16_t)len,
	};

	return trace_put(ring, &h, host, adu);
}

/* Whatever a field holds, it is not its neighbour's. */
START_TEST(each_field_comes_back_by_itself)
{
	static const struct trace_head head[] = {
		{ .unix_us = UINT64_MAX },
		{ .conn = UINT64_MAX },
		{ .us = UINT32_MAX },
		{ .back = (1 << TRACE_BACK_BITS) - 1 },
		{ .first = (1 << TRACE_FIRST_BITS) - 1 },
		{ .len = 12 },
		{ .port = UINT16_MAX },
		{ .flags = UINT8_MAX },
		{ .framer = UINT8_MAX },
		{ .unit = UINT8_MAX },
		{ .peer_len = CONN_PEER_MAX },
		{ .us = 1, .back = 2, .first = 3, .port = 4, .unit = 5 },
	};
	static const uint8_t bytes[CONN_PEER_MAX];
	uint64_t pos = 0;

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
		trace_put(ring, &head[i], bytes, bytes);
		ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
		ck_assert_mem_eq(&f.head, &head[i], sizeof(f.head));
	}
}
END_TEST

START_TEST(a_frame_comes_back_as_it_was_put)
{
	static const uint8_t adu[] = { 0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };
	uint64_t pos = 0;

	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
	put(1234567, 42, TRACE_SENT, adu, sizeof(adu));
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.head.unix_us, 1234567);
	ck_assert_uint_eq(f.head.conn, 42);
	ck_assert_uint_eq(f.head.flags, TRACE_SENT);
	ck_assert_uint_eq(f.head.unit, 17);
	ck_assert_uint_eq(f.head.framer, TRACE_RTU);
	ck_assert_uint_eq(f.head.len, sizeof(adu));
	ck_assert_uint_eq(f.head.port, 4021);
	ck_assert_uint_eq(f.head.peer_len, 4);
	ck_assert_mem_eq(f.peer, "\12\0\0\7", 4);
	ck_assert_mem_eq(f.adu, adu, sizeof(adu));
	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
}
END_TEST

START_TEST(a_frame_too_long_is_cut_and_one_of_no_bytes_is_kept)
{
	static uint8_t big[BATCH_IN + 100];
	uint64_t pos = 0;

	big[BATCH_IN - 1] = 9;
	put(1, 1, 0, big, sizeof(big));
	put(2, 1, 0, big, 0);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.head.len, BATCH_IN);
	ck_assert_uint_eq(f.adu[BATCH_IN - 1], 9);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.head.len, 0);
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
			put(i, i, 0, adu, 200 + i % 60);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* another process that attaches later reads the last ones */
	ck_assert_int_eq(seg_attach(&other, seg.object, SHM_WORKER, false), 0);
	while (
	    (rc = trace_next(seg_trace(seg_worker(&other)), &pos, &f)) == 1) {
		ck_assert_uint_eq(f.head.len, 200 + f.head.conn % 60);
		ck_assert(n == 0 || f.head.conn == n + 1);
		n = f.head.conn;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(n, 500);
	seg_unmap(&other);
}
END_TEST

/* Peers of every length: words are kept as they are, and frames of every length
 * behind them. */
START_TEST(each_peer_comes_back_with_its_frame)
{
	uint8_t peer[CONN_PEER_MAX], adu[64];
	uint64_t pos = 0;

	for (size_t i = 0; i < sizeof(peer); i++) {
		peer[i] = (uint8_t)('a' + i % 26);
		adu[i] = (uint8_t)i;
	}
	for (uint8_t n = 0; n <= CONN_PEER_MAX; n++) {
		struct trace_head h = {
			.peer_len = n,
			.len = (uint16_t)(64 - n),
		};

		trace_put(ring, &h, peer, adu);
		ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
		ck_assert_uint_eq(f.head.peer_len, n);
		ck_assert_mem_eq(f.peer, peer, n);
		ck_assert_uint_eq(f.head.len, 64 - n);
		ck_assert_mem_eq(f.adu, adu, 64u - n);
	}
}
END_TEST

START_TEST(a_glance_tells_where_the_frame_and_the_next_one_lie)
{
	uint8_t adu[300] = { 0 };
	uint64_t at[200], pos = 0, end, n = 0;
	struct trace_head h;

	ck_assert_int_eq(trace_peek(ring, &pos, &end, &h), 0);
	for (uint64_t i = 0; i < 200; i++)
		at[i] = put(i, 1, 0, adu, i);
	for (pos = 0; trace_peek(ring, &pos, &end, &h) == 1; pos = end, n++) {
		uint64_t copy = pos;

		ck_assert_uint_eq(pos, at[h.unix_us]);
		ck_assert_uint_eq(h.len, h.unix_us);
		ck_assert_int_eq(trace_next(ring, &copy, &f), 1);
		ck_assert_uint_eq(copy, end);
		ck_assert_uint_eq(f.head.unix_us, h.unix_us);
	}
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_eq(h.unix_us, 199);
}
END_TEST

/* Lengths that do not fit each other are a lost frame, not one. */
START_TEST(a_record_that_contradicts_itself_is_lost)
{
	uint64_t *words = (uint64_t *)(ring + 1), pos = 0;
	uint8_t adu[12] = { 0 };
	struct trace_head h;

	put(1, 1, 0, adu, sizeof(adu));
	memcpy(&h, words + 1, sizeof(h));
	h.peer_len = 200;
	memcpy(words + 1, &h, sizeof(h));
	ck_assert_int_eq(trace_next(ring, &pos, &f), -1);
	h.peer_len = 4;
	h.len = 13;
	memcpy(words + 1, &h, sizeof(h));
	pos = 0;
	ck_assert_int_eq(trace_next(ring, &pos, &f), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("trace");
	TCase *t = tcase_create("trace");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_field_comes_back_by_itself);
	tcase_add_test(t, a_frame_comes_back_as_it_was_put);
	tcase_add_test(t, a_frame_too_long_is_cut_and_one_of_no_bytes_is_kept);
	tcase_add_test(t, frames_outlive_the_worker_that_wrote_them);
	tcase_add_test(t, each_peer_comes_back_with_its_frame);
	tcase_add_test(t, a_glance_tells_where_the_frame_and_the_next_one_lie);
	tcase_add_test(t, a_record_that_contradicts_itself_is_lost);
	suite_add_tcase(s, t);
	return fix_run(s);
}
