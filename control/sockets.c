/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of the control process. What arrives is bounded by ZeroMQ
 * (a frame's size) and here (frames of a message, messages of a turn); who
 * does not read loses answers and events, and nobody waits for them.
 */

#include "control/sockets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "control/rpc.h"
#include "shm/log.h"

enum {
	FRAME_MAX_BYTES = 1 << 20,
	FRAMES_MAX = 10, /* envelopes of a few proxies, and two of ours */
	ENVELOPE_MAX = FRAMES_MAX - 2,
	TURN_MESSAGES = 64,
	QUEUE_MESSAGES = 1000,
	HANDSHAKE_MS = 5000,
	HEARTBEAT_MS = 10000,
	SILENT_MS = 30000,
};

/* Where an answer goes: the frames that stood before the request. */
struct envelope {
	void *socket;
	unsigned n;
	zmq_msg_t frame[ENVELOPE_MAX];
};

/* ---- opening ---- */

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
	int rc;

	if (conf->curve_authorized == NULL) {
		snprintf(why, size, "control.curve.authorized is missing");
		return EX_CONFIG;
	}
	if (curve_load_secret(conf->curve_secret_key, secret, why, size) == -1)
		return EX_CONFIG;
	d->authorized = conf->curve_authorized;
	d->zap = zmq_socket(d->context, ZMQ_REP);
	d->router[SOCKETS_CURVE] = make_socket(d, ZMQ_ROUTER);
	rc = d->zap == NULL || d->router[SOCKETS_CURVE] == NULL ||
		zmq_bind(d->zap, "inproc://zeromq.zap.01") == -1 ||
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

static int
open_tcp(struct sockets *d, const char *endpoint, char *why, size_t size)
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
	return bind_to(*socket, endpoint, why, size);
}

int
sockets_open(struct sockets *d, struct control *c, struct events *subs,
    char *why, size_t size)
{
	const struct conf *conf = c->proc->conf;
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
	for (size_t i = 0; rc == 0 && i < conf->ncontrol_listen; i++) {
		rc = open_tcp(d, conf->control_listen[i], why, size);
		if (rc == 0)
			log_info("control listens endpoint=%s curve=%s",
			    conf->control_listen[i],
			    conf->curve_secret_key != NULL ? "yes" : "no");
	}
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
	close_socket(d->zap, 0);
	if (d->context != NULL)
		zmq_ctx_term(d->context);
	curve_free_clients(&d->clients);
	*d = (struct sockets){ 0 };
}

/* ---- requests ---- */

/* Takes every frame of the next message, keeps the first FRAMES_MAX; returns
 * how many there were, 0 if there is no message. */
static unsigned
receive(void *socket, zmq_msg_t frame[FRAMES_MAX])
{
	unsigned n = 0;
	zmq_msg_t extra;
	bool more = true;

	while (more) {
		zmq_msg_t *to = n < FRAMES_MAX ? &frame[n] : &extra;

		zmq_msg_init(to);
		if (zmq_msg_recv(to, socket, ZMQ_DONTWAIT) == -1) {
			zmq_msg_close(to);
			return n;
		}
		more = zmq_msg_more(to) != 0;
		if (to == &extra)
			zmq_msg_close(&extra);
		n++;
	}
	return n;
}

static bool
looks_like_json(zmq_msg_t *frame)
{
	const char *text = zmq_msg_data(frame);
	size_t len = zmq_msg_size(frame);

	return len > 0 && memchr("{[ \t\r\n", text[0], 6) != NULL;
}

/*
 * Where the text stands: after the identity, or after the empty frame that
 * REQ sockets and proxies end an envelope with. 0 if nowhere.
 */
static unsigned
find_text(zmq_msg_t *frame, unsigned n)
{
	unsigned i;

	if (n < 2)
		return 0;
	if (looks_like_json(&frame[1]))
		return 1;
	for (i = 1; i < n && i < ENVELOPE_MAX; i++) {
		if (zmq_msg_size(&frame[i]) == 0)
			return i + 1 < n ? i + 1 : 0;
	}
	return 1; /* whatever it is: it is answered as no JSON */
}

