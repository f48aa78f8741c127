/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traffic of the control process's sockets. What arrives is bounded by
 * ZeroMQ (a frame's size) and here (frames of a message, messages of a turn);
 * who does not read loses answers and events, and nobody waits for them.
 */

#include "control/zmq/sockets.h"

#include <stdlib.h>
#include <string.h>

#include "control/rpc.h"

enum {
	FRAMES_MAX = 10, /* envelopes of a few proxies, and two of ours */
	ENVELOPE_MAX = FRAMES_MAX - 2,
	TURN_MESSAGES = 64,
	TURN_MS = 50, /* then others have theirs */
};

/* Where an answer goes: the frames that stood before the request. */
struct envelope {
	void *socket;
	unsigned n;
	zmq_msg_t frame[ENVELOPE_MAX];
};

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
	for (i = 1; i < n && i < ENVELOPE_MAX; i++)
		if (zmq_msg_size(&frame[i]) == 0)
			return i + 1 < n ? i + 1 : 0;
	return 1; /* whatever it is: it is answered as no JSON */
}

static enum cmd_role
role_of(struct sockets *d, enum sockets_router router, zmq_msg_t *text)
{
	if (router != SOCKETS_CURVE)
		return CMD_ADMIN;
	return zap_role(&d->zap, zmq_msg_gets(text, "User-Id"));
}

static void
serve_message(
    struct sockets *d, enum sockets_router router, zmq_msg_t *frame, unsigned n)
{
	unsigned at = find_text(frame, n);
	bool has_raw = at + 2 == n;
	struct envelope *to;

	if (at == 0 || at + 2 < n) {
		d->control->stats->bad_messages++;
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
	rpc_serve(d->control, role_of(d, router, &frame[at]), to,
	    zmq_msg_data(&frame[at]), zmq_msg_size(&frame[at]),
	    has_raw ? zmq_msg_data(&frame[at + 1]) : NULL,
	    has_raw ? zmq_msg_size(&frame[at + 1]) : 0);
}

void
sockets_serve(struct sockets *d, enum sockets_router router)
{
	const struct control *c = d->control;
	uint64_t until_ns = c->now_ns + TURN_MS * 1000000ull;
	zmq_msg_t frame[FRAMES_MAX];
	unsigned n, i;

	for (int turn = 0; turn < TURN_MESSAGES && c->now_ns < until_ns;
	     turn++) {
		n = receive(d->router[router], frame);
		if (n == 0)
			return;
		if (n <= FRAMES_MAX)
			serve_message(d, router, frame, n);
		else
			d->control->stats->bad_messages++;
		for (i = 0; i < n && i < FRAMES_MAX; i++)
			zmq_msg_close(&frame[i]);
		control_beat(d->control);
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
		d->control->stats->events_dropped++;
		zmq_setsockopt(
		    d->events, ZMQ_XPUB_NODROP, &lossy, sizeof(lossy));
		zmq_send(d->events, topic, strlen(topic),
		    ZMQ_SNDMORE | ZMQ_DONTWAIT);
	}
	zmq_send(d->events, json, len, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(d->events, le, sizeof(le), ZMQ_DONTWAIT);
}
