/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport that a plugin brings: its functions in the place of our own
 * streams', their results checked. Runs in the workers of types that are not
 * built in. The listener is the plugin's, and lives and dies with the worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "workers/plugin.h"
#include "workers/stream.h"

_Static_assert((int)HF_IO_DONE == IO_DONE &&
	(int)HF_IO_WANT_READ == IO_WANT_READ &&
	(int)HF_IO_WANT_WRITE == IO_WANT_WRITE && (int)HF_IO_EOF == IO_EOF &&
	(int)HF_IO_FAIL == IO_FAIL,
    "the words are the same");
_Static_assert((int)HF_PEER_TEXT == CONN_PEER_MAX, "a peer's words");

struct custom {
	struct plugin *plugin;
	struct hf_transport ops;
	struct hf_listener listener;
	struct hf_conn *conns; /* one for each record */
	struct hf_peer peer; /* of who was accepted last */
	char why[PLUGIN_WORDS]; /* the last connection failed */
};

static struct custom *
custom_of(const struct conn *c)
{
	return ((struct stream *)c->owner)->arg;
}

/* ---- a connection ---- */

/* Its words, if it has any, outlive the calls that end the connection. */
static enum io
result(struct conn *c, const char *call, enum hf_io io)
{
	struct custom *cu = custom_of(c);
	struct plugin *p = cu->plugin;

	c->why = NULL;
	if ((unsigned)io > HF_IO_FAIL) {
		snprintf(p->words, sizeof(p->words),
		    "%s() of its plugin came to %d, which is no result", call,
		    (int)io);
		io = HF_IO_FAIL;
	}
	if (io == HF_IO_FAIL && (p->words[0] != '\0' || errno == 0)) {
		snprintf(cu->why, sizeof(cu->why), "%s", plugin_why(p));
		c->why = cu->why;
	}
	return (enum io)io;
}

/* The same for one that has moved n of at most max bytes. */
static enum io
moved(struct conn *c, const char *call, enum hf_io io, size_t n, size_t max)
{
	struct plugin *p = custom_of(c)->plugin;

	if (io != HF_IO_DONE)
		return result(c, call, io);
	if (n > max) /* into memory that is not its own */
		fatal(EX_SOFTWARE, "%s: %s() took %zu of %zu bytes", p->path,
		    call, n, max);
	if (n > 0)
		return IO_DONE;
	snprintf(p->words, sizeof(p->words),
	    "%s() of its plugin was done with no byte", call);
	return result(c, call, HF_IO_FAIL);
}

static enum io
custom_open(struct conn *c)
{
	struct custom *cu = custom_of(c);
	struct hf_conn *h = &cu->conns[c->rec.index];

	if (c->session == NULL) {
		*h = (struct hf_conn){
			.host = &cu->plugin->host,
			.listener = &cu->listener,
			.fd = c->fd,
		};
		c->session = h;
	}
	if (cu->ops.open == NULL)
		return IO_DONE;
	plugin_call(cu->plugin);
	return result(c, "open", cu->ops.open(h));
}

static enum io
custom_recv(struct conn *c, uint8_t *buf, size_t room, size_t *n)
{
	struct custom *cu = custom_of(c);
	enum hf_io io;

	*n = 0;
	plugin_call(cu->plugin);
	io = cu->ops.recv(c->session, buf, room, n);
	return moved(c, "recv", io, *n, room);
}

static enum io
custom_send(struct conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	struct custom *cu = custom_of(c);
	enum hf_io io;

	*n = 0;
	plugin_call(cu->plugin);
	io = cu->ops.send(c->session, buf, len, n);
	if (io == HF_IO_EOF) {
		errno = ECONNRESET;
		io = HF_IO_FAIL;
	} else if (io == HF_IO_WANT_READ) { /* there is no waiting for that */
		snprintf(cu->plugin->words, sizeof(cu->plugin->words),
		    "send() of its plugin wants to read");
		io = HF_IO_FAIL;
	}
	return moved(c, "send", io, *n, len);
}