static enum cmd_role
role_of(enum sockets_router router, zmq_msg_t *text)
{
	const char *user;

	if (router != SOCKETS_CURVE)
		return CMD_ADMIN;
	/* what sockets_authenticate() said of whoever sent it */
	user = zmq_msg_gets(text, "User-Id");
	if (user != NULL && cmd_role_find(user) != -1)
		return (enum cmd_role)cmd_role_find(user);
	return CMD_READ;
}

static void
serve_message(
    struct sockets *d, enum sockets_router router, zmq_msg_t *frame, unsigned n)
{
	unsigned at = find_text(frame, n);
	bool has_raw = at + 2 == n;
	struct envelope *to;

	if (at == 0 || at + 2 < n) {
		d->control->stats.bad_messages++;
		return;
	}
	to = calloc(1, sizeof(*to));
	if (to == NULL)
		return;
	to->socket = d->router[router];
	for (; to->n < at; to->n++) {
		zmq_msg_init(&to->frame[to->n]);
		zmq_msg_move(&to->frame[to->n], &frame[to->n]);
	}
	rpc_serve(d->control, role_of(router, &frame[at]), to,
	    zmq_msg_data(&frame[at]), zmq_msg_size(&frame[at]),
	    has_raw ? zmq_msg_data(&frame[at + 1]) : NULL,
	    has_raw ? zmq_msg_size(&frame[at + 1]) : 0);
}

void
sockets_serve(struct sockets *d, enum sockets_router router)
{
	zmq_msg_t frame[FRAMES_MAX];
	unsigned n, i;

	for (int turn = 0; turn < TURN_MESSAGES; turn++) {
		n = receive(d->router[router], frame);
		if (n == 0)
			return;
		if (n <= FRAMES_MAX)
			serve_message(d, router, frame, n);
		else
			d->control->stats.bad_messages++;
		for (i = 0; i < n && i < FRAMES_MAX; i++)
			zmq_msg_close(&frame[i]);
	}
}

/* ---- answers: control's reply and drop ---- */

void
sockets_reply(struct control *c, void *arg, const char *text, size_t len,
    const void *raw, size_t raw_len)
{
	struct envelope *to = arg;
	bool sent = true;

	(void)c;
	/* never blocks: a ROUTER drops what its peer does not take */
	for (unsigned i = 0; i < to->n && sent; i++)
		sent = zmq_msg_send(&to->frame[i], to->socket,
			   ZMQ_SNDMORE | ZMQ_DONTWAIT) != -1;
	if (sent)
		sent =
		    zmq_send(to->socket, text, len,
			ZMQ_DONTWAIT | (raw != NULL ? ZMQ_SNDMORE : 0)) != -1;
	if (sent && raw != NULL)
		zmq_send(to->socket, raw, raw_len, ZMQ_DONTWAIT);
}

void
sockets_drop(struct control *c, void *arg)
{
	struct envelope *to = arg;

	(void)c;
	for (unsigned i = 0; i < to->n; i++)
		zmq_msg_close(&to->frame[i]);
	free(to);
}

/* ---- events ---- */

void
sockets_take_subscriptions(struct sockets *d)
{
	zmq_msg_t frame[FRAMES_MAX];
	unsigned n, i;

	for (int turn = 0; turn < TURN_MESSAGES; turn++) {
		const char *text;
		size_t len;

		n = receive(d->events, frame);
		if (n == 0)
			return;
		text = zmq_msg_data(&frame[0]);
		len = zmq_msg_size(&frame[0]);

		/* anything else is chatter that XSUB sockets may send */
		if (n == 1 && len >= 1 && (text[0] == 0 || text[0] == 1))
			events_subscribe(
			    d->subs, text + 1, len - 1, text[0] == 1);
		for (i = 0; i < n && i < FRAMES_MAX; i++)
			zmq_msg_close(&frame[i]);
	}
}

