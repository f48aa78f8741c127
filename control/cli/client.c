/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's end of the control protocol. ZeroMQ connects whenever it
 * can; a monitor of the socket tells "nobody there" from "no answer yet".
 */

#include "control/cli/client.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "control/cmd/cmd.h"
#include "control/zmq/curve.h"
#include "control/jtext.h"

enum { REACH_MS = 5000, READY_LOOK_MS = 50 };

struct client {
	void *context, *socket, *monitor, *events;
	int next_id;
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static long
left_ms(uint64_t until_ms)
{
	uint64_t now = now_ms();

	return until_ms > now ? (long)(until_ms - now) : 0;
}

/* ---- keys ---- */

/* Our own key pair, or for readers a passing one, and the server's key. */
static int
use_keys(struct cli *cli, void *socket)
{
	char public[CURVE_TEXT], secret[CURVE_TEXT], why[200];

	if (cli->server_key == NULL)
		return CLI_OK;
	if (cli->key_file == NULL)
		return cli_fail(CLI_USAGE, "--server-key needs --key FILE");
	if (curve_load_secret(cli->key_file, secret, why, sizeof(why)) == -1)
		return cli_fail(CLI_USAGE, "%s", why);
	if (zmq_curve_public(public, secret) == -1 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, cli->server_key,
		strlen(cli->server_key) + 1) == -1)
		return cli_fail(
		    CLI_USAGE, "--server-key must be a key of 40 characters");
	zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public, CURVE_TEXT);
	zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, CURVE_TEXT);
	return CLI_OK;
}

/* ---- reaching the daemon ---- */

/* The next event of the monitor, or 0 if none comes in time. */
static int
next_event(void *monitor, long timeout_ms)
{
	zmq_pollitem_t item = { .socket = monitor, .events = ZMQ_POLLIN };
	uint8_t data[8] = { 0 };
	uint16_t event;
	char address[256];

	if (zmq_poll(&item, 1, timeout_ms) <= 0 ||
	    zmq_recv(monitor, data, sizeof(data), 0) == -1)
		return 0;
	zmq_recv(monitor, address, sizeof(address), 0);
	memcpy(&event, data, sizeof(event));
	return event;
}

/* ZeroMQ does not say why it cannot connect; the socket's file may. */
static int
unreachable(const struct cli *cli)
{
	const char *path = cli->endpoint;

	if (strncmp(path, "ipc://", 6) == 0 && path[6] != '@' &&
	    access(path + 6, R_OK | W_OK) == -1 && errno == EACCES)
		return cli_fail(CLI_UNREACHABLE,
		    "cannot reach the daemon at %s: permission denied", path);
	return cli_fail(CLI_UNREACHABLE, "cannot reach the daemon at %s", path);
}

static int
reach(struct cli *cli)
{
	uint64_t until = now_ms() +
	    (uint64_t)(cli->wait_s > 0   ? cli->wait_s * 1e3
		    : cli->timeout_s > 0 ? cli->timeout_s * 1e3
					 : REACH_MS);

	for (;;) {
		switch (next_event(cli->client->monitor, left_ms(until))) {
		case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
			return CLI_OK;
		case ZMQ_EVENT_CONNECT_RETRIED:
			if (cli->wait_s <= 0)
				return unreachable(cli);
			break;
		case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
			return cli_fail(CLI_REFUSED,
			    "%s does not accept the key", cli->endpoint);
		case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
			return cli_fail(CLI_UNREACHABLE,
			    "%s speaks with other keys, or none",
			    cli->endpoint);
		default:
			break;
		}
		if (left_ms(until) == 0)
			return unreachable(cli);
	}
}

static bool
all_serve(const json_t *transports)
{
	json_t *t;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)transports, i, t) {
		const char *state =
		    json_string_value(json_object_get(t, "state"));

		if (state == NULL ||
		    (strcmp(state, "up") != 0 && strcmp(state, "stopped") != 0))
			return false;
	}
	return true;
}

