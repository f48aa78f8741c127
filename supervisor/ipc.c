/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed-size messages over SEQPACKET pairs. Runs in every process of the
 * daemon. Never blocks, never allocates; what is not a message is said so
 * and left to the caller, who ends the sender.
 */
#include "supervisor/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int
ipc_pair(int fd[2])
{
	return socketpair(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd);
}

int
ipc_send(int fd, const struct ipc_msg *m)
{
	return ipc_send_fd(fd, m, -1);
}

int
ipc_send_fd(int fd, const struct ipc_msg *m, int pass)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t)m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (pass >= 0) {
		memset(&ctl, 0, sizeof(ctl));
		msg.msg_control = &ctl;
		msg.msg_controllen = sizeof(ctl);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	do {
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == ECONNRESET || errno == ENOTCONN))
		errno = EPIPE;
	return n < 0 ? -1 : 0;
}

int
ipc_send_born(int fd, pid_t pid, int pidfd)
{
	struct ipc_msg m = { .kind = IPC_BORN, .arg = (uint64_t)pid };

	return ipc_send_fd(fd, &m, pidfd);
}

/* One more byte than a message has, so that a longer one shows. */
struct ipc_bytes {
	struct ipc_msg msg;
	char more;
};

static int
ipc_check(const struct ipc_msg *m, ssize_t n)
{
	if (n != sizeof(*m) || m->kind == 0 || m->kind >= IPC_KINDS ||
	    m->text[sizeof(m->text) - 1] != '\0') {
		errno = EPROTO;
		return -1;
	}
	return 1;
}

static int
ipc_none(void)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	if (errno == ECONNRESET)
		errno = 0;
	return -1;
}

int
ipc_recv(int fd, struct ipc_msg *m)
{
	struct ipc_bytes in;
	ssize_t n;

	/* without room for them, the kernel closes descriptors that a hostile
	 * sender may have put in */
	do {
		n = recv(fd, &in, sizeof(in), MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return ipc_none();
	if (n == 0) {
		errno = 0;
		return -1;
	}
	memcpy(m, &in.msg, sizeof(*m));
	return ipc_check(m, n);
}

/* The descriptor that came along, or -1. There is room for two, alignment being
 * what it is: of more than one, none is taken and none stays open. */
static int
ipc_passed(struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fds[2];
	size_t n;

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return -1;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	n = n > 2 ? 2 : n;
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	if (n == 1)
		return fds[0];
	while (n > 0)
		close(fds[--n]);
	return -1;
}

int
ipc_recv_fd(int fd, struct ipc_msg *m, int *pass)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct ipc_bytes in;
	struct iovec iov = { &in, sizeof(in) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	ssize_t n;

	*pass = -1;
	do {
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return ipc_none();
	if (n == 0) {
		errno = 0;
		return -1;
	}
	*pass = ipc_passed(&msg);
	memcpy(m, &in.msg, sizeof(*m));
	explicit_bzero(&in, sizeof(in)); /* the caller wipes its own if it is a
					  * key */
	if (ipc_check(m, n) == 1)
		return 1;
	if (*pass >= 0)
		close(*pass);
	*pass = -1;
	errno = EPROTO;
	return -1;
}
