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

#include "workers/hooks/plugin.h"
#include "workers/stream.h"

_Static_assert((int)HF_IO_DONE == IO_DONE &&
	(int)HF_IO_WANT_READ == IO_WANT_READ &&
	(int)HF_IO_WANT_WRITE == IO_WANT_WRITE && (int)HF_IO_EOF == IO_EOF &&
	(int)HF_IO_FAIL == IO_FAIL,
    "the words are the same");
_Static_assert((int)HF_PEER_TEXT == CONN_PEER_MAX, "a peer's words");

struct t_plugin {
	struct plugin *plugin;
	struct hf_transport ops;
	struct hf_listener listener;
	struct hf_conn *conns; /* one for each record */
	struct hf_peer peer; /* of who was accepted last */
	char why[PLUGIN_WORDS]; /* the last connection failed */
};

static struct t_plugin *
t_plugin_of(const struct conn *c)
{
	return ((struct stream *)c->owner)->arg;
}

/* ---- a connection ---- */

/* Its words, if it has any, outlive the calls that end the connection. */
static enum io
result(struct conn *c, const char *call, enum hf_io io)
{
	struct t_plugin *tp = t_plugin_of(c);
	struct plugin *p = tp->plugin;

	c->why = NULL;
	if ((unsigned)io > HF_IO_FAIL) {
		snprintf(p->words, sizeof(p->words),
		    "%s() of its plugin came to %d, which is no result", call,
		    (int)io);
		io = HF_IO_FAIL;
	}
	if (io == HF_IO_FAIL && (p->words[0] != '\0' || errno == 0)) {
		snprintf(tp->why, sizeof(tp->why), "%s", plugin_why(p));
		c->why = tp->why;
	}
	return (enum io)io;
}

/* The same for one that has moved n of at most max bytes. */
static enum io
moved(struct conn *c, const char *call, enum hf_io io, size_t n, size_t max)
{
	struct plugin *p = t_plugin_of(c)->plugin;

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
t_plugin_open(struct conn *c)
{
	struct t_plugin *tp = t_plugin_of(c);
	struct hf_conn *h = &tp->conns[c->rec.index];

	if (c->session == NULL) {
		*h = (struct hf_conn){
			.host = &tp->plugin->host,
			.listener = &tp->listener,
			.fd = c->fd,
		};
		c->session = h;
	}
	if (tp->ops.open == NULL)
		return IO_DONE;
	plugin_call(tp->plugin);
	return result(c, "open", tp->ops.open(h));
}

static enum io
t_plugin_recv(struct conn *c, uint8_t *buf, size_t room, size_t *n)
{
	struct t_plugin *tp = t_plugin_of(c);
	enum hf_io io;

	*n = 0;
	plugin_call(tp->plugin);
	io = tp->ops.recv(c->session, buf, room, n);
	return moved(c, "recv", io, *n, room);
}

static enum io
t_plugin_send(struct conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	struct t_plugin *tp = t_plugin_of(c);
	enum hf_io io;

	*n = 0;
	plugin_call(tp->plugin);
	io = tp->ops.send(c->session, buf, len, n);
	if (io == HF_IO_EOF) {
		errno = ECONNRESET;
		io = HF_IO_FAIL;
	} else if (io == HF_IO_WANT_READ) { /* there is no waiting for that */
		snprintf(tp->plugin->words, sizeof(tp->plugin->words),
		    "send() of its plugin wants to read");
		io = HF_IO_FAIL;
	}
	return moved(c, "send", io, *n, len);
}

static bool
t_plugin_pending(const struct conn *c)
{
	const struct t_plugin *tp = t_plugin_of(c);

	return tp->ops.pending != NULL && tp->ops.pending(c->session) != 0;
}

static void
t_plugin_close(struct conn *c)
{
	struct t_plugin *tp = t_plugin_of(c);

	if (c->session != NULL && tp->ops.close != NULL)
		tp->ops.close(c->session);
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
t_plugin_accept(struct stream *st, int listen_fd, struct acl_peer *who)
{
	struct t_plugin *tp = st->arg;
	int fd;

	(void)listen_fd;
	memset(&tp->peer, 0, sizeof(tp->peer));
	plugin_call(tp->plugin);
	fd = tp->ops.accept(&tp->listener, &tp->peer);
	if (fd < 0 || tame(fd) == -1)
		return -1;
	clean(tp->peer.text);
	who->family = AF_UNSPEC;
	who->text = tp->peer.text[0] != '\0' ? tp->peer.text : NULL;
	memcpy(who->addr, tp->peer.key, sizeof(who->addr));
	return fd;
}

static const struct stream_ops stream_ops = {
	.accept = t_plugin_accept,
	.open = t_plugin_open,
	.recv = t_plugin_recv,
	.send = t_plugin_send,
	.pending = t_plugin_pending,
	.close = t_plugin_close,
};

static void
unlisten(struct t_plugin *tp)
{
	if (tp->listener.fd == -1)
		return;
	if (tp->ops.unlisten != NULL)
		tp->ops.unlisten(&tp->listener);
	close(tp->listener.fd);
	tp->listener.fd = -1;
}

static void
t_plugin_free(struct t_plugin *tp)
{
	if (tp == NULL)
		return;
	unlisten(tp);
	free(tp->conns);
	free(tp);
}

static int
open_listener(struct worker *w, struct t_plugin *tp)
{
	tp->listener.host = &tp->plugin->host;
	plugin_call(tp->plugin);
	if (tp->ops.listen(&tp->listener) == 0) {
		if (tame(tp->listener.fd) == 0)
			return 0;
		tp->listener.fd = -1;
	}
	w->code = errno == EINVAL ? EX_CONFIG : EX_UNAVAILABLE;
	w->why = plugin_why(tp->plugin);
	return -1;
}

static int
start(struct worker *w)
{
	struct t_plugin *tp = calloc(1, sizeof(*tp));
	struct stream *st;

	w->why = "not enough memory";
	if (tp == NULL)
		return -1;
	tp->listener.fd = -1;
	tp->plugin = plugins_transport(w, &tp->ops);
	if (tp->plugin == NULL || open_listener(w, tp) == -1 ||
	    stream_start(w, &stream_ops, tp->listener.fd, tp) == -1)
		goto out;
	st = w->state;
	tp->conns = calloc(st->conns.nconns, sizeof(*tp->conns));
	if (tp->conns != NULL)
		return 0;
	stream_stop(w);
	w->why = "not enough memory";
out:
	t_plugin_free(tp);
	return -1;
}

/* Nobody else has the listener: who waits there is told so at once. */
static void
drain(struct worker *w)
{
	struct t_plugin *tp = ((struct stream *)w->state)->arg;

	stream_drain(w);
	unlisten(tp);
}

static void
stop(struct worker *w)
{
	struct t_plugin *tp = ((struct stream *)w->state)->arg;

	stream_stop(w);
	t_plugin_free(tp);
}

const struct transport_ops transport_plugin = {
	.name = "plugin",
	.start = start,
	.drain = drain,
	.kick = stream_kick,
	.stop = stop,
};
