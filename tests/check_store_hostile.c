/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A device segment as bytes from outside: lying headers are refused, and what
 * is scribbled on it later crashes, hangs or misleads nobody beyond it.
 */

#include <errno.h>
#include <signal.h>

#include "shm/store_reap.h"
#include "tests/lib/store_fixture.h"

static struct fixture fix;
static struct shm_device *dev;

static void
setup(void)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 100),
		fix_range(STORE_HR, 200, 10),
		fix_range(STORE_HR, 210, 10),
		fix_range(STORE_CO, 8, 16),
	};

	fix_open(&fix, r, 4, false);
	dev = fix.store.dev;
}

static void
teardown(void)
{
	fix_close(&fix);
}

static struct shm_extent *
extent(unsigned i)
{
	return (struct shm_extent *)((char *)dev + dev->extents_off) + i;
}

static struct shm_range *
range(unsigned i)
{
	return (struct shm_range *)((char *)dev + dev->ranges_off) + i;
}

/* Extents are coils, then two runs of holding registers; ranges likewise. */
static const struct {
	const char *what;
	unsigned field;
} lies[] = {
	{ "magic", 0 },
	{ "kind", 1 },
	{ "size", 2 },
	{ "words beyond the end", 3 },
	{ "words wrap around", 4 },
	{ "data beyond the end", 5 },
	{ "data not aligned", 6 },
	{ "sides overlap", 7 },
	{ "data over the header", 8 },
	{ "extents beyond the end", 9 },
	{ "extents too many", 10 },
	{ "extents from elsewhere", 11 },
	{ "extent beyond the side", 12 },
	{ "extent empty", 13 },
	{ "extents not in order", 14 },
	{ "extents touch", 15 },
	{ "extent wraps around", 16 },
	{ "ranges beyond the end", 17 },
	{ "ranges too many", 18 },
	{ "range of no table", 19 },
	{ "ranges overlap", 20 },
	{ "range without an end to its name", 21 },
	{ "events no power of two", 22 },
	{ "events too small", 23 },
	{ "events beyond the end", 24 },
	{ "tables not in order", 25 },
};

enum { NLIES = sizeof(lies) / sizeof(lies[0]) };

/* About its parts. */
static void
tell_part(unsigned field)
{
	struct shm_device *d = dev;

	switch (field) {
	case 0:
		d->head.magic++;
		break;
	case 1:
		d->head.kind = SHM_WORKER;
		break;
	case 2:
		d->head.size += 64;
		break;
	case 3:
		d->words = (uint32_t)(fix.device.size / 8);
		break;
	case 4:
		d->words = UINT32_MAX;
		break;
	case 5:
		d->data_off[1] = fix.device.size;
		break;
	case 6:
		d->data_off[0] += 8;
		break;
	case 7:
		d->data_off[1] = d->data_off[0];
		break;
	case 8:
		d->data_off[0] = 0;
		break;
	case 9:
		d->extents_off = UINT64_MAX - 63;
		break;
	case 10:
		d->nextents[STORE_IR] = UINT32_MAX;
		break;
	case 11:
		d->extents_at[STORE_HR] = 77;
		break;
	}
}

/* About what is in them. */
static void
tell_table(unsigned field)
{
	struct shm_device *d = dev;

	switch (field) {
	case 12:
		extent(1)->word = d->words - 1;
		break;
	case 13:
		extent(1)->count = 0;
		break;
	case 14:
		extent(2)->addr = 0;
		break;
	case 15:
		extent(2)->addr = 100;
		break;
	case 16:
		extent(2)->count = UINT32_MAX;
		break;
	case 17:
		d->ranges_off = fix.device.size - 64;
		break;
	case 18:
		d->nranges = UINT32_MAX;
		break;
	case 19:
		range(3)->table = SHM_TABLES;
		break;
	case 20:
		range(2)->addr = 209;
		range(2)->count = 1;
		range(1)->addr = 205;
		break;
	case 21:
		memset(range(1)->name, 'x', sizeof(range(1)->name));
		break;
	case 22:
		d->events_size -= 8;
		break;
	case 23:
		d->events_size = 4096;
		break;
	case 24:
		d->events_off = fix.device.size - 64;
		break;
	case 25:
		range(0)->table = STORE_IR;
		break;
	}
}

START_TEST(a_segment_that_lies_about_itself_is_not_opened)
{
	struct store st;

	ck_assert_int_eq(
	    store_open(&st, fix.device.at, fix.device.size, false, NULL), 0);
	(lies[_i].field < 12 ? tell_part : tell_table)(lies[_i].field);
	errno = 0;
	ck_assert_msg(
	    store_open(&st, fix.device.at, fix.device.size, false, NULL) == -1,
	    "%s", lies[_i].what);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(st.dev);
}
END_TEST

