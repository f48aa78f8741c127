/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads ahead for the sessions of a worker of type tls. Never blocks, and
 * allocates only when it is made.
 */
#include "workers/tls/tls_ahead.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int
tls_ahead_init(struct tls_ahead *a, unsigned n)
{
	a->off = a->len = 0;
	a->aside = calloc(n, sizeof(*a->aside));
	a->naside = calloc(n, sizeof(*a->naside));
	return a->aside != NULL && a->naside != NULL ? 0 : -1;
}

void
tls_ahead_fini(struct tls_ahead *a)
{
	free(a->aside);
	free(a->naside);
}

/* Makes buf a session's. */
static void
turn_to(struct tls_ahead *a, unsigned session)
{
	size_t n = a->len - a->off;

	if (n > 0)
		memcpy(a->aside[a->at], a->buf + a->off, n);
	a->naside[a->at] = (uint16_t)n;
	a->at = session;
	a->off = 0;
	a->len = a->naside[session];
	if (a->len > 0)
		memcpy(a->buf, a->aside[session], a->len);
	a->naside[session] = 0;
}

ssize_t
tls_ahead_recv(
    struct tls_ahead *a, unsigned session, int fd, void *to, size_t room)
{
	ssize_t got;
	size_t n;

	if (a->at != session)
		turn_to(a, session);
	if (a->off == a->len) {
		if (room >= TLS_AHEAD)
			return recv(fd, to, room, MSG_DONTWAIT);
		got = recv(fd, a->buf, TLS_AHEAD, MSG_DONTWAIT);
		if (got <= 0)
			return got;
		a->off = 0;
		a->len = (size_t)got;
	}
	n = a->len - a->off < room ? a->len - a->off : room;
	memcpy(to, a->buf + a->off, n);
	a->off += n;
	return (ssize_t)n;
}

bool
tls_ahead_has(const struct tls_ahead *a, unsigned session)
{
	return a->at == session ? a->off < a->len : a->naside[session] > 0;
}

void
tls_ahead_drop(struct tls_ahead *a, unsigned session)
{
	if (a->at == session)
		a->off = a->len = 0;
	a->naside[session] = 0;
}
