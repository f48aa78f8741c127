/* SPDX-License-Identifier: Apache-2.0 */

/* The log: one event, one line, whatever it is made of. */

#include "shm/log.h"

#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>

#include "shm/notice.h"
#include "tests/lib/store_fixture.h"

static struct fixture fix;
static char path[80], buf[20000];

static void
setup(void)
{
	struct seg_range r = fix_range(STORE_HR, 0, 10);

	fix_open(&fix, &r, 1, false);
	snprintf(path, sizeof(path), "%s.log", fix.lock_path);
	unlink(path);
}

static void
teardown(void)
{
	unlink(path);
	fix_close(&fix);
}

static char *
contents(const char *file)
{
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	ck_assert_int_ge((int)n, 0);
	buf[n] = 0;
	close(fd);
	return buf;
}

static int
lines(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

START_TEST(a_text_line_is_time_level_speaker_and_message)
{
	char *s;

	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_INFO), 0);
	log_as("tcp1", NULL);
	log_info("connection closed peer=%s why=%s", "10.0.0.7:4021", "idle");
	s = contents(path);
	ck_assert_int_eq(lines(s), 1);
	/* 2026-01-31T12:00:00.123Z */
	ck_assert_uint_eq(s[4], '-');
	ck_assert_uint_eq(s[10], 'T');
	ck_assert_uint_eq(s[19], '.');
	ck_assert_str_eq(s + 23,
	    "Z info tcp1: connection closed peer=10.0.0.7:4021 why=idle\n");
}
END_TEST

START_TEST(levels_are_switched_while_running)
{
	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_WARN), 0);
	log_info("one");
	log_debug("two");
	log_warnx("three");
	log_error("four");
	ck_assert_int_eq(lines(contents(path)), 2);
	ck_assert(!log_enabled(LOG_DEBUG));
	log_set_level(LOG_DEBUG);
	ck_assert(log_enabled(LOG_DEBUG));
	log_debug("five");
	ck_assert_ptr_nonnull(strstr(contents(path), " debug holdfast: five"));
	ck_assert_int_eq(log_level_find("error"), LOG_ERROR);
	ck_assert_int_eq(log_level_find("debug"), LOG_DEBUG);
	ck_assert_int_eq(log_level_find("verbose"), -1);
}
END_TEST

START_TEST(log_warn_adds_what_errno_says_and_keeps_it)
{
	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_INFO), 0);
	errno = EACCES;
	log_warn("cannot open %s", "x");
	ck_assert_int_eq(errno, EACCES);
	ck_assert_ptr_nonnull(strstr(contents(path),
	    " warn holdfast: cannot open x: Permission denied\n"));
}
END_TEST

/* What comes from outside, and what must become of it. */
static const struct {
	const char *message, *text, *json;
} outside[] = {
	{ "plain", "plain", "plain" },
	{ "two\nlines", "two\\x0alines", "two\nlines" },
	{ "a\"b\\c", "a\"b\\c", "a\"b\\c" },
	{ "\033[31mred", "\\x1b[31mred", "\033[31mred" },
	{ "\t\r\x7f", "\\x09\\x0d\\x7f", "\t\r\x7f" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	{ "\xe2\x82\xac \xf0\x9f\x94\xa7", "\xe2\x82\xac \xf0\x9f\x94\xa7",
	    "\xe2\x82\xac \xf0\x9f\x94\xa7" },
	/* not UTF-8: lone bytes, overlong, surrogate, cut short */
	{ "\xff\xfe", "\\xff\\xfe", "\xc3\xbf\xc3\xbe" },
	{ "\xc0\xaf", "\\xc0\\xaf", "\xc3\x80\xc2\xaf" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\xc3\xad\xc2\xa0\xc2\x80" },
	{ "x\xe2\x82", "x\\xe2\\x82", "x\xc3\xa2\xc2\x82" },
	{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80",
	    "\xc3\xb5\xc2\x80\xc2\x80\xc2\x80" },
};

enum { NOUTSIDE = sizeof(outside) / sizeof(outside[0]) };

START_TEST(text_from_outside_stays_inside_its_line)
{
	char want[200];

	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_INFO), 0);
	log_as("w", NULL);
	log_info("%s", outside[_i].message);
	snprintf(want, sizeof(want), "Z info w: %s\n", outside[_i].text);
	ck_assert_str_eq(contents(path) + 23, want);
}
END_TEST