START_TEST(a_segment_shorter_than_it_says_is_not_opened)
{
	struct store st;

	for (size_t size = 0; size < fix.device.size;
	     size += size < 1024 ? 1 : 4096) {
		ck_assert_int_eq(
		    store_open(&st, fix.device.at, size, false, NULL), -1);
	}
}
END_TEST

START_TEST(a_header_of_random_bytes_is_refused_or_harmless)
{
	static uint8_t keep[4096], out[512];
	uint64_t x = 88172645463325252ull;
	struct store st;
	int opened = 0;

	memcpy(keep, dev, sizeof(keep));
	for (int i = 0; i < 200000; i++) {
		uint32_t at;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* one to eight bytes somewhere behind the names */
		at = 16 + (uint32_t)(x >> 32) % (dev->ranges_off + 300);
		memcpy((char *)dev + at, &x, 1 + x % 8);
		if (store_open(&st, fix.device.at, fix.device.size, true,
			&fix.env) == 0) {
			opened++;
			for (int t = 0; t < SHM_TABLES; t++) {
				store_read(&st, (enum store_table)t,
				    (uint32_t)x % 300, 1 + x % 100, out, NULL);
				store_range(&st, (enum store_table)t,
				    (uint32_t)x % 300);
			}
		}
		memcpy((char *)dev, keep, sizeof(keep));
	}
	ck_assert_int_gt(opened, 1000);
}
END_TEST

START_TEST(extents_spoilt_later_lead_nowhere)
{
	uint8_t out[512];
	uint32_t values[] = { 0, 1, 99, 0x7fffffff, 0xfffffff0, UINT32_MAX };

	for (unsigned e = 0; e < 3; e++) {
		for (unsigned f = 0; f < 3; f++) {
			struct shm_extent keep = *extent(e);

			for (unsigned v = 0; v < 6; v++) {
				(f == 0          ? &extent(e)->addr
					: f == 1 ? &extent(e)->count
						 : &extent(e)->word)[0] =
				    values[v];
				for (uint32_t a = 0; a < 300; a++) {
					store_read(&fix.store, STORE_HR, a, 100,
					    out, NULL);
					store_read(&fix.store, STORE_CO, a, 300,
					    out, NULL);
				}
				store_read(&fix.store, STORE_HR, 0xfffffff8, 7,
				    out, NULL);
			}
			*extent(e) = keep;
		}
	}
}
END_TEST

/* Writes random bytes over the whole segment, the header included. */
static void
scribble(void)
{
	uint64_t x = (uint64_t)getpid() * 0x9e3779b97f4a7c15ull;
	uint8_t *p = fix.device.at;

	for (;;) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* mostly where it hurts: in front of the data */
		p[(x >> 20) % (x % 4 ? 1024 : fix.device.size)] = (uint8_t)x;
	}
}

START_TEST(a_scribbler_at_full_speed_harms_only_what_it_may_write)
{
	static uint8_t buf[STORE_CHANGE_BYTES];
	struct store_change ch;
	uint64_t pos = 0;
	long clock = 0;
	pid_t pid = fork();
	int calls = 0;

	if (pid == 0)
		scribble();
	while (suite_while(&clock, 3000)) {
		struct store_who who = fix_who(&fix);
		struct store_step s = { STORE_WRITE, STORE_HR, 3, 90, 0, 0, buf,
			NULL };

		who.budget_ns = 100000;
		who.heed_read_only = calls % 2;
		store_apply(&fix.store, &who, &s, 1, NULL);
		store_read(&fix.store, STORE_HR, 0, 100, buf, NULL);
		store_read(&fix.store, STORE_CO, 8, 16, buf, NULL);
		store_next_change(&fix.store, &pos, &ch, buf);
		store_reap(&fix.store, SLOT_ID(4, 1));
		calls++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_gt(calls, 50);
	/* nobody else's memory was touched */
	ck_assert_uint_eq(seg_slots(fix.env.control), FIX_SLOTS);
	ck_assert_uint_eq(fix.env.control->head.magic, SHM_MAGIC);
	for (unsigned i = 2; i < FIX_SLOTS; i++)
		ck_assert_uint_eq(seg_slot(fix.env.control, i)->gen, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store_hostile");
	TCase *t = tcase_create("hostile");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(
	    t, a_segment_that_lies_about_itself_is_not_opened, 0, NLIES);
	tcase_add_test(t, a_segment_shorter_than_it_says_is_not_opened);
	tcase_add_test(t, a_header_of_random_bytes_is_refused_or_harmless);
	tcase_add_test(t, extents_spoilt_later_lead_nowhere);
	tcase_add_test(
	    t, a_scribbler_at_full_speed_harms_only_what_it_may_write);
	suite_add_tcase(s, t);
	return fix_run(s);
}
