/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport of type "odd" over a Unix-domain socket that does what no plugin
 * should. Its options say what: "fault" where it goes wrong, "how" in which
 * way, "after" how many calls of that go well, "heal" a file; while that is
 * there, all goes well. Compiled by sys_plugin.py, with ODD_* for tables that
 * are not as they should be.
 */
#include "holdfast.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef ODD_NAME
#define ODD_NAME "odd"
#endif
#ifndef ODD_ABI
#define ODD_ABI HF_PLUGIN_ABI
#endif

static const char *fault, *how, *heal;
static int after;
static const char *greeting; /* what a client says first, or NULL */
static int by_bytes; /* moves one byte at a time, reads ahead */
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

struct session {
	size_t greeted;
	uint8_t ahead[512];
	size_t at, len;
};

/* True if the call is to go wrong in a way that the caller knows best. */
static int
goes_wrong(const char *call)
{
	if (fault == NULL || strcmp(fault, call) != 0)
		return 0;
	if ((heal != NULL && access(heal, F_OK) == 0) || after-- > 0)
		return 0;
	if (strcmp(how, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(how, "exit") == 0)
		exit(0);
	if (strcmp(how, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(how, "spin") == 0)
		for (volatile int i = 0;; i++)
			;
	errno = 0;
	return 1;
}

static int
odd_listen(struct hf_listener *l)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (goes_wrong("listen")) {
		l->host->fail(l->host, "%s is not to my liking", how);
		errno = strcmp(how, "einval") == 0 ? EINVAL : EADDRINUSE;
		if (strcmp(how, "badfd") != 0)
			return -1;
		l->fd = 4000;
		return 0;
	}
	l->host->log(l->host, HF_INFO,
	    "host abi=%u revision=%u version=%s transport=%s type=%s "
	    "folder=%s now_ns=%llu",
	    l->host->abi, l->host->revision, l->host->version,
	    l->host->transport, l->host->type, l->host->folder,
	    (unsigned long long)l->host->now_ns(l->host));
	snprintf(path, sizeof(path), "%s", l->host->listen);
	memcpy(at.sun_path, path, sizeof(path));
	unlink(path);
	l->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return bind(l->fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		listen(l->fd, 64) == 0
	    ? 0
	    : -1;
}

static void
odd_unlisten(struct hf_listener *l)
{
	goes_wrong("unlisten");
	l->host->log(l->host, HF_INFO, "unlisten %s", path);
	unlink(path);
}

static int
odd_accept(struct hf_listener *l, struct hf_peer *peer)
{
	int fd;

	if (goes_wrong("accept")) {
		errno = EPROTO;
		return -1;
	}
	fd = accept(l->fd, NULL, NULL);
	snprintf(peer->text, sizeof(peer->text), ODD_NAME "\n\xff%d", fd);
	return fd;
}

static enum hf_io
odd_open(struct hf_conn *c)
{
	struct session *s = c->session;
	char byte;

	if (s == NULL)
		c->session = s = calloc(1, sizeof(*s));
	if (goes_wrong("open"))
		return HF_IO_FAIL;
	while (greeting != NULL && greeting[s->greeted] != '\0') {
		ssize_t n = recv(c->fd, &byte, 1, 0);

		if (n == 0)
			return HF_IO_EOF;
		if (n < 0)
			return HF_IO_WANT_READ;
		if (byte != greeting[s->greeted++]) {
			c->host->fail(c->host, "not greeted");
			return HF_IO_FAIL;
		}
	}
	return HF_IO_DONE;
}

static __attribute__((__unused__)) enum hf_io
odd_recv(struct hf_conn *c, uint8_t *buf, size_t room, size_t *n)
{
	struct session *s = c->session;
	size_t want = by_bytes ? 1 : room;
	ssize_t got;

	if (goes_wrong("recv")) {
		*n = strcmp(how, "much") == 0 ? room + 1 : 0;
		if (strcmp(how, "nonsense") == 0)
			return (enum hf_io)17;
		return strcmp(how, "fail") == 0 ? HF_IO_FAIL : HF_IO_DONE;
	}
	if (s->at == s->len) {
		got = recv(c->fd, s->ahead, sizeof(s->ahead), 0);
		if (got <= 0)
			return got == 0       ? HF_IO_EOF
			    : errno == EAGAIN ? HF_IO_WANT_READ
					      : HF_IO_FAIL;
		s->at = 0;
		s->len = (size_t)got;
	}
	*n = s->len - s->at < want ? s->len - s->at : want;
	memcpy(buf, s->ahead + s->at, *n);
	s->at += *n;
	return HF_IO_DONE;
}

static int
odd_pending(const struct hf_conn *c)
{
	const struct session *s = c->session;

	if (goes_wrong("pending"))
		return 1;
	return s->at < s->len;
}

static enum hf_io
odd_send(struct hf_conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	static unsigned turn;
	ssize_t gone;

	if (goes_wrong("send"))
		return strcmp(how, "eof") == 0     ? HF_IO_EOF
		    : strcmp(how, "wantread") == 0 ? HF_IO_WANT_READ
						   : HF_IO_FAIL;
	if (by_bytes && turn++ % 3 == 0)
		return HF_IO_WANT_WRITE;
	gone = send(c->fd, buf, by_bytes ? 1 : len, MSG_NOSIGNAL);
	if (gone < 0)
		return errno == EAGAIN ? HF_IO_WANT_WRITE : HF_IO_FAIL;
	*n = (size_t)gone;
	return HF_IO_DONE;
}

static void
odd_close(struct hf_conn *c)
{
	goes_wrong("close");
	c->host->log(c->host, HF_INFO, "close session=%s",
	    c->session != NULL ? "yes" : "no");
	free(c->session);
}

/* As a newer holdfast.h may have it. */
static const struct {
	struct hf_transport t;
	void *more;
} transport = {
	.t = {
#ifdef ODD_SIZE
		.size = ODD_SIZE,
#else
		.size = sizeof(transport),
#endif
		.name = ODD_NAME,
		.listen = odd_listen,
		.accept = odd_accept,
#ifndef ODD_DEAF
		.recv = odd_recv,
#endif
		.send = odd_send,
		.open = odd_open,
		.pending = odd_pending,
		.close = odd_close,
		.unlisten = odd_unlisten,
	},
#ifdef ODD_MORE
	.more = &path,
#endif
};

static const struct hf_transport *const transports[] = { &transport.t, NULL };

static const struct {
	struct hf_plugin p;
	void *more;
} plugin = {
	.p = {
		.abi = ODD_ABI,
		.size = sizeof(plugin),
		.name = "odd",
		.transports = transports,
	},
#ifdef ODD_MORE_TABLE
	.more = &path,
#endif
};

#ifndef ODD_NO_ENTRY
const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	const char *count = host->option(host, "after");

	fault = host->option(host, "fault");
	how = host->option(host, "how");
	heal = host->option(host, "heal");
	greeting = host->option(host, "greeting");
	by_bytes = host->option(host, "by_bytes") != NULL;
	after = count != NULL ? atoi(count) : 0;
	if (goes_wrong("load")) {
		host->fail(host, "%s today", how);
		return NULL;
	}
	return &plugin.p;
}
#endif