void
sockets_publish(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq)
{
	struct sockets *d = arg;
	const int strict = 1, lossy = 0;
	uint8_t le[8];

	for (unsigned i = 0; i < sizeof(le); i++)
		le[i] = (uint8_t)(seq >> 8 * i);
	/* first so that a full queue is told, to count it; then anyhow, so
	 * that only the slow one loses it */
	zmq_setsockopt(d->events, ZMQ_XPUB_NODROP, &strict, sizeof(strict));
	if (zmq_send(d->events, topic, strlen(topic),
		ZMQ_SNDMORE | ZMQ_DONTWAIT) == -1) {
		d->control->stats.events_dropped++;
		zmq_setsockopt(
		    d->events, ZMQ_XPUB_NODROP, &lossy, sizeof(lossy));
		zmq_send(d->events, topic, strlen(topic),
		    ZMQ_SNDMORE | ZMQ_DONTWAIT);
	}
	zmq_send(d->events, json, len, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(d->events, le, sizeof(le), ZMQ_DONTWAIT);
}

/* ---- who may come in: the ZeroMQ Authentication Protocol, RFC 27 ---- */

enum { /* its frames */
	ZAP_VERSION,
	ZAP_ID,
	ZAP_DOMAIN,
	ZAP_ADDRESS,
	ZAP_IDENTITY,
	ZAP_MECHANISM,
	ZAP_KEY,
	ZAP_FRAMES
};

static const struct curve_client *
check_key(struct sockets *d, zmq_msg_t *key)
{
	uint64_t now = d->control->now_ns;

	/* a key that was added or taken away counts from the next moment */
	if (d->clients.read_ns == 0 ||
	    now - d->clients.read_ns > 1000000000ull) {
		if (curve_load_clients(&d->clients, d->authorized) == -1)
			log_warn("cannot read authorized keys dir=%s",
			    d->authorized);
		d->clients.read_ns = now;
	}
	return curve_find(&d->clients, zmq_msg_data(key));
}

static void
answer_zap(struct sockets *d, zmq_msg_t *frame, unsigned n)
{
	const struct curve_client *client = NULL;
	const char *role;

	if (n == ZAP_FRAMES && zmq_msg_size(&frame[ZAP_MECHANISM]) == 5 &&
	    memcmp(zmq_msg_data(&frame[ZAP_MECHANISM]), "CURVE", 5) == 0 &&
	    zmq_msg_size(&frame[ZAP_KEY]) == 32)
		client = check_key(d, &frame[ZAP_KEY]);
	if (client == NULL) {
		d->control->stats.auth_refused++;
		log_warnx("control client refused address=%.*s",
		    n > ZAP_ADDRESS ? (int)zmq_msg_size(&frame[ZAP_ADDRESS])
				    : 0,
		    n > ZAP_ADDRESS
			? (const char *)zmq_msg_data(&frame[ZAP_ADDRESS])
			: "");
	} else
		log_info("control client key=%s role=%s", client->name,
		    cmd_role_name(client->role));
	role = client != NULL ? cmd_role_name(client->role) : "";
	zmq_send(d->zap, "1.0", 3, ZMQ_SNDMORE);
	zmq_send(d->zap, zmq_msg_data(&frame[ZAP_ID]),
	    n > ZAP_ID ? zmq_msg_size(&frame[ZAP_ID]) : 0, ZMQ_SNDMORE);
	zmq_send(d->zap, client != NULL ? "200" : "400", 3, ZMQ_SNDMORE);
	zmq_send(d->zap, client != NULL ? "OK" : "unknown key",
	    client != NULL ? 2 : 11, ZMQ_SNDMORE);
	zmq_send(d->zap, role, strlen(role), ZMQ_SNDMORE);
	zmq_send(d->zap, "", 0, 0);
}

void
sockets_authenticate(struct sockets *d)
{
	zmq_msg_t frame[FRAMES_MAX];
	unsigned n, i;

	while ((n = receive(d->zap, frame)) > 0) {
		if (n > ZAP_ID)
			answer_zap(d, frame, n);
		for (i = 0; i < n && i < FRAMES_MAX; i++)
			zmq_msg_close(&frame[i]);
	}
}
