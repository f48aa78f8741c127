/* SPDX-License-Identifier: Apache-2.0 */

/* Rings: whole records or none, losses told, damage survived. */

#include "shm/ring.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/suite.h"

enum { SIZE = 1024 };

static struct {
	struct shm_ring ring;
	_Atomic uint64_t data[SIZE / 8];
	uint64_t guard;
} * mem;

static void
setup(void)
{
	mem = mmap(NULL, sizeof(*mem), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mem, MAP_FAILED);
	mem->guard = 0x6775617264;
	ring_init(&mem->ring, SIZE);
}

static void
teardown(void)
{
	ck_assert_uint_eq(mem->guard, 0x6775617264);
	munmap(mem, sizeof(*mem));
}

static void
put(const void *p, size_t len)
{
	struct iovec v = { (void *)(uintptr_t)p, len };

	ring_put(&mem->ring, SIZE, &v, 1);
}

static int
get(uint64_t *pos, void *buf, size_t cap)
{
	return ring_get(&mem->ring, SIZE, pos, buf, cap);
}

START_TEST(records_come_out_as_they_went_in)
{
	char buf[64];
	uint64_t pos = 0;

	ck_assert_int_eq(get(&pos, buf, sizeof(buf)), 0);
	put("hello", 5);
	put("12345678", 8);
	put("123456789", 9);
	ck_assert_int_eq(get(&pos, buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, "hello", 5);
	ck_assert_int_eq(get(&pos, buf, sizeof(buf)), 8);
	ck_assert_mem_eq(buf, "12345678", 8);
	ck_assert_int_eq(get(&pos, buf, sizeof(buf)), 9);
	ck_assert_mem_eq(buf, "123456789", 9);
	ck_assert_int_eq(get(&pos, buf, sizeof(buf)), 0);
	ck_assert_uint_eq(pos, ring_end(&mem->ring));
}
END_TEST

START_TEST(pieces_of_any_length_make_one_record)
{
	char all[48], buf[64];
	uint64_t pos = 0;

	for (int i = 0; i < 48; i++)
		all[i] = (char)('A' + i);
	for (size_t a = 0; a <= 20; a++) {
		for (size_t b = 0; b <= 20; b++) {
			struct iovec v[3] = { { all, a }, { all + a, b },
				{ all + a + b, 3 } };

			ring_put(&mem->ring, SIZE, v, 3);
			memset(buf, 0, sizeof(buf));
			ck_assert_int_eq(
			    get(&pos, buf, sizeof(buf)), (int)(a + b + 3));
			ck_assert_mem_eq(buf, all, a + b + 3);
		}
	}
}
END_TEST

START_TEST(a_buffer_too_small_gets_the_start_of_the_record)
{
	char buf[4] = "....";
	uint64_t pos = 0;

	put("abcdefgh", 8);
	ck_assert_int_eq(get(&pos, buf, 3), 3);
	ck_assert_mem_eq(buf, "abc.", 4);
	ck_assert_int_eq(get(&pos, buf, 3), 0);
}
END_TEST

/* Records of one size and of all sizes: what is kept free is little. */
START_TEST(nearly_all_of_a_ring_is_records)
{
	char buf[SIZE] = { 0 };

	for (uint32_t step = 0; step <= 7; step += 7) {
		for (uint32_t i = 0; i < 1000; i++) {
			uint64_t left;

			put(buf, 16 + i * step % 64);
			left = ring_end(&mem->ring) -
			    atomic_load(&mem->ring.oldest);
			ck_assert_uint_le(left, SIZE);
			if (i > SIZE / 8)
				ck_assert_uint_ge(
				    left, SIZE - SIZE / 16 - 2 * (8 + 80));
		}
	}
}
END_TEST

START_TEST(a_record_longer_than_half_of_the_ring_is_not_taken)
{
	char big[SIZE];
	uint64_t end = ring_end(&mem->ring), pos = 0;

	memset(big, 'b', sizeof(big));
	put(big, SIZE / 2 - 7);
	put(big, SIZE);
	ck_assert_uint_eq(ring_end(&mem->ring), end);
	put(big, SIZE / 2 - 8);
	ck_assert_int_eq(get(&pos, big, sizeof(big)), SIZE / 2 - 8);
}
END_TEST

START_TEST(a_slow_reader_is_told_and_goes_on_with_the_oldest_left)
{
	uint32_t n, got, next;
	uint64_t pos = 0;

	for (n = 0; n < 1000; n++) {
		char rec[40];

		memset(rec, 0, sizeof(rec));
		memcpy(rec, &n, 4);
		put(rec, 4 + n % 30);
		if (n == 0) {
			/* a reader that has seen the first one and sleeps */
			ck_assert_int_eq(get(&pos, &got, 4), 4);
		}
	}
	ck_assert_int_eq(get(&pos, &got, 4), -1);
	ck_assert_int_eq(get(&pos, &next, 4), 4);
	/* a ring of 1024 bytes holds some dozens of these */
	ck_assert_uint_gt(next, 940);
	ck_assert_uint_lt(next, 990);
	while (next < 999) {
		ck_assert_int_eq(get(&pos, &got, 4), 4);
		ck_assert_uint_eq(got, ++next);
	}
	ck_assert_int_eq(get(&pos, &got, 4), 0);
	/* one that starts now with the oldest has lost nothing */
	pos = 0;
	ck_assert_int_eq(get(&pos, &got, 4), 4);
}
END_TEST

START_TEST(a_writer_killed_in_the_middle_leaves_whole_records)
{
	uint64_t pos = 0, before, room;
	_Atomic uint64_t *to;
	char buf[SIZE];
	uint32_t n, want;

	for (n = 0; n < 100; n++)
		put(&n, 4);
	/* it had made room, scribbled, and never published */
	before = room = ring_end(&mem->ring);
	to = ring_room(mem->data, SIZE, &mem->ring.oldest, &room, 300);
	ck_assert_ptr_nonnull(to);
	for (int i = 0; i < 30; i++)
		atomic_store(to + i, UINT64_MAX);
	ck_assert_uint_eq(ring_end(&mem->ring), before);
	ck_assert_int_eq(get(&pos, &want, 4), 4);
	ck_assert_uint_gt(want, 36); /* what the room took is gone */
	while (get(&pos, &n, 4) == 4)
		ck_assert_uint_eq(n, ++want);
	ck_assert_uint_eq(want, 99);
	put("next", 4); /* its successor */
	ck_assert_int_eq(get(&pos, buf, 4), 4);
	ck_assert_mem_eq(buf, "next", 4);
}
END_TEST

/* A record says its number in every word: readers see no mixture. */
static void
write_for_ever(void)
{
	uint64_t rec[20];

	for (uint64_t n = 1;; n++) {
		for (int i = 0; i < 20; i++)
			rec[i] = n;
		put(rec, 8 + n % 19 * 8);
	}
}

START_TEST(readers_beside_a_writer_see_whole_records_in_order)
{
	uint64_t pos = 0, rec[20], last = 0, seen = 0;
	pid_t pid = fork();
	long clock = 0;

	if (pid == 0)
		write_for_ever();
	while (suite_while(&clock, 1000)) {
		int len = get(&pos, rec, sizeof(rec));

		if (len <= 0)
			continue; /* none yet, or overtaken */
		seen++;
		ck_assert_int_eq(len, (int)(8 + rec[0] % 19 * 8));
		for (int i = 1; i < len / 8; i++)
			ck_assert_uint_eq(rec[i], rec[0]);
		ck_assert_uint_gt(rec[0], last);
		last = rec[0];
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_uint_gt(seen, 100);
}
END_TEST

START_TEST(damage_is_survived_by_readers_and_writers)
{
	uint64_t x = 88172645463325252ull;
	char buf[SIZE];

	for (int round = 0; round < 20000; round++) {
		uint64_t pos = round % 3 ? 0 : x;

		for (int k = 0; k < 4; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			mem->data[x % (SIZE / 8)] = x % 5 ? x : x >> 52;
		}
		if (round % 7 == 0)
			mem->ring.head = x >> x % 64;
		if (round % 11 == 0)
			mem->ring.oldest = x >> x % 61;
		mem->ring.size = (uint32_t)x;
		put(buf, x % 400);
		for (int k = 0; k < 200 && get(&pos, buf, 100); k++)
			;
	}
}
END_TEST

START_TEST(a_writer_comes_to_an_end_where_positions_wrap)
{
	char buf[SIZE];

	memset(buf, 'w', sizeof(buf));
	for (uint64_t i = 0; i <= 2 * SIZE; i += 8) {
		for (uint64_t k = 0; k <= 2 * SIZE; k += 104) {
			mem->ring.head = SIZE - i;
			mem->ring.oldest = SIZE - i - k;
			put(buf, 300);
			put(buf, i % 400);
			put(buf, SIZE / 2 - 8);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ring");
	TCase *t = tcase_create("ring");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, records_come_out_as_they_went_in);
	tcase_add_test(t, pieces_of_any_length_make_one_record);
	tcase_add_test(t, a_buffer_too_small_gets_the_start_of_the_record);
	tcase_add_test(t, nearly_all_of_a_ring_is_records);
	tcase_add_test(t, a_record_longer_than_half_of_the_ring_is_not_taken);
	tcase_add_test(
	    t, a_slow_reader_is_told_and_goes_on_with_the_oldest_left);
	tcase_add_test(t, a_writer_killed_in_the_middle_leaves_whole_records);
	tcase_add_test(t, readers_beside_a_writer_see_whole_records_in_order);
	tcase_add_test(t, damage_is_survived_by_readers_and_writers);
	tcase_add_test(t, a_writer_comes_to_an_end_where_positions_wrap);
	suite_add_tcase(s, t);
	return suite_run(s);
}
