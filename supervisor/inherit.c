/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that come from a service manager. Runs in the supervisor, before its
 * loop and, as transports start, in it; never blocks. What is no listener of
 * the kind that is looked for is not touched.
 */
#include "supervisor/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/listen.h"
#include "supervisor/sdnotify.h"

enum { FIRST = 3, NAME_MAX_ = 256, KEPT_LEN = sizeof(INHERIT_KEPT) - 1 };

static struct row {
	int fd; /* -1: closed */
	bool used;
	bool kept; /* by the manager, for us */
	char name[NAME_MAX_]; /* without INHERIT_KEPT */
} rows[INHERIT_MAX];
static unsigned nrows;

unsigned
inherit_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	long fds;

	if (pid == NULL || n == NULL || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	fds = strtol(n, NULL, 10);
	return fds < 0 ? 0 : fds > INHERIT_MAX ? INHERIT_MAX : (unsigned)fds;
}

int
inherit_pass(void)
{
	const char *pid = getenv("LISTEN_PID");
	char text[16];

	if (pid == NULL || strtol(pid, NULL, 10) != (long)getppid())
		return 0;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	return setenv("LISTEN_PID", text, 1);
}

static void
name_row(struct row *r, const char *name, size_t len)
{
	if (len == 0 || len >= sizeof(r->name)) {
		name = "unnamed";
		len = strlen(name);
	}
	r->kept = len > KEPT_LEN && memcmp(name, INHERIT_KEPT, KEPT_LEN) == 0;
	if (r->kept) {
		name += KEPT_LEN;
		len -= KEPT_LEN;
	}
	snprintf(r->name, sizeof(r->name), "%.*s", (int)len, name);
}

void
inherit_take(void)
{
	const char *names = getenv("LISTEN_FDNAMES");

	nrows = inherit_count();
	for (unsigned i = 0; i < nrows; i++) {
		struct row *r = &rows[i];
		size_t len = names != NULL ? strcspn(names, ":") : 0;

		*r = (struct row){ .fd = FIRST + (int)i };
		if (fcntl(r->fd, F_SETFD, FD_CLOEXEC) < 0)
			r->fd = -1; /* there are fewer than was said */
		name_row(r, names, len);
		if (names != NULL)
			names += len + (names[len] == ':');
	}
	/* they are ours, and not for what our children may execute */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* A copy, so that a transport that is stopped finds it again. */
static int
lend(struct row *r, const char *name, const char *text, bool udp, char *real,
    size_t size)
{
	int fd;

	if (listen_adopt(r->fd, text, udp, real, size) < 0)
		return -1;
	fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	r->used = true;
	log_info("%s: listens on %s, the socket \"%s\" that was passed on",
	    name, real, r->name);
	return fd;
}

int
inherit_find(
    const char *name, const char *text, bool udp, char *real, size_t size)
{
	size_t len = strlen(text);
	/* the first socket that comes along is none for ":0" */
	bool any_port = len > 1 && strcmp(text + len - 2, ":0") == 0;
	int fd;

	for (unsigned i = 0; i < nrows; i++) {
		struct row *r = &rows[i];

		if (r->fd < 0 || strcmp(r->name, name) != 0)
			continue;
		fd = lend(r, name, r->kept ? text : NULL, udp, real, size);
		if (fd >= 0)
			return fd;
		if (!r->kept)
			log_warnx("%s: the socket of that name that was passed "
				  "on is no listener for it",
			    name);
	}
	for (unsigned i = 0; i < nrows && !any_port; i++) {
		if (rows[i].fd < 0 || rows[i].kept)
			continue;
		fd = lend(&rows[i], name, text, udp, real, size);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* The same socket, by whatever descriptor. */
static struct row *
row_of(int fd)
{
	struct stat a, b;

	for (unsigned i = 0; fd >= 0 && i < nrows; i++)
		if (rows[i].fd >= 0 && fstat(fd, &a) == 0 &&
		    fstat(rows[i].fd, &b) == 0 && a.st_ino == b.st_ino &&
		    a.st_dev == b.st_dev)
			return &rows[i];
	return NULL;
}

bool
inherit_lent(int fd)
{
	struct row *r = row_of(fd);

	if (r == NULL)
		return false;
	r->used = true;
	return !r->kept;
}

void
inherit_close_rest(void)
{
	for (unsigned i = 0; i < nrows; i++) {
		struct row *r = &rows[i];

		if (r->fd < 0 || (r->used && !r->kept))
			continue;
		if (!r->used) {
			log_warnx("a socket \"%s\" was passed on that nothing "
				  "listens on; closing it",
			    r->name);
			if (r->kept)
				inherit_forget(r->name);
		}
		close(r->fd);
		r->fd = -1;
	}
}

/* The former one of that name was none for it. */
void
inherit_keep(const char *name, int fd)
{
	char text[NAME_MAX_];

	for (unsigned i = 0; i < nrows; i++) {
		if (rows[i].kept && strcmp(rows[i].name, name) == 0) {
			inherit_forget(name);
			rows[i].kept = false;
		}
	}
	snprintf(
	    text, sizeof(text), "FDSTORE=1\nFDNAME=" INHERIT_KEPT "%s", name);
	sdnotify_fd(text, fd);
}

void
inherit_forget(const char *name)
{
	char text[NAME_MAX_ + 40];

	snprintf(text, sizeof(text),
	    "FDSTOREREMOVE=1\nFDNAME=" INHERIT_KEPT "%s", name);
	sdnotify(text);
}