static int ask(struct cli *, const char *, json_t *, long, json_t **);

static int
wait_ready(struct cli *cli)
{
	uint64_t until = now_ms() + (uint64_t)(cli->wait_s * 1e3);
	const struct timespec look = { .tv_nsec = READY_LOOK_MS * 1000000 };
	json_t *transports;
	bool ready;
	int code;

	for (;;) {
		code = ask(
		    cli, "transports.list", NULL, CLIENT_CALL_MS, &transports);
		if (code != CLI_OK)
			return code;
		ready = all_serve(transports);
		json_decref(transports);
		if (ready)
			return CLI_OK;
		if (left_ms(until) == 0)
			return cli_fail(CLI_TIMEOUT,
			    "not every transport serves after %g s",
			    cli->wait_s);
		nanosleep(&look, NULL);
	}
}

static int
open_client(struct cli *cli)
{
	struct client *c = calloc(1, sizeof(*c));
	const int linger = 0;
	int code;

	if (c == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	cli->client = c;
	c->context = zmq_ctx_new();
	c->socket = zmq_socket(c->context, ZMQ_DEALER);
	c->monitor = zmq_socket(c->context, ZMQ_PAIR);
	if (c->socket == NULL || c->monitor == NULL)
		return cli_fail(CLI_INTERNAL, "ZeroMQ: %s", strerror(errno));
	zmq_setsockopt(c->socket, ZMQ_LINGER, &linger, sizeof(linger));
	code = use_keys(cli, c->socket);
	if (code != CLI_OK)
		return code;
	zmq_socket_monitor(c->socket, "inproc://monitor", ZMQ_EVENT_ALL);
	zmq_connect(c->monitor, "inproc://monitor");
	if (zmq_connect(c->socket, cli->endpoint) == -1)
		return cli_fail(CLI_USAGE, "%s: %s", cli->endpoint,
		    zmq_strerror(zmq_errno()));
	code = reach(cli);
	if (code == CLI_OK && cli->wait_s > 0)
		code = wait_ready(cli);
	return code;
}

/* ---- calls ---- */

static int
send_call(struct client *c, const char *method, json_t *params)
{
	json_t *call = json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id",
	    ++c->next_id, "method", method);
	char *text;
	size_t len;
	int rc = -1;

	if (params != NULL)
		json_object_set_new(call, "params", params);
	text = jtext_dump(call, &len);
	if (text != NULL)
		rc = zmq_send(c->socket, text, len, 0);
	free(text);
	json_decref(call);
	return rc;
}

/* One message, if it is the answer to the last call. */
static void
take_answer(struct client *c, json_t **json)
{
	char why[JTEXT_WHY_MAX];
	zmq_msg_t frame;

	zmq_msg_init(&frame);
	if (zmq_msg_recv(&frame, c->socket, ZMQ_DONTWAIT) != -1)
		*json =
		    jtext_load(zmq_msg_data(&frame), zmq_msg_size(&frame), why);
	zmq_msg_close(&frame);
	if (json_integer_value(json_object_get(*json, "id")) != c->next_id) {
		json_decref(*json);
		*json = NULL;
	}
}

/* The answer to the last call; *json stays NULL if none came in time, or the
 * daemon went away without one, which *gone then says. */
static void
receive(struct client *c, uint64_t until, json_t **json, bool *gone)
{
	zmq_pollitem_t item[] = {
		{ .socket = c->socket, .events = ZMQ_POLLIN },
		{ .socket = c->monitor, .events = ZMQ_POLLIN },
	};

	*json = NULL;
	*gone = false;
	while (
	    *json == NULL && !*gone && zmq_poll(item, 2, left_ms(until)) > 0) {
		if (item[0].revents != 0)
			take_answer(c, json);
		else if (item[1].revents != 0)
			*gone =
			    next_event(c->monitor, 0) == ZMQ_EVENT_DISCONNECTED;
	}
}

