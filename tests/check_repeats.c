/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over again: whose are known, for how long, and which are meant anew.
 * Time is what a test says.
 */
#include "workers/repeats.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

static struct shm_dgrams shm;
static struct repeats r;
static uint64_t now = 1000 * MS;
static unsigned carried_out;

static void
setup(void)
{
	memset(&shm, 0, sizeof(shm));
	repeats_init(&r, &shm, false);
	carried_out = 0;
}

static struct acl_peer
peer(unsigned n)
{
	struct acl_peer p = { .family = AF_INET, .port = (uint16_t)n };

	p.addr[0] = 127;
	p.addr[2] = (uint8_t)(n >> 8);
	return p;
}

/* A request with that number, for what is told by `what`: how often all have
 * been carried out by the one that its reply is of. */
static unsigned
ask(unsigned who, uint16_t tid, uint8_t what)
{
	struct acl_peer p = peer(who);
	uint8_t adu[3] = { (uint8_t)(tid >> 8), (uint8_t)tid, what };
	struct repeats_key k = { &p, repeats_hash(adu, sizeof(adu)) };
	const struct shm_repeat *e = repeats_find(&r, &k, now);
	unsigned n;

	if (e != NULL) {
		ck_assert_uint_eq(e->len, sizeof(n));
		memcpy(&n, e->reply, sizeof(n));
		return n;
	}
	n = ++carried_out;
	repeats_put(&r, &k, repeats_count(&r, &p, tid), (const uint8_t *)&n,
	    sizeof(n), now);
	return n;
}

/* Whether it is carried out. */
static bool
is_new(unsigned who, uint16_t tid, uint8_t what)
{
	unsigned before = carried_out;

	ask(who, tid, what);
	return carried_out != before;
}

static void
count_up(unsigned who, uint16_t first)
{
	for (unsigned i = 0; i < REPEAT_RUN; i++)
		ck_assert(is_new(who, (uint16_t)(first + i), 1));
}

START_TEST(who_counts_is_believed)
{
	unsigned was;

	count_up(1, 0xfffc); /* on over the end of the numbers */
	was = ask(1, 4, 1);
	ck_assert_uint_eq(ask(1, 4, 1), was);
	ck_assert_uint_eq(ask(1, 4, 1), was);
	/* other bytes, another peer */
	ck_assert(is_new(1, 4, 2));
	ck_assert(is_new(2, 4, 1));
	/* an earlier one, while the run goes on */
	ck_assert(is_new(1, 5, 1));
	ck_assert(!is_new(1, 4, 2));
	ck_assert(!is_new(1, 5, 1));
}
END_TEST

START_TEST(who_does_not_count_means_it)
{
	for (int i = 0; i < 20; i++)
		ck_assert(is_new(1, 7, 1));
	/* one number for each kind */
	for (int i = 0; i < 60; i++)
		ck_assert(is_new(2, (uint16_t)(i % 3), (uint8_t)(i % 3)));
	/* and who has counted once, but no more */
	count_up(3, 1);
	ck_assert(!is_new(3, REPEAT_RUN, 1));
	ck_assert(is_new(3, 500, 1));
	ck_assert(is_new(3, REPEAT_RUN, 1));
	ck_assert(is_new(3, 500, 1));
}
END_TEST

START_TEST(for_two_seconds)
{
	count_up(1, 1);
	now += REPEAT_MS * MS;
	ck_assert(!is_new(1, REPEAT_RUN, 1));
	now += 1;
	ck_assert(is_new(1, REPEAT_RUN, 1));
	ck_assert(!is_new(1, REPEAT_RUN, 1));
}
END_TEST

START_TEST(the_next_worker_knows_it_too)
{
	count_up(1, 1);
	ck_assert(is_new(2, 7, 1));
	repeats_init(&r, &shm, true);
	ck_assert(!is_new(1, REPEAT_RUN, 1));
	/* it was answered, for all that is known */
	ck_assert(is_new(2, 7, 1));
	/* what has waited is not there twice, whoever it is of */
	ck_assert(!is_new(2, 7, 1));
	repeats_init(&r, &shm, true); /* this one died before it was done */
	ck_assert(!is_new(2, 7, 1));
	repeats_caught_up(&r);
	ck_assert(is_new(2, 7, 1));
	ck_assert(is_new(2, 7, 1));
	ck_assert(is_new(1, REPEAT_RUN + 1, 1));
	ck_assert(!is_new(1, REPEAT_RUN + 1, 1));
	repeats_init(&r, &shm, true);
	ck_assert(is_new(2, 7, 1));
}
END_TEST

START_TEST(the_table_has_an_end)
{
	count_up(1, 1);
	for (unsigned i = 0; i < 20 * SHM_REPEATS; i++) {
		now++;
		ask(100 + i % 60000, 1, 1);
	}
	count_up(1, 100);
	ck_assert(!is_new(1, 100 + REPEAT_RUN - 1, 1));
}
END_TEST

/* Whatever addresses and ports they have: none takes another's place. */
START_TEST(many_peers_count_at_once)
{
	enum { PEERS = 64 };

	for (uint16_t tid = 1; tid <= REPEAT_RUN; tid++)
		for (unsigned i = 0; i < PEERS; i++)
			ck_assert(is_new(1 + i * 1021, tid, 1));
	for (unsigned i = 0; i < PEERS; i++)
		ck_assert_msg(!is_new(1 + i * 1021, REPEAT_RUN, 1),
		    "peer %u is not believed", i);
}
END_TEST

/* Any number of others that ask now and then. */
START_TEST(who_asks_on_is_not_forgotten)
{
	count_up(1, 1);
	for (unsigned i = 0; i < 8 * SHM_RUNS; i++) {
		ask(100 + i, 1, 1);
		ask(1, (uint16_t)(REPEAT_RUN + 1 + i), 1);
	}
	ck_assert(!is_new(1, (uint16_t)(REPEAT_RUN + 8 * SHM_RUNS), 1));
}
END_TEST

/* Whoever writes there. */
START_TEST(nonsense_in_the_table_does_no_harm)
{
	for (int i = 0; i < 2000; i++) {
		unsigned char *p = (unsigned char *)&shm;

		for (int k = 0; k < 200; k++)
			p[(size_t)rand() % sizeof(shm)] = (uint8_t)rand();
		memset(
		    shm.repeat, i & 0xff, i % 7 == 0 ? sizeof(shm.repeat) : 0);
		for (uint16_t tid = 0; tid < 10; tid++) {
			struct acl_peer me = peer(3);
			struct repeats_key k = { &me, tid };
			const struct shm_repeat *e = repeats_find(&r, &k, now);

			ck_assert(e == NULL || e->len <= sizeof(e->reply));
			repeats_put(&r, &k, repeats_count(&r, &me, tid),
			    (const uint8_t *)"x", 1, now);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("repeats");
	TCase *tc = tcase_create("repeats");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, who_counts_is_believed);
	tcase_add_test(tc, who_does_not_count_means_it);
	tcase_add_test(tc, for_two_seconds);
	tcase_add_test(tc, the_next_worker_knows_it_too);
	tcase_add_test(tc, the_table_has_an_end);
	tcase_add_test(tc, many_peers_count_at_once);
	tcase_add_test(tc, who_asks_on_is_not_forgotten);
	tcase_add_test(tc, nonsense_in_the_table_does_no_harm);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