START_TEST(json_lines_are_json)
{
	json_t *o;

	ck_assert_int_eq(log_open(path, LOG_JSON, LOG_INFO), 0);
	log_as("tcp\"1", NULL);
	log_error("%s", outside[_i].message);
	ck_assert_int_eq(lines(contents(path)), 1);
	o = json_loads(contents(path), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(o);
	ck_assert_str_eq(
	    json_string_value(json_object_get(o, "level")), "error");
	ck_assert_str_eq(
	    json_string_value(json_object_get(o, "who")), "tcp\"1");
	ck_assert_str_eq(
	    json_string_value(json_object_get(o, "message")), outside[_i].json);
	ck_assert_uint_eq(
	    strlen(json_string_value(json_object_get(o, "time"))), 24);
	json_decref(o);
}
END_TEST

START_TEST(the_longest_message_is_still_one_line)
{
	char big[5000];
	json_t *o;

	memset(big, '\001', sizeof(big));
	big[sizeof(big) - 1] = 0;
	ck_assert_int_eq(log_open(path, LOG_JSON, LOG_INFO), 0);
	log_info("%s", big);
	ck_assert_int_eq(lines(contents(path)), 1);
	ck_assert_uint_le(strlen(buf), 4096); /* a pipe takes it in one */
	o = json_loads(buf, 0, NULL);
	ck_assert_ptr_nonnull(o);
	json_decref(o);
	/* in a single write, so that processes do not mix their lines */
	errno = ENOENT;
	log_set_level(LOG_DEBUG);
	memset(big, 'a', sizeof(big) - 1);
	log_warn("%s", big);
	ck_assert_int_eq(lines(contents(path)), 2);
}
END_TEST

START_TEST(after_a_rename_reopening_writes_a_new_file)
{
	char moved[100];
	int fd;

	snprintf(moved, sizeof(moved), "%s.1", path);
	ck_assert_int_eq(log_reopen(), 0); /* standard error: nothing to do */
	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_INFO), 0);
	fd = log_fd();
	log_info("before");
	ck_assert_int_eq(rename(path, moved), 0);
	log_info("between");
	ck_assert_int_eq(log_reopen(), 0);
	log_info("after");
	ck_assert_int_eq(log_fd(), fd);
	ck_assert_int_eq(lines(contents(path)), 1);
	ck_assert_ptr_nonnull(strstr(buf, "after"));
	ck_assert_int_eq(lines(contents(moved)), 2);
	unlink(moved);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_leaves_the_log_as_it_was)
{
	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_INFO), 0);
	ck_assert_int_eq(
	    log_open("/nonexistent/x.log", LOG_JSON, LOG_DEBUG), -1);
	ck_assert_int_eq(errno, ENOENT);
	log_info("still here");
	ck_assert_ptr_nonnull(strstr(contents(path), ": still here\n"));
}
END_TEST

START_TEST(warnings_and_what_is_logged_become_notices)
{
	struct notice n;
	uint64_t pos = 0;

	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_ERROR), 0);
	log_as("tcp1", &fix.env);
	log_info("quiet");
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 0);
	log_warnx("told but not written");
	ck_assert_int_eq(lines(contents(path)), 0);
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_LOG);
	ck_assert_uint_eq(n.a, LOG_WARN);
	ck_assert_str_eq(n.text, "told but not written");
	log_set_level(LOG_INFO);
	log_info("both");
	ck_assert_int_eq(notice_next(fix.env.control, 1, &pos, &n), 1);
	ck_assert_uint_eq(n.a, LOG_INFO);
}
END_TEST

START_TEST(a_child_does_not_write_into_its_parents_ring)
{
	uint64_t end = notice_end(fix.env.control, 1);
	pid_t pid;

	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_INFO), 0);
	log_as("supervisor", &fix.env);
	pid = fork();
	if (pid == 0) {
		log_info("just born");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(lines(contents(path)), 1);
	ck_assert_uint_eq(notice_end(fix.env.control, 1), end);
}
END_TEST

