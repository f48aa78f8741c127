/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of fault rules: several processes add, end and count at once, die
 * in the middle of it, and scribble on it.
 */
#include "shm/fault.h"

#include <errno.h>
#include <sys/wait.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/notice.h"
#include "tests/lib/store_fixture.h"

static struct fixture fix;
static struct shm_control *control;

static void
setup(void)
{
	struct seg_range r = fix_range(STORE_HR, 0, 10);

	log_set_level(LOG_ERROR);
	fix_open(&fix, &r, 1, false);
	control = fix.env.control;
}

static void
teardown(void)
{
	fix_close(&fix);
}

static struct fault_rule
rule(void)
{
	return (struct fault_rule){
		.effects = FAULT_EXCEPTION,
		.exception = 6,
		.rate = FAULT_MILLION,
	};
}

static unsigned
count_rules(void)
{
	struct fault_live f;
	unsigned n = 0;

	for (unsigned i = 0; i < SHM_FAULTS; i++)
		n += fault_get(control, i, &f);
	return n;
}

/* The one of that id; the row it is in. */
static struct fault_live
find(uint64_t id)
{
	struct fault_live f;

	for (unsigned i = 0; i < SHM_FAULTS; i++)
		if (fault_get(control, i, &f) && f.id == id)
			return f;
	ck_abort_msg("no rule %llu", (unsigned long long)id);
	return f;
}

START_TEST(a_rule_is_there_as_it_was_added_until_it_is_ended)
{
	struct fault_rule r = rule(), got;
	uint64_t version = fault_version(control), id;
	struct fault_live f;

	strcpy(r.transport, "tcp1");
	strcpy(r.note, "why");
	r.fc[0] = 1 << 3;
	r.count = 7;
	id = fault_add(&fix.env, &r);
	ck_assert_uint_ne(id, 0);
	ck_assert_uint_ne(fault_version(control), version);
	f = find(id);
	got = f.rule;
	ck_assert_mem_eq(&got, &r, sizeof(r));
	ck_assert_uint_eq(f.hits, 0);
	version = fault_version(control);
	ck_assert(fault_end(&fix.env, &f, FAULT_CLEARED));
	ck_assert_uint_ne(fault_version(control), version);
	ck_assert_uint_eq(count_rules(), 0);
	ck_assert(!fault_end(&fix.env, &f, FAULT_CLEARED));
}
END_TEST

START_TEST(ids_are_used_once_and_rows_again)
{
	struct fault_rule r = rule();
	uint64_t last = 0;

	for (unsigned i = 0; i < 5 * SHM_FAULTS; i++) {
		uint64_t id = fault_add(&fix.env, &r);
		struct fault_live f;

		ck_assert_uint_gt(id, last);
		last = id;
		f = find(id);
		ck_assert(fault_end(&fix.env, &f, FAULT_CLEARED));
	}
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		ck_assert_uint_ne(fault_add(&fix.env, &r), 0);
	ck_assert_uint_eq(fault_add(&fix.env, &r), 0);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_uint_eq(count_rules(), SHM_FAULTS);
}
END_TEST

START_TEST(each_that_comes_and_goes_posts_one_notice)
{
	struct fault_rule r = rule(), told;
	uint64_t pos = notice_end(control, 1), due, id[3];
	struct fault_live f;
	struct notice n;
	static const struct {
		int rule;
		enum fault_event what;
	} want[] = { { 0, FAULT_ADDED }, { 1, FAULT_ADDED }, { 2, FAULT_ADDED },
		{ 0, FAULT_CLEARED }, { 1, FAULT_EXPIRED },
		{ 2, FAULT_SPENT } };

	id[0] = fault_add(&fix.env, &r);
	r.expires_ns = 1000;
	id[1] = fault_add(&fix.env, &r);
	r.expires_ns = 0;
	r.count = 1;
	id[2] = fault_add(&fix.env, &r);
	f = find(id[0]);
	fault_end(&fix.env, &f, FAULT_CLEARED);
	f = find(id[2]);
	ck_assert(fault_take(control, &f, &due));
	ck_assert_uint_eq(fault_sweep(&fix.env, 1000, &due), 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert_int_eq(notice_next(control, 1, &pos, &n), 1);
		ck_assert_uint_eq(n.kind, NOTICE_FAULT);
		ck_assert_uint_eq(n.a, id[want[i].rule]);
		ck_assert_uint_eq(n.b, want[i].what);
		ck_assert_uint_eq(n.len, sizeof(told));
		memcpy(&told, n.text, sizeof(told));
		ck_assert_ptr_null(fault_why_not(&told));
	}
	ck_assert_int_eq(notice_next(control, 1, &pos, &n), 0);
}
END_TEST

