/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One datagram to the service manager, without its library. Runs in the
 * supervisor; never blocks.
 */
#include "supervisor/sdnotify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Where it listens; 0: nowhere. */
static socklen_t
manager(struct sockaddr_un *sa)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path != NULL ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(sa->sun_path))
		return 0;
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sa->sun_path, path, len);
	if (path[0] == '@')
		sa->sun_path[0] = '\0'; /* an abstract name */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void
sdnotify_fd(const char *state, int pass)
{
	struct sockaddr_un sa;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { .room = { 0 } };
	struct iovec iov = { .iov_len = strlen(state) };
	struct msghdr m = { .msg_name = &sa,
		.msg_namelen = manager(&sa),
		.msg_iov = &iov,
		.msg_iovlen = 1 };
	int fd;

	if (m.msg_namelen == 0)
		return;
	memcpy(&iov.iov_base, &state, sizeof(state)); /* only read */
	if (pass >= 0) {
		m.msg_control = c.room;
		m.msg_controllen = sizeof(c.room);
		c.head.cmsg_level = SOL_SOCKET;
		c.head.cmsg_type = SCM_RIGHTS;
		c.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.head), &pass, sizeof(pass));
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	sendmsg(fd, &m, MSG_NOSIGNAL);
	close(fd);
}

void
sdnotify(const char *state)
{
	sdnotify_fd(state, -1);
}

uint64_t
sdnotify_every_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (usec == NULL ||
	    (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 2000;
}
