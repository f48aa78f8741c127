/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a view: their names and sizes, whose they are, and what a
 * keeper that died has left. Each keeper here is a struct; one that dies drops
 * its lock and its mappings and nothing else, as the kernel does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/mirror.h"
#include "tests/suite.h"

enum { NPLANS = 2 };

static pid_t suite;
static char prefix[32];
static struct mirror m, other;
static struct mirror_who who;
static const struct mirror_plan plan[NPLANS] = {
	{ MIRROR_PLAIN, { 10, 1, 100, 65536 } },
	{ 26, { 1, 2, 3, 4 } },
};

static void
set_up(void)
{
	snprintf(prefix, sizeof(prefix), "check%d_", (int)suite);
	who = (struct mirror_who){ .prefix = prefix,
		.store = "s",
		.transport = "t",
		.life = 7,
		.mode = 0640 };
	m.fd = other.fd = -1;
}

/* Whatever a test has left, also one that failed. */
static void
clear(void)
{
	char command[100];

	snprintf(
	    command, sizeof(command), "rm -f /dev/shm/check%d_*", (int)suite);
	if (system(command) != 0)
		fprintf(stderr, "cannot %s\n", command);
}

static void
keep(void)
{
	ck_assert_msg(mirror_open(&m, &who, plan, NPLANS) == 0, "%s", m.why);
}

static void
die(void)
{
	mirror_close(&m, false);
}

static int
look(const char *what, struct stat *st)
{
	char path[100];

	snprintf(path, sizeof(path), "/dev/shm/%s%s", prefix, what);
	return stat(path, st);
}

static ino_t
inode(const char *what)
{
	struct stat st;

	ck_assert_int_eq(look(what, &st), 0);
	return st.st_ino;
}

