/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between parent and child, and what is none. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/ipc.h"

static int fd[2];

static void
setup(void)
{
	ck_assert_int_eq(ipc_pair(fd), 0);
}

static void
teardown(void)
{
	close(fd[0]);
	close(fd[1]);
}

static int
open_files(void)
{
	int i, n = 0;

	for (i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

START_TEST(a_message_arrives_as_it_was_sent)
{
	struct ipc_msg in,
	    out = { .kind = IPC_DONE,
		    .tag = 7,
		    .transport = 3,
		    .rc = -1,
		    .arg = UINT64_MAX,
		    .text = "why" };

	ck_assert_int_eq(ipc_send(fd[0], &out), 0);
	ck_assert_int_eq(ipc_recv(fd[1], &in), 1);
	ck_assert_mem_eq(&in, &out, sizeof(in));
	ck_assert_int_eq(ipc_recv(fd[1], &in), 0);
}
END_TEST

START_TEST(both_ends_close_on_exec_and_never_block)
{
	int i;

	for (i = 0; i < 2; i++) {
		ck_assert(fcntl(fd[i], F_GETFD) & FD_CLOEXEC);
		ck_assert(fcntl(fd[i], F_GETFL) & O_NONBLOCK);
	}
}
END_TEST

/* Every length that is not one message, and some that are but hold none. */
static const struct {
	size_t len;
	uint32_t kind;
	char last; /* of the text */
} hostile[] = {
	{ 1, IPC_READY, 0 },
	{ 4, IPC_READY, 0 },
	{ sizeof(struct ipc_msg) - 1, IPC_READY, 0 },
	{ sizeof(struct ipc_msg) + 1, IPC_READY, 0 },
	{ 4096, IPC_READY, 0 },
	{ 65536, IPC_READY, 0 },
	{ sizeof(struct ipc_msg), 0, 0 },
	{ sizeof(struct ipc_msg), IPC_KINDS, 0 },
	{ sizeof(struct ipc_msg), UINT32_MAX, 0 },
	{ sizeof(struct ipc_msg), 0x80000001u, 0 },
	{ sizeof(struct ipc_msg), IPC_FAILED, 'x' },
};

START_TEST(what_is_no_message_is_refused_and_the_next_one_still_arrives)
{
	static char raw[65536];
	struct ipc_msg m = { .kind = hostile[_i].kind }, in;
	struct ipc_msg good = { .kind = IPC_READY };

	m.text[sizeof(m.text) - 1] = hostile[_i].last;
	memcpy(raw, &m, sizeof(m));
	ck_assert_int_eq(
	    send(fd[0], raw, hostile[_i].len, 0), (ssize_t)hostile[_i].len);
	ck_assert_int_eq(ipc_send(fd[0], &good), 0);
	errno = 0;
	ck_assert_int_eq(ipc_recv(fd[1], &in), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(ipc_recv(fd[1], &in), 1);
	ck_assert_uint_eq(in.kind, IPC_READY);
}
END_TEST

START_TEST(a_peer_that_has_gone_is_told_from_one_that_babbles)
{
	struct ipc_msg m = { .kind = IPC_READY }, in;

	ipc_send(fd[0], &m);
	close(fd[0]);
	ck_assert_int_eq(ipc_recv(fd[1], &in), 1); /* what it said remains */
	errno = EINVAL;
	ck_assert_int_eq(ipc_recv(fd[1], &in), -1);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(ipc_send(fd[1], &m), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(a_reader_that_does_not_read_never_blocks_the_sender)
{
	struct ipc_msg m = { .kind = IPC_DRAIN };
	int n = 0;

	while (ipc_send(fd[0], &m) == 0)
		ck_assert_int_lt(n++, 100000);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(n, 64);
}
END_TEST

START_TEST(a_descriptor_comes_along_once_and_closes_on_exec)
{
	struct ipc_msg m = { .kind = IPC_LOG }, in;
	int before, got;

	before = open_files();
	ck_assert_int_eq(ipc_send_fd(fd[0], &m, fd[1]), 0);
	ck_assert_int_eq(ipc_recv_fd(fd[1], &in, &got), 1);
	ck_assert_int_ge(got, 0);
	ck_assert(fcntl(got, F_GETFD) & FD_CLOEXEC);
	close(got);
	ipc_send(fd[0], &m);
	ck_assert_int_eq(ipc_recv_fd(fd[1], &in, &got), 1);
	ck_assert_int_eq(got, -1);
	ck_assert_int_eq(open_files(), before);
}
END_TEST

START_TEST(descriptors_that_nobody_asked_for_are_not_kept)
{
	struct ipc_msg m = { .kind = IPC_READY }, in;
	int before = open_files();

	ck_assert_int_eq(ipc_send_fd(fd[0], &m, fd[0]), 0);
	ck_assert_int_eq(ipc_recv(fd[1], &in), 1);
	ck_assert_int_eq(open_files(), before);
}
END_TEST

START_TEST(of_two_descriptors_none_is_taken_and_none_is_kept)
{
	struct ipc_msg in, m = { .kind = IPC_RELOAD };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	int before = open_files(), got;

	ctl.head.cmsg_level = SOL_SOCKET;
	ctl.head.cmsg_type = SCM_RIGHTS;
	ctl.head.cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(&ctl.head), fd, 2 * sizeof(int));
	ck_assert_int_gt(sendmsg(fd[0], &msg, 0), 0);
	ck_assert_int_eq(ipc_recv_fd(fd[1], &in, &got), 1);
	ck_assert_int_eq(got, -1);
	ck_assert_int_eq(open_files(), before);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ipc");
	TCase *t = tcase_create("ipc");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_message_arrives_as_it_was_sent);
	tcase_add_test(t, both_ends_close_on_exec_and_never_block);
	tcase_add_loop_test(t,
	    what_is_no_message_is_refused_and_the_next_one_still_arrives, 0,
	    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(t, a_peer_that_has_gone_is_told_from_one_that_babbles);
	tcase_add_test(t, a_reader_that_does_not_read_never_blocks_the_sender);
	tcase_add_test(t, a_descriptor_comes_along_once_and_closes_on_exec);
	tcase_add_test(t, descriptors_that_nobody_asked_for_are_not_kept);
	tcase_add_test(t, of_two_descriptors_none_is_taken_and_none_is_kept);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