/* Standard error is a pipe that nobody reads; its reading end. */
static int
full_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	ck_assert_int_eq(log_open(NULL, LOG_TEXT, LOG_INFO), 0);
	return ends[0];
}

START_TEST(a_pipe_that_nobody_reads_loses_lines_and_keeps_nobody_waiting)
{
	int fd = full_pipe(), wrote = 0, got, more;
	unsigned long lost = 0;
	char *s;

	for (; wrote < 1000; wrote++)
		log_info("line %d of many", wrote);
	/* the descriptor is as it was, for those that share it */
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	got = lines((buf[read(fd, buf, sizeof(buf) - 1)] = 0, buf));
	ck_assert_int_gt(got, 10);
	ck_assert_int_lt(got, wrote);
	log_info("one more");
	log_info("and another");
	s = (buf[read(fd, buf, sizeof(buf) - 1)] = 0, buf);
	more = lines(s);
	ck_assert_int_eq(more, 3);
	s = strstr(s, " warn holdfast: log lines lost n=");
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(sscanf(strchr(s, '='), "=%lu", &lost), 1);
	ck_assert_int_eq((int)lost, wrote - got);
	ck_assert_ptr_nonnull(strstr(s, ": one more\n"));
	ck_assert_ptr_nonnull(strstr(s, ": and another\n"));
}
END_TEST

START_TEST(a_socket_that_nobody_reads_keeps_nobody_waiting_either)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(log_open(NULL, LOG_TEXT, LOG_INFO), 0);
	for (int i = 0; i < 20000; i++)
		log_info("line %d of many", i);
	/* as much as was taken can be read, in whole lines */
	ck_assert_int_gt((int)read(ends[0], buf, sizeof(buf) - 1), 0);
	ck_assert_ptr_nonnull(strstr(buf, "holdfast: line 0 of many\n"));
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(processes_that_race_for_the_last_room_do_not_wait_either)
{
	int fd = full_pipe(), status;
	pid_t pid[4];

	for (int i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			alarm(100); /* who waits is ended by it */
			for (int n = 0; n < 20000; n++)
				log_info("%d", n);
			_exit(0);
		}
	}
	/* room comes and goes while they write, and then comes no more */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 3000; i++)
		(void)!read(fd, buf, 4096);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(fatal_logs_and_ends_with_its_code)
{
	int status;
	pid_t pid;

	ck_assert_int_eq(log_open(path, LOG_TEXT, LOG_ERROR), 0);
	pid = fork();
	if (pid == 0)
		fatal(78, "cannot go on: %d", 5);
	waitpid(pid, &status, 0);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 78);
	ck_assert_ptr_nonnull(
	    strstr(contents(path), " error holdfast: cannot go on: 5\n"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_text_line_is_time_level_speaker_and_message);
	tcase_add_test(t, levels_are_switched_while_running);
	tcase_add_test(t, log_warn_adds_what_errno_says_and_keeps_it);
	tcase_add_loop_test(
	    t, text_from_outside_stays_inside_its_line, 0, NOUTSIDE);
	tcase_add_loop_test(t, json_lines_are_json, 0, NOUTSIDE);
	tcase_add_test(t, the_longest_message_is_still_one_line);
	tcase_add_test(t, after_a_rename_reopening_writes_a_new_file);
	tcase_add_test(
	    t, a_file_that_cannot_be_opened_leaves_the_log_as_it_was);
	tcase_add_test(t, warnings_and_what_is_logged_become_notices);
	tcase_add_test(t, a_child_does_not_write_into_its_parents_ring);
	tcase_add_test(
	    t, a_pipe_that_nobody_reads_loses_lines_and_keeps_nobody_waiting);
	tcase_add_test(
	    t, a_socket_that_nobody_reads_keeps_nobody_waiting_either);
	tcase_add_test(
	    t, processes_that_race_for_the_last_room_do_not_wait_either);
	tcase_add_test(t, fatal_logs_and_ends_with_its_code);
	suite_add_tcase(s, t);
	return fix_run(s);
}
