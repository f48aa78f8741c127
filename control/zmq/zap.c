/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come in over TCP: the ZeroMQ Authentication Protocol (RFC 27),
 * answered by the loop of the control process from the authorized keys.
 */

#include "control/zmq/zap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "control/zmq/curve.h"
#include "shm/log.h"

enum { SECOND_NS = 1000000000 };

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
check_key(struct zap *z, const uint8_t key[32])
{
	uint64_t now = z->control->now_ns;

	if (z->dir == NULL)
		return NULL;
	/* a key that was added or taken away counts within a second */
	if (z->clients.read_ns == 0 || now - z->clients.read_ns > SECOND_NS) {
		if (curve_load_clients(&z->clients, z->dir) == -1)
			log_warn("cannot read authorized keys dir=%s", z->dir);
		z->clients.read_ns = now;
	}
	return curve_find(&z->clients, key);
}

enum cmd_role
zap_role(struct zap *z, const char *user)
{
	const struct curve_client *client = NULL;
	uint8_t key[32];

	if (user != NULL && strlen(user) == CURVE_TEXT - 1 &&
	    zmq_z85_decode(key, user) != NULL)
		client = check_key(z, key);
	return client != NULL ? client->role : CMD_NOBODY;
}

/* Who is refused comes again at once: one line a second is enough. */
static void
log_refusal(struct zap *z, zmq_msg_t *address, bool known)
{
	uint64_t now = z->control->now_ns;

	z->control->stats->auth_refused++;
	if (z->refusal_ns != 0 && now - z->refusal_ns < SECOND_NS)
		return;
	z->refusal_ns = now;
	log_warnx("control client refused address=%.*s total=%" PRIu64,
	    known ? (int)zmq_msg_size(address) : 0,
	    known ? (const char *)zmq_msg_data(address) : "",
	    z->control->stats->auth_refused);
}

static void
answer(struct zap *z, zmq_msg_t *frame, unsigned n)
{
	const struct curve_client *client = NULL;
	char user[CURVE_TEXT] = "";

	if (n == ZAP_FRAMES && zmq_msg_size(&frame[ZAP_MECHANISM]) == 5 &&
	    memcmp(zmq_msg_data(&frame[ZAP_MECHANISM]), "CURVE", 5) == 0 &&
	    zmq_msg_size(&frame[ZAP_KEY]) == 32)
		client = check_key(z, zmq_msg_data(&frame[ZAP_KEY]));
	if (client == NULL)
		log_refusal(z, &frame[ZAP_ADDRESS], n > ZAP_ADDRESS);
	else
		log_info("control client key=%s role=%s", client->name,
		    cmd_role_name(client->role));
	if (client != NULL)
		zmq_z85_encode(user, client->key, sizeof(client->key));
	zmq_send(z->socket, "1.0", 3, ZMQ_SNDMORE);
	zmq_send(z->socket, zmq_msg_data(&frame[ZAP_ID]),
	    n > ZAP_ID ? zmq_msg_size(&frame[ZAP_ID]) : 0, ZMQ_SNDMORE);
	zmq_send(z->socket, client != NULL ? "200" : "400", 3, ZMQ_SNDMORE);
	zmq_send(z->socket, client != NULL ? "OK" : "unknown key",
	    client != NULL ? 2 : 11, ZMQ_SNDMORE);
	zmq_send(z->socket, user, strlen(user), ZMQ_SNDMORE);
	zmq_send(z->socket, "", 0, 0);
}

/* Takes one request; how many frames it had, of which the first ZAP_FRAMES
 * are kept. 0 if there is none. */
static unsigned
receive(struct zap *z, zmq_msg_t frame[ZAP_FRAMES])
{
	unsigned n = 0;
	bool more = true;

	while (more) {
		zmq_msg_t extra, *to = n < ZAP_FRAMES ? &frame[n] : &extra;

		zmq_msg_init(to);
		if (zmq_msg_recv(to, z->socket, ZMQ_DONTWAIT) == -1) {
			zmq_msg_close(to);
			break;
		}
		more = zmq_msg_more(to) != 0;
		if (to == &extra)
			zmq_msg_close(&extra);
		n++;
	}
	return n;
}

void
zap_serve(struct zap *z)
{
	zmq_msg_t frame[ZAP_FRAMES];
	unsigned n, i;

	while ((n = receive(z, frame)) > 0) {
		if (n > ZAP_ID)
			answer(z, frame, n);
		for (i = 0; i < n && i < ZAP_FRAMES; i++)
			zmq_msg_close(&frame[i]);
	}
}

void
zap_look_in(struct zap *z, char *dir)
{
	if (z->dir == NULL || dir == NULL || strcmp(z->dir, dir) != 0)
		curve_free_clients(&z->clients);
	free(z->dir);
	z->dir = dir;
}

void
zap_fini(struct zap *z)
{
	free(z->dir);
	z->dir = NULL;
	curve_free_clients(&z->clients);
}
