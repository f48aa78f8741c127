/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over Unix-domain sockets: the plugin to begin one's own with.
 *
 *	"local1": { "type": "unix", "plugins": ["unix"],
 *	            "listen": "/run/plant/modbus.sock",
 *	            "options": { "mode": "0660", "group": "operators" } }
 *
 * "listen" is a path, relative to the configuration, or "@name" for an abstract
 * socket, which has no file and so lets in every user of the machine. Includes
 * nothing of Holdfast but its public header. holdfast-plugin(7) explains it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct ucred, accept4() */
#endif

#include "holdfast.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, MODE_DEFAULT = 0660, MODE_MAX = 0777 };

/* The listener's state. The worker never has more than one. */
static struct {
	struct sockaddr_un at;
	socklen_t at_len;
	mode_t mode;
	gid_t group; /* -1: whose the process is */
	dev_t dev; /* of the socket's file */
	ino_t ino;
} unix_;

/* ---- the configuration ---- */

/* A mistake in it: says which, and that no second try will help. */
#define MISTAKE(host, ...) ((host)->fail(host, __VA_ARGS__), errno = EINVAL, -1)

static int
is_abstract(void)
{
	return unix_.at.sun_path[0] == '\0';
}

/* Where to listen: "@name", "/path", or a path beside the configuration. */
static int
read_address(const struct hf_host *host)
{
	const char *text = host->listen;
	char *path = unix_.at.sun_path;
	size_t room = sizeof(unix_.at.sun_path);
	int n;

	if (text == NULL || text[0] == '\0' || strcmp(text, "@") == 0)
		return MISTAKE(host, "\"listen\" must be a path or \"@name\"");
	unix_.at.sun_family = AF_UNIX;
	if (text[0] == '/' || text[0] == '@')
		n = snprintf(path, room, "%s", text);
	else
		n = snprintf(path, room, "%s/%s", host->folder, text);
	if (n < 0 || (size_t)n >= room)
		return MISTAKE(host, "\"listen\" is longer than %zu bytes: %s",
		    room - 1, text);
	unix_.at_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    (size_t)n + (text[0] != '@'));
	if (text[0] == '@')
		path[0] = '\0';
	return 0;
}

static int
read_options(const struct hf_host *host)
{
	const char *mode = host->option(host, "mode");
	const char *group = host->option(host, "group");
	struct group *found;
	unsigned long bits;
	char *end;

	unix_.mode = MODE_DEFAULT;
	unix_.group = (gid_t)-1;
	if ((mode != NULL || group != NULL) && is_abstract())
		return MISTAKE(host,
		    "an abstract socket has no \"mode\" and no \"group\"");
	if (mode != NULL) {
		bits = strtoul(mode, &end, 8);
		if (mode[0] < '0' || mode[0] > '7' || *end != '\0' ||
		    bits > MODE_MAX)
			return MISTAKE(host,
			    "\"mode\" must be octal, as \"0660\", not \"%s\"",
			    mode);
		unix_.mode = (mode_t)bits;
	}
	if (group != NULL) {
		if ((found = getgrnam(group)) == NULL)
			return MISTAKE(
			    host, "this machine has no group \"%s\"", group);
		unix_.group = found->gr_gid;
	}
	return 0;
}

/* ---- the listener ---- */

/* True if the file there is a socket that nobody listens on: what a process
 * left that was killed. */
