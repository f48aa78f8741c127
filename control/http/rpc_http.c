/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /api/v1/rpc: the body is one message of JSON-RPC 2.0, or a batch, and
 * the answer is its answer, always with status 200; 204 if it has none. Runs in
 * the http process.
 */
#include <stdlib.h>

#include "control/http/routes.h"
#include "control/http/rpc_http.h"
#include "control/rpc.h"

/* Where an answer goes. */
struct rpc_to {
	struct http_call *call; /* NULL: it has been given */
};

void
rpc_http(struct http_call *call)
{
	struct rpc_to *to = calloc(1, sizeof(*to));

	if (to == NULL) {
		http_fail(call, 503, "no_memory", "Out of memory.");
		return;
	}
	to->call = call;
	rpc_serve(
	    call->control, call->role, to, call->body, call->len, NULL, 0);
}

void
rpc_http_reply(struct control *c, void *arg, const char *text, size_t len,
    const void *raw, size_t raw_len)
{
	struct rpc_to *to = arg;
	struct http_call *call = to->call;

	(void)c;
	(void)raw; /* control->one_frame: there is none */
	(void)raw_len;
	to->call = NULL;
	http_reply(call, 200, HTTP_JSON, text, len);
}

void
rpc_http_drop(struct control *c, void *arg)
{
	struct rpc_to *to = arg;

	(void)c;
	if (to->call != NULL)
		http_reply(to->call, 204, NULL, "", 0);
	free(to);
}
