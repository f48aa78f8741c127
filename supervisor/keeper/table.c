/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing all descriptors but some. Runs in every child at its birth, and in
 * keepers before each.
 */
#include "supervisor/keeper/table.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 64 };

void
table_add(struct table *t, int fd)
{
	size_t room = t->room == 0 ? ROOM : t->room * 2;
	int *more;

	if (fd < 0)
		return;
	if (t->n == t->room) {
		more = realloc(t->fd, room * sizeof(*more));
		if (more == NULL) {
			t->failed = true;
			return;
		}
		t->fd = more;
		t->room = room;
	}
	t->fd[t->n++] = fd;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* The port of a socket here, 0 if it has none. */
static unsigned
port_of(int fd)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	memcpy(&in, &ss, sizeof(in));
	memcpy(&in6, &ss, sizeof(in6));
	return ss.ss_family == AF_INET ? in.sin_port
	    : ss.ss_family == AF_INET6 ? in6.sin6_port
				       : 0;
}

static bool
is_client(int fd, int listen_fd)
{
	unsigned port = port_of(listen_fd);

	return port != 0 && port_of(fd) == port &&
	    option(fd, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SO_ACCEPTCONN) == 0;
}

void
table_add_client(struct table *t, int fd, int listen_fd)
{
	if (is_client(fd, listen_fd))
		table_add(t, fd);
}

void
table_add_line(struct table *t, int fd)
{
	if (fd >= 0 && isatty(fd))
		table_add(t, fd);
}

int
table_add_clients(struct table *t, int listen_fd)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	char *end;
	long fd;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		fd = strtol(e->d_name, &end, 10);
		if (end != e->d_name && *end == '\0')
			table_add_client(t, (int)fd, listen_fd);
	}
	closedir(d);
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int
table_close_others(struct table *t)
{
	unsigned next = 0;

	if (t->failed) {
		errno = ENOMEM;
		return -1;
	}
	if (t->n > 0)
		qsort(t->fd, t->n, sizeof(t->fd[0]), by_number);
	for (size_t i = 0; i < t->n; i++) {
		unsigned fd = (unsigned)t->fd[i];

		if (fd > next && close_range(next, fd - 1, 0) < 0)
			return -1;
		if (fd >= next)
			next = fd + 1;
	}
	return close_range(next, ~0u, 0);
}

void
table_free(struct table *t)
{
	free(t->fd);
	*t = (struct table){ .fd = NULL };
}
