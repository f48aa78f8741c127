/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending a process by force, and saying so where that may not be.
 */
#include "supervisor/killing.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/log.h"
#include "tests/lib/worker_fixture.h"

enum { NOBODY = 65534 };

/* What fn's process says, in text. */
static void
said(void (*fn)(void), char *text, size_t size)
{
	int fd[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe(fd), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		log_open(NULL, LOG_TEXT, LOG_INFO);
		fn();
		_exit(0);
	}
	close(fd[1]);
	while ((got = read(fd[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void
not_allowed(void)
{
	if (getuid() == 0 && setuid(NOBODY) != 0)
		_exit(1);
	for (int i = 0; i < 3; i++)
		if (killing("tcp1", 1, -1) != -1 || errno != EPERM)
			_exit(2);
}

START_TEST(what_may_not_be_killed_is_told_once)
{
	char text[4096], *line;

	said(not_allowed, text, sizeof(text));
	line = strstr(text, "tcp1: cannot be killed pid=1");
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_nonnull(strstr(line, strerror(EPERM)));
	ck_assert_ptr_null(strstr(strchr(line, '\n'), "cannot be killed"));
}
END_TEST

static pid_t
sleeper(void)
{
	pid_t pid = fork();

	while (pid == 0)
		pause();
	return pid;
}

static void
ends(void)
{
	pid_t pid = sleeper(), other = sleeper();
	int status, fd;

	fd = (int)syscall(SYS_pidfd_open, other, 0);
	if (killing("one", pid, -1) != 0 || killing("other", other, fd) != 0)
		_exit(1);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    waitpid(other, &status, 0) != other || !WIFSIGNALED(status))
		_exit(2);
	/* it has gone, which is all that was wanted */
	if (killing("other", other, fd) != 0)
		_exit(3);
}

START_TEST(what_has_gone_is_no_mistake)
{
	char text[4096];

	said(ends, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("killing");
	TCase *tc = tcase_create("killing");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, what_may_not_be_killed_is_told_once);
	tcase_add_test(tc, what_has_gone_is_no_mistake);
	return fx_report(s);
}
