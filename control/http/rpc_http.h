/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_RPC_HTTP_H
#define CONTROL_RPC_HTTP_H

/*
 * Where the answers to POST /api/v1/rpc go: control's reply and drop.
 */

#include "control/state.h"

void rpc_http_reply(struct control *, void *to, const char *text, size_t len,
    const void *raw, size_t raw_len);
void rpc_http_drop(struct control *, void *to);

#endif