static bool
custom_pending(const struct conn *c)
{
	const struct custom *cu = custom_of(c);

	return cu->ops.pending != NULL && cu->ops.pending(c->session) != 0;
}

static void
custom_close(struct conn *c)
{
	struct custom *cu = custom_of(c);

	if (c->session != NULL && cu->ops.close != NULL)
		cu->ops.close(c->session);
	c->session = NULL;
}

/* ---- the listener ---- */

/* 0, or -1 with errno. */
static int
tame(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	if ((flags & O_NONBLOCK) != 0)
		return 0;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* What a plugin calls a peer, fit for a line of the log. */
static void
clean(char text[HF_PEER_TEXT])
{
	text[HF_PEER_TEXT - 1] = '\0';
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			*text = '?';
}

static int
custom_accept(struct stream *st, int listen_fd, struct acl_peer *who)
{
	struct custom *cu = st->arg;
	int fd;

	(void)listen_fd;
	memset(&cu->peer, 0, sizeof(cu->peer));
	plugin_call(cu->plugin);
	fd = cu->ops.accept(&cu->listener, &cu->peer);
	if (fd < 0 || tame(fd) == -1)
		return -1;
	clean(cu->peer.text);
	who->family = AF_UNSPEC;
	who->text = cu->peer.text[0] != '\0' ? cu->peer.text : NULL;
	memcpy(who->addr, cu->peer.key, sizeof(who->addr));
	return fd;
}

static const struct stream_ops stream_ops = {
	.accept = custom_accept,
	.open = custom_open,
	.recv = custom_recv,
	.send = custom_send,
	.pending = custom_pending,
	.close = custom_close,
};

static void
unlisten(struct custom *cu)
{
	if (cu->listener.fd == -1)
		return;
	if (cu->ops.unlisten != NULL)
		cu->ops.unlisten(&cu->listener);
	close(cu->listener.fd);
	cu->listener.fd = -1;
}

static void
custom_free(struct custom *cu)
{
	if (cu == NULL)
		return;
	unlisten(cu);
	free(cu->conns);
	free(cu);
}

static int
open_listener(struct worker *w, struct custom *cu)
{
	cu->listener.host = &cu->plugin->host;
	plugin_call(cu->plugin);
	if (cu->ops.listen(&cu->listener) == 0) {
		if (tame(cu->listener.fd) == 0)
			return 0;
		cu->listener.fd = -1;
	}
	w->code = errno == EINVAL ? EX_CONFIG : EX_UNAVAILABLE;
	w->why = plugin_why(cu->plugin);
	return -1;
}

static int
start(struct worker *w)
{
	struct custom *cu = calloc(1, sizeof(*cu));
	struct stream *st;

	w->why = "not enough memory";
	if (cu == NULL)
		return -1;
	cu->listener.fd = -1;
	cu->plugin = plugins_transport(w, &cu->ops);
	if (cu->plugin == NULL || open_listener(w, cu) == -1 ||
	    stream_start(w, &stream_ops, cu->listener.fd, cu) == -1)
		goto out;
	st = w->state;
	cu->conns = calloc(st->conns.nconns, sizeof(*cu->conns));
	if (cu->conns != NULL)
		return 0;
	stream_stop(w);
	w->why = "not enough memory";
out:
	custom_free(cu);
	return -1;
}

/* Nobody else has the listener: who waits there is told so at once. */
static void
drain(struct worker *w)
{
	struct custom *cu = ((struct stream *)w->state)->arg;

	stream_drain(w);
	unlisten(cu);
}

static void
stop(struct worker *w)
{
	struct custom *cu = ((struct stream *)w->state)->arg;

	stream_stop(w);
	custom_free(cu);
}

const struct transport_ops transport_plugin = {
	.name = "plugin",
	.start = start,
	.drain = drain,
	.kick = stream_kick,
	.stop = stop,
};