START_TEST(a_rule_expires_at_its_time_and_not_before)
{
	struct fault_rule r = rule();
	uint64_t due, id;

	r.expires_ns = 5000;
	id = fault_add(&fix.env, &r);
	r.expires_ns = 3000;
	fault_add(&fix.env, &r);
	r.expires_ns = 0;
	fault_add(&fix.env, &r);
	ck_assert_uint_eq(fault_sweep(&fix.env, 2999, &due), 3);
	ck_assert_uint_eq(due, 3000);
	ck_assert_uint_eq(fault_sweep(&fix.env, 3000, &due), 2);
	ck_assert_uint_eq(due, 5000);
	find(id);
	ck_assert_uint_eq(fault_sweep(&fix.env, 6000, &due), 1);
	ck_assert_uint_eq(due, 0);
}
END_TEST

START_TEST(who_is_late_counts_nothing_of_the_rows_next_rule)
{
	struct fault_rule r = rule();
	struct fault_live old, next;
	uint64_t left;

	r.count = 2;
	old = find(fault_add(&fix.env, &r));
	ck_assert(fault_take(control, &old, &left));
	ck_assert_uint_eq(left, 1);
	fault_end(&fix.env, &old, FAULT_CLEARED);
	next = find(fault_add(&fix.env, &r));
	ck_assert_uint_eq(next.row, old.row);
	ck_assert(!fault_take(control, &old, &left));
	ck_assert(!fault_end(&fix.env, &old, FAULT_CLEARED));
	ck_assert(fault_take(control, &next, &left));
	ck_assert(fault_take(control, &next, &left));
	ck_assert_uint_eq(left, 0);
	ck_assert(!fault_take(control, &next, &left));
	ck_assert_uint_eq(find(next.id).hits, 2);
}
END_TEST

enum { CHILDREN = 4, TAKES = 20000 };

/* Each takes as often as it can; the exit code says nothing but that it did. */
static void
take_all(const struct fault_live *f, _Atomic uint64_t *got)
{
	uint64_t left, n = 0;

	for (int i = 0; i < TAKES; i++)
		n += fault_take(control, f, &left);
	atomic_fetch_add(got, n);
	_exit(0);
}

