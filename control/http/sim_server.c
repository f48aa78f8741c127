/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server page and its REST: how a server is, and what it has counted. The
 * button that restarts it is sim_route.c's, since that takes its time. Runs in
 * the http process.
 */

#include "control/http/sim_own.h"

void
sim_server(struct sim_call *c)
{
	static const char *const keys[] = { "type", "listen", "state", "line",
		"pid", "restarts", "uptime_s", "connections", "requests",
		"exceptions", "errors", "last_exit" };
	json_t *row, *info, *stats;
	const char *server = sim_server_of(c, &row);
	size_t i;

	if (server == NULL)
		return;
	info = sim_ask(c, "system.info", NULL);
	stats = sim_ask(c, "stats.get", NULL);
	json_object_set_new(c->out, "server", json_string(server));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(row, keys[i]) != NULL)
			json_object_set(
			    c->out, keys[i], json_object_get(row, keys[i]));
	if (info != NULL) {
		json_object_set(
		    c->out, "version", json_object_get(info, "version"));
		json_object_set(c->out, "daemon_uptime_s",
		    json_object_get(info, "uptime_s"));
	}
	if (stats != NULL)
		json_object_set(c->out, "counters",
		    json_object_get(
			json_object_get(stats, "transports"), server));
	json_decref(stats);
	json_decref(info);
	json_decref(row);
}
