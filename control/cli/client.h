/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CLIENT_H
#define CONTROL_CLI_CLIENT_H

#include <jansson.h>

#include "control/cli/cli.h"

struct client;

/*
 * A connection to the daemon. Opened by the first call: it waits until the
 * daemon has answered the handshake, and with -w until every transport that
 * should serve does.
 */

enum { CLIENT_CALL_MS = 10000 };

/*
 * Calls a method; takes params over (NULL: none). CLI_OK with a new reference
 * in *result, or another exit code after the reason went to standard error.
 */
int client_call(struct cli *, const char *method, json_t *params,
    long timeout_ms, json_t **result);

/* A subscriber to the daemon's events, or NULL after saying why; topics are
 * added by zmq_setsockopt(ZMQ_SUBSCRIBE). Returned by client_close(). */
void *client_subscriber(struct cli *);

void client_close(struct cli *);

#endif