static int
refused(const json_t *error)
{
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	const json_t *modbus =
	    json_object_get(json_object_get(error, "data"), "modbus_exception");
	const char *message =
	    json_string_value(json_object_get(error, "message"));
	const char *reason = json_string_value(
	    json_object_get(json_object_get(error, "data"), "reason"));
	bool later = code == CMD_TIMEOUT ||
	    (reason != NULL && strcmp(reason, "busy") == 0);

	if (message == NULL)
		message = "refused";
	if (modbus != NULL)
		return cli_fail(CLI_REFUSED, "%s (exception %d)", message,
		    (int)json_integer_value(modbus));
	return cli_fail(later ? CLI_TIMEOUT : CLI_REFUSED, "%s", message);
}

static int
ask(struct cli *cli, const char *method, json_t *params, long timeout_ms,
    json_t **result)
{
	json_t *answer, *error;
	int code = CLI_OK;
	bool gone;

	if (send_call(cli->client, method, params) == -1)
		return cli_fail(CLI_UNREACHABLE, "cannot send to %s: %s",
		    cli->endpoint, zmq_strerror(zmq_errno()));
	receive(cli->client, now_ms() + (uint64_t)timeout_ms, &answer, &gone);
	if (gone)
		return cli_fail(
		    CLI_UNREACHABLE, "the daemon went away before it answered");
	if (answer == NULL)
		return cli_fail(
		    CLI_TIMEOUT, "no answer within %ld ms", timeout_ms);
	error = json_object_get(answer, "error");
	if (error != NULL)
		code = refused(error);
	else
		*result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	return code;
}

int
client_call(struct cli *cli, const char *method, json_t *params,
    long timeout_ms, json_t **result)
{
	int code = CLI_OK;

	if (cli->client == NULL)
		code = open_client(cli);
	if (code != CLI_OK) {
		json_decref(params);
		return code;
	}
	if (cli->timeout_s > 0)
		timeout_ms = (long)(cli->timeout_s * 1e3);
	return ask(cli, method, params, timeout_ms, result);
}

void *
client_subscriber(struct cli *cli)
{
	static const char command[] = "control.sock", events[] = "events.sock";
	size_t len = strlen(cli->endpoint), tail = sizeof(command) - 1;
	char *endpoint;
	int rc = -1;

	if (len < tail || strncmp(cli->endpoint, "ipc://", 6) != 0 ||
	    strcmp(cli->endpoint + len - tail, command) != 0) {
		cli_fail(CLI_USAGE,
		    "events are had from ipc://.../control.sock's neighbour "
		    "events.sock only, not from %s",
		    cli->endpoint);
		return NULL;
	}
	if (asprintf(&endpoint, "%.*s%s", (int)(len - tail), cli->endpoint,
		events) != -1) {
		if (cli->client->events != NULL) /* of an earlier command */
			zmq_close(cli->client->events);
		cli->client->events = zmq_socket(cli->client->context, ZMQ_SUB);
		rc = zmq_connect(cli->client->events, endpoint);
		free(endpoint);
	}
	if (rc == -1) {
		cli_fail(CLI_INTERNAL, "ZeroMQ: %s", zmq_strerror(zmq_errno()));
		return NULL;
	}
	return cli->client->events;
}

void
client_close(struct cli *cli)
{
	struct client *c = cli->client;
	const int linger = 0;

	if (c == NULL)
		return;
	if (c->socket != NULL)
		zmq_socket_monitor(c->socket, NULL, 0);
	if (c->monitor != NULL) {
		zmq_setsockopt(c->monitor, ZMQ_LINGER, &linger, sizeof(linger));
		zmq_close(c->monitor);
	}
	if (c->events != NULL)
		zmq_close(c->events);
	if (c->socket != NULL)
		zmq_close(c->socket);
	if (c->context != NULL)
		zmq_ctx_term(c->context);
	free(c);
	cli->client = NULL;
}
