/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over TCP: a connection's bytes are the socket's. Runs in the workers
 * of type tcp. Options of the sockets come with the listener, which the parent
 * made.
 */
#include <errno.h>
#include <sys/socket.h>

#include "workers/stream.h"

/* What a system call that moved nothing has to say. */
static enum io
failed(struct conn *c, enum io wait)
{
	c->why = NULL;
	return errno == EAGAIN || errno == EINTR ? wait : IO_FAIL;
}

static enum io
tcp_recv(struct conn *c, uint8_t *buf, size_t room, size_t *n)
{
	ssize_t got = recv(c->fd, buf, room, MSG_DONTWAIT);

	if (got > 0) {
		*n = (size_t)got;
		return IO_DONE;
	}
	return got == 0 ? IO_EOF : failed(c, IO_WANT_READ);
}

static enum io
tcp_send(struct conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	ssize_t gone = send(c->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (gone < 0)
		return failed(c, IO_WANT_WRITE);
	*n = (size_t)gone;
	return IO_DONE;
}

static const struct stream_ops ops = {
	.recv = tcp_recv,
	.send = tcp_send,
	.resumes = true,
};

static int
start(struct worker *w)
{
	return stream_start(w, &ops, w->proc->listen_fd, NULL);
}

const struct transport_ops transport_tcp = {
	.name = "tcp",
	.start = start,
	.drain = stream_drain,
	.yield = stream_yield,
	.kick = stream_kick,
	.stop = stream_stop,
};
