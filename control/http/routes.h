/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_ROUTES_H
#define CONTROL_ROUTES_H

/*
 * The handlers that routes.c names.
 */

#include "control/http/http.h"

/* What runs commands: rpc_http.c, the same as over ZeroMQ. */
http_fn rpc_http;

/* For those who watch over services: health.c. */
http_fn health_live, health_ready;

/* For Wireshark: trace_http.c. */
http_fn trace_pcap;

/* What there is: routes.c. */
http_fn routes_list;

#endif