static void
wait_all(int n)
{
	int status;

	for (int i = 0; i < n; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}

START_TEST(a_count_is_exact_over_several_processes)
{
	_Atomic uint64_t *got = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct fault_rule r = rule();
	struct fault_live f;

	r.count = TAKES + 17;
	f = find(fault_add(&fix.env, &r));
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			take_all(&f, got);
	wait_all(CHILDREN);
	ck_assert_uint_eq(atomic_load(got), r.count);
	ck_assert_uint_eq(find(f.id).hits, r.count);
	munmap(got, 4096);
}
END_TEST

/* Adds and ends for a while, under a slot of its own. */
static void
add_and_end(unsigned slot)
{
	struct fault_rule r = rule();

	fix_become(&fix, slot);
	for (unsigned i = 0; i < 3000; i++) {
		struct fault_live f;
		uint64_t id;

		r.exception = 1 + (slot * 31 + i) % 200;
		r.delay_ms = 1000 + r.exception;
		r.effects = FAULT_EXCEPTION | FAULT_DELAY;
		id = fault_add(&fix.env, &r);
		if (id == 0)
			_exit(errno == ENOSPC ? 0 : 3);
		for (unsigned k = 0; k < SHM_FAULTS; k++) {
			if (!fault_get(control, k, &f))
				continue;
			/* never a mixture of two rules */
			if (f.rule.delay_ms != 1000 + f.rule.exception)
				_exit(4);
			if (f.id == id &&
			    !fault_end(&fix.env, &f, FAULT_CLEARED))
				_exit(5);
		}
	}
	_exit(0);
}

START_TEST(several_may_add_and_end_at_once)
{
	for (unsigned i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			add_and_end(2 + i);
	wait_all(CHILDREN);
	ck_assert_uint_eq(count_rules(), 0);
}
END_TEST

/* Dies with a row in hand: it is its maker's, and has no id. */
START_TEST(who_dies_while_adding_leaves_no_row_behind)
{
	struct fault_rule r = rule();
	int status;

	for (unsigned i = 0; i < SHM_FAULTS; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			fix_become(&fix, 3);
			atomic_store(&control->faults.row[i].owner, fix.env.me);
			memset(&control->faults.row[i].word, 0xff,
			    sizeof(control->faults.row[i].word));
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(count_rules(), 0);
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		ck_assert_uint_ne(fault_add(&fix.env, &r), 0);
	ck_assert_uint_eq(count_rules(), SHM_FAULTS);
}
END_TEST

START_TEST(what_lies_in_the_table_is_checked_each_time)
{
	struct fault_rule r = rule();
	struct fault_live f = find(fault_add(&fix.env, &r));
	_Atomic uint64_t *word = control->faults.row[f.row].word;
	uint64_t random = 88172645463325252ull, due;
	unsigned seen = 0;

	for (int round = 0; round < 20000; round++) {
		for (unsigned i = 0; i < SHM_FAULT_WORDS; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			atomic_store(&word[i], random & 0xff ? random : 0);
		}
		if (!fault_get(control, f.row, &f))
			continue;
		seen++;
		ck_assert_ptr_null(fault_why_not(&f.rule));
	}
	ck_assert_uint_eq(seen, 0); /* noise is no rule */
	fault_sweep(&fix.env, UINT64_MAX, &due);
	ck_assert_uint_eq(count_rules(), 0);
}
END_TEST

/* Writes over the words of a row, as a program that attached might. */
static void
scribble(unsigned row)
{
	memset(&control->faults.row[row].word, 0xff,
	    sizeof(control->faults.row[row].word));
}

START_TEST(rows_that_were_written_over_can_be_had_again)
{
	struct fault_rule r = rule();
	uint64_t due, version;

	for (unsigned i = 0; i < SHM_FAULTS; i++)
		ck_assert_uint_ne(fault_add(&fix.env, &r), 0);
	for (unsigned i = 0; i < SHM_FAULTS; i += 2)
		scribble(i);
	ck_assert_uint_eq(count_rules(), SHM_FAULTS / 2);
	version = fault_version(control);
	ck_assert_uint_eq(fault_sweep(&fix.env, 1, &due), SHM_FAULTS / 2);
	ck_assert_uint_ne(fault_version(control), version);
	for (unsigned i = 0; i < SHM_FAULTS / 2; i++)
		ck_assert_uint_ne(fault_add(&fix.env, &r), 0);
	ck_assert_uint_eq(count_rules(), SHM_FAULTS);
	/* and without anybody having swept */
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		scribble(i);
	ck_assert_uint_eq(count_rules(), 0);
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		ck_assert_uint_ne(fault_add(&fix.env, &r), 0);
	ck_assert_uint_eq(count_rules(), SHM_FAULTS);
}
END_TEST

static const struct {
	const char *title;
	struct fault_rule rule;
} bad[] = {
	{ "nothing to do", { .rate = 1 } },
	{ "no such effect", { .effects = 256 } },
	{ "exception 0", { .effects = FAULT_EXCEPTION } },
	{ "exception 256", { .effects = FAULT_EXCEPTION, .exception = 256 } },
	{ "no delay", { .effects = FAULT_DELAY } },
	{ "a delay for ever",
	    { .effects = FAULT_DELAY, .delay_ms = FAULT_WAIT_MAX_MS + 1 } },
	{ "junk that no buffer holds",
	    { .effects = FAULT_JUNK, .junk_bytes = FAULT_JUNK_MAX + 1 } },
	{ "more than all is changed",
	    { .effects = FAULT_CHANGE, .change = FAULT_MILLION + 1 } },
	{ "dropped and delayed",
	    { .effects = FAULT_DROP | FAULT_DELAY, .delay_ms = 1 } },
	{ "more often than always",
	    { .effects = FAULT_DROP, .rate = FAULT_MILLION + 1 } },
	{ "a range that ends before it begins",
	    { .effects = FAULT_DROP, .first = 2, .last = 1 } },
	{ "an address beyond all",
	    { .effects = FAULT_DROP, .last = FAULT_ADDRS } },
	{ "a table that is none", { .effects = FAULT_DROP, .table = 9 } },
	{ "a unit that is none", { .effects = FAULT_DROP, .unit = 256 } },
	{ "a condition that is none", { .effects = FAULT_DROP, .given = 16 } },
};

enum { BAD = sizeof(bad) / sizeof(bad[0]) };

START_TEST(what_makes_no_sense_is_not_taken)
{
	errno = 0;
	if (fault_add(&fix.env, &bad[_i].rule) != 0)
		ck_abort_msg("%s: taken", bad[_i].title);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(count_rules(), 0);
}
END_TEST

START_TEST(a_name_without_an_end_is_not_taken)
{
	struct fault_rule r = rule();

	memset(r.transport, 'x', sizeof(r.transport));
	ck_assert_uint_eq(fault_add(&fix.env, &r), 0);
	r.transport[0] = '\0';
	memset(r.note, 'x', sizeof(r.note));
	ck_assert_uint_eq(fault_add(&fix.env, &r), 0);
}
END_TEST

START_TEST(a_rule_reads_well_in_the_log)
{
	struct fault_rule r = rule();
	char text[FAULT_TEXT_MAX];

	strcpy(r.transport, "tcp1");
	strcpy(r.by, "control");
	r.given = FAULT_UNIT | FAULT_RANGE | FAULT_TABLE;
	r.unit = 3;
	r.fc[0] = 1 << 3 | 1 << 4;
	r.table = STORE_HR;
	r.first = 100;
	r.last = 103;
	r.rate = 12500;
	r.count = 5;
	fault_text(&r, text);
	ck_assert_str_eq(text,
	    "transport=tcp1 unit=3 fc=3,4 range=hr:100+4 rate_pct=1.25 "
	    "count=5 exception=6 by=control");
	for (unsigned i = 0; i < 4; i++)
		r.fc[i] = UINT64_MAX;
	fault_text(&r, text);
	ck_assert_uint_lt(strlen(text), FAULT_TEXT_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fault");
	TCase *t = tcase_create("fault");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_rule_is_there_as_it_was_added_until_it_is_ended);
	tcase_add_test(t, ids_are_used_once_and_rows_again);
	tcase_add_test(t, each_that_comes_and_goes_posts_one_notice);
	tcase_add_test(t, a_rule_expires_at_its_time_and_not_before);
	tcase_add_test(t, who_is_late_counts_nothing_of_the_rows_next_rule);
	tcase_add_test(t, a_count_is_exact_over_several_processes);
	tcase_add_test(t, several_may_add_and_end_at_once);
	tcase_add_test(t, who_dies_while_adding_leaves_no_row_behind);
	tcase_add_test(t, what_lies_in_the_table_is_checked_each_time);
	tcase_add_test(t, rows_that_were_written_over_can_be_had_again);
	tcase_add_loop_test(t, what_makes_no_sense_is_not_taken, 0, BAD);
	tcase_add_test(t, a_name_without_an_end_is_not_taken);
	tcase_add_test(t, a_rule_reads_well_in_the_log);
	suite_add_tcase(s, t);
	return fix_run(s);
}