static int
is_stale(void)
{
	struct stat st;
	int fd, stale;

	if (lstat(unix_.at.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return 0;
	stale = connect(fd, (struct sockaddr *)&unix_.at, unix_.at_len) == -1 &&
	    errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* Makes the file with its mode: to change that afterwards would be to trust
 * that it is still the same file. */
static int
bind_once(int fd)
{
	mode_t was = umask(MODE_MAX & ~unix_.mode);
	int rc = bind(fd, (struct sockaddr *)&unix_.at, unix_.at_len);

	umask(was);
	return rc;
}

static int
bind_it(int fd)
{
	if (bind_once(fd) == 0)
		return 0;
	if (errno != EADDRINUSE || is_abstract())
		return -1;
	if (!is_stale()) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(unix_.at.sun_path) == -1 && errno != ENOENT
	    ? -1
	    : bind_once(fd);
}

/* Gives the file to the group and remembers it. Nobody can connect before
 * listen(), so nobody slips in before this. */
static int
own_file(void)
{
	const char *path = unix_.at.sun_path;
	struct stat st;

	if (is_abstract())
		return 0;
	if (lchown(path, (uid_t)-1, unix_.group) == -1 ||
	    lstat(path, &st) == -1)
		return -1;
	unix_.dev = st.st_dev;
	unix_.ino = st.st_ino;
	return 0;
}

static int
unix_listen(struct hf_listener *l)
{
	const struct hf_host *host = l->host;
	int fd, err;

	if (read_address(host) == -1 || read_options(host) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && bind_it(fd) == 0) {
		if (own_file() == 0 && listen(fd, BACKLOG) == 0) {
			l->fd = fd;
			return 0;
		}
		err = errno;
		if (!is_abstract())
			unlink(unix_.at.sun_path);
		errno = err;
	}
	err = errno == EINVAL ? EADDRNOTAVAIL : errno;
	if (fd != -1)
		close(fd);
	errno = err;
	host->fail(
	    host, "cannot listen on %s: %s", host->listen, strerror(err));
	errno = err; /* it decides whether to try again */
	return -1;
}

/* The name goes; what somebody else has put in its place stays. */
static void
unix_unlisten(struct hf_listener *l)
{
	struct stat st;

	(void)l;
	if (!is_abstract() && lstat(unix_.at.sun_path, &st) == 0 &&
	    st.st_dev == unix_.dev && st.st_ino == unix_.ino)
		unlink(unix_.at.sun_path);
}

/* ---- connections ---- */

/* The kernel vouches for who connected. Connections of a user count as one
 * peer's, whichever of its programs they come from. */
static void
name_peer(int fd, struct hf_peer *peer)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return;
	snprintf(
	    peer->text, sizeof(peer->text), "uid:%u/pid:%d", who.uid, who.pid);
	memcpy(peer->key, &who.uid, sizeof(who.uid));
	peer->key[sizeof(peer->key) - 1] = 1; /* root is somebody, too */
}

static int
unix_accept(struct hf_listener *l, struct hf_peer *peer)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1)
		name_peer(fd, peer);
	return fd; /* -1 with accept4()'s errno is what the host wants */
}

static enum hf_io
failed(enum hf_io wait)
{
	return errno == EAGAIN || errno == EINTR ? wait : HF_IO_FAIL;
}

static enum hf_io
unix_recv(struct hf_conn *c, uint8_t *buf, size_t room, size_t *n)
{
	ssize_t got = recv(c->fd, buf, room, 0);

	if (got == 0)
		return HF_IO_EOF;
	if (got < 0)
		return failed(HF_IO_WANT_READ);
	*n = (size_t)got;
	return HF_IO_DONE;
}

static enum hf_io
unix_send(struct hf_conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	ssize_t gone = send(c->fd, buf, len, MSG_NOSIGNAL);

	if (gone < 0)
		return failed(HF_IO_WANT_WRITE);
	*n = (size_t)gone;
	return HF_IO_DONE;
}

/* ---- what it offers ---- */

static const struct hf_transport transport = {
	.size = sizeof(transport),
	.name = "unix",
	.listen = unix_listen,
	.accept = unix_accept,
	.recv = unix_recv,
	.send = unix_send,
	.unlisten = unix_unlisten,
};

static const struct hf_transport *const transports[] = { &transport, NULL };

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "unix",
	.transports = transports,
};

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	(void)host;
	return &plugin;
}