static void
theirs(const char *what, const char *text)
{
	char name[100];
	int fd;

	snprintf(name, sizeof(name), "/%s%s", prefix, what);
	fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static const struct {
	const char *name;
	off_t size;
} objects[] = {
	{ "DO", 10 },
	{ "DI", 1 },
	{ "AO", 200 },
	{ "AI", 131072 },
	{ "1a_DO", 1 },
	{ "1a_DI", 2 },
	{ "1a_AO", 6 },
	{ "1a_AI", 8 },
};

enum { NOBJECTS = sizeof(objects) / sizeof(objects[0]) };

START_TEST(objects_have_the_names_sizes_and_mode_of_shmmodbus)
{
	struct stat st;

	umask(0077);
	keep();
	for (int i = 0; i < NOBJECTS; i++) {
		ck_assert_int_eq(look(objects[i].name, &st), 0);
		ck_assert_int_eq(st.st_size, objects[i].size);
		ck_assert_uint_eq(st.st_mode & 07777, 0640);
	}
	ck_assert_int_eq(look("ctl", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert(!m.warm);
	ck_assert_uint_eq(m.set[0].count[STORE_HR], 100);
	mirror_close(&m, true);
	for (int i = 0; i < NOBJECTS; i++)
		ck_assert_int_eq(look(objects[i].name, &st), -1);
	ck_assert_int_eq(look("ctl", &st), -1);
}
END_TEST

START_TEST(a_successor_goes_on_with_what_it_finds)
{
	ino_t was;

	keep();
	was = inode("1a_AO");
	((uint16_t *)m.set[1].table[STORE_HR])[2] = 4711;
	((uint16_t *)m.set[1].shadow[STORE_HR])[2] = 17;
	m.ctl->op = 9;
	m.ctl->stage.way = MIRROR_TO_STORE;
	m.ctl->filled = 1;
	die();
	keep();
	ck_assert(m.warm);
	ck_assert_uint_eq(inode("1a_AO"), was);
	ck_assert_uint_eq(((uint16_t *)m.set[1].table[STORE_HR])[2], 4711);
	ck_assert_uint_eq(((uint16_t *)m.set[1].shadow[STORE_HR])[2], 17);
	ck_assert_uint_eq(m.ctl->op, 9);
	ck_assert_uint_eq(m.ctl->stage.way, MIRROR_TO_STORE);
	mirror_close(&m, true);
}
END_TEST

static void
other_life(void)
{
	who.life++;
}

static void
other_store(void)
{
	who.store = "s2";
}

static void
other_transport(void)
{
	who.transport = "t2";
}

static void
not_filled(void)
{
	m.ctl->filled = 0;
}

static void (*const colder[])(
    void) = { other_life, other_store, other_transport, not_filled };

START_TEST(what_is_of_another_life_stays_in_place_but_counts_for_nothing)
{
	ino_t was;

	keep();
	was = inode("AO");
	m.ctl->op = 9;
	m.ctl->stage.way = MIRROR_TO_STORE;
	m.ctl->filled = 1;
	colder[_i]();
	die();
	keep();
	ck_assert(!m.warm);
	ck_assert_uint_eq(inode("AO"), was);
	ck_assert_uint_eq(m.ctl->op, 0);
	ck_assert_uint_eq(m.ctl->stage.way, MIRROR_IDLE);
	ck_assert_uint_eq(m.ctl->filled, 0);
	mirror_close(&m, true);
}
END_TEST

START_TEST(an_object_that_is_missing_or_of_another_size_is_made_anew)
{
	char name[100];
	struct stat st;

	keep();
	m.ctl->filled = 1;
	die();
	snprintf(name, sizeof(name), "/%sAI", prefix);
	if (_i == 0) {
		ck_assert_int_eq(shm_unlink(name), 0);
	} else {
		snprintf(name, sizeof(name), "/dev/shm/%sAI", prefix);
		ck_assert_int_eq(truncate(name, 5), 0);
	}
	keep();
	ck_assert(!m.warm);
	ck_assert_uint_eq(m.ctl->filled, 0);
	ck_assert_int_eq(look("AI", &st), 0);
	ck_assert_int_eq(st.st_size, 131072);
	mirror_close(&m, true);
}
END_TEST

/* Another configuration: what the former one had is not left behind. */
START_TEST(objects_of_another_plan_are_replaced)
{
	static const struct mirror_plan less = { MIRROR_PLAIN,
		{ 11, 1, 100, 1 } };
	struct stat st;

	keep();
	die();
	ck_assert_int_eq(mirror_open(&m, &who, &less, 1), 0);
	ck_assert(!m.warm);
	ck_assert_int_eq(look("DO", &st), 0);
	ck_assert_int_eq(st.st_size, 11);
	ck_assert_int_eq(look("1a_DO", &st), -1);
	mirror_close(&m, true);
}
END_TEST

START_TEST(two_cannot_keep_the_same)
{
	char want[100];

	keep();
	ck_assert_int_eq(mirror_open(&other, &who, plan, NPLANS), -1);
	ck_assert_int_eq(errno, EBUSY);
	snprintf(want, sizeof(want),
	    "the objects /dev/shm/%s* are kept by process %d", prefix,
	    (int)getpid());
	ck_assert_str_eq(other.why, want);
	mirror_close(&other, true);
	ck_assert_uint_ne(inode("AO"), 0);
	ck_assert_uint_ne(inode("ctl"), 0);
	mirror_close(&m, true);
}
END_TEST

START_TEST(what_others_have_made_is_refused_and_left_alone)
{
	const char *what = _i < NOBJECTS ? objects[_i].name : "ctl";
	char want[100];
	struct stat st;
	int n = 0;

	theirs(what, "theirs");
	ck_assert_int_eq(mirror_open(&m, &who, plan, NPLANS), -1);
	ck_assert_int_eq(errno, EEXIST);
	snprintf(want, sizeof(want), "/dev/shm/%s%s is another program's",
	    prefix, what);
	ck_assert_msg(strncmp(m.why, want, strlen(want)) == 0, "%s", m.why);
	mirror_close(&m, true);
	ck_assert_int_eq(look(what, &st), 0);
	ck_assert_int_eq(st.st_size, 6);
	for (int i = 0; i < NOBJECTS; i++)
		n += look(objects[i].name, &st) == 0;
	n += look("ctl", &st) == 0;
	ck_assert_int_eq(n, 1);
}
END_TEST

/* While there was no keeper somebody has put his own in the place of ours. */
START_TEST(what_others_have_put_in_its_place_is_refused)
{
	char name[100];
	struct stat st;

	keep();
	die();
	snprintf(name, sizeof(name), "/%sAO", prefix);
	ck_assert_int_eq(shm_unlink(name), 0);
	theirs("AO", "theirs");
	ck_assert_int_eq(mirror_open(&m, &who, plan, NPLANS), -1);
	ck_assert_int_eq(errno, EEXIST);
	mirror_close(&m, true);
	ck_assert_int_eq(look("AO", &st), 0);
	ck_assert_int_eq(st.st_size, 6);
	ck_assert_int_eq(look("DO", &st), -1);
}
END_TEST

/* Killed between making an object and noting which it is. */
START_TEST(an_object_that_was_about_to_be_made_is_ours)
{
	keep();
	m.ctl->set[0].inode[STORE_HR] = 1;
	m.ctl->filled = 1;
	die();
	keep();
	ck_assert_uint_ne(inode("AO"), 0);
	mirror_close(&m, true);
	ck_assert_int_eq(look("AO", &(struct stat){ 0 }), -1);
}
END_TEST

START_TEST(what_the_dead_have_left_is_removed_by_who_may)
{
	struct stat st;

	keep();
	mirror_remove(prefix, "s", getuid()); /* it is kept */
	ck_assert_int_eq(look("AO", &st), 0);
	die();
	mirror_remove(prefix, "s2", getuid());
	mirror_remove(prefix, "s", getuid() + 1);
	ck_assert_int_eq(look("AO", &st), 0);
	mirror_remove(prefix, "s", getuid());
	for (int i = 0; i < NOBJECTS; i++)
		ck_assert_int_eq(look(objects[i].name, &st), -1);
	ck_assert_int_eq(look("ctl", &st), -1);
	mirror_remove(prefix, "s", getuid());
}
END_TEST

/* The control object is bytes from outside to whoever removes. */
START_TEST(a_control_object_that_is_none_removes_nothing)
{
	struct stat st;

	keep();
	if (_i == 0)
		m.ctl->nsets = 100000;
	else if (_i == 1)
		m.ctl->magic++;
	else if (_i == 2)
		m.ctl->layout++;
	else
		memset(m.ctl->store, 'x', sizeof(m.ctl->store));
	die();
	mirror_remove(prefix, "s", getuid());
	ck_assert_int_eq(look("AO", &st), 0);
	ck_assert_int_eq(mirror_open(&m, &who, plan, NPLANS), -1);
	ck_assert_int_eq(errno, EEXIST);
	mirror_close(&m, true);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mirror");
	TCase *tc = tcase_create("all");
	int rc;

	suite = getpid();
	tcase_add_checked_fixture(tc, set_up, clear);
	tcase_add_test(tc, objects_have_the_names_sizes_and_mode_of_shmmodbus);
	tcase_add_test(tc, a_successor_goes_on_with_what_it_finds);
	tcase_add_loop_test(tc,
	    what_is_of_another_life_stays_in_place_but_counts_for_nothing, 0,
	    sizeof(colder) / sizeof(colder[0]));
	tcase_add_loop_test(tc,
	    an_object_that_is_missing_or_of_another_size_is_made_anew, 0, 2);
	tcase_add_test(tc, objects_of_another_plan_are_replaced);
	tcase_add_test(tc, two_cannot_keep_the_same);
	tcase_add_loop_test(tc, what_others_have_made_is_refused_and_left_alone,
	    0, NOBJECTS + 1);
	tcase_add_test(tc, what_others_have_put_in_its_place_is_refused);
	tcase_add_test(tc, an_object_that_was_about_to_be_made_is_ours);
	tcase_add_test(tc, what_the_dead_have_left_is_removed_by_who_may);
	tcase_add_loop_test(
	    tc, a_control_object_that_is_none_removes_nothing, 0, 4);
	suite_add_tcase(s, tc);
	rc = suite_run(s);
	clear(); /* a test that failed has not */
	return rc;
}
