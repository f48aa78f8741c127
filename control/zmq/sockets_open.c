/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing the sockets of the control process. The ipc sockets
 * must open; those of tcp are in endpoints.c.
 */

#include "control/zmq/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "control/zmq/endpoints.h"

enum {
	FRAME_MAX_BYTES = 1 << 20,
	QUEUE_MESSAGES = 1000,
	HANDSHAKE_MS = 5000,
	HEARTBEAT_MS = 10000,
	SILENT_MS = 30000,
};

void *
sockets_make(struct sockets *d, int type)
{
	void *s = zmq_socket(d->context, type);
	const int64_t max = FRAME_MAX_BYTES;
	const int queue = QUEUE_MESSAGES, handshake = HANDSHAKE_MS;
	const int beat = HEARTBEAT_MS, silent = SILENT_MS, linger = 0, on = 1;

	if (s == NULL)
		return NULL;
	zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &max, sizeof(max));
	zmq_setsockopt(s, ZMQ_SNDHWM, &queue, sizeof(queue));
	zmq_setsockopt(s, ZMQ_RCVHWM, &queue, sizeof(queue));
	zmq_setsockopt(s, ZMQ_HANDSHAKE_IVL, &handshake, sizeof(handshake));
	zmq_setsockopt(s, ZMQ_HEARTBEAT_IVL, &beat, sizeof(beat));
	zmq_setsockopt(s, ZMQ_HEARTBEAT_TIMEOUT, &silent, sizeof(silent));
	zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof(linger));
	zmq_setsockopt(s, ZMQ_IPV6, &on, sizeof(on));
	return s;
}

int
sockets_bind(void *socket, const char *endpoint, char *why, size_t size)
{
	mode_t mask = umask(0117); /* ipc: owner and group, nobody else */
	int rc = zmq_bind(socket, endpoint);

	umask(mask);
	if (rc == -1)
		snprintf(why, size, "cannot listen on %s: %s", endpoint,
		    zmq_strerror(zmq_errno()));
	return rc == -1 ? EX_UNAVAILABLE : 0;
}

static int
open_ipc(struct sockets *d, void **socket, int type, const char *name,
    char *why, size_t size)
{
	char *endpoint;
	int rc;

	*socket = sockets_make(d, type);
	if (*socket == NULL ||
	    asprintf(&endpoint, "ipc://%s/%s", d->control->proc->run_dir,
		name) == -1) {
		snprintf(why, size, "out of memory");
		return EX_SOFTWARE;
	}
	rc = sockets_bind(*socket, endpoint, why, size);
	free(endpoint);
	return rc;
}

int
sockets_open(struct sockets *d, struct control *c, struct events *subs,
    char *why, size_t size)
{
	int rc;

	*d = (struct sockets){ .control = c, .subs = subs };
	d->context = zmq_ctx_new();
	if (d->context == NULL) {
		snprintf(why, size, "ZeroMQ: %s", strerror(errno));
		return EX_SOFTWARE;
	}
	rc = open_ipc(
	    d, &d->router[SOCKETS_IPC], ZMQ_ROUTER, "control.sock", why, size);
	if (rc == 0)
		rc =
		    open_ipc(d, &d->events, ZMQ_XPUB, "events.sock", why, size);
	return rc == 0 ? endpoints_open(d, why, size) : rc;
}

void
sockets_close_one(void *socket, int linger_ms)
{
	if (socket == NULL)
		return;
	zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
	zmq_close(socket);
}

void
sockets_close(struct sockets *d, int linger_ms)
{
	for (int i = 0; i < SOCKETS_ROUTERS; i++)
		sockets_close_one(d->router[i], linger_ms);
	sockets_close_one(d->events, linger_ms);
	sockets_close_one(d->zap.socket, 0);
	if (d->context != NULL)
		zmq_ctx_term(d->context);
	endpoints_free(d);
	zap_fini(&d->zap);
	*d = (struct sockets){ 0 };
}
