/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what can be asked for over HTTP. The first row whose path and
 * method are those of a request serves it. Runs in the http process.
 */
#include "control/http/routes.h"

#include "control/http/assets.h"
#include "control/http/metrics.h"
#include "control/http/sim_route.h"
#include "control/http/sse.h"

/* A page of pymodbus's simulator, and its REST under both its paths. */
#define SIM(name, help)                                                       \
	{ HTTP_GET | HTTP_POST, "/api/" name, CMD_READ, 0, sim_route, help }, \
	{                                                                     \
		HTTP_GET | HTTP_POST, "/restapi/" name, CMD_READ, 0,          \
		    sim_route_post_only, help                                 \
	}

const struct http_route http_routes[] = {
	{ HTTP_POST, "/api/v1/rpc", CMD_READ, 1 << 20, rpc_http,
	    "the commands, as JSON-RPC 2.0" },
	{ HTTP_GET, "/api/v1/stream", CMD_READ, 0, sse_open,
	    "events of ?topics=, as text/event-stream" },
	{ HTTP_GET, "/api/v1/trace.pcap", CMD_READ, 0, trace_pcap,
	    "the frames that trace.read tells (transport, filter, after), for "
	    "Wireshark" },
	{ HTTP_GET, "/api/v1/", CMD_NOBODY, 0, routes_list, "this list" },
	{ HTTP_GET, "/healthz", CMD_NOBODY, 0, health_live,
	    "200 while the daemon lives" },
	{ HTTP_GET, "/readyz", CMD_NOBODY, 0, health_ready,
	    "200 while every transport serves that should" },
	SIM("registers", "pymodbus's simulator: registers"),
	SIM("calls", "pymodbus's simulator: calls, and what is simulated"),
	SIM("log", "pymodbus's simulator: the log"),
	SIM("server", "pymodbus's simulator: a server, and its restart"),
	{ HTTP_GET | HTTP_POST, "/api/*", CMD_NOBODY, 0, sim_route_unknown,
	    "404" },
	{ HTTP_GET | HTTP_POST, "/restapi/*", CMD_NOBODY, 0, sim_route_unknown,
	    "404" },
	{ HTTP_GET, "/metrics", CMD_READ, 0, metrics_show,
	    "counters and named registers, for Prometheus" },
	{ HTTP_GET, "/*", CMD_NOBODY, 0, assets_serve, "the page" },
};

const unsigned http_nroutes = sizeof(http_routes) / sizeof(http_routes[0]);

void
routes_list(struct http_call *call)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < http_nroutes; i++) {
		const struct http_route *r = &http_routes[i];

		if (r->fn == sim_route_unknown)
			continue; /* there is nothing */
		json_array_append_new(all,
		    json_pack("{s:s, s:s, s:s, s:s}", "path", r->path, "method",
			r->methods == HTTP_POST      ? "POST"
			    : r->methods == HTTP_GET ? "GET"
						     : "GET, POST",
			"role", cmd_role_name(r->role), "help", r->help));
	}
	http_reply_json(call, 200, all);
}
