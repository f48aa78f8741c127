/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing the sockets of the control process. The ipc sockets
 * must open; a tcp endpoint that somebody else has is tried again and again,
 * so that a taken port does not take local control away.
 */

#include "control/zmq/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "shm/log.h"

enum {
	FRAME_MAX_BYTES = 1 << 20,
	QUEUE_MESSAGES = 1000,
	HANDSHAKE_MS = 5000,
	HEARTBEAT_MS = 10000,
	SILENT_MS = 30000,
	AGAIN_MS = 2000,
};

static void *
make_socket(struct sockets *d, int type)
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

static int
bind_to(void *socket, const char *endpoint, char *why, size_t size)
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

	*socket = make_socket(d, type);
	if (*socket == NULL ||
	    asprintf(&endpoint, "ipc://%s/%s", d->control->proc->run_dir,
		name) == -1) {
		snprintf(why, size, "out of memory");
		return EX_SOFTWARE;
	}
	rc = bind_to(*socket, endpoint, why, size);
	free(endpoint);
	return rc;
}

/* True for 127.0.0.0/8, ::1 and localhost. */
static bool
is_loopback(const char *endpoint)
{
	const char *host = endpoint + strlen("tcp://");

	return strncmp(host, "127.", 4) == 0 ||
	    strncmp(host, "[::1]:", 6) == 0 ||
	    strncmp(host, "localhost:", 10) == 0;
}

static int
open_curve(struct sockets *d, char *why, size_t size)
{
	const struct conf *conf = d->control->proc->conf;
	char secret[CURVE_TEXT];
	const int on = 1;
	struct stat st;
	int rc;

	if (conf->curve_authorized == NULL) {
		snprintf(why, size, "control.curve.authorized is missing");
		return EX_CONFIG;
	}
	if (curve_load_secret(conf->curve_secret_key, secret, why, size) == -1)
		return EX_CONFIG;
	if (stat(conf->curve_secret_key, &st) == 0 && (st.st_mode & 077) != 0)
		log_warnx("others may read the secret key file=%s",
		    conf->curve_secret_key);
	d->zap.dir = conf->curve_authorized;
	d->zap.control = d->control;
	d->zap.socket = zmq_socket(d->context, ZMQ_REP);
	d->router[SOCKETS_CURVE] = make_socket(d, ZMQ_ROUTER);
	rc = d->zap.socket == NULL || d->router[SOCKETS_CURVE] == NULL ||
		zmq_bind(d->zap.socket, "inproc://zeromq.zap.01") == -1 ||
		zmq_setsockopt(d->router[SOCKETS_CURVE], ZMQ_CURVE_SERVER, &on,
		    sizeof(on)) == -1 ||
		zmq_setsockopt(d->router[SOCKETS_CURVE], ZMQ_CURVE_SECRETKEY,
		    secret, sizeof(secret)) == -1 ||
		zmq_setsockopt(d->router[SOCKETS_CURVE], ZMQ_ZAP_DOMAIN,
		    "holdfast", 8) == -1
	    ? EX_SOFTWARE
	    : 0;
	explicit_bzero(secret, sizeof(secret));
	if (rc != 0)
		snprintf(why, size, "cannot use CURVE: %s",
		    zmq_strerror(zmq_errno()));
	return rc;
}

/* The socket that an endpoint is bound to, if it may be. */
static int
prepare_tcp(struct sockets *d, const char *endpoint, char *why, size_t size)
{
	bool curve = d->control->proc->conf->curve_secret_key != NULL;
	void **socket = &d->router[curve ? SOCKETS_CURVE : SOCKETS_PLAIN];
	int rc;

	if (strncmp(endpoint, "tcp://", 6) != 0) {
		snprintf(why, size, "control.listen: %s is no tcp:// endpoint",
		    endpoint);
		return EX_CONFIG;
	}
	if (!curve && !is_loopback(endpoint)) {
		snprintf(why, size,
		    "control.listen: %s lies beyond loopback and needs "
		    "control.curve",
		    endpoint);
		return EX_CONFIG;
	}
	if (curve && *socket == NULL) {
		rc = open_curve(d, why, size);
		if (rc != 0)
			return rc;
	}
	if (*socket == NULL) {
		*socket = make_socket(d, ZMQ_ROUTER);
		if (*socket == NULL) {
			snprintf(why, size, "out of memory");
			return EX_SOFTWARE;
		}
	}
	return 0;
}

/* Binds what is not yet bound; complains of each endpoint once. */
static void
bind_tcp(struct sockets *d)
{
	const struct conf *conf = d->control->proc->conf;
	bool curve = conf->curve_secret_key != NULL;
	char why[256];

	d->retry_ns = UINT64_MAX;
	for (size_t i = 0; i < conf->ncontrol_listen; i++) {
		if (d->bound[i])
			continue;
		d->bound[i] =
		    bind_to(d->router[curve ? SOCKETS_CURVE : SOCKETS_PLAIN],
			conf->control_listen[i], why, sizeof(why)) == 0;
		if (d->bound[i]) {
			log_info("control listens endpoint=%s curve=%s",
			    conf->control_listen[i], curve ? "yes" : "no");
			continue;
		}
		if (!d->complained)
			log_error("%s; trying again", why);
		d->retry_ns = d->control->now_ns + AGAIN_MS * 1000000ull;
	}
	d->complained = d->retry_ns != UINT64_MAX;
}

uint64_t
sockets_retry(struct sockets *d)
{
	if (d->retry_ns <= d->control->now_ns)
		bind_tcp(d);
	return d->retry_ns;
}

int
sockets_open(struct sockets *d, struct control *c, struct events *subs,
    char *why, size_t size)
{
	const struct conf *conf = c->proc->conf;
	int rc;

	*d = (struct sockets){ .control = c, .subs = subs };
	d->context = zmq_ctx_new();
	d->bound = calloc(conf->ncontrol_listen + 1, sizeof(d->bound[0]));
	if (d->context == NULL || d->bound == NULL) {
		snprintf(why, size, "ZeroMQ: %s", strerror(errno));
		return EX_SOFTWARE;
	}
	rc = open_ipc(
	    d, &d->router[SOCKETS_IPC], ZMQ_ROUTER, "control.sock", why, size);
	if (rc == 0)
		rc =
		    open_ipc(d, &d->events, ZMQ_XPUB, "events.sock", why, size);
	for (size_t i = 0; rc == 0 && i < conf->ncontrol_listen; i++)
		rc = prepare_tcp(d, conf->control_listen[i], why, size);
	if (rc == 0)
		bind_tcp(d);
	return rc;
}

static void
close_socket(void *socket, int linger_ms)
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
		close_socket(d->router[i], linger_ms);
	close_socket(d->events, linger_ms);
	close_socket(d->zap.socket, 0);
	if (d->context != NULL)
		zmq_ctx_term(d->context);
	free(d->bound);
	zap_fini(&d->zap);
	*d = (struct sockets){ 0 };
}
