/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that has no room for a datagram, while the file is there that
 * HOLDFAST_FULL names. Loaded by LD_PRELOAD; sys_durable.py makes the file.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

typedef ssize_t send_fn(int, const struct msghdr *, int);

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	const char *path = getenv("HOLDFAST_FULL");
	struct stat st;
	send_fn *fn;

	if (path != NULL && m->msg_name != NULL &&
	    m->msg_namelen >= sizeof(sa_family_t) &&
	    ((const struct sockaddr *)m->msg_name)->sa_family == AF_INET &&
	    stat(path, &st) == 0) {
		errno = EAGAIN;
		return -1;
	}
	*(void **)&fn = dlsym(RTLD_NEXT, "sendmsg");
	return fn(fd, m, flags);
}
